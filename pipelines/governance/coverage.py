"""What a finished run says of its register: which sources governed something, on what evidence,
and whose text was refused because nobody governs it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import polars as pl

from lineage.storage.release_tables import NoRelease
from pipelines.ingest import text_extraction
from pipelines.ingest.readers.signals import SIGNAL_PATHS
from schemas.urls import hosts

_AUTHORITY: Final = r"^([A-Za-z][A-Za-z0-9+.\-]*://[^/?#]*)"


@dataclass(frozen=True)
class Coverage:
    """The tables of a run: `folder` holds `records`, `decisions` and `sources`."""

    folder: Path

    def evidence(self) -> dict[str, str | None]:
        """Source -> SHA-256 of its evidence as the run found it; None where it was missing."""
        known = self._table("sources").select("source_id", "evidence_sha256").collect()
        return dict(known.iter_rows())

    def matched(self) -> frozenset[str]:
        """The sources that governed at least one record."""
        seen = self._table("records").select(pl.col("source_id").unique()).collect()
        return frozenset(seen["source_id"].drop_nulls())

    def ungoverned(self) -> pl.DataFrame:
        """What to license next: host (or collection, of what has no host), records, bytes (as
        stored in the containers; a row of a Parquet file counts none), most bytes first.

        Of the records that are refused as ungoverned those count in which a text may be: answers
        200 of a media type that is read, the files of signals left out.  The text itself nobody
        has read.
        """
        refused = self._table("decisions").filter(
            pl.col("outcome") == "refuse", pl.col("reason") == "ungoverned"
        )
        types = self._table("records").select(pl.col("media_type").unique()).collect()["media_type"]
        read = [one for one in types.drop_nulls() if text_extraction.is_supported(one)]
        signal = pl.any_horizontal(pl.col("uri").str.ends_with(path) for path in SIGNAL_PATHS)
        found = (
            self._table("records")
            .filter(
                pl.col("media_type").is_null() | pl.col("media_type").is_in(read),
                pl.col("http_status").is_null() | (pl.col("http_status") == 200),
                ~signal.fill_null(False),
            )
            .join(refused, on="doc_id", how="semi")
            .group_by("collection", authority=pl.col("uri").str.extract(_AUTHORITY))
            .agg(records=pl.len(), bytes=pl.when(pl.col("locator") != "row").then("length").sum())
            .collect(engine="streaming")
        )
        named = found.with_columns(host=hosts(found["authority"]))
        return (
            named.with_columns(
                collection=pl.when(pl.col("host").is_null()).then("collection"),
            )
            .group_by("host", "collection")
            .agg(pl.col("records", "bytes").sum())
            .sort("bytes", "records", "host", "collection", descending=[True, True, False, False])
        )

    def _table(self, name: str) -> pl.LazyFrame:
        return pl.scan_parquet(self.folder / name / "*.parquet", hive_partitioning=False)


def of_release(folder: Path) -> Coverage:
    """The run behind a release.

    Raises:
      NoRelease: where the folder holds none.
    """
    found = _coverage_in(folder / "lineage")
    if found is None:
        raise NoRelease(f"{folder} holds no release (lineage/ is not there, or not whole)")
    return found


def of_work(folder: Path) -> Coverage | None:
    """The last run in a work folder; None where none is finished."""
    return _coverage_in(folder / "ingest")


def _coverage_in(folder: Path) -> Coverage | None:
    tables = ("records", "decisions", "sources")
    return Coverage(folder) if all(any((folder / t).glob("*.parquet")) for t in tables) else None
