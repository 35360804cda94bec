"""What the commands of `tamga` have in common: how they present themselves, and `--params`."""

from __future__ import annotations

import argparse
from datetime import date
from pathlib import Path
from typing import Any

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


def day(text: str) -> date:
    """An option's value, YYYY-MM-DD.

    Raises:
      argparse.ArgumentTypeError: where it is no such date.
    """
    found = parse_date(text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no date YYYY-MM-DD")
    return found
