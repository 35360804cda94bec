"""Policy packs: what the law of a jurisdiction requires of a corpus, as dated and cited rules.

A pack is a YAML file in `schemas/policies/`, or in a folder that the parameters name.  A pack keeps
the history of a rule: the same id several times, with date ranges that do not overlap.
`schemas.ruling` applies the rules to sources.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, Final

from schemas.canonical import canonical_json
from schemas.errors import Invalid, Problem
from schemas.schema_check import check, parse_date
from schemas.yaml_source import ParsedFile, YamlSource, parse_bytes

BUILT_IN: Final = Path(__file__).parent / "policies"
SCHEMA: Final = "policy.schema.json"
#: Members of the European Union: the meaning of `EU` in a list of countries.
EU: Final = frozenset(
    [
        "AT",
        "BE",
        "BG",
        "CY",
        "CZ",
        "DE",
        "DK",
        "EE",
        "ES",
        "FI",
        "FR",
        "GR",
        "HR",
        "HU",
        "IE",
        "IT",
        "LT",
        "LU",
        "LV",
        "MT",
        "NL",
        "PL",
        "PT",
        "RO",
        "SE",
        "SI",
        "SK",
    ]
)


@dataclass(frozen=True)
class Rule:
    """A rule that applies from `effective_from` to `effective_to`, both included.

    `drives` names what it decides.  Only the fields of that kind are set; comments name the kind.
    """

    id: str
    drives: str  # basis | official-texts | training | residency | transfer | identifiers
    jurisdictions: tuple[str, ...]
    citation: str
    says: str
    effective_from: date | None  # None: not established
    effective_to: date | None  # None: still in force
    verified_on: date | None
    verified_by: str | None
    confidence: str  # high | medium | low
    unverified: bool = False
    source: str | None = None
    kinds: tuple[str, ...] = ()  # basis: the kinds of basis that it is about
    accepted: bool = True
    requires: str | None = None  # basis: what counsel must have verified
    licences: tuple[str, ...] = ()  # official-texts: for these licences a statute is a basis
    exception: str = "none"  # training: none | research | any
    opt_out: str = "none"  # training: none | machine-readable
    purposes: tuple[str, ...] = ()
    storage: frozenset[str] | None = None  # residency: the countries of storage; None: any
    copies_abroad: bool = False
    limited_to: str | None = None  # residency: the kind of data that it is limited to
    free: frozenset[str] = frozenset()  # transfer: the countries without conditions
    conditions: tuple[str, ...] = ()
    entities: tuple[str, ...] = ()  # identifiers: the entities that must be scrubbed

    def in_force(self, day: date) -> bool:
        """Whether the rule applies on a day.  A rule without a known start applies on each day before its end."""
        begun = self.effective_from is None or self.effective_from <= day
        return begun and (self.effective_to is None or day <= self.effective_to)

    def grants(self, day: date) -> bool:
        """Whether the rule can permit something on a day.  It must be in force since a known day,
        verified, and of medium or high confidence.  Other rules only forbid or warn."""
        known = self.effective_from is not None and not self.unverified
        return known and self.confidence != "low" and self.in_force(day)


@dataclass(frozen=True)
class Pack:
    """The rules of one or several jurisdictions, in the order of their file."""

    name: str
    version: str
    title: str
    jurisdictions: tuple[str, ...]
    rules: tuple[Rule, ...]
    sha256: str

    def in_force(self, day: date, jurisdiction: str | None = None) -> list[Rule]:
        """Return the rules that apply on a day, in one jurisdiction or (None) in any of the pack's."""
        return [
            rule
            for rule in self.rules
            if rule.in_force(day) and (jurisdiction is None or jurisdiction in rule.jurisdictions)
        ]


@dataclass(frozen=True)
class Packs:
    """The packs of a run, at most one for each jurisdiction."""

    by_jurisdiction: Mapping[str, Pack]

    @property
    def packs(self) -> list[Pack]:
        """Each pack once, sorted by name."""
        return sorted({p.name: p for p in self.by_jurisdiction.values()}.values(), key=_name)

    @property
    def sha256(self) -> str:
        """SHA-256 of the content of all packs."""
        content = sorted((j, p.sha256) for j, p in self.by_jurisdiction.items())
        return hashlib.sha256(canonical_json(content).encode()).hexdigest()

    def for_jurisdiction(self, jurisdiction: str) -> Pack | None:
        """Return the pack of a jurisdiction, or None."""
        return self.by_jurisdiction.get(jurisdiction)

    def with_packs(self, others: Mapping[str, Pack]) -> Packs:
        """Return these packs with `others` (by jurisdiction) in place of some."""
        return Packs({**self.by_jurisdiction, **others})


def _name(pack: Pack) -> str:
    return pack.name


@cache
def built_in() -> Packs:
    """Return the packs of this package.

    Raises:
      Invalid: with all problems of all files.
    """
    paths = sorted(BUILT_IN.glob("*.yaml"))
    read = {str(p): parse_pack(parse_bytes(p.read_bytes(), str(p)), p.stem) for p in paths}
    return Packs(by_jurisdiction(str(BUILT_IN), read))


def index_packs(packs: Iterable[Pack]) -> Packs:
    """Return these packs by jurisdiction."""
    return Packs({j: pack for pack in packs for j in pack.jurisdictions})


def by_jurisdiction(
    folder: str, read: Mapping[str, tuple[Pack | None, list[Problem]]]
) -> dict[str, Pack]:
    """Return the packs of a folder by jurisdiction.

    Args:
      folder: the folder, as problems name it.
      read: the result of `parse_pack` for each file, by the file's name.

    Raises:
      Invalid: with all problems of all files.
    """
    packs: dict[str, Pack] = {}
    problems: list[Problem] = []
    if not read:
        raise Invalid(
            [
                Problem(
                    folder,
                    None,
                    "",
                    "holds no policy pack: write one file <NAME>.yaml for each pack",
                )
            ]
        )
    for name, (pack, wrong) in read.items():
        problems += wrong
        if pack is None:
            continue
        for jurisdiction in pack.jurisdictions:
            other = packs.setdefault(jurisdiction, pack)
            if other is not pack:
                message = f"{jurisdiction} is also in the pack {other.name}: a jurisdiction can have one pack"
                problems.append(Problem(name, None, "jurisdictions", message))
    if problems:
        raise Invalid(problems)
    return packs


def parse_pack(file: ParsedFile, stem: str) -> tuple[Pack | None, list[Problem]]:
    """Return the pack in a file and no problem, or None and its problems.  `stem` is the file's name
    without `.yaml`."""
    source, problems = file
    if source is not None:
        problems = problems + check(source, SCHEMA)
    if source is None or problems:
        return None, problems
    problems = _meaning_problems(source, stem)
    return (None, problems) if problems else (_pack(source.value), [])


def _meaning_problems(source: YamlSource, stem: str) -> list[Problem]:
    """Return the problems that the JSON Schema cannot express: the pack's name, wrong date ranges, two
    versions of a rule on one day."""
    value, out = source.value, []
    if value["pack"] != stem:
        out.append(source.problem(("pack",), f"must be the file's name, {stem}", value["pack"]))
    last: dict[str, list[tuple[date, date]]] = {}
    for i, rule in enumerate(value["rules"]):
        here = ("rules", i)
        for country in rule.get("jurisdictions", ()):
            if country not in value["jurisdictions"]:
                message = "must be one of the pack's jurisdictions"
                out.append(source.problem((*here, "jurisdictions"), message, country))
        begin = _day(rule["effective_from"]) or date.min
        end = _day(rule["effective_to"]) or date.max
        if end < begin:
            message = "must not be before effective_from"
            out.append(source.problem((*here, "effective_to"), message, rule["effective_to"]))
        others = last.setdefault(rule["id"], [])
        if any(begin <= b and a <= end for a, b in others):
            message = "two versions of the rule apply on one day: end one before the other begins"
            out.append(source.problem((*here, "id"), message, rule["id"]))
        others.append((begin, end))
    return out


def _pack(value: Mapping[str, Any]) -> Pack:
    jurisdictions = tuple(value["jurisdictions"])
    content = {k: v for k, v in value.items() if k != "schema_version"}
    return Pack(
        value["pack"],
        value["version"],
        value["title"],
        jurisdictions,
        tuple(_rule(rule, jurisdictions) for rule in value["rules"]),
        hashlib.sha256(canonical_json(content).encode()).hexdigest(),
    )


def _rule(value: Mapping[str, Any], jurisdictions: tuple[str, ...]) -> Rule:
    fields = {k: tuple(v) if isinstance(v, list) else v for k, v in value.items()}
    fields |= {k: _day(v) for k, v in value.items() if k in _DATES}
    storage = value.get("storage", "any")
    return Rule(
        **fields
        | {
            "jurisdictions": fields.get("jurisdictions", jurisdictions),
            "storage": None if storage == "any" else _countries(storage),
            "free": _countries(value.get("free", ())),
        }
    )


_DATES: Final = ("effective_from", "effective_to", "verified_on")


def _day(text: str | None) -> date | None:
    return parse_date(text) if text else None


def _countries(names: Iterable[str]) -> frozenset[str]:
    named = frozenset(names)
    return (named - {"EU"}) | EU if "EU" in named else named
