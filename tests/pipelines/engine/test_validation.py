"""A stage's verdict, the request to Great Expectations, and what a run does with the answer."""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from helpers.stage_counts import IN_SET, frame

from pipelines.engine import validation
from pipelines.engine.docs_process import DocsProcess
from pipelines.engine.validation import ExpectationFailed, NoDataDocs, VerdictsDiffer

GOOD: list[dict[str, Any]] = frame("privacy").to_dicts()
BAD: list[dict[str, Any]] = frame("privacy", bad_spans=[0, 2]).to_dicts()
ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def _no_answers_left() -> Iterator[None]:
    """Start each test without open requests of another."""
    validation.PROCESS.answers()
    yield
    validation.PROCESS.answers()


def request_file(work: Path) -> Path:
    return work / ".state/privacy.validation.json"


def result(work: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((work / "validation/privacy/result.json").read_bytes())
    return read


def test_a_good_output_gets_its_data_docs_by_the_end(tmp_path: Path) -> None:
    stale = tmp_path / "validation/privacy/index.html"
    stale.parent.mkdir(parents=True)
    stale.write_text("of an earlier output")
    with validation.data_docs():
        validation.validate("privacy", GOOD, tmp_path, "r1", min_keep_share=0.1)
        assert request_file(tmp_path).exists()
    assert result(tmp_path)["success"] and "earlier" not in stale.read_text("utf-8")
    assert not request_file(tmp_path).exists()


def test_a_bad_output_raises_once_its_data_docs_are_written(tmp_path: Path) -> None:
    with pytest.raises(ExpectationFailed) as caught, validation.data_docs():
        validation.validate("privacy", BAD, tmp_path, "r1")
    error = caught.value
    assert str(error) == (
        f"privacy: {IN_SET}(bad_spans): observed 1 of 2 shards: b (bad_spans 2); wanted: "
        + error.failures[0].wanted
    )
    assert result(tmp_path)["failures"] == [one._asdict() for one in error.failures]
    assert not request_file(tmp_path).exists()
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_data_docs_are_written_despite_another_error(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), validation.data_docs():
        validation.validate("privacy", GOOD, tmp_path, "r1")
        _ = 1 / 0
    assert result(tmp_path)["success"]


def test_a_contradiction_fails_the_run_until_it_is_gone(tmp_path: Path) -> None:
    with pytest.raises(VerdictsDiffer) as caught, validation.data_docs():
        validation.validate("privacy", GOOD, tmp_path, "r1")
        contradict(request_file(tmp_path))
    assert caught.value.exit_code == 1
    assert str(caught.value).startswith("privacy: expect_table_row_count_to_be_between() holds for")
    with pytest.raises(VerdictsDiffer), validation.data_docs():
        validation.resume("privacy", tmp_path, "r1")
    with validation.data_docs():
        validation.resume("privacy", tmp_path, "another run")


def contradict(request: Path) -> None:
    """Change a request: the native verdict is a failure.  The process reads it afterwards."""
    content = json.loads(request.read_bytes())
    content["verdicts"][0][2] = False
    request.write_text(json.dumps(content))
    validation.PROCESS.ask(request)


def test_a_process_that_dies_is_named_and_the_request_repeated(tmp_path: Path) -> None:
    with pytest.raises(NoDataDocs) as caught, validation.data_docs():
        os.kill(process_id(validation.PROCESS), signal.SIGSTOP)  # it answers no more requests
        validation.validate("privacy", GOOD, tmp_path, "r1")
        os.kill(process_id(validation.PROCESS), signal.SIGKILL)
    assert caught.value.exit_code == 3
    assert "privacy: the process of Great Expectations ended with exit code -9" in str(caught.value)
    assert request_file(tmp_path).exists() and not (tmp_path / "validation").exists()
    with validation.data_docs():
        validation.resume("privacy", tmp_path, "r1")
    assert result(tmp_path)["success"] and not request_file(tmp_path).exists()


def process_id(process: DocsProcess) -> int:
    assert process._process
    return process._process.pid


def test_data_docs_that_cannot_be_written_are_named(tmp_path: Path) -> None:
    with pytest.raises(NoDataDocs) as caught, validation.data_docs():
        (tmp_path / "validation").write_text("no folder")
        validation.validate("privacy", GOOD, tmp_path, "r1")
    assert "privacy: Great Expectations gave no verdict: " in str(caught.value)


def test_the_process_ends_with_its_parent() -> None:
    script = (
        "import os, time\n"
        "from pipelines.engine.docs_process import PROCESS\n"
        "PROCESS.start()\n"
        "print(PROCESS._process.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert parent.stdout
    child = psutil.Process(int(parent.stdout.readline()))
    time.sleep(0.5)  # while it imports
    parent.kill()
    parent.communicate()
    child.wait(timeout=60)
    assert not child.is_running()
