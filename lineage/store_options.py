"""Options and output that the commands on the store share."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from lineage.storage.release_tables import NoRelease
from lineage.store import store
from lineage.store.segments import BadStore
from lineage.store.store import Store
from schemas import command_line

#: The default number of rows of a table on the screen.
SHOWN = 40
#: The width of the output, in characters, without a terminal.
_WIDEST = 1 << 20


def store_parser(command: str, about: str, epilog: str) -> argparse.ArgumentParser:
    """Make a parser with the options that choose the store, and `--json`."""
    options = command_line.parser(command, about, epilog)
    command_line.add_params(options)
    options.add_argument(
        "--releases", help="the folder of releases or its URL (default: from params)"
    )
    options.add_argument("--json", action="store_true", help="print the answer as JSON")
    return options


@dataclass(frozen=True)
class Places:
    """The places that a command reads.

    Args:
      releases: the folder of releases, or its URL.
      root: the folder that containers are relative to.
      keys: the folder of the look-up key; None: it is not known.
    """

    releases: str
    root: Path
    keys: Path | None


def find_places(options: argparse.Namespace) -> Places:
    """Find the places by --releases, else by --params.

    Raises:
      Invalid: if neither names a place.
    """
    from lineage.configuration import required_params  # heavy

    path: Path = options.params
    if options.releases and not path.is_file():
        return Places(options.releases, path.parent, None)
    params = required_params(path, "a folder of releases by --releases")
    return Places(options.releases or str(params.releases), params.root, params.work / "keys")


def open_store(options: argparse.Namespace) -> Store:
    """Open the store that the options choose.

    Raises:
      NoRelease: if the store is empty.
    """
    place = find_places(options).releases
    chosen = store.open(place)
    if not chosen.releases:
        raise NoRelease(f"{place} has no store of releases; `tamga index` makes it")
    return chosen


@contextmanager
def readable() -> Iterator[None]:
    """Convert the errors of a damaged store to a message with the remedy.

    Raises:
      BadStore: in place of the errors of the table libraries.
    """
    try:
        yield
    except (FileNotFoundError, pl.exceptions.PolarsError) as error:
        raise BadStore(
            f"the store cannot be read ({type(error).__name__}); run `tamga index --rebuild`"
        ) from error


def with_release_names(rows: pl.DataFrame, asked: Store) -> pl.DataFrame:
    """Replace the numbers of releases by their names: `first`, and `last` (null: the latest)."""
    names = {header.seq: f"{header.name}@{header.seq}" for header in asked.releases}
    return rows.with_columns(
        pl.col(old).replace_strict(names, default=None, return_dtype=pl.String).alias(new)
        for old, new in (("first_seq", "first"), ("last_seq", "last"))
    ).drop("first_seq", "last_seq")


def print_rows(
    rows: pl.DataFrame, form: str, about: dict[str, Any], total: int | None = None
) -> None:
    """Print rows.

    Args:
      rows: the rows.
      form: `json`, `csv` or `table`.
      about: further keys of the JSON value.
      total: the number of all rows, if `rows` are only the first; for `table`.
    """
    if form == "json":
        print(json.dumps(about | {"rows": rows.to_dicts()}, ensure_ascii=False, indent=1))
    elif form == "csv":
        sys.stdout.write(rows.write_csv())
    elif rows.is_empty():
        print("nothing was found", file=sys.stderr)
    else:
        from rich import box
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        for name in rows.columns:
            table.add_column(name, overflow="fold")
        for row in rows.iter_rows():
            table.add_row(*(Text("" if value is None else str(value)) for value in row))
        # without a terminal there is no width, and ids must not be broken
        Console(width=None if sys.stdout.isatty() else _WIDEST, soft_wrap=False).print(table)
        if total is not None and total > rows.height:
            print(f"and {total - rows.height} more rows: --limit 0 shows all, --csv writes them")
