"""The guard against one source swallowing another: whole sources have been wiped out by
deduplication elsewhere, by a template or a mirror that nobody looked at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from pipelines.engine import shards
from schemas.sections import GuardParams

PAIRS = 5


@dataclass(frozen=True)
class Loss:
    """How many of a source's documents went because another source has them."""

    loser: str
    keeper: str
    lost: int
    documents: int

    @property
    def share(self) -> float:
        return self.lost / self.documents


def counted(gone: pl.DataFrame) -> pl.Series:
    """source_id, kept_source_id of the documents that go -> "LOSER > KEEPER" of those that another
    source keeps."""
    other = gone.filter(pl.col("source_id") != pl.col("kept_source_id"))
    return other.select(pl.format("{} > {}", "source_id", "kept_source_id")).to_series()


def losses(lost: Mapping[str, int], documents: Mapping[str, int], guard: GuardParams) -> list[Loss]:
    """The losses beyond what the parameters allow, worst first.

    Args:
      lost: "LOSER > KEEPER" -> documents.
      documents: source -> documents that it had.
    """
    found = []
    for pair, number in lost.items():
        loser, keeper = pair.split(" > ")
        one = Loss(loser, keeper, number, documents[loser])
        meant = pair in guard.accept_source_loss or number < guard.min_source_loss
        if not meant and one.share > guard.max_source_loss:
            found.append(one)
    return sorted(found, key=lambda one: (-one.share, one.loser, one.keeper))


def pairs(state: shards.State, loss: Loss, number: int = PAIRS) -> list[tuple[str, str, float]]:
    """Some of the documents that the loser lost, with the one kept and their similarity, least
    similar first."""
    rows = pl.scan_parquet(state.path("duplicates", "*"))
    kept = rows.filter(
        pl.col("doc_id") == pl.col("kept_doc_id"), pl.col("source_id") == loss.keeper
    ).select("kept_doc_id")
    gone = rows.filter(pl.col("doc_id") != pl.col("kept_doc_id"), pl.col("source_id") == loss.loser)
    some = gone.join(kept, on="kept_doc_id", how="semi").sort("similarity", "doc_id")
    return some.select("doc_id", "kept_doc_id", "similarity").head(number).collect().rows()


def message(state: shards.State, found: list[Loss], guard: GuardParams) -> str:
    """What the guard says: sources, counts, some pairs, and how to decide."""
    lines = []
    for one in found:
        lines.append(
            f"dedup: {one.loser} loses {one.lost} of {one.documents} documents "
            f"({one.share:.0%}) to {one.keeper}; guard.max_source_loss is {guard.max_source_loss:g}"
        )
        lines += [
            f"  {gone} is like {kept}: {similarity:.3f}"
            for gone, kept, similarity in pairs(state, one)
        ]
    lines.append(
        "nothing was published. Where it is meant, add to guard.accept_source_loss: "
        + ", ".join(f'"{one.loser} > {one.keeper}"' for one in found)
    )
    return "\n".join(lines)
