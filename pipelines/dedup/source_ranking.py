"""Which of several copies of one text has the better right to stay."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from schemas.register import Register, Source

#: Strongest first: what a law says needs nobody's leave, a contract binds both sides, a consent
#: can be withdrawn, a public licence stands on the publisher's word alone.
BASES = ("statute", "contract", "consent", "licence")
#: Fewest duties first; what is not named comes after.
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
    """Source -> its place in the order of right, best first: strongest basis, most permissive
    licence, longest validity, then the given order of sources, those it does not name last.
    Sources may share a place: what documents are worth themselves then decides."""
    keys = {
        s.id: (*_source_right(s), _listed_place(s.id, order)) for s in register.sources.values()
    }
    places = {key: place for place, key in enumerate(sorted({*keys.values()}))}
    return {source: places[key] for source, key in keys.items()}


def _listed_place(source: str, order: Sequence[str]) -> int:
    return order.index(source) if source in order else len(order)


def _source_right(source: Source) -> tuple[int, int, int]:
    spdx = source.licence.spdx
    ends = source.basis.expires_on or date.max
    licence = LICENCES.index(spdx) if spdx in LICENCES else len(LICENCES)
    return (BASES.index(source.basis.kind), licence, -ends.toordinal())
