"""How much came of each source, language and stage: counted from the stages' tables by shard.

What a rule of rights refused, what the parameters did not want and what is no document is `barred`:
it says nothing about how well a stage did.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import polars as pl

from pipelines.corpus.stage_tables import Corpus
from schemas.stages import DECIDING

#: The reasons of `drop` that bar, beside all of `refuse`.
BARRING: Final = ("language-not-wanted", "signal")
COUNTS: Final = ("barred", "seen", "kept")
_CELL: Final = {"source_id": pl.String, "lang": pl.String, **dict.fromkeys(COUNTS, pl.Int64)}


@dataclass(frozen=True)
class Yields:
    """`cells`: source_id, lang (null: not identified), barred, seen (the records that are not
    barred), kept (by all stages before the release), a row per pair; `stages`: how many documents
    each was handed, less those barred there, and kept."""

    cells: pl.DataFrame
    stages: Mapping[str, tuple[int, int]]

    def of(self, sources: Collection[str]) -> Yields:
        """The same of these sources alone."""
        return Yields(self.cells.filter(pl.col("source_id").is_in(list(sources))), self.stages)

    def as_json(self) -> dict[str, Any]:
        """What a release's manifest says of them."""
        ordered = self.cells.sort("source_id", "lang", nulls_last=True)
        stages = {name: {"seen": s, "kept": k} for name, (s, k) in self.stages.items()}
        return {"stages": stages, "sources": ordered.to_dicts()}


def from_json(value: Any) -> Yields | None:
    """The same read again; None where a release tells none."""
    try:
        cells = pl.DataFrame(value["sources"], _CELL)
        stages = {n: (int(s["seen"]), int(s["kept"])) for n, s in value["stages"].items()}
    except (KeyError, TypeError, ValueError, AttributeError, pl.exceptions.PolarsError):
        return None
    return Yields(cells, stages)


def measure(
    source: Corpus, names: Iterable[str], totals: Mapping[str, Mapping[str, Any]]
) -> Yields:
    """The yields of a finished run up to the release.

    Args:
      source: where the stages published.
      names: the shards.
      totals: stage -> its nested counters.
    """
    cells = [_cells(records(source, name)) for name in names]
    summed = pl.concat([pl.DataFrame(schema=_CELL), *cells])
    added = summed.group_by("source_id", "lang").agg(pl.col(*COUNTS).sum())
    return Yields(added, {name: _stage(totals[name]) for name in DECIDING})


def records(source: Corpus, shard: str) -> pl.DataFrame:
    """doc_id, source_id, lang, and where a record of a shard ended before the release: stage,
    outcome, reason, rule, evidence (null: it was kept)."""
    columns = ["doc_id", "stage", "outcome", "reason", "rule", "evidence"]
    ended = [
        source.table(stage, "decisions", shard, columns).filter(pl.col("outcome") != "keep")
        for stage in DECIDING
    ]
    labels = source.table("language", "language", shard, ["doc_id", "lang"])
    return (
        source.of_records("records", shard, ["doc_id", "source_id"])
        .join(labels, on="doc_id", how="left", maintain_order="left")
        .join(pl.concat(ended), on="doc_id", how="left", maintain_order="left")
    )


def barred() -> pl.Expr:
    """Whether a record is barred, by outcome and reason."""
    return ((pl.col("outcome") == "refuse") | pl.col("reason").is_in(BARRING)).fill_null(False)


def _cells(ended: pl.DataFrame) -> pl.DataFrame:
    return (
        ended.filter(pl.col("source_id").is_not_null())
        .group_by("source_id", "lang")
        .agg(
            barred=barred().sum().cast(pl.Int64),
            seen=(~barred()).sum().cast(pl.Int64),
            kept=pl.col("outcome").is_null().sum().cast(pl.Int64),
        )
    )


def _stage(totals: Mapping[str, Any]) -> tuple[int, int]:
    outcome, reason = totals.get("outcome", {}), totals.get("reason", {})
    gone = outcome.get("refuse", 0) + sum(reason.get(f"drop {name}", 0) for name in BARRING)
    return sum(outcome.values()) - gone, outcome.get("keep", 0)
