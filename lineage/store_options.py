"""What the commands that ask the store have in common: which store, and how answers are shown."""

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

#: Rows of a table on the screen, where no other number is asked for.
SHOWN = 40
#: Columns of characters where there is no terminal.
_WIDEST = 1 << 20


def parser(command: str, about: str, epilog: str) -> argparse.ArgumentParser:
    """A parser with the options that say which store is asked, and `--json`."""
    made = command_line.parser(command, about, epilog)
    command_line.add_params(made)
    made.add_argument("--releases", help="the folder of releases, or its URL; else that of params")
    made.add_argument("--json", action="store_true", help="print the answer as JSON")
    return made


@dataclass(frozen=True)
class Places:
    """Where things lie: `releases` (a folder, or a URL), what containers are relative to (`root`),
    and the folder of the look-up key (None: it is not known)."""

    releases: str
    root: Path
    keys: Path | None


def places(options: argparse.Namespace) -> Places:
    """By --releases, else by --params.

    Raises:
      Invalid: where neither names a place.
    """
    from lineage.configuration import required_params  # heavy

    path: Path = options.params
    if options.releases and not path.is_file():
        return Places(options.releases, path.parent, None)
    about = required_params(path, "a folder of releases by --releases")
    return Places(options.releases or str(about.releases), about.root, about.work / "keys")


def opened(options: argparse.Namespace) -> Store:
    """The store that is asked.

    Raises:
      NoRelease: where nothing was entered into it.
    """
    place = places(options).releases
    found = store.open(place)
    if not found.releases:
        raise NoRelease(f"{place} has no store of releases; make it by `tamga index`")
    return found


@contextmanager
def readable() -> Iterator[None]:
    """Name the remedy where the store's own tables are damaged or missing: it can be made again.

    Raises:
      BadStore: in place of the errors of the table libraries.
    """
    try:
        yield
    except (FileNotFoundError, pl.exceptions.PolarsError) as error:
        raise BadStore(
            f"the store cannot be read ({type(error).__name__}); run `tamga index --rebuild`"
        ) from error


def named(rows: pl.DataFrame, asked: Store) -> pl.DataFrame:
    """Rows with the releases' names in place of their numbers: `first`, `last` (null: live)."""
    names = {one.seq: f"{one.name}@{one.seq}" for one in asked.releases}
    return rows.with_columns(
        pl.col(old).replace_strict(names, default=None, return_dtype=pl.String).alias(new)
        for old, new in (("first_seq", "first"), ("last_seq", "last"))
    ).drop("first_seq", "last_seq")


def show(rows: pl.DataFrame, form: str, about: dict[str, Any], total: int | None = None) -> None:
    """Print rows as `json` (with `about` around them), `csv`, or a `table`."""
    if form == "json":
        print(json.dumps(about | {"rows": rows.to_dicts()}, ensure_ascii=False, indent=1))
    elif form == "csv":
        sys.stdout.write(rows.write_csv())
    elif rows.is_empty():
        print("nothing is found", file=sys.stderr)
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
        # what is no terminal has no width, and an id is read whole or not at all
        Console(width=None if sys.stdout.isatty() else _WIDEST, soft_wrap=False).print(table)
        if total is not None and total > rows.height:
            print(f"and {total - rows.height} more: --limit 0 shows all, --csv writes them")
