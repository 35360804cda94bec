"""The base of all stages: inputs by digest, a Beam job over shards, a published folder.

A subclass names its inputs and builds its job.  A second run with the same inputs, parameters and
code does nothing.  An interrupted run goes on with the shards that are not done.  The counts of
input and output must agree before anything is published.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import apache_beam as beam
import polars as pl
import pyarrow as pa

from lineage.storage import disk, locks
from pipelines.engine import (
    batches,
    decisions,
    guard,
    published,
    run_events,
    runners,
    shards,
    validation,
)
from pipelines.engine.context import Context
from pipelines.engine.decisions import add_counts, parts_added, write_metrics
from pipelines.engine.published import Published, StageError, digest
from schemas import stages
from schemas.code_version import code_version
from schemas.tables import SCHEMA_VERSION


@dataclass
class Shard:
    """A shard in work: write its tables, then mark it as done."""

    name: str
    state: shards.State
    files: list[dict[str, Any]] = field(default_factory=list)

    def write(self, table: str, data: pa.Table, level: int = 1) -> None:
        """Write one table, with a compression level."""
        self.files.append(self.state.write(table, self.name, data, level))

    def finish(self, figures: Mapping[str, Any], counts: Mapping[str, Any]) -> None:
        """Mark the shard as done.

        Args:
          figures: the aggregates to validate.
          counts: nested counters, added up over the shards.
        """
        self.state.finish(self.name, self.files, aggregates=dict(figures), counts=dict(counts))


class Stage(ABC):
    """A step from files to files.

    Attributes:
      name: its name in `schemas.stages.TABLE`.
      models: name -> version of each model that it uses.
    """

    name: ClassVar[str]
    models: Mapping[str, str] = {}

    def __init__(self, context: Context) -> None:  # noqa: B027 most stages need nothing more
        """Check the parameters that the stage needs, before anything runs."""

    @property
    def sections(self) -> tuple[str, ...]:
        """The sections of the parameters on which its output depends."""
        return stages.entry(self.name).sections

    @abstractmethod
    def inputs(self, context: Context) -> dict[str, str]:
        """Return the name and digest of each input."""

    @abstractmethod
    def build(
        self, pipeline: beam.Pipeline, context: Context, state: shards.State, run_id: str
    ) -> None:
        """Build the job."""

    @abstractmethod
    def expected(self, context: Context) -> int:
        """Return the number of input documents or records, by the counts of the stage before."""

    def planned(self, context: Context) -> int | None:
        """Return the number of shards, for the progress display; None if not known yet."""
        return None

    def target(self, context: Context) -> Path:
        """Return the folder of the output; `stage.json` and `run.json` stay in the work folder."""
        return context.folder(self.name)

    def admit(self, context: Context) -> None:
        """Check the input before the job starts.

        Raises:
          StageError: if the run must stop.
        """
        return

    def check(
        self, context: Context, state: shards.State, totals: Mapping[str, Mapping[str, int]]
    ) -> None:
        """Check the output before it is validated; `totals`: nested counters.

        Raises:
          StageError: if it must not be published.
        """
        return

    def finish(
        self,
        context: Context,
        state: shards.State,
        markers: Sequence[Mapping[str, Any]],
        run: Mapping[str, Any],
    ) -> list[str]:
        """Add files about the whole stage to its state; return their paths."""
        return []

    def published(self, context: Context) -> None:  # noqa: B027 most stages need nothing more
        """Do what remains after publication.

        Also called when a finished stage is reused, so a second call must change nothing.
        """

    def run_id(self, context: Context, inputs: Mapping[str, str]) -> str:
        """Derive the id from code, canonical parameters and inputs: same work, same id."""
        parts = [
            self.name,
            code_version(),
            context.params.digest(*self.sections),
            json.dumps(inputs, sort_keys=True),
            json.dumps(dict(self.models), sort_keys=True),
        ]
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def execute(stage: Stage, context: Context) -> Published:
    """Run a stage, or reuse its finished output.

    Raises:
      StageError: if counts do not add up, or another process runs the same stage.
      pipelines.engine.validation.ExpectationFailed: if the output falls short of its suite.
    """
    inputs = stage.inputs(context)
    run_id = stage.run_id(context, inputs)
    # outside the published folder: DVC deletes a stage's outputs before it runs it again
    home = context.params.work / ".state" / stage.name
    with ExitStack() as stack:
        for lock, folder, key in _locks_to_hold(stage, context, home):
            if not stack.enter_context(locks.exclusive_lock(lock)):
                raise StageError(
                    f"{stage.name}: another process is at work in {folder}; "
                    f"wait for it, or name another `{key}` in the parameters"
                )
        known = home.with_suffix(".digests.json")
        done = published.load_unchanged(
            context.folder(stage.name), stage.target(context), run_id, known
        )
        if done is not None:
            validation.resume(stage.name, context.params.work, run_id)
        else:
            _remove_other_state(home, run_id)
            run = _start_record(stage, context, inputs, run_id)
            with run_events.emit_events(context, run) as complete:
                done = _run_job(stage, context, run, shards.State(str(home / run_id)))
                complete(done.summary)
            shutil.rmtree(home, ignore_errors=True)
            published.store_digests(done, known)  # last: removing links changes files' ctime
        stage.published(context)
        return done


def _locks_to_hold(stage: Stage, context: Context, home: Path) -> list[tuple[Path, Path, str]]:
    """The locks that a stage needs: (lock, folder, the parameter that names the folder).

    One is for its work folder.  If it replaces a folder elsewhere, that has a lock too: parameters
    with another `work` may name the same folder.
    """
    target = stage.target(context)
    locks = [(home.with_suffix(".lock"), context.params.work, "work")]
    if target != context.folder(stage.name):
        locks.append((target.with_name(f".{target.name}.lock"), target, stage.name))
    return locks


def _start_record(
    stage: Stage, context: Context, inputs: Mapping[str, str], run_id: str
) -> dict[str, Any]:
    """What is known at the start of a run."""
    return {
        "run_id": run_id,
        "stage": stage.name,
        "code_version": code_version(),
        "params_sha256": context.params.digest(*stage.sections),
        "models": dict(stage.models),
        "inputs": dict(inputs),
        "runner": runners.runner_name(context.beam_args, context.workers),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _run_job(
    stage: Stage, context: Context, run: Mapping[str, Any], state: shards.State
) -> Published:
    """Run the job, check its counts, validate, publish."""
    run_id, clock = run["run_id"], time.monotonic()
    stage.admit(context)
    with _Progress(stage, context, state):
        runners.run(
            lambda p: stage.build(p, context, state, run_id), context.beam_args, context.workers
        )
    markers = state.all_finished()
    totals = add_counts([m["figures"]["counts"] for m in markers])
    _check_accounts(stage, context, state, totals)
    stage.check(context, state, totals)
    _validate(stage, context, run["run_id"], state, markers)
    summary = {
        "schema_version": SCHEMA_VERSION,
        "stage": stage.name,
        "run_id": run_id,
        "shards": [m["shard"] for m in markers],
        "files": _shard_files(markers),
        "added": {
            name: {"sha256": disk.sha256_file(Path(state.root) / name)}
            for name in stage.finish(context, state, markers, run)
        },
        "totals": totals,
    }
    seconds = time.monotonic() - clock
    record = {
        **run,
        "ended": datetime.now(UTC).isoformat(timespec="seconds"),
        "outputs": digest(summary["files"]),
        "seconds": round(seconds, 3),
    }
    write_metrics(context.params.work, stage.name, totals, seconds)
    _publish(stage, context, state, summary=summary, record=record)
    return Published(stage.target(context), summary, seconds, fresh=True)


def _check_accounts(
    stage: Stage, context: Context, state: shards.State, totals: Mapping[str, Mapping[str, int]]
) -> None:
    """Compare the number of outcomes with the number of inputs.

    Raises:
      StageError: if they differ.
    """
    seen = sum(totals.get("outcome", {}).values()) - parts_added(totals)
    expected = stage.expected(context)
    if seen != expected:
        raise StageError(
            f"{stage.name}: {expected} went in and {seen} are accounted for; nothing was "
            f"published. Remove {Path(state.root).parent} and run the stage again"
        )


def _validate(
    stage: Stage,
    context: Context,
    run_id: str,
    state: shards.State,
    markers: Sequence[Mapping[str, Any]],
) -> None:
    """Validate the shards' figures by the stage's suite.

    Raises:
      ExpectationFailed: if they fall short.  If too little was kept, it names documents that
        explain it and the parameter that allows it.
    """
    params = context.params
    aggregates = [m["figures"]["aggregates"] for m in markers if m["figures"]["aggregates"]]
    try:
        validation.validate(
            stage.name,
            aggregates,
            params.work,
            run_id,
            min_keep_share=guard.stage_floor(stage.name, params.guard),
        )
    except validation.ExpectationFailed as error:
        if error.too_little_kept:
            outcomes = add_counts([m["figures"]["counts"] for m in markers]).get("outcome", {})
            error.explained += guard.message_lines(
                [guard.under_floor(stage.name, outcomes)],
                params.guard,
                lambda _: _explain_losses(state, [m["shard"] for m in markers]),
            )
        raise


def _explain_losses(state: shards.State, names: Sequence[str]) -> list[str]:
    """Explain where the documents of an unfinished stage went, if it has decisions."""
    paths = [p for name in names if (p := state.path("decisions", name)).is_file()]
    if not paths:
        return []
    return decisions.explain(pl.read_parquet(paths).filter(pl.col("outcome") != "keep"))


def _shard_files(markers: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """The files of all shards: path -> rows, bytes, digest."""
    return {
        f["file"]: {k: f[k] for k in ("rows", "bytes", "sha256")}
        for m in markers
        for f in m["files"]
    }


def _publish(
    stage: Stage,
    context: Context,
    state: shards.State,
    *,
    summary: Mapping[str, Any],
    record: Mapping[str, Any],
) -> None:
    """Publish the files; last `stage.json`, which marks the stage as finished."""
    folder, target = context.folder(stage.name), stage.target(context)
    files = [*summary["files"], *summary["added"]]
    about = {"stage.json": summary, "run.json": record}
    if target != folder:
        shards.publish(state, files, {}, target)
    shards.publish(state, files if target == folder else [], about, folder)


def run_record(context: Context, done: Published) -> dict[str, Any]:
    """Read the `run.json` of a published stage: when and how it ran."""
    record: dict[str, Any] = disk.read_json(context.folder(done.summary["stage"]) / "run.json")
    return record


def _remove_other_state(home: Path, run_id: str) -> None:
    """Remove the state of runs with other parameters, inputs or code."""
    for old in home.glob("*"):
        if old.name != run_id:
            shutil.rmtree(old, ignore_errors=True)


class _Progress:
    """Show how many shards are done while the job runs.  They are counted on disk."""

    def __init__(self, stage: Stage, context: Context, state: shards.State) -> None:
        self._watch = context.watch
        self._args = (stage.name, state.count, stage.planned(context))

    def __enter__(self) -> None:
        self._display = self._watch(*self._args) if self._watch else None
        if self._display:
            self._display.__enter__()

    def __exit__(self, *error: Any) -> None:
        if self._display:
            self._display.__exit__(*error)


class ShardDoFn(beam.DoFn):
    """Calls `work(shard)` for each shard that is not done yet.

    Takes batches with a column `shard` (see `batches.work_rows`); yields one for each shard done.
    """

    def __init__(self, state: shards.State) -> None:
        self.state = state

    # without annotations: Beam would use them as type hints and misread `*sides`
    def process(self, element, *sides):  # type: ignore[no-untyped-def]
        for row in element.to_pylist():
            if self.state.finished(row["shard"]) is None:
                self.work(Shard(row["shard"], self.state), row, *sides)
            yield batches.work_rows(shard=[row["shard"]])

    def work(self, shard: Shard, row: Mapping[str, Any], *sides: Any) -> None:
        """Write a shard's tables and finish it; `row`: its row of work, `sides`: side inputs."""
        raise NotImplementedError
