"""What a policy pack says of a source: what speaks against it on a day, for a purpose, in a country.

A pack only ever takes away: nothing here lets in what the register refuses.  Inside a pack a rule
lifts a doubt only where it `grants`; one that is unverified, of low confidence or of unknown start
forbids and warns, and permits nothing.
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
    """What a pack looks at in a register entry."""

    jurisdiction: str
    basis: str  # licence | consent | contract | statute
    granted_on: date
    licence: str  # SPDX expression
    opt_out: str = "honour"
    personal_data: str = "scrub"
    verified_on: date | None = None  # None: nobody has looked at the evidence

    @classmethod
    def from_source(cls, source: Source) -> Subject:
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
    """What a run does with the text; `storage_country` None: not known; `entities`: what is
    scrubbed, None: all that is known."""

    as_of: date
    purpose: str
    storage_country: str | None = None
    entities: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Finding:
    """What speaks against a source.  `bars`: it does not hold; else counsel has to see to it."""

    drives: str  # of a rule, or `pack`: there is none
    rule: str | None  # None: no rule says otherwise
    bars: bool
    message: str


@dataclass(frozen=True)
class Ruling:
    """A pack's word on a source."""

    pack: str | None
    version: str | None
    findings: tuple[Finding, ...]

    @property
    def bar(self) -> Finding | None:
        """The first finding that bars."""
        return next((f for f in self.findings if f.bars), None)

    def evidence(self) -> dict[str, Any]:
        """The pack, its version, and the rules that speak against the source."""
        against = [f.rule or f.drives for f in self.findings if f.bars]
        return {"pack": self.pack, "version": self.version, "against": against}


def apply_pack(pack: Pack | None, subject: Subject, about: Circumstances) -> Ruling:
    """What the rules of a pack that are in force make of a source, in a fixed order."""
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
    return [rule for rule in rules if rule.drives == drives]


def _basis(rules: Iterable[Rule], subject: Subject) -> Iterator[Finding]:
    """A kind that is not accepted bars.  A requirement on its form is counsel's to see to, for
    grants since the rule began, until a role has verified the evidence under it."""
    for one in _driving(rules, "basis"):
        if subject.basis not in one.kinds:
            continue
        begun = one.effective_from
        if not one.accepted:
            yield Finding("basis", one.id, True, f"a basis of kind {subject.basis} is not accepted")
        elif one.requires and (begun or date.min) <= subject.granted_on:
            if subject.verified_on is not None and (begun or date.min) <= subject.verified_on:
                continue
            yield Finding("basis", one.id, False, f"the evidence must show {one.requires}")


def _statute(rules: Iterable[Rule], subject: Subject, about: Circumstances) -> Iterator[Finding]:
    """A statute is a basis for official texts, and for what an exception for training covers;
    an exception that yields to opt-outs covers nothing where they are not honoured."""
    if subject.basis != "statute":
        return
    named = references(subject.licence)
    for one in _driving(rules, "official-texts"):
        if named and named <= set(one.licences) and one.grants(about.as_of):
            return
    doubts = []
    for one in _driving(rules, "training"):
        doubt = _uncovered(one, subject, about)
        if doubt is None:
            return
        doubts.append((one.id, doubt))
    id, doubt = doubts[0] if doubts else (None, "no exception for training is known")
    yield Finding("training", id, True, f"a statute is no basis here: {doubt}")


def _uncovered(one: Rule, subject: Subject, about: Circumstances) -> str | None:
    """Why an exception does not cover a source; None: it does."""
    if one.exception == "none":
        return "no exception for training is enacted, as far as is known"
    if one.exception == "research":
        return "the exception for text and data mining is for research only"
    if not one.grants(about.as_of):
        return "the exception for training is not verified, and grants nothing until it is"
    if about.purpose not in one.purposes:
        return f"the exception for training does not cover {about.purpose}"
    if one.opt_out != "none" and subject.opt_out != "honour":
        return "the exception yields to opt-outs, and the entry overrides them"
    return None


def _residency(rules: Iterable[Rule], subject: Subject, about: Circumstances) -> Iterator[Finding]:
    country = about.storage_country
    if country is None or subject.personal_data == "none-expected":
        return
    for one in _driving(rules, "residency"):
        if one.storage is None or country in one.storage:
            continue
        home, sure = ", ".join(sorted(one.storage)), one.grants(about.as_of)
        if one.limited_to and sure:
            yield Finding("residency", one.id, False, f"{one.limited_to} must be kept in {home}")
        elif one.copies_abroad and sure:
            message = f"storage in {country} is a copy: the database itself is kept in {home}"
            yield Finding("residency", one.id, False, message)
        else:
            message = f"personal data must be stored in {home}, and the run stores in {country}"
            yield Finding("residency", one.id, True, message)


def _transfer(
    rules: Iterable[Rule], subject: Subject, about: Circumstances, home: Collection[str]
) -> Iterator[Finding]:
    country = about.storage_country
    if country is None or country in home or subject.personal_data == "none-expected":
        return
    some = _driving(rules, "transfer")
    if any(country in one.free and one.grants(about.as_of) for one in some):
        return
    for one in some:
        message = f"storage in {country} is a transfer: it takes {' or '.join(one.conditions)}"
        yield Finding("transfer", one.id, False, message)


def _identifiers(rules: Iterable[Rule], about: Circumstances) -> Iterator[Finding]:
    if about.entities is None:
        return
    for one in _driving(rules, "identifiers"):
        left = sorted(set(one.entities) - set(about.entities))
        if left:
            message = f"the parameters' `privacy` leaves {', '.join(left)} in the text"
            yield Finding("identifiers", one.id, False, message)


def warnings(register: Register, packs: Packs, about: Circumstances) -> Iterator[tuple[str, str]]:
    """What packs in force say of a register's entries, as (source or pack, message): a line for
    each source of what does not hold, a line for each rule of what counsel has to see to."""
    duties: dict[tuple[str, str], list[str]] = {}
    for id, source in register.sources.items():
        pack = packs.for_jurisdiction(source.jurisdiction)
        for one in apply_pack(pack, Subject.from_source(source), about).findings:
            named = f"policy {pack.name} {pack.version}" if pack else "policy"
            if one.bars:
                yield id, f"{named}, {one.rule or one.drives}: {one.message}"
            else:
                duties.setdefault((f"{named}, {one.rule}", one.message), []).append(id)
    for (named, message), ids in sorted(duties.items()):
        yield named, f"{message}: {', '.join(ids)}"
