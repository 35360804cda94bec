"""Decide whether a source is lawful for a run: the register's part of the gate.

The gate, dedup's index, the dry run of a withdrawal and `tamga sources` all use this module.  The
gate itself judges what depends on one record: its URL's opt-outs, withdrawals of a page or a text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from schemas.licences import is_allowed, purposes_of
from schemas.params import Params
from schemas.policy import Packs
from schemas.register import Register, Source, Withdrawal
from schemas.ruling import Circumstances, Ruling, Subject, apply_pack
from schemas.urls import covers
from schemas.withdrawal_index import withdrawal_evidence

REGISTER_RULE: Final = "1"  # version of the rules on register entries
WITHDRAWAL_RULE: Final = "1"
POLICY_RULE: Final = "1"  # for a source whose jurisdiction has no pack
WITHDRAWAL: Final = "withdrawal"  # the rule's name in refusals

#: The state of a source on a day, as `tamga sources` prints it.
GRANTED: Final = "granted"
WITHDRAWN: Final = "withdrawn"
EXPIRED: Final = "expired"
NOT_YET: Final = "not yet granted"
NO_EVIDENCE: Final = "evidence missing"


@dataclass(frozen=True)
class Use:
    """How a run uses texts, and what it allows.

    Attributes:
      as_of: the day for which sources are judged.
      purpose: the purpose of the release.
      storage_country: where the texts are stored (ISO 3166-1 alpha-2).
      licences_allow: the licences that the run allows, as normalised SPDX identifiers.
      packs: the policy packs.
      enforce: whether a source that its pack bars is refused.
    """

    as_of: date
    purpose: str
    storage_country: str
    licences_allow: tuple[str, ...]
    packs: Packs
    enforce: bool = False

    @classmethod
    def from_params(cls, params: Params, packs: Packs) -> Use:
        """Return the use that parameters describe."""
        return cls(
            as_of=params.as_of,
            purpose=params.purpose,
            storage_country=params.storage_country,
            licences_allow=params.licences_allow,
            packs=packs,
            enforce=params.policy.enforce == "refuse",
        )

    def ruling(self, source: Source) -> Ruling:
        """Return the ruling of the source's policy pack, whether packs are enforced or not."""
        about = Circumstances(self.as_of, self.purpose, self.storage_country)
        return apply_pack(
            self.packs.for_jurisdiction(source.jurisdiction), Subject.from_source(source), about
        )


@dataclass(frozen=True)
class Refusal:
    """Why a source is refused.

    `reason` is one of `schemas.reasons`; `evidence` is what was observed, as JSON values.
    """

    reason: str
    rule: str
    rule_version: str
    evidence: Mapping[str, Any]


def refusal(source: Source, use: Use, register: Register) -> Refusal | None:
    """Return the first reason to refuse a source, or None if it is lawful for this use."""
    return next(refusals(source, use, register), None)


def refusals(source: Source, use: Use, register: Register) -> Iterator[Refusal]:
    """Yield all reasons to refuse a source, in the order of the gate.

    `register` holds the recorded withdrawals and the terms of licences.
    """
    yield from _recorded(source, register)
    yield from _basis(source, use.as_of)
    yield from _purpose(source, use)
    yield from _licence(source, use, register)
    yield from _evidence(source)
    yield from _residency(source, use)
    yield from _policy(source, use)


def verdicts(register: Register, use: Use) -> dict[str, Refusal | None]:
    """Return the refusal of each source of the register by its id; None: it is lawful."""
    return {id: refusal(source, use, register) for id, source in register.sources.items()}


def lawful_sources(register: Register, use: Use) -> frozenset[str]:
    """Return the ids of the sources that are lawful for this use."""
    return frozenset(id for id, refused in verdicts(register, use).items() if refused is None)


def entry_refusals(source: Source, as_of: date, register: Register) -> Iterator[Refusal]:
    """Yield the reasons that hold on a day for each use: withdrawal, term, evidence."""
    yield from _recorded(source, register)
    yield from _basis(source, as_of)
    yield from _evidence(source)


def register_status(source: Source, as_of: date, register: Register) -> str:
    """Return the state of a source on a day for any use: GRANTED, WITHDRAWN, EXPIRED, NOT_YET or NO_EVIDENCE."""
    return status_of_refusal(next(entry_refusals(source, as_of, register), None))


def status_of_refusal(refused: Refusal | None) -> str:
    """Return the state that a refusal of `entry_refusals` means; None means GRANTED."""
    if refused is None:
        return GRANTED
    if refused.rule == WITHDRAWAL or refused.reason == "consent-withdrawn":
        return WITHDRAWN
    if refused.reason == "evidence-missing":
        return NO_EVIDENCE
    return NOT_YET if "granted_on" in refused.evidence else EXPIRED


def withdrawal_refusal(withdrawal: Withdrawal) -> Refusal:
    """Return the refusal of a source or record that a recorded withdrawal bars."""
    evidence = withdrawal_evidence(withdrawal)
    return Refusal(withdrawal.reason, WITHDRAWAL, WITHDRAWAL_RULE, evidence)


def outside_scope(source: Source, uri: str) -> Refusal | None:
    """Return the refusal of a URI outside the basis's `url_scope`, or None if it is granted."""
    scope = source.basis.url_scope
    if not scope or covers(uri, scope):
        return None
    return _by_register("purpose-not-granted", url_scope=list(scope))


def _by_register(reason: str, **evidence: Any) -> Refusal:
    return Refusal(reason, f"register:{reason}", REGISTER_RULE, evidence)


def _recorded(source: Source, register: Register) -> Iterator[Refusal]:
    """A recorded withdrawal bars the source, whatever `as_of` is."""
    withdrawal = register.withdrawn_sources.get(source.id)
    if withdrawal is not None:
        yield withdrawal_refusal(withdrawal)


def _basis(source: Source, as_of: date) -> Iterator[Refusal]:
    """`granted_on` and `expires_on` are the first and last valid day; `withdrawn_on` is not valid."""
    basis = source.basis
    if basis.withdrawn_on is not None and as_of >= basis.withdrawn_on:
        yield _by_register("consent-withdrawn", withdrawn_on=basis.withdrawn_on.isoformat())
    if as_of < basis.granted_on:
        yield _by_register("consent-expired", granted_on=basis.granted_on.isoformat())
    if basis.expires_on is not None and as_of > basis.expires_on:
        yield _by_register("consent-expired", expires_on=basis.expires_on.isoformat())


def _purpose(source: Source, use: Use) -> Iterator[Refusal]:
    if use.purpose not in source.basis.purposes:
        yield _by_register("purpose-not-granted", granted=sorted(source.basis.purposes))


def _licence(source: Source, use: Use, register: Register) -> Iterator[Refusal]:
    """The licence must be allowed and grant the purpose.  For an OR, one branch must do both."""
    spdx = source.licence.spdx
    try:
        limits = purposes_of(spdx, register.licences)
    except ValueError:
        yield _by_register("licence-not-allowed", licence=spdx)
        return
    permitted = is_allowed(spdx, use.licences_allow)
    if limits is not None and use.purpose not in limits:
        yield _by_register("purpose-not-granted", licence=spdx, licence_purposes=sorted(limits))
    elif permitted and not is_allowed(spdx, _granting(use, register)):
        yield _by_register("purpose-not-granted", licence=spdx)
    if not permitted:
        allow = sorted(use.licences_allow)
        yield _by_register("licence-not-allowed", licence=spdx, allow=allow)


def _granting(use: Use, register: Register) -> list[str]:
    """Return the allowed licences that grant the purpose."""
    limits = {spdx: purposes_of(spdx, register.licences) for spdx in use.licences_allow}
    return [spdx for spdx, limit in limits.items() if limit is None or use.purpose in limit]


def _evidence(source: Source) -> Iterator[Refusal]:
    if source.evidence_sha256 is None:
        yield _by_register("evidence-missing", evidence=source.basis.evidence)


def _residency(source: Source, use: Use) -> Iterator[Refusal]:
    if source.residency is not None and use.storage_country not in source.residency:
        yield _by_register(
            "residency",
            residency=sorted(source.residency),
            storage_country=use.storage_country,
        )


def _policy(source: Source, use: Use) -> Iterator[Refusal]:
    """If packs are enforced, the first rule of the pack that bars the source refuses it."""
    if not use.enforce:
        return
    ruling = use.ruling(source)
    bar = ruling.bar
    if bar is not None:
        yield Refusal(
            f"policy:{bar.drives}",
            f"policy:{ruling.pack or source.jurisdiction}/{bar.rule or bar.drives}",
            ruling.version or POLICY_RULE,
            {"barred": bar.message},
        )
