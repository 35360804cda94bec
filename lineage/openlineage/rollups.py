"""Licences and lawful bases over documents by source, as our facets have them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from schemas.duties import Duties


@dataclass(frozen=True)
class Governed:
    """What a facet needs to know of a source: `ends` the last good day of its basis, `proven`
    whether its evidence was there."""

    id: str
    licence: str
    duties: Duties
    basis: str
    ends: str | None
    proven: bool


def licences(sources: Iterable[Governed], documents: Mapping[str, int]) -> list[dict[str, Any]]:
    """A row per licence; `documents`: source -> how many."""
    return [
        {
            "licence": licence,
            "attribution": some[0].duties.attribution,
            "shareAlike": some[0].duties.share_alike,
            **_sizes(some, documents),
        }
        for licence, some in _grouped(sources, lambda s: s.licence, documents).items()
    ]


def bases(sources: Iterable[Governed], documents: Mapping[str, int]) -> list[dict[str, Any]]:
    """A row per kind of lawful basis."""
    return [
        {
            "kind": kind,
            "firstExpiry": min((s.ends for s in some if s.ends), default=None),
            "withoutEvidence": sum(not s.proven for s in some),
            **_sizes(some, documents),
        }
        for kind, some in _grouped(sources, lambda s: s.basis, documents).items()
    ]


def _grouped(
    sources: Iterable[Governed], key: Callable[[Governed], str], documents: Mapping[str, int]
) -> dict[str, list[Governed]]:
    found: dict[str, list[Governed]] = {}
    for source in sorted(sources, key=lambda s: (key(s), s.id)):
        if documents.get(source.id):
            found.setdefault(key(source), []).append(source)
    return found


def _sizes(sources: list[Governed], documents: Mapping[str, int]) -> dict[str, Any]:
    return {
        "sources": [s.id for s in sources],
        "documents": sum(documents[s.id] for s in sources),
    }
