"""How many of a source's documents go because another source has them.

Templates and mirrors can make deduplication remove a whole source; the guard stops at that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import polars as pl

from pipelines.engine import guard, shards
from pipelines.engine.guard import Count, Shortfall

#: Documents shown for each loss.
SHOWN = 5


def named(gone: pl.DataFrame) -> pl.Series:
    """source_id, kept_source_id of the documents that go -> the names of the losses, one per
    document that another source keeps."""
    other = gone.filter(pl.col("source_id") != pl.col("kept_source_id"))
    return other.select(
        pl.format(guard.loss_name("{}", "{}"), "source_id", "kept_source_id")
    ).to_series()


def counts(totals: Mapping[str, Mapping[str, int]]) -> Iterator[Count]:
    """The losses in a stage's counters: `source lost` by name, `source before` by source."""
    before = totals.get("source before", {})
    for name, lost in totals.get("source lost", {}).items():
        seen = before[guard.loss_sources(name)[0]]
        yield Count("loss", name, seen, seen - lost)


def examples(state: shards.State, found: Shortfall) -> list[str]:
    """Documents that the loser lost, each with the one kept and their similarity, least similar
    first."""
    loser, keeper = guard.loss_sources(found.count.name)
    rows = pl.scan_parquet(state.path("duplicates", "*"))
    kept = rows.filter(
        pl.col("doc_id") == pl.col("kept_doc_id"), pl.col("source_id") == keeper
    ).select("kept_doc_id")
    gone = rows.filter(pl.col("doc_id") != pl.col("kept_doc_id"), pl.col("source_id") == loser)
    shown = gone.join(kept, on="kept_doc_id", how="semi").sort("similarity", "doc_id").head(SHOWN)
    return [
        f"{lost} is like {stays}: {similarity:.3f}"
        for lost, stays, similarity in shown.select("doc_id", "kept_doc_id", "similarity")
        .collect()
        .iter_rows()
    ]
