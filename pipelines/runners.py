"""Which Beam runner carries a job, and the watchdog over local worker processes.

Locally the runner is named outright: the default one looks for a Prism binary on the internet
first, and `multi_threading` loses Arrow elements.  One worker runs in memory; several are
processes.  A runner given on the command line (`--runner FlinkRunner …`) is left as it is.
"""
from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import apache_beam as beam
import psutil
from apache_beam.options.pipeline_options import PipelineOptions

LOCAL_RUNNER = "apache_beam.runners.portability.fn_api_runner.FnApiRunner"
WORKER_LOST = 3


def pipeline_options(beam_args: Sequence[str], workers: int) -> PipelineOptions:
    """Options for a job: `beam_args` as given, or a local runner with `workers` processes."""
    if any(arg == "--runner" or arg.startswith("--runner=") for arg in beam_args):
        return PipelineOptions(list(beam_args))
    mode = "in_memory" if workers == 1 else "multi_processing"
    local = [f"--runner={LOCAL_RUNNER}", f"--direct_running_mode={mode}",
             f"--direct_num_workers={workers}"]
    return PipelineOptions([*local, *beam_args])


def runner_name(beam_args: Sequence[str], workers: int) -> str:
    """The runner's name as it stands in the lineage of a run."""
    named = [a.split("=", 1)[-1] for a in beam_args if a.startswith("--runner=")]
    named += [b for a, b in zip(beam_args, beam_args[1:], strict=False) if a == "--runner"]
    return named[0] if named else f"FnApiRunner/{workers}"


def run(build: Callable[[beam.Pipeline], None], beam_args: Sequence[str], workers: int) -> None:
    """Build and run a pipeline to its end.

    Raises:
      Exception: what a worker raised.  A local worker that dies ends the process with exit
        code 3, since Beam's local runner would wait for it for ever; finished shards stay
        and the next run goes on from them.
    """
    options = pipeline_options(beam_args, workers)
    logging.getLogger("apache_beam").setLevel(logging.ERROR)
    with _watchdog(), beam.Pipeline(options=options) as pipeline:
        build(pipeline)


@contextmanager
def _watchdog(interval: float = 0.5) -> Iterator[None]:
    stop = threading.Event()

    def watch() -> None:
        seen: dict[int, psutil.Process] = {}
        while not stop.wait(interval):
            for process in _workers():
                seen.setdefault(process.pid, process)
            dead = [p for p in seen.values() if not _alive(p)]
            # A worker also ends when the pipeline does: ask once more after a while.
            if dead and not stop.wait(5):
                _end(dead[0].pid)

    thread = threading.Thread(target=watch, name="watchdog", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _workers() -> list[psutil.Process]:
    found = []
    for process in psutil.Process().children(recursive=True):
        try:
            command = process.cmdline()
        except psutil.Error:
            continue
        if "apache_beam.runners.worker.sdk_worker_main" in command:
            found.append(process)
    return found


def _alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _end(pid: int) -> None:
    print(f"tamga: worker process {pid} died (out of memory, or killed); the run is ended. "
          "Start it again: finished shards are kept.", file=sys.stderr, flush=True)
    for process in psutil.Process().children(recursive=True):
        try:
            process.kill()
        except psutil.Error:
            pass
    os._exit(WORKER_LOST)
