"""Apply a policy pack to a source: find the objections on a day, for a purpose, in a country.

A pack can only add objections: a source that the register refuses stays refused.  Inside a pack, a
rule removes an objection only if it `grants`.  A rule that is unverified, of low confidence or of
unknown start forbids and warns, but permits nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

from schemas.licences import references
from schemas.policy import Pack, Packs, Rule
from schemas.register import Register, Source


@dataclass(frozen=True)
class Subject:
    """The parts of a register entry that packs judge."""

    jurisdiction: str
    basis: str  # licence | consent | contract | statute
    granted_on: date
    licence: str  # SPDX expression
    opt_out: str = "honour"
    personal_data: str = "scrub"
    verified_on: date | None = None  # None: nobody has verified the evidence

    @classmethod
    def from_source(cls, source: Source) -> Subject:
        """Return the subject of a source."""
        basis = source.basis
        verified = basis.verified_on if basis.verified_by else None
        return cls(
            source.jurisdiction,
            basis.kind,
            basis.granted_on,
            source.licence.spdx,
            source.opt_out,
            source.personal_data,
            verified,
        )


@dataclass(frozen=True)
class Circumstances:
    """How a run uses the text.

    `storage_country`: None: not known.  `entities`: the entity types that are scrubbed; None: all.
    """

    as_of: date
    purpose: str
    storage_country: str | None = None
    entities: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Finding:
    """An objection to a source.  `bars`: the source must not be used; else counsel must check it."""

    drives: str  # the rule's `drives`, or `pack`: there is no pack
    rule: str | None  # the rule's id; None: no rule lifts the objection
    bars: bool
    message: str


@dataclass(frozen=True)
class Ruling:
    """A pack's objections to a source; `pack` and `version` are None without a pack."""

    pack: str | None
    version: str | None
    findings: tuple[Finding, ...]

    @property
    def bar(self) -> Finding | None:
        """The first finding that bars, or None."""
        return next((f for f in self.findings if f.bars), None)

    def evidence(self) -> dict[str, Any]:
        """Return the pack, its version, and the rules that bar the source."""
        against = [f.rule or f.drives for f in self.findings if f.bars]
        return {"pack": self.pack, "version": self.version, "against": against}


def apply_pack(pack: Pack | None, subject: Subject, about: Circumstances) -> Ruling:
    """Return the findings of a pack's rules that are in force, in a fixed order."""
    if pack is None:
        message = f"there is no policy pack for {subject.jurisdiction}"
        return Ruling(None, None, (Finding("pack", None, True, message),))
    rules = pack.in_force(about.as_of, subject.jurisdiction)
    found = [
        *_basis(rules, subject),
        *_statute(rules, subject, about),
        *_residency(rules, subject, about),
        *_transfer(rules, subject, about, pack.jurisdictions),
        *_identifiers(rules, about),
    ]
    return Ruling(pack.name, pack.version, tuple(found))


def _driving(rules: Iterable[Rule], drives: str) -> list[Rule]:
    """Return the rules of one kind."""
    return [rule for rule in rules if rule.drives == drives]


def _basis(rules: Iterable[Rule], subject: Subject) -> Iterator[Finding]:
    """A kind of basis that is not accepted bars.  Counsel must check a requirement on the form of a
    basis that was granted since the rule began, until a role has verified the evidence since then."""
    for rule in _driving(rules, "basis"):
        if subject.basis not in rule.kinds:
            continue
        start = rule.effective_from or date.min
        if not rule.accepted:
            message = f"a basis of kind {subject.basis} is not accepted"
            yield Finding("basis", rule.id, True, message)
        elif rule.requires and start <= subject.granted_on:
            if subject.verified_on is not None and start <= subject.verified_on:
                continue
            yield Finding("basis", rule.id, False, f"the evidence must show {rule.requires}")


def _statute(rules: Iterable[Rule], subject: Subject, about: Circumstances) -> Iterator[Finding]:
    """A statute is a basis for official texts, and for what an exception for training covers.  An
    exception that yields to opt-outs covers nothing if the entry overrides them."""
    if subject.basis != "statute":
        return
    named = references(subject.licence)
    for rule in _driving(rules, "official-texts"):
        if named and named <= set(rule.licences) and rule.grants(about.as_of):
            return
    doubts = []
    for rule in _driving(rules, "training"):
        doubt = _uncovered(rule, subject, about)
        if doubt is None:
            return
        doubts.append((rule.id, doubt))
    id, doubt = doubts[0] if doubts else (None, "no exception for training is known")
    yield Finding("training", id, True, f"a statute is no basis here: {doubt}")


def _uncovered(rule: Rule, subject: Subject, about: Circumstances) -> str | None:
    """Return why an exception for training does not cover a source; None: it does."""
    if rule.exception == "none":
        return "no exception for training is enacted, as far as is known"
    if rule.exception == "research":
        return "the exception for text and data mining is for research only"
    if not rule.grants(about.as_of):
        return "the exception for training is not verified, and grants nothing until it is"
    if about.purpose not in rule.purposes:
        return f"the exception for training does not cover {about.purpose}"
    if rule.opt_out != "none" and subject.opt_out != "honour":
        return "the exception yields to opt-outs, and the entry overrides them"
    return None


def _residency(rules: Iterable[Rule], subject: Subject, about: Circumstances) -> Iterator[Finding]:
    country = about.storage_country
    if country is None or subject.personal_data == "none-expected":
        return
    for rule in _driving(rules, "residency"):
        if rule.storage is None or country in rule.storage:
            continue
        home, sure = ", ".join(sorted(rule.storage)), rule.grants(about.as_of)
        if rule.limited_to and sure:
            yield Finding("residency", rule.id, False, f"{rule.limited_to} must be kept in {home}")
        elif rule.copies_abroad and sure:
            message = f"storage in {country} is a copy: the database itself is kept in {home}"
            yield Finding("residency", rule.id, False, message)
        else:
            message = f"personal data must be stored in {home}, and the run stores in {country}"
            yield Finding("residency", rule.id, True, message)


def _transfer(
    rules: Iterable[Rule], subject: Subject, about: Circumstances, home: Collection[str]
) -> Iterator[Finding]:
    country = about.storage_country
    if country is None or country in home or subject.personal_data == "none-expected":
        return
    driving = _driving(rules, "transfer")
    if any(country in rule.free and rule.grants(about.as_of) for rule in driving):
        return
    for rule in driving:
        message = f"storage in {country} is a transfer: it requires {' or '.join(rule.conditions)}"
        yield Finding("transfer", rule.id, False, message)


def _identifiers(rules: Iterable[Rule], about: Circumstances) -> Iterator[Finding]:
    if about.entities is None:
        return
    for rule in _driving(rules, "identifiers"):
        remaining = sorted(set(rule.entities) - set(about.entities))
        if remaining:
            message = f"the parameters' `privacy` leaves {', '.join(remaining)} in the text"
            yield Finding("identifiers", rule.id, False, message)


def warnings(register: Register, packs: Packs, about: Circumstances) -> Iterator[tuple[str, str]]:
    """Yield warnings about a register's entries, as (source or pack, message).  Findings that bar have
    one warning for each source; findings for counsel have one warning for each rule."""
    duties: dict[tuple[str, str], list[str]] = {}
    for id, source in register.sources.items():
        pack = packs.for_jurisdiction(source.jurisdiction)
        for finding in apply_pack(pack, Subject.from_source(source), about).findings:
            named = f"policy {pack.name} {pack.version}" if pack else "policy"
            if finding.bars:
                yield id, f"{named}, {finding.rule or finding.drives}: {finding.message}"
            else:
                duties.setdefault((f"{named}, {finding.rule}", finding.message), []).append(id)
    for (named, message), ids in sorted(duties.items()):
        yield named, f"{message}: {', '.join(ids)}"
