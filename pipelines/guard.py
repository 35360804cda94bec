"""A source, a language or a stage that falls to nearly nothing, or far below the last release.

Functions over counts, see `pipelines.yields`; nothing here reads a document.

A source, language or stage falls short where it keeps less than `min_keep_share` of what it was
handed, or less than `1 - max_fall` of what it would have kept had each source yielded as in the
last release; also a source of which nothing is seen any more.  Where fewer than `min_documents`
were handed in or are to be expected, nothing is said.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from pipelines.yields import Yields
from schemas.sections import GuardParams


@dataclass(frozen=True)
class Shortfall:
    """`kind`: source, language or stage; `expected`: how many would have been kept by the last
    release's yields, None where the floor is what it fell under."""

    kind: str
    name: str
    seen: int
    kept: int
    expected: float | None = None

    def told(self, params: GuardParams) -> str:
        """What is wrong, with the parameter that says so."""
        what = f"{self.kind} {self.name}: {self.kept} kept of {self.seen}"
        if self.expected is None:
            least = f"{params.min_keep_share:.2%}"
            return f"{what}; at least {least} is wanted (guard.min_keep_share)"
        least = f"{1 - params.max_fall:.0%}"
        return (
            f"{what}; by the last release {self.expected:.0f} are to be expected, and at least "
            f"{least} of that is wanted (guard.max_fall)"
        )


def shortfalls(now: Yields, last: Yields | None, params: GuardParams) -> list[Shortfall]:
    """All that falls short and is not allowed to, each once, by kind and name."""
    found = {(s.kind, s.name): s for s in _fallen(now, last, params)} if last else {}
    found |= {(s.kind, s.name): s for s in _under(now, params)}
    return [s for key, s in sorted(found.items()) if not params.allows(s.kind, s.name)]


def _kinds(yields: Yields) -> Iterator[tuple[str, str, int, int]]:
    """(kind, name, seen, kept) of all stages, sources and languages."""
    for kind, column in (("source", "source_id"), ("language", "lang")):
        named = yields.cells.filter(pl.col(column).is_not_null())
        for name, seen, kept in (
            named.group_by(column).agg(pl.col("seen", "kept").sum()).iter_rows()
        ):
            yield kind, name, seen, kept
    for name, (seen, kept) in yields.stages.items():
        yield "stage", name, seen, kept


def _under(now: Yields, params: GuardParams) -> Iterator[Shortfall]:
    for kind, name, seen, kept in _kinds(now):
        if seen >= params.min_documents and kept < params.min_keep_share * seen:
            yield Shortfall(kind, name, seen, kept)


def _fallen(now: Yields, last: Yields, params: GuardParams) -> Iterator[Shortfall]:
    here = {(kind, name): (seen, kept) for kind, name, seen, kept in _kinds(now)}
    for kind, name, expected in _expected(now, last):
        seen, kept = here.get((kind, name), (0, 0))
        if expected >= params.min_documents and kept < (1 - params.max_fall) * expected:
            yield Shortfall(kind, name, seen, kept, expected)


def _expected(now: Yields, last: Yields) -> Iterator[tuple[str, str, float]]:
    """(kind, name, how many would be kept) had each source and stage yielded as it did.

    A source that is barred is not expected to yield; one of which there is no record at all is
    expected to yield what it did.
    """
    by_source = [
        y.cells.group_by("source_id").agg(pl.col("barred", "seen").sum()) for y in (now, last)
    ]
    rates = last.cells.select("source_id", "lang", "kept").join(
        by_source[0].join(by_source[1], on="source_id", how="right", suffix="_last"),
        on="source_id",
    )
    gone = pl.col("seen").is_null()
    share = pl.col("kept") / pl.col("seen_last")
    cells = rates.with_columns(
        expected=pl.when(gone)
        .then(pl.col("kept").cast(pl.Float64))
        .otherwise(share * pl.col("seen"))
    )
    for kind, column in (("source", "source_id"), ("language", "lang")):
        named = cells.filter(pl.col(column).is_not_null())
        sums = named.group_by(column).agg(pl.col("expected").fill_nan(0.0).sum())
        for name, expected in sums.iter_rows():
            yield kind, name, expected
    for name, (seen, kept) in last.stages.items():
        if seen and name in now.stages:
            yield "stage", name, now.stages[name][0] * kept / seen
