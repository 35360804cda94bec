"""A release's manifest and lineage tables, read from its folder."""

from __future__ import annotations

import json
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import polars as pl

from lineage.storage import release_files
from schemas.columns import LINEAGE
from schemas.errors import BAD_USAGE, NO, TamgaError

_TYPES: Final = {
    "string": pl.String,
    "int32": pl.Int32,
    "int64": pl.Int64,
    "double": pl.Float64,
}


class NoRelease(TamgaError):
    """A named folder does not hold a release."""

    exit_code = BAD_USAGE


class DamagedRelease(TamgaError):
    """A table of a release cannot be read, or lacks rows or columns."""

    exit_code = NO


def _table_errors() -> Iterator[type[Exception]]:
    """The errors of the table libraries; Arrow is skipped if it is not loaded."""
    yield pl.exceptions.PolarsError
    if arrow := sys.modules.get("pyarrow"):
        yield arrow.ArrowException


@contextmanager
def readable(
    otherwise: type[TamgaError] = DamagedRelease, *also: type[Exception]
) -> Iterator[None]:
    """Convert the errors of the table libraries to an error for the user.

    The message names only their class, for their text may quote data.

    Args:
      otherwise: the error to raise; `NoRelease` for commands that cannot answer without the table.
      also: further classes that a damaged release raises here.
    """
    try:
        yield
    except (*_table_errors(), *also) as error:
        raise otherwise(
            f"the release cannot be read: a table is damaged ({type(error).__name__}); "
            "`tamga verify` names the first file that is wrong"
        ) from error


def empty_table(name: str) -> pl.LazyFrame:
    """A lineage table without rows."""
    return pl.LazyFrame(schema={column: _TYPES[kind] for column, kind in LINEAGE[name].items()})


@dataclass(frozen=True)
class ReleaseTables:
    """The manifest and lineage tables of a release on disk.

    Args:
      folder: `<path>/<name>`, with `data/`, `lineage/` and `manifest.json`.
    """

    folder: Path

    def table(self, name: str, parts: Collection[str | None] = ()) -> pl.LazyFrame:
        """Scan a lineage table; only the named parts, if the release has them.

        Raises:
          NoRelease: if the table has no files.
        """
        files = sorted((self.folder / "lineage" / name).glob("*.parquet"))
        files = [file for file in files if file.stem in parts] or files
        if not files:
            raise NoRelease(f"{self.folder} holds no release (lineage/{name} is not there)")
        return pl.scan_parquet(files, hive_partitioning=False).select(*LINEAGE[name])

    def parts(self) -> pl.LazyFrame:
        """Scan the parts of records (`schemas.tables.PARTS`); empty if no record was split."""
        if not (self.folder / "lineage/parts").is_dir():
            return empty_table("parts")
        return self.table("parts")

    def record_of(self, doc_id: str) -> str | None:
        """The record that a document was cut from; None if it is not a part of a record."""
        records = self.parts().filter(pl.col("doc_id") == doc_id).head(1).collect()["part_of"]
        return records[0] if len(records) else None

    def manifest(self) -> dict[str, Any]:
        """Read the manifest.

        Raises:
          NoRelease: if it cannot be read.
        """
        try:
            value: dict[str, Any] = json.loads((self.folder / release_files.MANIFEST).read_bytes())
        except (OSError, ValueError):
            raise NoRelease(f"{self.folder} holds no release (no readable manifest.json)") from None
        return value
