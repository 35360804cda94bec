"""Count how many documents each source loses to others as duplicates.

Templates and mirrors can make deduplication remove a whole source. The guard then stops the run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import polars as pl

from pipelines.engine import guard, shards
from pipelines.engine.guard import Count, Shortfall

#: How many documents are shown for each loss.
SHOWN = 5


def loss_names(removed: pl.DataFrame) -> pl.Series:
    """Return the name of the loss of each document that another source keeps.

    Args:
      removed: source_id, kept_source_id of removed documents.
    """
    other = removed.filter(pl.col("source_id") != pl.col("kept_source_id"))
    return other.select(
        pl.format(guard.loss_name("{}", "{}"), "source_id", "kept_source_id")
    ).to_series()


def loss_counts(totals: Mapping[str, Mapping[str, int]]) -> Iterator[Count]:
    """Yield the losses for the guard.

    Args:
      totals: the stage's counters: `source lost` by name of the loss, `source before` by source.
    """
    before = totals.get("source before", {})
    for name, lost in totals.get("source lost", {}).items():
        seen = before[guard.loss_sources(name)[0]]
        yield Count("loss", name, seen, seen - lost)


def loss_examples(state: shards.State, shortfall: Shortfall) -> list[str]:
    """Describe documents that a source lost to another, the least similar first.

    Args:
      state: the stage's tables.
      shortfall: the loss.

    Returns:
      Up to `SHOWN` lines: the removed document, the kept document, their similarity.
    """
    loser, keeper = guard.loss_sources(shortfall.count.name)
    rows = pl.scan_parquet(state.path("duplicates", "*"))
    kept = rows.filter(
        pl.col("doc_id") == pl.col("kept_doc_id"), pl.col("source_id") == keeper
    ).select("kept_doc_id")
    removed = rows.filter(pl.col("doc_id") != pl.col("kept_doc_id"), pl.col("source_id") == loser)
    shown = (
        removed.join(kept, on="kept_doc_id", how="semi").sort("similarity", "doc_id").head(SHOWN)
    )
    return [
        f"{lost} is like {stays}: {similarity:.3f}"
        for lost, stays, similarity in shown.select("doc_id", "kept_doc_id", "similarity")
        .collect()
        .iter_rows()
    ]
