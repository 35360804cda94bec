"""Parts that the command lines of `tamga` share: the parser's form, `--params`, dates."""

from __future__ import annotations

import argparse
from datetime import date
from pathlib import Path
from typing import Any

from schemas.schema_check import parse_date


def parser(command: str, about: str | None, examples: str, **more: Any) -> argparse.ArgumentParser:
    """Return the parser of `tamga COMMAND`; the examples are printed unchanged below its help."""
    return argparse.ArgumentParser(
        prog=f"tamga {command}",
        description=about,
        epilog=examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        **more,
    )


def add_params(parser: argparse.ArgumentParser, about: str = "the parameters") -> None:
    """Add the option --params."""
    parser.add_argument(
        "--params", type=Path, default=Path("params.yaml"), help=f"{about} (default: %(default)s)"
    )


def day(text: str) -> date:
    """Return an option's value, YYYY-MM-DD, as a date.

    Raises:
      argparse.ArgumentTypeError: if it is not such a date.
    """
    value = parse_date(text)
    if value is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a date: write YYYY-MM-DD")
    return value
