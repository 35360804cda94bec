"""Run a Beam job, and report a failed job or worker.

Locally the runner is named explicitly: the default one first looks for a Prism binary on the
internet, and `multi_threading` loses Arrow elements.  One worker runs in memory; several are
processes.  A runner given on the command line (`--runner FlinkRunner …`) is used as it is.
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
#: If set, the whole trace of a failure is shown; it may quote records.
DEBUG = "TAMGA_DEBUG"
_FRAME = re.compile(r'File "[^"]*?((?:pipelines|lineage|schemas)/[^"]+\.py)", line (\d+)')
_ERROR = re.compile(r"^([A-Za-z_][\w.]*(?:Error|Exception|Missing|Interrupt))\b", re.M)
_STEP = re.compile(r"while running '([^']+)'")


class JobFailed(TamgaError):
    """A step of a job failed.  The message names the place and quotes no record."""

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
    """Beam's options with cached views.

    Beam asks for a view several times per transform, and each new view parses all options.  Views
    share their values with the options, so one view of each class is enough.
    """

    def view_as(self, cls: type[Options]) -> Options:
        views = self.__dict__.setdefault("_views", {})  # Beam's own __setattr__ knows options only
        if cls not in views:
            views[cls] = super().view_as(cls)
        return cast(Options, views[cls])


class Spread(beam.PTransform):
    """Distribute elements over all workers; does nothing for a single local worker."""

    def expand(self, pcoll: beam.PCollection) -> beam.PCollection:
        pipeline = pcoll.pipeline
        workers = pipeline.options.view_as(DirectOptions).direct_num_workers
        if isinstance(pipeline.runner, FnApiRunner) and workers == 1:
            return pcoll
        return pcoll | beam.Reshuffle()


@cache
def _store_signatures() -> None:
    """Store the signatures of inherited DoFn methods in `__signature__` (PEP 362): Beam computes
    each eight times per DoFn, 0.35 s of a run.  Each is what `inspect` computes, so neither threads
    nor an error in between can change a result."""
    for kind in CallableWrapperDoFn.__mro__[:-1]:
        for method in vars(kind).values():
            if isinstance(method, FunctionType):
                method.__signature__ = inspect.signature(method)  # type: ignore[attr-defined]


def names_runner(beam_args: Sequence[str]) -> bool:
    """Whether the command line names a runner."""
    return any(arg == "--runner" or arg.startswith("--runner=") for arg in beam_args)


def runner_name(beam_args: Sequence[str], workers: int) -> str:
    """Return the runner's name for the lineage of a run."""
    named = [a.split("=", 1)[-1] for a in beam_args if a.startswith("--runner=")]
    named += [b for a, b in pairwise(beam_args) if a == "--runner"]
    return named[0] if named else f"FnApiRunner/{workers}"


def run(build: Callable[[beam.Pipeline], None], beam_args: Sequence[str], workers: int) -> None:
    """Build a pipeline and run it to its end.

    Args:
      build: wires the job.
      beam_args: options for Beam, as given on the command line.
      workers: the number of local processes, if no runner is named.

    Raises:
      JobFailed: if a step failed; `TAMGA_DEBUG` shows the whole trace.
      WorkerLost: if a local worker process died and Beam noticed.  If Beam does not notice, the
        watchdog ends this process with exit code 3.
    """
    _store_signatures()
    try:
        if names_runner(beam_args):
            with beam.Pipeline(options=PipelineOptions(list(beam_args))) as pipeline:
                build(pipeline)
            return
        with _capture_failures() as log:
            if workers == 1:
                with beam.Pipeline(FnApiRunner(), LocalOptions(list(beam_args))) as pipeline:
                    build(pipeline)
            else:
                _run_in_processes(build, beam_args, workers, log)
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
    log: _FailureLog,
) -> None:
    # Beam runs it in a shell.  What workers print may quote records.
    silence = "" if os.environ.get(DEBUG) else " 2>/dev/null"
    command = f"exec {shlex.quote(sys.executable)} -m {WORKER}{silence}"
    environment = SubprocessSDKEnvironment.from_command_string(command_string=command)
    options = LocalOptions([f"--direct_num_workers={workers}", *beam_args])
    with _watchdog(log) as lost:
        try:
            with beam.Pipeline(FnApiRunner(default_environment=environment), options) as pipeline:
                build(pipeline)
        except Exception:
            # a step's error ends the workers too: it is the cause, if there is one
            if log.failures:
                raise JobFailed(_describe_failure(log.failures[0])) from None
            if lost:
                raise WorkerLost(lost[0]) from None
            raise


def _describe_failure(trace: str) -> str:
    """Return the error's class, the innermost of our own lines, and the step.

    The error's message is left out: it may quote records.
    """
    frames, errors, steps = _FRAME.findall(trace), _ERROR.findall(trace), _STEP.findall(trace)
    place = f" at {frames[-1][0]}:{frames[-1][1]}" if frames else ""
    step = f" in step {steps[-1]!r}" if steps else ""
    name = errors[-1] if errors else "a step failed"
    return f"{name}{place}{step}; set {DEBUG}=1 to see the whole trace"


class _FailureLog(logging.Handler):
    """Collects what workers log of failed steps; prints nothing."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.failures: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if "Error processing instruction" in text:
            self.failures.append(text.replace("\\n", "\n").replace('\\"', '"').replace("\\'", "'"))


@contextmanager
def _capture_failures() -> Iterator[_FailureLog]:
    """Collect failures instead of printing them.

    Beam logs whole traces, which may quote records, and its threads print more when a worker ends.
    """
    log, root, hook = _FailureLog(), logging.getLogger(), threading.excepthook
    handlers = root.handlers
    if os.environ.get(DEBUG):
        root.handlers = [*handlers, log]
    else:
        root.handlers = [log]
        threading.excepthook = lambda _: None
    try:
        yield log
    finally:
        root.handlers = handlers
        threading.excepthook = hook


@contextmanager
def _watchdog(log: _FailureLog, interval: float = 0.2, patience: float = 15) -> Iterator[list[int]]:
    """Watch local worker processes; yields the list of those that died, by process id.

    Beam may wait forever after a worker died, or a step failed in one of several workers.  If Beam
    has not ended the pipeline `patience` seconds later, this process ends.
    """
    stop, lost = threading.Event(), list[int]()

    def watch() -> None:
        seen: dict[int, psutil.Process] = {}
        while not stop.wait(interval):
            for process in _worker_processes():
                seen.setdefault(process.pid, process)
            lost[:] = [pid for pid, process in seen.items() if not _is_alive(process)]
            # workers end with the pipeline too: then `stop` comes soon
            if (log.failures or lost) and not stop.wait(patience):
                if log.failures:
                    _exit_now(JobFailed(_describe_failure(log.failures[0])))
                _exit_now(WorkerLost(lost[0]))

    thread = threading.Thread(target=watch, name="watchdog", daemon=True)
    thread.start()
    try:
        yield lost
    finally:
        stop.set()
        thread.join()


def _worker_processes() -> list[psutil.Process]:
    """The local worker processes that run."""
    workers = []
    for process in psutil.Process().children(recursive=True):
        try:
            if WORKER in process.cmdline():
                workers.append(process)
        except psutil.Error:  # ended in the meantime
            continue
    return workers


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
