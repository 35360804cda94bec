"""What a finished run shows about its register.

Which sources matched a record, with which evidence, and which hosts had text that no source governs.
"""

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
    """The tables of a run; `folder` contains `records`, `decisions` and `sources`."""

    folder: Path

    def evidence_digests(self) -> dict[str, str | None]:
        """Return source id -> SHA-256 of its evidence at the run; None: the file was missing."""
        rows = self._table("sources").select("source_id", "evidence_sha256").collect()
        return dict(rows.iter_rows())

    def matched_sources(self) -> frozenset[str]:
        """Return the ids of the sources that matched at least one record."""
        ids = self._table("records").select(pl.col("source_id").unique()).collect()
        return frozenset(ids["source_id"].drop_nulls())

    def ungoverned_hosts(self) -> pl.DataFrame:
        """Return the hosts without a source, most bytes first: candidates for a new licence.

        Only ungoverned records that may contain text count: status 200, a media type that a reader
        supports, not a signal file.  The text itself was not read.

        Returns:
          host, collection (only of records without a host), records, bytes (as stored in the
          containers; a row of a Parquet file counts as 0).
        """
        refused = self._table("decisions").filter(
            pl.col("outcome") == "refuse", pl.col("reason") == "ungoverned"
        )
        types = self._table("records").select(pl.col("media_type").unique()).collect()["media_type"]
        supported = [kind for kind in types.drop_nulls() if text_extraction.is_supported(kind)]
        signal = pl.any_horizontal(pl.col("uri").str.ends_with(path) for path in SIGNAL_PATHS)
        by_authority = (
            self._table("records")
            .filter(
                pl.col("media_type").is_null() | pl.col("media_type").is_in(supported),
                pl.col("http_status").is_null() | (pl.col("http_status") == 200),
                ~signal.fill_null(False),
            )
            .join(refused, on="doc_id", how="semi")
            .group_by("collection", authority=pl.col("uri").str.extract(_AUTHORITY))
            .agg(records=pl.len(), bytes=pl.when(pl.col("locator") != "row").then("length").sum())
            .collect(engine="streaming")
        )
        with_hosts = by_authority.with_columns(host=hosts(by_authority["authority"]))
        return (
            with_hosts.with_columns(
                collection=pl.when(pl.col("host").is_null()).then("collection"),
            )
            .group_by("host", "collection")
            .agg(pl.col("records", "bytes").sum())
            .sort("bytes", "records", "host", "collection", descending=[True, True, False, False])
        )

    def _table(self, name: str) -> pl.LazyFrame:
        return pl.scan_parquet(self.folder / name / "*.parquet", hive_partitioning=False)


def of_release(folder: Path) -> Coverage:
    """Return the coverage of the run that made a release.

    Raises:
      NoRelease: if the folder does not contain a release.
    """
    coverage = _coverage_in(folder / "lineage")
    if coverage is None:
        raise NoRelease(f"{folder} holds no release (lineage/ is missing or incomplete)")
    return coverage


def of_work(folder: Path) -> Coverage | None:
    """Return the coverage of the last run in a work folder; None if no run has finished."""
    return _coverage_in(folder / "ingest")


def _coverage_in(folder: Path) -> Coverage | None:
    """Return the coverage of a folder; None if one of the three tables is missing."""
    tables = ("records", "decisions", "sources")
    return Coverage(folder) if all(any((folder / t).glob("*.parquet")) for t in tables) else None
