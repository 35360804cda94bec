"""Which Beam runner carries a job, and what happens when a job or a worker fails.

Locally the runner is named outright: the default one looks for a Prism binary on the internet
first, and `multi_threading` loses Arrow elements.  One worker runs in memory; several are
processes.  A runner given on the command line (`--runner FlinkRunner …`) is left as it is.
"""

from __future__ import annotations

import inspect
import logging
import os
import re
import shlex
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from itertools import pairwise
from types import FunctionType
from typing import TypeVar, cast

import apache_beam as beam
import psutil
from apache_beam.options.pipeline_options import DirectOptions, PipelineOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.transforms.core import CallableWrapperDoFn
from apache_beam.transforms.environments import SubprocessSDKEnvironment

from schemas.errors import NO, TRY_AGAIN, TamgaError

Options = TypeVar("Options", bound=PipelineOptions)

WORKER = "apache_beam.runners.worker.sdk_worker_main"
#: Set to anything, the whole trace of a failure is shown; it may quote what was read.
DEBUG = "TAMGA_DEBUG"
_FRAME = re.compile(r'File "[^"]*?((?:pipelines|lineage|schemas)/[^"]+\.py)", line (\d+)')
_ERROR = re.compile(r"^([A-Za-z_][\w.]*(?:Error|Exception|Missing|Interrupt))\b", re.M)
_STEP = re.compile(r"while running '([^']+)'")


class JobFailed(TamgaError):
    """A job ended before its time; says where, without what was read."""

    exit_code = NO


class WorkerLost(JobFailed):
    """A local worker process died."""

    exit_code = TRY_AGAIN

    def __init__(self, pid: int) -> None:
        super().__init__(
            f"worker process {pid} died (out of memory, or killed). "
            "Start again: finished shards are kept"
        )


class LocalOptions(PipelineOptions):
    """Beam's options, each view of which is made once.

    Beam asks for a view several times per transform, and each new one parses all options.  Views
    share their values with what they are a view of, so that one does for all.
    """

    def view_as(self, cls: type[Options]) -> Options:
        views = self.__dict__.setdefault("_views", {})  # Beam's own __setattr__ knows options only
        if cls not in views:
            views[cls] = super().view_as(cls)
        return cast(Options, views[cls])


class Spread(beam.PTransform):
    """Deal elements out to all workers; to a single local one they go as they come."""

    def expand(self, pcoll: beam.PCollection) -> beam.PCollection:
        pipeline = pcoll.pipeline
        workers = pipeline.options.view_as(DirectOptions).direct_num_workers
        if isinstance(pipeline.runner, FnApiRunner) and workers == 1:
            return pcoll
        return pcoll | beam.Reshuffle()


@cache
def _store_signatures() -> None:
    """Store the signatures of the methods that all DoFns inherit where `inspect` looks first (PEP
    362): for each DoFn of a pipeline, Beam asks for all of them eight times."""
    for kind in CallableWrapperDoFn.__mro__[:-1]:
        for method in vars(kind).values():
            if isinstance(method, FunctionType):
                method.__signature__ = inspect.signature(method)  # type: ignore[attr-defined]


def names_runner(beam_args: Sequence[str]) -> bool:
    """Whether the command line names a runner."""
    return any(arg == "--runner" or arg.startswith("--runner=") for arg in beam_args)


def runner_name(beam_args: Sequence[str], workers: int) -> str:
    """The runner's name as it stands in the lineage of a run."""
    named = [a.split("=", 1)[-1] for a in beam_args if a.startswith("--runner=")]
    named += [b for a, b in pairwise(beam_args) if a == "--runner"]
    return named[0] if named else f"FnApiRunner/{workers}"


def run(build: Callable[[beam.Pipeline], None], beam_args: Sequence[str], workers: int) -> None:
    """Build and run a pipeline to its end.

    Args:
      build: wires the job.
      beam_args: options for Beam, as given on the command line.
      workers: how many local processes, where no runner is named.

    Raises:
      JobFailed: where a step failed; `TAMGA_DEBUG` shows the whole trace.
      WorkerLost: where a local worker process died and Beam noticed.  Where it would wait for
        ever, the watchdog ends this process with exit code 3.
    """
    _store_signatures()
    try:
        if names_runner(beam_args):
            with beam.Pipeline(options=PipelineOptions(list(beam_args))) as pipeline:
                build(pipeline)
            return
        with _capture_failures() as heard:
            if workers == 1:
                with beam.Pipeline(FnApiRunner(), LocalOptions(list(beam_args))) as pipeline:
                    build(pipeline)
            else:
                _run_in_processes(build, beam_args, workers, heard)
    except JobFailed:
        raise
    except Exception as error:
        if os.environ.get(DEBUG):
            raise
        raise JobFailed(_describe_failure("".join(traceback.format_exception(error)))) from None


def _run_in_processes(
    build: Callable[[beam.Pipeline], None],
    beam_args: Sequence[str],
    workers: int,
    heard: _FailureLog,
) -> None:
    # A shell command: Beam gives it to one.  What workers print may quote what was read.
    unheard = "" if os.environ.get(DEBUG) else " 2>/dev/null"
    command = f"exec {shlex.quote(sys.executable)} -m {WORKER}{unheard}"
    environment = SubprocessSDKEnvironment.from_command_string(command_string=command)
    options = LocalOptions([f"--direct_num_workers={workers}", *beam_args])
    with _watchdog(heard) as lost:
        try:
            with beam.Pipeline(FnApiRunner(default_environment=environment), options) as pipeline:
                build(pipeline)
        except Exception:
            # a step's own error ends the workers too; only without one were they lost
            if heard.failures:
                raise JobFailed(_describe_failure(heard.failures[0])) from None
            if lost:
                raise WorkerLost(lost[0]) from None
            raise


def _describe_failure(told: str) -> str:
    """Of a trace the innermost of our own lines, the step, and the error's class: its message may
    quote what was read."""
    frames, errors, steps = _FRAME.findall(told), _ERROR.findall(told), _STEP.findall(told)
    place = f" at {frames[-1][0]}:{frames[-1][1]}" if frames else ""
    step = f" in step {steps[-1]!r}" if steps else ""
    name = errors[-1] if errors else "a step failed"
    return f"{name}{place}{step}; set {DEBUG}=1 to see the whole trace"


class _FailureLog(logging.Handler):
    """Keeps what workers log of failed steps, and shows nothing."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.failures: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        told = record.getMessage()
        if "Error processing instruction" in told:
            self.failures.append(told.replace("\\n", "\n").replace('\\"', '"').replace("\\'", "'"))


@contextmanager
def _capture_failures() -> Iterator[_FailureLog]:
    """Beam logs whole traces, which may quote what was read, and its threads print theirs when a
    worker goes; one message is enough."""
    heard, root, hook = _FailureLog(), logging.getLogger(), threading.excepthook
    handlers = root.handlers
    if os.environ.get(DEBUG):
        root.handlers = [*handlers, heard]
    else:
        root.handlers = [heard]
        threading.excepthook = lambda _: None
    try:
        yield heard
    finally:
        root.handlers = handlers
        threading.excepthook = hook


@contextmanager
def _watchdog(
    heard: _FailureLog, interval: float = 0.2, patience: float = 15
) -> Iterator[list[int]]:
    """Watch local worker processes; yields the list that names the dead.

    Beam may wait for ever once a worker died or a step failed in one of several workers: where it
    has not ended the pipeline within `patience` seconds, this process ends.
    """
    stop, lost = threading.Event(), list[int]()

    def watch() -> None:
        seen: dict[int, psutil.Process] = {}
        while not stop.wait(interval):
            for process in _worker_processes():
                seen.setdefault(process.pid, process)
            lost[:] = [pid for pid, process in seen.items() if not _is_alive(process)]
            # workers end with the pipeline too: then `stop` comes soon
            if (heard.failures or lost) and not stop.wait(patience):
                if heard.failures:
                    _exit_now(JobFailed(_describe_failure(heard.failures[0])))
                _exit_now(WorkerLost(lost[0]))

    thread = threading.Thread(target=watch, name="watchdog", daemon=True)
    thread.start()
    try:
        yield lost
    finally:
        stop.set()
        thread.join()


def _worker_processes() -> list[psutil.Process]:
    found = []
    for process in psutil.Process().children(recursive=True):
        try:
            if WORKER in process.cmdline():
                found.append(process)
        except psutil.Error:  # ended in the meantime
            continue
    return found


def _is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _exit_now(error: JobFailed) -> None:
    """End this process as `schemas.command_entry` would, from the watchdog's thread."""
    print(error.message(), file=sys.stderr, flush=True)
    for process in psutil.Process().children(recursive=True):
        try:
            process.kill()
        except psutil.Error:
            continue
    os._exit(error.exit_code)
