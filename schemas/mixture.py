"""The mixture of a release: which documents it selects, and how many of each kind.

    select: {languages: [kk, ru], domains: [law]}   # absent: all
    caps:                                           # absent: no limit
      - {language: ru, share: 0.4}
      - {source: kz-news, chars: 100000}
    order: quality                                  # or: hash
    seed: 1

A cap applies to the documents that match its language, domain and source.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Final

from schemas.errors import Problem
from schemas.schema_check import check
from schemas.yaml_source import ParsedFile

LIMITS: Final = ("documents", "chars", "share")
#: Key of `select` -> key of a cap.
FILTERS: Final = {"languages": "language", "domains": "domain", "sources": "source"}


@dataclass(frozen=True)
class Cap:
    """A limit on the documents that match the filters; a filter of None matches any.

    `unit` says what `limit` counts: `documents`, `chars`, or `share` of the release's characters.
    """

    unit: str
    limit: float
    language: str | None = None
    domain: str | None = None
    source: str | None = None

    @property
    def filters(self) -> dict[str, str]:
        """The filters that are set: language, domain, source."""
        named = {key: getattr(self, key) for key in FILTERS.values()}
        return {key: value for key, value in named.items() if value is not None}


@dataclass(frozen=True)
class Mixture:
    """The selection and the caps of a release.

    `languages`, `domains`, `sources`: the selected ones; None: all.  `order`: which documents stay
    under a cap: those of the best `quality` score, or by a `hash` of the id keyed with `seed`.
    """

    languages: tuple[str, ...] | None = None
    domains: tuple[str, ...] | None = None
    sources: tuple[str, ...] | None = None
    caps: tuple[Cap, ...] = ()
    order: str = "hash"
    seed: int = 1

    def canonical(self) -> dict[str, Any]:
        """Return a JSON value for digests.  Caps keep their order, because they are applied in turn."""
        wanted = {key: getattr(self, key) for key in FILTERS}
        return {
            **{key: sorted(set(value)) if value else None for key, value in wanted.items()},
            "caps": [{f.name: getattr(cap, f.name) for f in fields(cap)} for cap in self.caps],
            "order": self.order,
            "seed": self.seed,
        }


def parse_mixture(file: ParsedFile) -> tuple[Mixture | None, list[Problem]]:
    """Return the mixture in a file and no problem, or None and all its problems."""
    source, problems = file
    if source is None:
        return None, problems
    problems = problems + check(source, "mixture.schema.json")
    if problems:
        return None, problems
    value = source.value
    given: dict[str, Any] = {k: tuple(named) for k, named in value.get("select", {}).items()}
    given |= {key: value[key] for key in ("order", "seed") if key in value}
    return Mixture(caps=tuple(_cap(cap) for cap in value.get("caps", ())), **given), []


def _cap(value: dict[str, Any]) -> Cap:
    (unit,) = (name for name in LIMITS if name in value)
    filters = {key: value[key] for key in FILTERS.values() if key in value}
    return Cap(unit, float(value[unit]), **filters)
