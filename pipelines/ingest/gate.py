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
from pipelines.ingest.signals.registry import observe_response, reservations
from schemas import lawfulness, policy
from schemas.lawfulness import Refusal
from schemas.params import Params
from schemas.reasons import REGISTER
from schemas.register import Register, Source, Withdrawal
from schemas.withdrawal_index import Withdrawals, withdrawal_evidence

SIGNAL_RULE: Final = "1"
GATE_RULE: Final = "1"

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


def _entry_evidence(source: Source, params: Params) -> dict[str, Any]:
    return {
        "source_id": source.id,
        "entry_sha256": source.entry_sha256,
        "as_of": params.as_of.isoformat(),
        "purpose": params.purpose,
    }


def _refusal_verdict(refusal: Refusal, source: Source, params: Params) -> Verdict:
    """The verdict for a refusal of a governed record: its evidence names the entry, but where a
    recorded withdrawal bars it."""
    named = {} if refusal.rule == lawfulness.WITHDRAWAL else _entry_evidence(source, params)
    evidence = {**named, **refusal.evidence}
    return Verdict("refuse", refusal.reason, refusal.rule, refusal.rule_version, evidence)


def withdrawal_verdict(found: Withdrawal | None) -> Verdict | None:
    """The verdict on what a withdrawal bars; None: nothing bars it."""
    if found is None:
        return None
    barred = lawfulness.recorded_withdrawal(found)
    return Verdict("refuse", barred.reason, barred.rule, barred.rule_version, barred.evidence)


def _opt_out_verdict(name: str, found: Observation, source: Source, params: Params) -> Verdict:
    return Verdict(
        "refuse",
        f"opted-out:{name}",
        f"signal:{name}",
        found.version,
        _entry_evidence(source, params)
        | {"signals": params.signals, "observation": found.evidence()},
    )


class Gate:
    """The gate of a run.  Picklable; `standing` has a verdict (None: good) per source.

    `packs` are the policy packs, by default those of this installation.
    """

    def __init__(
        self, params: Params, register: Register, packs: policy.Packs | None = None
    ) -> None:
        self.params, self.sources = params, register.sources
        use = lawfulness.Use.of(params, packs or policy.built_in())
        self.rulings = {id: use.ruling(source) for id, source in register.sources.items()}
        self.source_verdicts = {
            id: _refusal_verdict(refusal, register.sources[id], params) if refusal else None
            for id, refusal in lawfulness.verdicts(register, use).items()
        }
        self.withdrawals = Withdrawals.of(register.withdrawals)
        self.lifted_withdrawals = Withdrawals.of(register.lifted)

    def policy_evidence(self, source_id: str) -> Mapping[str, Any]:
        """For the evidence of any decision about a governed record: the pack and version that were
        held against its source, the rules that bar it, and whether they refuse."""
        return {
            **self.rulings[source_id].evidence(),
            "enforce": self.params.policy.enforce,
            "storage_country": self.params.storage_country,
        }

    def refuse_ungoverned(self, uri: str, doc_id: str) -> Verdict:
        """The refusal of a record that no entry governs; a withdrawal names it first."""
        found = self.withdrawals.of_record(None, uri, doc_id)
        return withdrawal_verdict(found) or Verdict(
            "refuse",
            "ungoverned",
            "register:ungoverned",
            lawfulness.REGISTER_RULE,
            {"as_of": self.params.as_of.isoformat()},
        )

    def check_entry(self, source_id: str, uri: str, doc_id: str) -> Verdict | None:
        """Withdrawals and the entry's standing: the register without its URL scope."""
        found = self.withdrawals.of_record(source_id, uri, doc_id)
        return withdrawal_verdict(found) or self.source_verdicts[source_id]

    def check_register(
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
        may lift, and what stands after it are left to `check_page`.
        """
        if source_id is None:
            return self.refuse_ungoverned(uri, doc_id)
        found = self.check_entry(source_id, uri, doc_id)
        if found and _precedes(found, "purpose-not-granted"):
            return found
        source = self.sources[source_id]
        outside = lawfulness.outside_scope(source, uri)
        if outside:
            return _refusal_verdict(outside, source, self.params)
        if found or source.opt_out == "overridden":
            return found
        for name, observation in reservations(observations).items():
            if page_follows and name == "tdmrep":
                return None
            return _opt_out_verdict(name, observation, source, self.params)
        return None

    def check_page(
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
        page = follow(observe_response(headers, metas, self.params.robots_agents))
        seen = [*observations, *page]
        for name, observation in reservations(seen).items():
            return _opt_out_verdict(name, observation, source, self.params)
        found = page_licences.detect_licences(headers, metas, links, jsonld)
        stated = list(dict.fromkeys([*found, *(o.licence for o in seen if o.licence)]))
        bars = [one for one in stated if page_licences.is_stricter(one, source.licence.spdx)]
        if not bars:
            return None
        return Verdict(
            "refuse",
            "licence-conflict",
            "page-licence",
            page_licences.VERSION,
            _entry_evidence(source, self.params)
            | {"declared": source.licence.spdx, "stated": stated, "stricter": bars},
        )

    def check_signal(self, source_id: str | None, uri: str, doc_id: str) -> Verdict:
        """The verdict on a capture of robots.txt and its like: dropped as a signal where the
        entry stands.  Neither the URL scope nor the host's opt-outs concern it: no text of it
        is used."""
        if source_id is None:
            return self.refuse_ungoverned(uri, doc_id)
        return self.check_entry(source_id, uri, doc_id) or Verdict(
            "drop",
            "signal",
            "signal-capture",
            SIGNAL_RULE,
            _entry_evidence(self.sources[source_id], self.params),
        )

    def check_document_withdrawal(self, doc_ids: Iterable[str]) -> Verdict | None:
        """A withdrawal of a document under any of the ids that its record may have had."""
        found = (self.withdrawals.by_value.get(("document", one)) for one in doc_ids)
        return withdrawal_verdict(next(filter(None, found), None))

    def check_text_withdrawal(self, digest: str) -> Verdict | None:
        """A withdrawal of the very text, by its SHA-256 (hex)."""
        return withdrawal_verdict(self.withdrawals.of_text(digest))

    def reinstatement_evidence(
        self, source_id: str | None, uri: str, doc_ids: Iterable[str], digest: str
    ) -> dict[str, Any]:
        """For the evidence of a record that passes: the withdrawal that barred it and was lifted;
        `doc_ids` as in `check_document_withdrawal`, `digest` as in `check_text_withdrawal`."""
        found = self.lifted_withdrawals.of_text(digest)
        for one in doc_ids:
            found = found or self.lifted_withdrawals.of_record(source_id, uri, one)
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
        evidence = _entry_evidence(source, self.params) | {
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
