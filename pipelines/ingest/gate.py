"""The gate: whether a record may be used, by the register first and by the crawl's signals then.

Everything fails closed.  `Gate` settles once what hangs on a source alone (`standing`); per record
it looks at what varies: withdrawals, the URL scope, and opt-outs.  No text, no record's URL and
no ground of a withdrawal gets into the evidence: they may hold personal data.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pipelines.ingest.signals import licences as page_licences
from pipelines.ingest.signals.observed import Observation, Pairs
from pipelines.ingest.signals.registry import observe_page, reservations
from schemas import policy
from schemas.licences import allowed, purposes_of
from schemas.params import Params
from schemas.reasons import REGISTER
from schemas.register import Register, Source, Withdrawal
from schemas.ruling import Circumstances, Ruling, Subject, rule
from schemas.urls import covers
from schemas.withdrawal_index import Withdrawals, withdrawal_evidence

REGISTER_RULE: Final = "1"  # version of the rules on register entries
WITHDRAWAL_RULE: Final = "1"
SIGNAL_RULE: Final = "1"
GATE_RULE: Final = "1"
POLICY_RULE: Final = "1"  # where there is no pack that has a version

#: Replaces links among observations by what stands at their ends.
Follow = Callable[[Iterable[Observation]], Sequence[Observation]]


@dataclass(frozen=True)
class Verdict:
    """A decision: `outcome` is `keep`, `refuse` or `drop`; `reason` is None for `keep`;
    `evidence` can be written as JSON."""

    outcome: str
    reason: str | None
    rule: str
    rule_version: str
    evidence: Mapping[str, Any]


def _entry(source: Source, params: Params) -> dict[str, Any]:
    return {
        "source_id": source.id,
        "entry_sha256": source.entry_sha256,
        "as_of": params.as_of.isoformat(),
        "purpose": params.purpose,
    }


def _refuse(reason: str, source: Source, params: Params, **found: Any) -> Verdict:
    return Verdict(
        "refuse", reason, f"register:{reason}", REGISTER_RULE, _entry(source, params) | found
    )


def standing(source: Source, params: Params, register: Register) -> Verdict | None:
    """What the register's entry alone says: the first reason to refuse, None when it stands.

    `expires_on` and `granted_on` are good days, `withdrawn_on` is a bad one.
    """
    basis, day, purpose = source.basis, params.as_of, params.purpose
    if basis.withdrawn_on is not None and day >= basis.withdrawn_on:
        return _refuse(
            "consent-withdrawn", source, params, withdrawn_on=basis.withdrawn_on.isoformat()
        )
    if day < basis.granted_on:
        return _refuse("consent-expired", source, params, granted_on=basis.granted_on.isoformat())
    if basis.expires_on is not None and day > basis.expires_on:
        return _refuse("consent-expired", source, params, expires_on=basis.expires_on.isoformat())
    if purpose not in basis.purposes:
        return _refuse("purpose-not-granted", source, params, granted=sorted(basis.purposes))
    return _licence(source, params, register) or _keeping(source, params)


def _licence(source: Source, params: Params, register: Register) -> Verdict | None:
    """A licence must be allowed, and grant the purpose, along one and the same branch."""
    spdx, purpose = source.licence.spdx, params.purpose
    try:
        limits = purposes_of(spdx, register.licences)
    except ValueError:
        return _refuse("licence-not-allowed", source, params, licence=spdx)
    if limits is not None and purpose not in limits:
        return _refuse(
            "purpose-not-granted", source, params, licence=spdx, licence_purposes=sorted(limits)
        )
    granting = [
        one
        for one in params.licences_allow
        if (of := purposes_of(one, register.licences)) is None or purpose in of
    ]
    if allowed(spdx, granting):
        return None
    if allowed(spdx, params.licences_allow):
        return _refuse("purpose-not-granted", source, params, licence=spdx)
    return _refuse(
        "licence-not-allowed", source, params, licence=spdx, allow=sorted(params.licences_allow)
    )


def _keeping(source: Source, params: Params) -> Verdict | None:
    """Evidence on file, and a country that may store the text."""
    if source.evidence_sha256 is None:
        return _refuse("evidence-missing", source, params, evidence=source.basis.evidence)
    if source.residency is not None and params.storage_country not in source.residency:
        return _refuse(
            "residency",
            source,
            params,
            residency=sorted(source.residency),
            storage_country=params.storage_country,
        )
    return None


def withdrawn(found: Withdrawal | None) -> Verdict | None:
    """The verdict on what a withdrawal bars; None: nothing bars it."""
    if found is None:
        return None
    return Verdict(
        "refuse", found.reason, "withdrawal", WITHDRAWAL_RULE, withdrawal_evidence(found)
    )


def _opted_out(name: str, found: Observation, source: Source, params: Params) -> Verdict:
    return Verdict(
        "refuse",
        f"opted-out:{name}",
        f"signal:{name}",
        found.version,
        _entry(source, params) | {"signals": params.signals, "observation": found.evidence()},
    )


def _policy(source: Source, params: Params, ruling: Ruling) -> Verdict | None:
    """What the source's pack bars, where the parameters have packs refuse."""
    bar = ruling.bar
    if bar is None or params.policy.enforce != "refuse":
        return None
    return Verdict(
        "refuse",
        f"policy:{bar.drives}",
        f"policy:{ruling.pack or source.jurisdiction}/{bar.rule or bar.drives}",
        ruling.version or POLICY_RULE,
        _entry(source, params) | {"barred": bar.message},
    )


class Gate:
    """The gate of a run.  Picklable; `standing` has a verdict (None: good) per source.

    `packs` are the policy packs, by default those of this installation.
    """

    def __init__(
        self, params: Params, register: Register, packs: policy.Packs | None = None
    ) -> None:
        self.params, self.sources = params, register.sources
        packs = packs or policy.load()
        about = Circumstances(params.as_of, params.purpose, params.storage_country)
        self.rulings = {
            id: rule(packs.of(source.jurisdiction), Subject.of(source), about)
            for id, source in register.sources.items()
        }
        self.standing = {
            id: standing(source, params, register) or _policy(source, params, self.rulings[id])
            for id, source in register.sources.items()
        }
        self.withdrawals = Withdrawals.of(register.withdrawals)
        self.lifted = Withdrawals.of(register.lifted)

    def policy(self, source_id: str) -> Mapping[str, Any]:
        """For the evidence of any decision about a governed record: the pack and version that were
        held against its source, the rules that bar it, and whether they refuse."""
        return {
            **self.rulings[source_id].evidence(),
            "enforce": self.params.policy.enforce,
            "storage_country": self.params.storage_country,
        }

    def ungoverned(self, uri: str, doc_id: str) -> Verdict:
        """The refusal of a record that no entry governs; a withdrawal names it first."""
        found = self.withdrawals.of_record(None, uri, doc_id)
        return withdrawn(found) or Verdict(
            "refuse",
            "ungoverned",
            "register:ungoverned",
            REGISTER_RULE,
            {"as_of": self.params.as_of.isoformat()},
        )

    def entry_part(self, source_id: str, uri: str, doc_id: str) -> Verdict | None:
        """Withdrawals and the entry's standing: the register without its URL scope."""
        found = self.withdrawals.of_record(source_id, uri, doc_id)
        return withdrawn(found) or self.standing[source_id]

    def register_part(
        self,
        source_id: str | None,
        uri: str,
        doc_id: str,
        observations: Sequence[Observation] = (),
        page_follows: bool = False,
    ) -> Verdict | None:
        """The first reason to refuse a record before its response is read; None: go on.

        `observations` are what `HostSignals` says of the URL.  With `page_follows` (the record
        answered 200, or is no HTTP, and will be read itself) a reservation in tdmrep.json, which it
        may lift, and what stands after it are left to `page_part`.
        """
        if source_id is None:
            return self.ungoverned(uri, doc_id)
        found = self.entry_part(source_id, uri, doc_id)
        if found and _precedes(found, "purpose-not-granted"):
            return found
        source = self.sources[source_id]
        scope = source.basis.url_scope
        if scope and not covers(uri, scope):
            return _refuse("purpose-not-granted", source, self.params, url_scope=list(scope))
        if found or source.opt_out == "overridden":
            return found
        for name, observation in reservations(observations).items():
            if page_follows and name == "tdmrep":
                return None
            return _opted_out(name, observation, source, self.params)
        return None

    def page_part(
        self,
        source_id: str,
        observations: Sequence[Observation],
        headers: Pairs,
        metas: Pairs,
        links: Pairs,
        jsonld: Sequence[str] = (),
        follow: Follow = list,
    ) -> Verdict | None:
        """The first opt-out of the host, the headers and the page together, then a licence that
        is stricter than the register's; None: none.

        `metas` are (name, content), `links` (rel, href) pairs, `jsonld` the texts of scripts.
        A link to terms that `follow` does not replace reserves.
        """
        source = self.sources[source_id]
        if source.opt_out == "overridden":
            return None
        page = follow(observe_page(headers, metas, self.params.robots_agents))
        seen = [*observations, *page]
        for name, observation in reservations(seen).items():
            return _opted_out(name, observation, source, self.params)
        found = page_licences.detect(headers, metas, links, jsonld)
        stated = list(dict.fromkeys([*found, *(o.licence for o in seen if o.licence)]))
        bars = [one for one in stated if page_licences.stricter(one, source.licence.spdx)]
        if not bars:
            return None
        return Verdict(
            "refuse",
            "licence-conflict",
            "page-licence",
            page_licences.VERSION,
            _entry(source, self.params)
            | {"declared": source.licence.spdx, "stated": stated, "stricter": bars},
        )

    def signal_part(self, source_id: str | None, uri: str, doc_id: str) -> Verdict:
        """The verdict on a capture of robots.txt and its like: dropped as a signal where the
        entry stands.  Neither the URL scope nor the host's opt-outs concern it: no text of it
        is used."""
        if source_id is None:
            return self.ungoverned(uri, doc_id)
        return self.entry_part(source_id, uri, doc_id) or Verdict(
            "drop",
            "signal",
            "signal-capture",
            SIGNAL_RULE,
            _entry(self.sources[source_id], self.params),
        )

    def withdrawn_document(self, doc_ids: Iterable[str]) -> Verdict | None:
        """A withdrawal of a document under any of the ids that its record may have had."""
        found = (self.withdrawals.by_value.get(("document", one)) for one in doc_ids)
        return withdrawn(next(filter(None, found), None))

    def withdrawn_text(self, digest: str) -> Verdict | None:
        """A withdrawal of the very text, by its SHA-256 (hex)."""
        return withdrawn(self.withdrawals.of_text(digest))

    def reinstated(
        self, source_id: str | None, uri: str, doc_ids: Iterable[str], digest: str
    ) -> dict[str, Any]:
        """For the evidence of a record that passes: the withdrawal that barred it and was lifted;
        `doc_ids` as in `withdrawn_document`, `digest` as in `withdrawn_text`."""
        found = self.lifted.of_text(digest)
        for one in doc_ids:
            found = found or self.lifted.of_record(source_id, uri, one)
        return {"reinstated": withdrawal_evidence(found)} if found else {}

    def keep(
        self,
        source_id: str,
        observations: Sequence[Observation] = (),
        stated: Sequence[str] = (),
    ) -> Verdict:
        """The grounds on which a record passes; `stated` are the licences that its page names.
        Reservations that a contract outranks are named as `overridden`."""
        source = self.sources[source_id]
        basis = source.basis
        evidence = _entry(source, self.params) | {
            "basis": basis.kind,
            "reference": basis.reference,
            "licence": source.licence.spdx,
            "evidence_sha256": source.evidence_sha256,
            "observations": [o.evidence() for o in observations],
        }
        if stated:
            evidence["stated"] = list(stated)
        if source.opt_out == "overridden":
            evidence["overridden"] = list(reservations(observations))
        return Verdict("keep", None, "gate", GATE_RULE, evidence)


def _precedes(verdict: Verdict, reason: str) -> bool:
    """Whether a verdict's reason stands at or before another in the order."""
    return verdict.reason in REGISTER[: REGISTER.index(reason) + 1]
