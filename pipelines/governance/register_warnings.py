"""What is valid in a register and may still not be meant: each warning as (source or section,
message)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Final

from pipelines.governance.coverage import Coverage
from schemas import lawfulness
from schemas.lawfulness import Refusal, Use
from schemas.licences import references
from schemas.params import Params
from schemas.register import Basis, Register, Source

#: A basis that ends within so many days is told: time to write to its publisher.
SOON_DAYS: Final = 90

Warnings = Iterator[tuple[str, str]]


def entry_warnings(register: Register, as_of: date) -> Warnings:
    """By the register alone: what does not stand on the day, or soon will not; what is odd."""
    for id, source in register.sources.items():
        refusals = list(lawfulness.entry_refusals(source, as_of, register))
        if refusals:
            yield id, f"{_refusal_message(refusals[0], source)}: its records are refused"
        elif ending := _expiry_message(source.basis, as_of):
            yield id, ending
        if any(one.reason == "evidence-missing" for one in refusals[1:]):
            yield id, f"evidence/{source.basis.evidence} is missing or empty"
        for domain in source.domains:
            if "." not in domain.strip("."):
                yield id, f"the domain {domain} has one label: it stands for that host alone"
        kind = source.basis.kind
        if source.opt_out == "overridden" and kind != "contract":
            yield id, f"opt_out: overridden rests on a contract, and its basis is {kind}"


def _refusal_message(refusal: Refusal, source: Source) -> str:
    """Why a basis does not hold on the day."""
    basis = source.basis
    if refusal.rule == lawfulness.WITHDRAWAL:
        return f"withdrawn, as recorded on {refusal.evidence['recorded_on']}"
    return {
        lawfulness.WITHDRAWN: f"withdrawn on {basis.withdrawn_on}",
        lawfulness.EXPIRED: f"expired on {basis.expires_on}",
        lawfulness.NOT_YET: f"not granted before {basis.granted_on}",
        lawfulness.NO_EVIDENCE: f"evidence/{basis.evidence} is missing or empty",
    }[lawfulness.status_of_refusal(refusal)]


def _expiry_message(basis: Basis, as_of: date) -> str | None:
    """What ends a basis that still stands, if that is near: its term, or a withdrawal to come."""
    ends = [
        (day, word)
        for day, word in ((basis.expires_on, "expires on"), (basis.withdrawn_on, "withdrawn from"))
        if day and (day - as_of).days <= SOON_DAYS
    ]
    if not ends:
        return None
    day, word = min(ends)
    return f"{word} {day}, in {(day - as_of).days} days: renew the {basis.kind}, or lose its texts"


def params_warnings(register: Register, run: Params, use: Use) -> Warnings:
    """By the parameters of a run: what they, and the register, do not let in."""
    for one in run.licences_allow:
        if references(one) - set(register.licences):
            yield "licences.allow", f"{one} is not in the register's licences.yaml"
    for id, source in register.sources.items():
        for message in _run_refusal_messages(source, use, register):
            yield id, message
    inputs = {i.collection for i in run.inputs}
    for id, source in register.sources.items():
        for collection in sorted(set(source.collections) - inputs):
            yield id, f"no input is called {collection}"


def _run_refusal_messages(source: Source, use: Use, register: Register) -> Iterator[str]:
    """What the run's purpose, licences and country bar.  Policy packs have warnings of their own,
    and what holds for every run is in `of_entries`."""
    first: dict[str, Refusal] = {}
    for refusal in lawfulness.refusals(source, use, register):
        first.setdefault(refusal.reason, refusal)
    spdx = source.licence.spdx
    if "licence-not-allowed" in first:
        yield f"its licence, {spdx}, is not in licences.allow: its records are refused"
    if purpose := first.get("purpose-not-granted"):
        if "licence" in purpose.evidence:
            yield f"its licence, {spdx}, does not grant {use.purpose}"
        else:
            yield f"its basis does not grant {use.purpose}: its records are refused"
    if "residency" in first:
        yield f"may not be stored in {use.storage_country}: its records are refused"


def last_run_warnings(register: Register, last: Coverage) -> Warnings:
    """By what the last run found: evidence that is not what it was, sources without a record.
    A source that the last run's register did not hold is not spoken of."""
    recorded, matched = last.evidence(), last.matched()
    for id, source in register.sources.items():
        if id not in recorded:
            continue
        then, now = recorded[id], source.evidence_sha256
        if then and now and then != now:
            basis = source.basis
            checked = f"; verified on {basis.verified_on}" if basis.verified_on else ""
            yield (
                id,
                f"evidence/{basis.evidence} changed since the last run (SHA-256 {then[:12]}… then, "
                f"{now[:12]}… now{checked}): does it still prove what `basis` says?",
            )
        if id not in matched:
            yield id, "matched no record in the last run: is `match` what was meant?"
