"""Rank the sources: of several copies of a text, the copy of the best-ranked source stays."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from schemas.register import Register, Source

#: Strongest first. A statute needs no permission. A contract binds both sides. A consent can be
#: withdrawn. A public licence rests on the publisher's word alone.
BASES = ("statute", "contract", "consent", "licence")
#: Fewest duties first. Other licences come after these.
LICENCES = (
    "CC0-1.0",
    "PDDL-1.0",
    "CC-BY-4.0",
    "CC-BY-3.0",
    "ODC-By-1.0",
    "CC-BY-SA-4.0",
    "CC-BY-SA-3.0",
    "ODbL-1.0",
)


def rank_sources(register: Register, order: Sequence[str] = ()) -> dict[str, int]:
    """Rank the sources of the register.

    The strongest lawful basis comes first, then the most permissive licence, the longest validity,
    and the place in `order`. Sources that are equal in all four share a rank; the quality and the
    age of their documents then decide.

    Args:
      register: the sources.
      order: source ids, best first. Sources that it does not list come after these.

    Returns:
      source -> rank, 0 is best.
    """
    keys = {
        s.id: (*_source_right(s), _listed_place(s.id, order)) for s in register.sources.values()
    }
    ranks = {key: rank for rank, key in enumerate(sorted({*keys.values()}))}
    return {source: ranks[key] for source, key in keys.items()}


def _listed_place(source: str, order: Sequence[str]) -> int:
    return order.index(source) if source in order else len(order)


def _source_right(source: Source) -> tuple[int, int, int]:
    """Return the sort key of a source by basis, licence and validity. The least is best."""
    spdx = source.licence.spdx
    ends = source.basis.expires_on or date.max
    licence = LICENCES.index(spdx) if spdx in LICENCES else len(LICENCES)
    return (BASES.index(source.basis.kind), licence, -ends.toordinal())
