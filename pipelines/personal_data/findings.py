"""Spans of personal data in a text: position, class, score and recogniser, without the value."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Iterable, Sequence
from functools import cache
from typing import NamedTuple

from pipelines.personal_data.rules import NATIVE, THRESHOLD, load_rules


class Span(NamedTuple):
    """A finding: positions count code points; `end` is exclusive."""

    start: int
    end: int
    entity: str
    score: float
    recogniser: str


@cache
def _native_places() -> dict[str, tuple[frozenset[str], str | None]]:
    """Return recogniser -> (languages, country) in which its identifier is native."""
    return {r.name: (frozenset(r.languages), r.country) for r in load_rules()}


def _native_bonus(span: Span, lang: str | None, jurisdiction: str | None) -> float:
    languages, country = _native_places().get(span.recogniser, (frozenset(), None))
    return NATIVE * (lang in languages) + NATIVE * (
        jurisdiction is not None and jurisdiction == country
    )


def resolve(candidates: Iterable[Span], lang: str | None, jurisdiction: str | None) -> list[Span]:
    """Choose the candidates that become findings; they do not overlap and are sorted by start.

    The document's language and its source's jurisdiction each add 0.1 to a native identifier.  Of
    overlapping candidates the higher score wins, then the longer span, then the earlier one.
    Candidates below `THRESHOLD` are left out.
    """
    ranked = sorted(
        (-(c.score + _native_bonus(c, lang, jurisdiction)), c.start - c.end, c.start, c.entity, c)
        for c in candidates
    )
    accepted: list[Span] = []
    for rank, _, _, _, span in ranked:
        at = bisect(accepted, (span.start,))
        free = (at == 0 or accepted[at - 1].end <= span.start) and (
            at == len(accepted) or accepted[at].start >= span.end
        )
        if -rank >= THRESHOLD and free:
            accepted.insert(at, span._replace(score=round(min(1.0, -rank), 3)))
    return accepted


def merge_resolved(spans: Iterable[Span], more: Sequence[Span]) -> list[Span]:
    """Merge two lists of resolved spans of one text; the result does not overlap, sorted by start.

    The ranking is that of `resolve`.  Where a span overlaps a higher one, only the overlap is cut
    off.  So the result covers all that either list covers.
    """
    if not more:
        return list(spans)
    accepted: list[Span] = []
    for candidate in sorted({*spans, *more}, key=lambda s: (-s.score, s.start - s.end, s)):
        first = bisect(accepted, candidate.start, key=lambda span: span.end)
        free, start = [], candidate.start
        for higher in accepted[first:]:
            if higher.start >= candidate.end:
                break
            free.append(candidate._replace(start=start, end=higher.start))
            start = higher.end
        free.append(candidate._replace(start=start))
        for piece in free:
            if piece.start < piece.end:
                accepted.insert(bisect(accepted, piece), piece)
    return accepted
