"""What was found in a text: spans with a class, a score and who found them; no value, no action."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Iterable, Sequence
from functools import cache
from typing import NamedTuple

from pipelines.personal_data.rules import NATIVE, THRESHOLD, load_rules


class Span(NamedTuple):
    """A found identifier: code points, end exclusive."""

    start: int
    end: int
    entity: str
    score: float
    recogniser: str


@cache
def _native_places() -> dict[str, tuple[frozenset[str], str | None]]:
    """Recogniser to the languages and the country in which it is native."""
    return {r.name: (frozenset(r.languages), r.country) for r in load_rules()}


def _native_bonus(span: Span, lang: str | None, jurisdiction: str | None) -> float:
    languages, country = _native_places().get(span.recogniser, (frozenset(), None))
    return NATIVE * (lang in languages) + NATIVE * (
        jurisdiction is not None and jurisdiction == country
    )


def resolve(candidates: Iterable[Span], lang: str | None, jurisdiction: str | None) -> list[Span]:
    """The candidates that stand, apart from each other, by start.

    The document's language and its source's jurisdiction each lend a native identifier 0.1;
    then the higher score wins, then the longer span, then the earlier.
    """
    ranked = sorted(
        (-(c.score + _native_bonus(c, lang, jurisdiction)), c.start - c.end, c.start, c.entity, c)
        for c in candidates
    )
    taken: list[Span] = []
    for rank, _, _, _, c in ranked:
        at = bisect(taken, (c.start,))
        free = (at == 0 or taken[at - 1].end <= c.start) and (
            at == len(taken) or taken[at].start >= c.end
        )
        if -rank >= THRESHOLD and free:
            taken.insert(at, c._replace(score=round(min(1.0, -rank), 3)))
    return taken


def merge_resolved(spans: Iterable[Span], more: Sequence[Span]) -> list[Span]:
    """Two lists of resolved spans of one text as one, apart, by start.

    Ranked as in `resolve`; what sticks out from under a higher one stays, cut off: all that either
    list covers is covered.
    """
    if not more:
        return list(spans)
    taken: list[Span] = []
    for c in sorted({*spans, *more}, key=lambda c: (-c.score, c.start - c.end, c)):
        first = bisect(taken, c.start, key=lambda one: one.end)
        free, start = [], c.start
        for one in taken[first:]:
            if one.start >= c.end:
                break
            free.append(c._replace(start=start, end=one.start))
            start = one.end
        free.append(c._replace(start=start))
        for piece in free:
            if piece.start < piece.end:
                taken.insert(bisect(taken, piece), piece)
    return taken
