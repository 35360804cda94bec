"""The command line of a script that makes a data file from folders."""

from __future__ import annotations

import argparse
from pathlib import Path


def folders(about: str | None, *names: str) -> list[Path]:
    """The folders that are named; ends with a message where one is not there."""
    parser = argparse.ArgumentParser(
        description=about, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name in names:
        parser.add_argument(name, type=Path)
    found = [getattr(parser.parse_args(), name) for name in names]
    for folder in found:
        if not folder.is_dir():
            parser.error(f"{folder} is no folder")
    return found
