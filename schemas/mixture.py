"""What a release takes up, and how much of each: read from the mixture file that params name.

    select: {languages: [kk, ru], domains: [law]}   # absent: all
    caps:                                           # absent: no limit
      - {language: ru, share: 0.4}
      - {source: kz-news, chars: 100000}
    order: quality                                  # or: hash
    seed: 1

A cap holds for the documents that fit all of its language, domain and source.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Final

from schemas.errors import Problem
from schemas.validation import check
from schemas.yaml_source import ParsedFile

LIMITS: Final = ("documents", "chars", "share")
#: Key of `select` -> key of a cap.
FILTERS: Final = {"languages": "language", "domains": "domain", "sources": "source"}


@dataclass(frozen=True)
class Cap:
    """At most `limit` (`documents`, `chars`, or `share` of the release's characters, as `unit`
    says) of the documents that fit the filters; None fits any."""

    unit: str
    limit: float
    language: str | None = None
    domain: str | None = None
    source: str | None = None

    @property
    def filters(self) -> dict[str, str]:
        named = {key: getattr(self, key) for key in FILTERS.values()}
        return {key: value for key, value in named.items() if value is not None}


@dataclass(frozen=True)
class Mixture:
    """`languages`, `domains`, `sources`: those wanted, None for all.  `order`: who stays under a
    cap, by `quality` (the best score) or by a `hash` of the id keyed with `seed`."""

    languages: tuple[str, ...] | None = None
    domains: tuple[str, ...] | None = None
    sources: tuple[str, ...] | None = None
    caps: tuple[Cap, ...] = ()
    order: str = "hash"
    seed: int = 1

    def canonical(self) -> dict[str, Any]:
        """As a JSON value; the order of caps is part of it, since they are applied in turn."""
        wanted = {key: getattr(self, key) for key in FILTERS}
        return {
            **{key: sorted(set(value)) if value else None for key, value in wanted.items()},
            "caps": [{f.name: getattr(cap, f.name) for f in fields(cap)} for cap in self.caps],
            "order": self.order,
            "seed": self.seed,
        }


def parse_mixture(file: ParsedFile) -> tuple[Mixture | None, list[Problem]]:
    """The mixture in a file; None and all that is wrong with it."""
    source, problems = file
    if source is None:
        return None, problems
    problems = problems + check(source, "mixture.schema.json")
    if problems:
        return None, problems
    value = source.value
    given: dict[str, Any] = {k: tuple(named) for k, named in value.get("select", {}).items()}
    given |= {key: value[key] for key in ("order", "seed") if key in value}
    return Mixture(caps=tuple(_cap(one) for one in value.get("caps", ())), **given), []


def _cap(value: dict[str, Any]) -> Cap:
    (unit,) = (name for name in LIMITS if name in value)
    filters = {key: value[key] for key in FILTERS.values() if key in value}
    return Cap(unit, float(value[unit]), **filters)
