from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import apache_beam as beam
import pytest
from helpers.commands import ROOT

from pipelines.engine import runners


def alone(folder: Path, script: str) -> subprocess.CompletedProcess[str]:
    """Run a script in a process of its own."""
    (folder / "job.py").write_text(script)
    return subprocess.run(
        [sys.executable, folder / "job.py"],
        capture_output=True,
        text=True,
        timeout=120,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )


def _fail(_: int) -> int:
    raise ValueError("secret 4512 337788")


def test_a_failing_step_is_named_without_what_was_read(tmp_path: Path) -> None:
    with pytest.raises(runners.JobFailed) as failure:
        runners.run(lambda p: p | beam.Create([1]) | "Break" >> beam.Map(_fail), (), 1)
    assert (
        "ValueError" in str(failure.value)
        and "Break" in str(failure.value)
        and "4512" not in str(failure.value)
    )


def test_a_worker_that_dies_ends_the_run(tmp_path: Path) -> None:
    """In a process of its own: the watchdog may end it."""
    script = (
        "import os, sys, apache_beam as beam\nfrom pathlib import Path\nfrom pipelines.engine import runners\n"
        "runners._watchdog.__wrapped__.__defaults__ = (0.2, 3.0)\n"
        "die = lambda p: p | beam.Create([1]) | beam.Map(lambda x: os._exit(9))\n"
        "try:\n    runners.run(die, (), 2)\n"
        "except runners.WorkerLost as error:\n    print(error, file=sys.stderr)\n    sys.exit(3)\n"
    )
    done = alone(tmp_path, script)
    assert done.returncode == 3 and "died" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("args", "name"),
    [
        ((), "FnApiRunner/2"),
        (("--runner", "FlinkRunner"), "FlinkRunner"),
        (("--runner=SparkRunner", "--x"), "SparkRunner"),
    ],
)
def test_the_runner_is_named(args: tuple[str, ...], name: str) -> None:
    assert runners.runner_name(args, 2) == name
    assert runners.remote(args) == bool(args)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_failing_step_says_nothing_of_what_was_read(workers: int, tmp_path: Path) -> None:
    script = (
        "import sys, apache_beam as beam\nfrom pipelines.engine import runners\n"
        "def fail(x):\n    raise ValueError('secret 4512 337788')\n"
        "try:\n    runners.run(lambda p: p | beam.Create([1]) | 'Break' >> beam.Map(fail), (), "
        f"{workers})\n"
        "except runners.WorkerLost:\n    sys.exit('lost')\n"
        "except runners.JobFailed as error:\n    sys.exit(str(error))\n"
    )
    done = alone(tmp_path, script)
    assert "ValueError" in done.stderr and "Break" in done.stderr
    assert "337788" not in done.stderr + done.stdout
