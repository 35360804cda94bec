"""Documents counted by licence and by lawful basis, in the form of the `tamga_` facets."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from schemas.duties import Duties


@dataclass(frozen=True)
class SourceTerms:
    """The facts about a source that the facets need.

    Args:
      id: the source's id.
      licence: an SPDX expression.
      duties: what the licence asks of the user.
      basis: the kind of its lawful basis.
      expires_on: the last day on which the basis holds, as an ISO date; None: it has no end.
      has_evidence: whether the evidence file was there.
    """

    id: str
    licence: str
    duties: Duties
    basis: str
    expires_on: str | None
    has_evidence: bool


def licence_rows(
    sources: Iterable[SourceTerms], documents: Mapping[str, int]
) -> list[dict[str, Any]]:
    """Return a row per licence; `documents`: source id -> number of documents."""
    return [
        {
            "licence": licence,
            "attribution": group[0].duties.attribution,
            "shareAlike": group[0].duties.share_alike,
            **_sizes(group, documents),
        }
        for licence, group in _group_with_documents(sources, lambda s: s.licence, documents).items()
    ]


def basis_rows(
    sources: Iterable[SourceTerms], documents: Mapping[str, int]
) -> list[dict[str, Any]]:
    """Return a row per kind of lawful basis; `documents`: source id -> number of documents."""
    return [
        {
            "kind": kind,
            "firstExpiry": min((s.expires_on for s in group if s.expires_on), default=None),
            "withoutEvidence": sum(not s.has_evidence for s in group),
            **_sizes(group, documents),
        }
        for kind, group in _group_with_documents(sources, lambda s: s.basis, documents).items()
    ]


def _group_with_documents(
    sources: Iterable[SourceTerms], key: Callable[[SourceTerms], str], documents: Mapping[str, int]
) -> dict[str, list[SourceTerms]]:
    """Group the sources that have documents by a key; groups and members are sorted."""
    groups: dict[str, list[SourceTerms]] = {}
    for source in sorted(sources, key=lambda s: (key(s), s.id)):
        if documents.get(source.id):
            groups.setdefault(key(source), []).append(source)
    return groups


def _sizes(sources: list[SourceTerms], documents: Mapping[str, int]) -> dict[str, Any]:
    return {
        "sources": [s.id for s in sources],
        "documents": sum(documents[s.id] for s in sources),
    }
