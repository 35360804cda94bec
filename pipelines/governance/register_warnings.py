"""What is valid in a register and may still not be meant: each warning as (source or section,
message)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Final

from pipelines.governance.coverage import Coverage
from schemas.licences import allowed, purposes_of, references
from schemas.params import Params
from schemas.register import Basis, Register
from schemas.standing import EXPIRED, GRANTED, NO_EVIDENCE, NOT_YET, WITHDRAWN, standing

#: A basis that ends within so many days is told: time to write to its publisher.
SOON_DAYS: Final = 90

Warnings = Iterator[tuple[str, str]]


def of_entries(register: Register, as_of: date) -> Warnings:
    """By the register alone: what does not stand on the day, or soon will not; what is odd."""
    for id, source in register.sources.items():
        basis = source.basis
        state = standing(source, as_of, register)
        detail = {
            WITHDRAWN: f"withdrawn on {basis.withdrawn_on or 'a day that was recorded'}",
            EXPIRED: f"expired on {basis.expires_on}",
            NOT_YET: f"not granted before {basis.granted_on}",
            NO_EVIDENCE: f"evidence/{basis.evidence} is missing or empty",
        }.get(state)
        if detail:
            yield id, f"{detail}: its records are refused"
        elif ending := _ending(basis, as_of):
            yield id, ending
        if state not in (NO_EVIDENCE, GRANTED) and source.evidence_sha256 is None:
            yield id, f"evidence/{basis.evidence} is missing or empty"
        for domain in source.domains:
            if "." not in domain.strip("."):
                yield id, f"the domain {domain} has one label: it stands for that host alone"
        if source.opt_out == "overridden" and basis.kind != "contract":
            yield id, f"opt_out: overridden rests on a contract, and its basis is {basis.kind}"


def _ending(basis: Basis, as_of: date) -> str | None:
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


def of_params(register: Register, run: Params) -> Warnings:
    """By the parameters of a run: what they, and the register, do not let in."""
    for one in run.licences_allow:
        if references(one) - set(register.licences):
            yield "licences.allow", f"{one} is not in the register's licences.yaml"
    for id, source in register.sources.items():
        spdx = source.licence.spdx
        if not allowed(spdx, run.licences_allow):
            yield id, f"its licence, {spdx}, is not in licences.allow: its records are refused"
        limit = purposes_of(spdx, register.licences, run.licences_allow)
        if run.purpose not in source.basis.purposes:
            yield id, f"its basis does not grant {run.purpose}: its records are refused"
        elif limit is not None and run.purpose not in limit:
            yield id, f"its licence, {spdx}, does not grant {run.purpose}"
        if source.residency is not None and run.storage_country not in source.residency:
            yield id, f"may not be stored in {run.storage_country}: its records are refused"
    inputs = {i.collection for i in run.inputs}
    for id, source in register.sources.items():
        for collection in sorted(set(source.collections) - inputs):
            yield id, f"no input is called {collection}"


def of_last_run(register: Register, last: Coverage) -> Warnings:
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
