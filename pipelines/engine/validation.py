"""Validate a stage's output by its suite before the next stage starts.

The native verdict decides (`pipelines.engine.expectations`).  Great Expectations validates the same
counts in a child process and writes the Data Docs.  A run waits for that verdict at its end, and
fails if the two differ.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl

from lineage.storage import disk
from pipelines.engine import expectations
from pipelines.engine.docs_process import DEBUG, PROCESS
from pipelines.engine.expectations import Failure
from schemas.errors import NO, TRY_AGAIN, TamgaError


class ExpectationFailed(TamgaError):
    """A stage's output falls short of its suite.

    Attributes:
      failures: each expectation that failed.
      explained: lines that explain where the documents went; the caller may add some.
    """

    exit_code = NO

    def __init__(self, stage: str, failures: list[Failure]) -> None:
        super().__init__(stage, failures)
        self.stage, self.failures, self.explained = stage, failures, list[str]()

    def __str__(self) -> str:
        lines = [f"{self.stage}: {failure}" for failure in self.failures]
        return "\n".join([*lines, *(f"  {line}" for line in self.explained)])

    @property
    def too_little_kept(self) -> bool:
        return any(failure.column in ("keep", "kept_share") for failure in self.failures)


class VerdictsDiffer(TamgaError):
    """Great Expectations' verdict differs from the native one."""

    exit_code = NO


class NoDataDocs(TamgaError):
    """Great Expectations gave no verdict."""

    exit_code = TRY_AGAIN


def validate(
    stage: str,
    aggregates: Sequence[Mapping[str, Any]],
    work: Path,
    run_id: str,
    *,
    min_keep_share: float | None = 0.0,
) -> None:
    """Validate a stage's output; request Great Expectations' verdict and the Data Docs.

    Args:
      stage: its name.
      aggregates: a row of counts per shard.
      work: the work folder; the Data Docs go to `validation/<stage>` in it.
      run_id: of the stage's run.
      min_keep_share: the least share of the stage's input that it must keep.  At least one
        document must be kept, unless it is None.

    Raises:
      ExpectationFailed: after the Data Docs are written.
    """
    spec = expectations.suite(stage)
    frame = expectations.prepare_rows(
        pl.DataFrame(aggregates, infer_schema_length=None), spec["meta"]
    )
    verdicts = expectations.judge(spec, frame, expectations.parameters(min_keep_share))
    docs, request = work / "validation" / stage, _request_file(work, stage)
    shutil.rmtree(docs, ignore_errors=True)  # those of an earlier output
    content = {
        "stage": stage,
        "run_id": run_id,
        "docs": str(docs.absolute()),
        "min_keep_share": min_keep_share,
        "aggregates": list(aggregates),  # in the order of columns: rows are sorted by it
        "verdicts": verdicts,
    }
    disk.write_bytes(request, json.dumps(content).encode())
    PROCESS.ask(request)
    if failures := expectations.failures(spec, verdicts):
        error = ExpectationFailed(stage, failures)
        error.explained = _verdict_problems()
        request.unlink(missing_ok=True)  # nothing was published: the next run sends a request again
        raise error


def resume(stage: str, work: Path, run_id: str) -> None:
    """Request the verdict on a published output again, if an interrupted run did not get it."""
    request = _request_file(work, stage)
    if request.exists() and disk.read_json(request)["run_id"] == run_id:
        PROCESS.ask(request)


@contextmanager
def data_docs() -> Iterator[None]:
    """Run Great Expectations beside the stages; wait for its verdicts at the end.

    Raises:
      VerdictsDiffer: names the stage and the expectation.
      NoDataDocs: names the stages without a verdict.
    """
    PROCESS.start()
    try:
        yield
    except Exception:
        _verdict_problems()
        raise
    finish()


def finish() -> None:
    """Wait for all verdicts of Great Expectations.

    Raises:
      VerdictsDiffer: names the stage and the expectation.
      NoDataDocs: names the stages without a verdict.
    """
    lost, different = [], []
    for request, answer in PROCESS.answers().items():
        stage = request.name.partition(".")[0]
        if answer is None:
            lost.append(
                f"{stage}: the process of Great Expectations ended with exit code "
                f"{PROCESS.exit_code}; set {DEBUG}=1 to see what it prints"
            )
        elif "error" in answer:
            lost.append(f"{stage}: Great Expectations gave no verdict: {answer['error']}")
        elif answer["contradictions"]:
            different += [f"{stage}: {line}" for line in answer["contradictions"]]
        else:
            request.unlink(missing_ok=True)
    if different:
        raise VerdictsDiffer("\n".join(different))
    if lost:
        raise NoDataDocs(
            "\n".join(
                [*lost, "The output is published without its Data Docs: start the command again."]
            )
        )


def _verdict_problems() -> list[str]:
    """Wait for all verdicts while another error is handled; return their problems."""
    try:
        finish()
    except (VerdictsDiffer, NoDataDocs) as error:
        return str(error).splitlines()
    return []


def _request_file(work: Path, stage: str) -> Path:
    """The file of a request until it is answered; outside the outputs that DVC deletes."""
    return work / ".state" / f"{stage}.validation.json"
