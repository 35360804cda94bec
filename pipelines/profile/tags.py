"""Domains and quality scores of released documents, and quality statistics of all documents.

The statistics come from the table of the stage `quality` in the work folder.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from lineage.release_folder import ReleaseFolder
from pipelines.profile import edges
from schemas.tables import DATA

SCORES: Final = np.linspace(0, 1, 41)
QUANTILES: Final = (0.05, 0.5, 0.95)


def domains(release: ReleaseFolder) -> list[dict[str, Any]]:
    """Count the released documents of each domain (null: none)."""
    counted = _data(release, "domain").group_by("domain").agg(pl.len().alias("n")).collect()
    named = counted.sort("n", "domain", descending=[True, False], nulls_last=True)
    return named.to_dicts() if named["domain"].drop_nulls().len() else []


def scores(release: ReleaseFolder) -> list[dict[str, Any]]:
    """Return a histogram of the quality scores of released documents; empty if there are none."""
    values = _data(release, "quality").collect()["quality"].drop_nulls().to_numpy()
    return edges.histogram(values, SCORES) if len(values) else []


def statistics(release: ReleaseFolder, work: Path | None) -> list[dict[str, Any]]:
    """Return the 5th, 50th and 95th percentile of each quality statistic.

    Returns:
      statistic, released (of released documents), others (of all other measured documents).
    """
    table = _quality_table(work)
    if table is None:
        return []
    schema = table.collect_schema()
    names = [n for n, kind in schema.items() if kind.is_numeric() and n != "score"]
    released = release.table("documents").select("doc_id", released=pl.lit(True))
    rows = table.join(released, on="doc_id", how="left").with_columns(
        pl.col("released").fill_null(False)
    )
    quantiles = [
        pl.col(n).quantile(q).cast(pl.Float64).alias(f"{n}/{q}") for n in names for q in QUANTILES
    ]
    values = {
        row["released"]: row
        for row in rows.group_by("released").agg(quantiles).collect().to_dicts()
    }

    def percentiles(name: str, released: bool) -> list[float | None]:
        return [values.get(released, {}).get(f"{name}/{q}") for q in QUANTILES]

    return [
        {"statistic": n, "released": percentiles(n, True), "others": percentiles(n, False)}
        for n in names
    ]


def _quality_table(work: Path | None) -> pl.LazyFrame | None:
    files = sorted((work / "quality" / "quality").glob("*.parquet")) if work else []
    return pl.scan_parquet(files, hive_partitioning=False) if files else None


def _data(release: ReleaseFolder, name: str) -> pl.LazyFrame:
    files = sorted((release.folder / "data").glob("*/*.parquet"))
    if not files:
        return pl.LazyFrame(DATA.empty_table()).select(name)
    return pl.scan_parquet(files, hive_partitioning=False).select(name)
