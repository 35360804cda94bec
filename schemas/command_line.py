"""What the commands of `tamga` have in common: how they present themselves, and `--params`."""

from __future__ import annotations

import argparse
from datetime import date
from pathlib import Path
from typing import Any

from schemas.errors import Invalid, Problem
from schemas.params import Params, load
from schemas.validation import parse_date


def parser(command: str, about: str | None, examples: str, **more: Any) -> argparse.ArgumentParser:
    """The parser of `tamga COMMAND`; the examples are printed as they stand."""
    return argparse.ArgumentParser(
        prog=f"tamga {command}",
        description=about,
        epilog=examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        **more,
    )


def add_params(parser: argparse.ArgumentParser, about: str = "the parameters") -> None:
    """The option --params."""
    parser.add_argument(
        "--params", type=Path, default=Path("params.yaml"), help=f"{about} (default: %(default)s)"
    )


def loaded(path: Path, instead: str) -> Params:
    """The parameters, where a command could also be told what it needs by `instead`, an option
    (empty: there is none).

    Raises:
      Invalid: with all problems of the file; where there is none, with both remedies.
    """
    if path.is_file():
        return load(path)
    message = "is not there: name a params file by --params" + (
        f", or {instead}" if instead else ""
    )
    raise Invalid([Problem(str(path), None, "", message)])


def day(text: str) -> date:
    """An option's value, YYYY-MM-DD.

    Raises:
      argparse.ArgumentTypeError: where it is no such date.
    """
    found = parse_date(text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no date YYYY-MM-DD")
    return found
