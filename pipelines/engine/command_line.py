"""The command line that all stages share."""

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
from pipelines.personal_data import policy
from schemas import command_line
from schemas.errors import Invalid, Usage
from schemas.params import Params

#: Below this many raw bytes a second process costs more than it brings.
PARALLEL_BYTES = 48 << 20

EXAMPLES = """examples:
  tamga {name} --params params.yaml
  tamga {name} --params params.yaml --workers 2 --json
  tamga {name} --params params.yaml --runner FlinkRunner --flink_master localhost:8081

Options that are not named here go to Beam.  Exit codes: 0 done, 1 the output falls short,
2 wrong usage, parameters or register, 3 a worker process died or the disk failed (start again to
go on), 130 interrupted."""


def parser(name: str, about: str, examples: str = EXAMPLES) -> argparse.ArgumentParser:
    """The options that every stage takes."""
    made = command_line.parser(name, about, examples.format(name=name), allow_abbrev=False)
    command_line.add_params(made)
    made.add_argument(
        "--workers",
        type=at_least_one,
        metavar="N",
        help="local worker processes (default: by the size of the input)",
    )
    made.add_argument(
        "--dry-run", action="store_true", help="say what would be read and done, and write nothing"
    )
    made.add_argument("--json", action="store_true", help="print the summary as JSON")
    return made


def context(
    options: argparse.Namespace,
    beam_args: Sequence[str],
    find_containers: Callable[[Params, bool], list[Container]] | None = None,
) -> Context:
    """Parameters and register, read and checked; `find_containers` lists the raw files.

    Raises:
      Invalid: with all that is wrong in either.
      Usage: for an option that nobody knows.
    """
    check_beam_args(beam_args)
    params, register = load_both(options.params)
    if wrong := policy.problems(params, register.sources):
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
    """Let options through to Beam, but no slips of the pen: without a runner that may have options
    of its own, what Beam does not know is an error.

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
        raise Usage(f"unknown option {unknown[0]}; see --help, and name a --runner for its options")


def at_least_one(text: str) -> int:
    """A number of workers, for argparse."""
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
    """Run one stage from the command line; returns the exit code."""
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

    return (os.cpu_count() or 1) if input_files.total_bytes(params) >= PARALLEL_BYTES else 1
