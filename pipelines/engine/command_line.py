"""The command line of the stages."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable, Sequence

from lineage.configuration import load_both
from pipelines.engine import input_files, validation
from pipelines.engine import stage as stages
from pipelines.engine.context import Context
from pipelines.engine.input_files import Container
from pipelines.engine.quiet import quiet
from pipelines.engine.runners import names_runner
from pipelines.engine.stage import Stage
from pipelines.personal_data import preconditions
from schemas import command_line
from schemas.errors import Invalid, Usage
from schemas.params import Params

#: Below this many raw bytes a second process costs more than it saves.
PARALLEL_BYTES = 48 << 20

EXAMPLES = """examples:
  tamga {name} --params params.yaml
  tamga {name} --params params.yaml --workers 2 --json
  tamga {name} --params params.yaml --runner FlinkRunner --flink_master localhost:8081

Other options are passed to Beam.  Exit codes: 0 done, 1 the output falls short, 2 wrong usage,
parameters or register, 3 a worker process died or the disk failed (start the command again: it goes
on), 130 interrupted."""


def parser(name: str, about: str, examples: str = EXAMPLES) -> argparse.ArgumentParser:
    """Return a parser with the options of all stages."""
    options = command_line.parser(name, about, examples.format(name=name), allow_abbrev=False)
    command_line.add_params(options)
    options.add_argument(
        "--workers",
        type=at_least_one,
        metavar="N",
        help="local worker processes (default: by the size of the input)",
    )
    options.add_argument(
        "--dry-run", action="store_true", help="print the plan as JSON; write nothing"
    )
    options.add_argument("--json", action="store_true", help="print the summary as JSON")
    return options


def context(
    options: argparse.Namespace,
    beam_args: Sequence[str],
    find_containers: Callable[[Params, bool], list[Container]] | None = None,
) -> Context:
    """Read and check parameters and register.

    Args:
      options: of `parser`.
      beam_args: all other options.
      find_containers: lists the raw files; None for a stage that does not read them.

    Raises:
      Invalid: lists all problems of both.
      Usage: for an unknown option.
    """
    check_beam_args(beam_args)
    params, register = load_both(options.params)
    if wrong := preconditions.problems(params, register.sources):
        raise Invalid(wrong)
    workers = options.workers if options.workers else _default_workers(params)
    return Context(
        params,
        register,
        workers,
        tuple(beam_args),
        dry_run=options.dry_run,
        find_containers=find_containers,
    )


def check_beam_args(beam_args: Sequence[str]) -> None:
    """Reject misspelt options.

    Options that Beam does not know are allowed only with a `--runner`, which may have its own.

    Raises:
      Usage: names the option.
    """
    if names_runner(beam_args):
        return
    from apache_beam.options.pipeline_options import PipelineOptions

    known = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    for options in PipelineOptions.__subclasses__():
        options._add_argparse_args(known)
    try:
        known.exit_on_error = False
        unknown = known.parse_known_args(list(beam_args))[1]
    except (argparse.ArgumentError, SystemExit) as error:
        raise Usage(str(error)) from None
    if unknown:
        raise Usage(f"unknown option {unknown[0]}; see --help; options of a runner need --runner")


def at_least_one(text: str) -> int:
    """Parse a number of workers, for argparse."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number


def command(
    kind: Callable[[Context], Stage],
    about: str,
    argv: Sequence[str] | None = None,
    find_containers: Callable[[Params, bool], list[Container]] | None = None,
) -> int:
    """Run one stage from the command line.

    Args:
      kind: the stage's class.
      about: its first line is the help text.
      argv: the arguments; None: those of the process.
      find_containers: lists the raw files, for a stage that reads them.

    Returns:
      The exit code.
    """
    quiet()
    name = getattr(kind, "name", "stage")
    options, beam_args = parser(name, about.partition("\n")[0]).parse_known_args(argv)
    return _run_stage(kind, context(options, beam_args, find_containers), options)


def _run_stage(
    kind: Callable[[Context], Stage], about: Context, options: argparse.Namespace
) -> int:
    stage = kind(about)
    if options.dry_run:
        inputs = stage.inputs(about)
        plan = {
            "stage": stage.name,
            "run_id": stage.run_id(about, inputs),
            "inputs": inputs,
            "workers": about.workers,
            "writes": str(stage.target(about)),
        }
        print(json.dumps(plan, indent=1, ensure_ascii=False))
        return 0
    with validation.data_docs():
        done = stages.execute(stage, about)
    if options.json:
        print(
            json.dumps(
                {
                    "stage": stage.name,
                    "run_id": done.run_id,
                    "folder": str(done.folder),
                    "fresh": done.fresh,
                    "seconds": round(done.seconds, 2),
                    "totals": done.totals,
                },
                ensure_ascii=False,
            )
        )
    else:
        state = f"{done.seconds:.1f} s" if done.fresh else "up to date"
        counts = ", ".join(f"{n} {o}" for o, n in done.totals.get("outcome", {}).items())
        print(f"{stage.name}: {state}: {counts} -> {done.folder}")
    return 0


def _default_workers(params: Params) -> int:
    """One worker per core for a large input, else one."""
    return (os.cpu_count() or 1) if input_files.total_bytes(params) >= PARALLEL_BYTES else 1
