from __future__ import annotations

import copy
import inspect
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import FunctionType
from typing import Any

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import DebugOptions, DirectOptions, PipelineOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from helpers.commands import ROOT

from pipelines.engine import runners


def run_alone(folder: Path, script: str) -> subprocess.CompletedProcess[str]:
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


def test_a_failing_step_is_named_without_its_record(tmp_path: Path) -> None:
    with pytest.raises(runners.JobFailed) as failure:
        runners.run(lambda p: p | beam.Create([1]) | "Break" >> beam.Map(_fail), (), 1)
    assert (
        "ValueError" in str(failure.value)
        and "Break" in str(failure.value)
        and "4512" not in str(failure.value)
    )


def test_a_worker_that_dies_ends_the_run(tmp_path: Path) -> None:
    """In its own process, because the watchdog may end it."""
    script = (
        "import os, sys, apache_beam as beam\nfrom pathlib import Path\nfrom pipelines.engine import runners\n"
        "runners._watchdog.__wrapped__.__defaults__ = (0.2, 3.0)\n"
        "die = lambda p: p | beam.Create([1]) | beam.Map(lambda x: os._exit(9))\n"
        "try:\n    runners.run(die, (), 2)\n"
        "except runners.WorkerLost as error:\n    print(error, file=sys.stderr)\n    sys.exit(3)\n"
    )
    done = run_alone(tmp_path, script)
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
    assert runners.names_runner(args) == bool(args)


@pytest.mark.parametrize("workers", [1, 2])
def test_the_output_of_a_failing_step_quotes_no_record(workers: int, tmp_path: Path) -> None:
    script = (
        "import sys, apache_beam as beam\nfrom pipelines.engine import runners\n"
        "def fail(x):\n    raise ValueError('secret 4512 337788')\n"
        "try:\n    runners.run(lambda p: p | beam.Create([1]) | 'Break' >> beam.Map(fail), (), "
        f"{workers})\n"
        "except runners.WorkerLost:\n    sys.exit('lost')\n"
        "except runners.JobFailed as error:\n    sys.exit(str(error))\n"
    )
    done = run_alone(tmp_path, script)
    assert "ValueError" in done.stderr and "Break" in done.stderr
    assert "337788" not in done.stderr + done.stdout


def test_views_of_options_are_cached_and_share_their_values() -> None:
    options = runners.LocalOptions(["--direct_num_workers=3", "--experiments=a"])
    view = options.view_as(DirectOptions)
    assert view is options.view_as(DirectOptions) and view.direct_num_workers == 3
    view.direct_num_workers = 4
    copied = copy.deepcopy(options)  # as a pipeline does
    plain = PipelineOptions(["--direct_num_workers=4", "--experiments=a"])
    assert copied.get_all_options(True) == plain.get_all_options(True)
    copied.view_as(DirectOptions).direct_num_workers = 5
    assert options.view_as(DirectOptions).direct_num_workers == 4
    assert copied.view_as(DebugOptions).experiments == ["a"]


@pytest.mark.parametrize(
    ("runner", "args", "shuffled"),
    [
        (FnApiRunner(), [], False),
        (FnApiRunner(), ["--direct_num_workers=2"], True),
        ("PrismRunner", [], True),
    ],
)
def test_elements_are_spread_over_more_than_one_worker(
    runner: Any, args: list[str], shuffled: bool
) -> None:
    pipeline = beam.Pipeline(runner, options=runners.LocalOptions(args))
    _ = pipeline | beam.Create([1, 2], reshuffle=False) | runners.Spread()
    steps = [part.full_label for part in pipeline._root_transform().parts[1].parts]
    assert any("Reshuffle" in step for step in steps) == shuffled


def test_stored_signatures_are_those_of_the_code() -> None:
    """Several threads may store them at the same time."""
    with ThreadPoolExecutor(4) as pool:
        for stored in [pool.submit(runners._store_signatures.__wrapped__) for _ in range(8)]:
            stored.result()
    for name, method in vars(beam.DoFn).items():
        if isinstance(method, FunctionType):
            code = method.__code__
            stored = inspect.signature(method)
            assert list(stored.parameters)[: code.co_argcount] == [
                *code.co_varnames[: code.co_argcount]
            ], name
            defaults = [p.default for p in stored.parameters.values() if p.default is not p.empty]
            assert defaults == [*(method.__defaults__ or ())], name
    assert list(inspect.signature(beam.DoFn().start_bundle).parameters) == []
