"""Count how much text each source, language and stage yields, from the stages' tables by shard.

A record is *barred* if the gate refused it, its language is not wanted, or it is a signal. Barred
records say nothing about how well a stage works, so they do not count as seen.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import polars as pl

from pipelines.corpus.stage_tables import Corpus
from schemas.stages import DECIDING

#: The reasons of `drop` that bar a record; each `refuse` bars it too.
BARRING: Final = ("language-not-wanted", "signal")
COUNTS: Final = ("barred", "seen", "kept")
_CELL: Final = {"source_id": pl.String, "lang": pl.String, **dict.fromkeys(COUNTS, pl.Int64)}


@dataclass(frozen=True)
class Yields:
    """The yields of a run.

    Attributes:
      cells: a row per pair of source and language: source_id, lang (null: not identified), barred,
        seen (records that are not barred), kept (by all stages before the release).
      stages: stage -> how many documents it received, without those it barred, and how many it
        kept.
    """

    cells: pl.DataFrame
    stages: Mapping[str, tuple[int, int]]

    def of_sources(self, sources: Collection[str]) -> Yields:
        """Return the yields with the cells of these sources alone."""
        return Yields(self.cells.filter(pl.col("source_id").is_in(list(sources))), self.stages)

    def as_json(self) -> dict[str, Any]:
        """Return the yields as a release's manifest holds them."""
        ordered = self.cells.sort("source_id", "lang", nulls_last=True)
        stages = {name: {"seen": s, "kept": k} for name, (s, k) in self.stages.items()}
        return {"stages": stages, "sources": ordered.to_dicts()}


def from_json(value: Any) -> Yields | None:
    """Read the yields in a release's manifest; None if it holds none."""
    try:
        cells = pl.DataFrame(value["sources"], _CELL)
        stages = {n: (int(s["seen"]), int(s["kept"])) for n, s in value["stages"].items()}
    except (KeyError, TypeError, ValueError, AttributeError, pl.exceptions.PolarsError):
        return None
    return Yields(cells, stages)


def measure_yields(
    corpus: Corpus, names: Iterable[str], totals: Mapping[str, Mapping[str, Any]]
) -> Yields:
    """Count the yields of a run whose stages before the release are finished.

    Args:
      corpus: the tables of the stages.
      names: the shards.
      totals: stage -> its nested counters.
    """
    cells = [_yield_cells(record_endings(corpus, name)) for name in names]
    summed = pl.concat([pl.DataFrame(schema=_CELL), *cells])
    added = summed.group_by("source_id", "lang").agg(pl.col(*COUNTS).sum())
    return Yields(added, {name: _stage_yield(totals[name]) for name in DECIDING})


def record_endings(corpus: Corpus, shard: str) -> pl.DataFrame:
    """Find where each record of a shard ended before the release.

    Returns:
      doc_id, source_id, lang, stage, outcome, reason, rule, evidence. The last five are null for a
      record that all stages kept.
    """
    columns = ["doc_id", "stage", "outcome", "reason", "rule", "evidence"]
    ended = [
        corpus.table(stage, "decisions", shard, columns).filter(pl.col("outcome") != "keep")
        for stage in DECIDING
    ]
    labels = corpus.table("language", "language", shard, ["doc_id", "lang"])
    return (
        corpus.ingest_table("records", shard, ["doc_id", "source_id"])
        .join(labels, on="doc_id", how="left", maintain_order="left")
        .join(pl.concat(ended), on="doc_id", how="left", maintain_order="left")
    )


def is_barred() -> pl.Expr:
    """Whether a record is barred, by outcome and reason."""
    return ((pl.col("outcome") == "refuse") | pl.col("reason").is_in(BARRING)).fill_null(False)


def _yield_cells(ended: pl.DataFrame) -> pl.DataFrame:
    """Count the rows of `record_endings` of governed records by source and language."""
    return (
        ended.filter(pl.col("source_id").is_not_null())
        .group_by("source_id", "lang")
        .agg(
            barred=is_barred().sum().cast(pl.Int64),
            seen=(~is_barred()).sum().cast(pl.Int64),
            kept=pl.col("outcome").is_null().sum().cast(pl.Int64),
        )
    )


def _stage_yield(totals: Mapping[str, Any]) -> tuple[int, int]:
    """Return (seen, kept) of a stage from its nested counters."""
    outcome, reason = totals.get("outcome", {}), totals.get("reason", {})
    barred = outcome.get("refuse", 0) + sum(reason.get(f"drop {name}", 0) for name in BARRING)
    return sum(outcome.values()) - barred, outcome.get("keep", 0)
