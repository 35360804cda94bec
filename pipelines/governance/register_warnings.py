"""Warnings about register entries that are valid but may be a mistake.

Each warning is a pair: the id of the source or the name of the section, and the message.
"""

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

#: A basis that ends within this number of days gives a warning, in time to ask for a renewal.
SOON_DAYS: Final = 90

Warnings = Iterator[tuple[str, str]]


def entry_warnings(register: Register, as_of: date) -> Warnings:
    """Yield warnings from the register alone: a basis that does not hold or ends soon, odd entries."""
    for id, source in register.sources.items():
        refusals = list(lawfulness.entry_refusals(source, as_of, register))
        if refusals:
            yield id, f"{_refusal_message(refusals[0], source)}: its records are refused"
        elif ending := _expiry_message(source.basis, as_of):
            yield id, ending
        if any(refusal.reason == "evidence-missing" for refusal in refusals[1:]):
            yield id, f"evidence/{source.basis.evidence} is missing or empty"
        for domain in source.domains:
            if "." not in domain.strip("."):
                yield id, f"the domain {domain} has only one label: it matches only this host"
        kind = source.basis.kind
        if source.opt_out == "overridden" and kind != "contract":
            yield id, f"opt_out: overridden requires a basis of kind contract; this basis is {kind}"


def _refusal_message(refusal: Refusal, source: Source) -> str:
    """Return why a basis does not hold on the day."""
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
    """Return a warning if a basis that still holds ends soon, by its term or by a withdrawal."""
    ends = [
        (day, word)
        for day, word in ((basis.expires_on, "expires on"), (basis.withdrawn_on, "withdrawn from"))
        if day and (day - as_of).days <= SOON_DAYS
    ]
    if not ends:
        return None
    day, word = min(ends)
    return f"{word} {day}, in {(day - as_of).days} days: renew the {basis.kind}, or its records will be refused"


def params_warnings(register: Register, run: Params, use: Use) -> Warnings:
    """Yield warnings from the parameters of a run: what they and the register refuse."""
    for licence in run.licences_allow:
        if references(licence) - set(register.licences):
            yield "licences.allow", f"{licence} is not in the register's licences.yaml"
    for id, source in register.sources.items():
        for message in _run_refusal_messages(source, use, register):
            yield id, message
    inputs = {i.collection for i in run.inputs}
    for id, source in register.sources.items():
        for collection in sorted(set(source.collections) - inputs):
            yield id, f"`match` names the collection {collection}, but no input has this name"


def _run_refusal_messages(source: Source, use: Use, register: Register) -> Iterator[str]:
    """Yield why the run's purpose, allowed licences and country refuse a source.

    Policy packs have their own warnings.  Reasons that hold for every run are in `entry_warnings`.
    """
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
        yield f"must not be stored in {use.storage_country}: its records are refused"


def last_run_warnings(register: Register, last: Coverage) -> Warnings:
    """Yield warnings from the last run: changed evidence, and sources that matched no record.

    Sources that were not in the last run's register are skipped.
    """
    recorded, matched = last.evidence_digests(), last.matched_sources()
    for id, source in register.sources.items():
        if id not in recorded:
            continue
        before, now = recorded[id], source.evidence_sha256
        if before and now and before != now:
            basis = source.basis
            checked = f"; verified on {basis.verified_on}" if basis.verified_on else ""
            yield (
                id,
                f"evidence/{basis.evidence} changed since the last run (SHA-256 {before[:12]}… before, "
                f"{now[:12]}… now{checked}): check that it still proves `basis`",
            )
        if id not in matched:
            yield id, "matched no record in the last run: check `match`"
