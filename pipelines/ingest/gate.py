"""The gate decides whether a record may be used: first by the register, then by opt-out signals.

The gate fails closed. It judges each source once (`Gate.source_verdicts`). For each record it
checks withdrawals, the URL scope and opt-outs. The evidence holds no text, no URL of a record and
no ground of a withdrawal, because these may contain personal data.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pipelines.ingest.signals import stated_licences as page_licences
from pipelines.ingest.signals.observed import Observation, Pairs
from pipelines.ingest.signals.registry import observe_response, reservations
from schemas import lawfulness, policy
from schemas.lawfulness import Refusal
from schemas.params import Params
from schemas.reasons import REGISTER
from schemas.register import Register, Source, Withdrawal
from schemas.withdrawal_index import WithdrawalIndex, withdrawal_evidence

SIGNAL_RULE: Final = "1"
GATE_RULE: Final = "1"

#: Replaces observations that link to terms by the observations of these terms.
Follow = Callable[[Iterable[Observation]], Sequence[Observation]]


@dataclass(frozen=True)
class Verdict:
    """The decision about a record.

    Attributes:
      outcome: `keep`, `refuse` or `drop`; of records that cannot be read, `damaged`.
      reason: the reason; None for `keep`.
      rule, rule_version: the rule that decided.
      evidence: what was observed; can be written as JSON.
    """

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
    """Return the verdict for a refused source. Its evidence names the entry.

    The evidence of a recorded withdrawal does not.
    """
    entry = {} if refusal.rule == lawfulness.WITHDRAWAL else _entry_evidence(source, params)
    evidence = {**entry, **refusal.evidence}
    return Verdict("refuse", refusal.reason, refusal.rule, refusal.rule_version, evidence)


def withdrawal_verdict(withdrawal: Withdrawal | None) -> Verdict | None:
    """Return the verdict for a record under a withdrawal; None if there is no withdrawal."""
    if withdrawal is None:
        return None
    refusal = lawfulness.withdrawal_refusal(withdrawal)
    return Verdict("refuse", refusal.reason, refusal.rule, refusal.rule_version, refusal.evidence)


def _opt_out_verdict(
    name: str, reservation: Observation, source: Source, params: Params
) -> Verdict:
    """Return the verdict for a record that the protocol `name` reserves."""
    return Verdict(
        "refuse",
        f"opted-out:{name}",
        f"signal:{name}",
        reservation.version,
        _entry_evidence(source, params)
        | {"signals": params.signals, "observation": reservation.evidence()},
    )


class Gate:
    """The gate of a run. It can be pickled.

    Args:
      params: the parameters of the run.
      register: the register with its withdrawals.
      packs: the policy packs; by default those of this installation.

    Attributes:
      source_verdicts: a verdict for each source that may not be used; None for the others.
      rulings: the ruling of the policy packs on each source.
    """

    def __init__(
        self, params: Params, register: Register, packs: policy.Packs | None = None
    ) -> None:
        self.params, self.sources = params, register.sources
        use = lawfulness.Use.from_params(params, packs or policy.built_in())
        self.rulings = {id: use.ruling(source) for id, source in register.sources.items()}
        self.source_verdicts = {
            id: _refusal_verdict(refusal, register.sources[id], params) if refusal else None
            for id, refusal in lawfulness.verdicts(register, use).items()
        }
        self.withdrawals = WithdrawalIndex.build(register.withdrawals)
        self.lifted_withdrawals = WithdrawalIndex.build(register.lifted)

    def policy_evidence(self, source_id: str) -> Mapping[str, Any]:
        """Return the evidence on policy packs, for each decision about a governed record.

        It names the pack and its version, the rules that bar the source, and whether they refuse.
        """
        return {
            **self.rulings[source_id].evidence(),
            "enforce": self.params.policy.enforce,
            "storage_country": self.params.storage_country,
        }

    def refuse_ungoverned(self, uri: str, doc_id: str) -> Verdict:
        """Refuse a record that no entry governs; a recorded withdrawal is named before that."""
        withdrawal = self.withdrawals.find_by_record(None, uri, doc_id)
        return withdrawal_verdict(withdrawal) or Verdict(
            "refuse",
            "ungoverned",
            "register:ungoverned",
            lawfulness.REGISTER_RULE,
            {"as_of": self.params.as_of.isoformat()},
        )

    def check_entry(self, source_id: str, uri: str, doc_id: str) -> Verdict | None:
        """Check withdrawals and the entry of the source, without its URL scope.

        Returns:
          The refusal; None if the record passes.
        """
        withdrawal = self.withdrawals.find_by_record(source_id, uri, doc_id)
        return withdrawal_verdict(withdrawal) or self.source_verdicts[source_id]

    def check_before_reading(
        self,
        source_id: str | None,
        uri: str,
        doc_id: str,
        observations: Sequence[Observation] = (),
        page_follows: bool = False,
    ) -> Verdict | None:
        """Find the first reason to refuse a record, before its response is read.

        Args:
          source_id: the source that governs the record; None if there is none.
          uri: the URL of the record.
          doc_id: the id of the record.
          observations: what `HostSignals` observes for the URL.
          page_follows: whether the response will be read: its status is 200, or it is not HTTP. A
            page may lift a reservation in tdmrep.json. So that reservation, and the protocols after
            it, are left to `check_after_reading`.

        Returns:
          The refusal; None if the record passes.
        """
        if source_id is None:
            return self.refuse_ungoverned(uri, doc_id)
        refusal = self.check_entry(source_id, uri, doc_id)
        if refusal and _precedes(refusal, "purpose-not-granted"):
            return refusal
        source = self.sources[source_id]
        outside = lawfulness.outside_scope(source, uri)
        if outside:
            return _refusal_verdict(outside, source, self.params)
        if refusal or source.opt_out == "overridden":
            return refusal
        for name, observation in reservations(observations).items():
            if page_follows and name == "tdmrep":
                return None
            return _opt_out_verdict(name, observation, source, self.params)
        return None

    def check_after_reading(
        self,
        source_id: str,
        observations: Sequence[Observation],
        headers: Pairs,
        metas: Pairs,
        links: Pairs,
        jsonld: Sequence[str] = (),
        follow: Follow = list,
    ) -> Verdict | None:
        """Find the first reason to refuse a record after its response is read.

        These are opt-outs of host, headers and page together, then a page licence that is stricter
        than the register's.

        Args:
          source_id: the source that governs the record.
          observations: what `HostSignals` observes for the URL.
          headers: the HTTP headers.
          metas: (name, content) pairs of the page.
          links: (rel, href) pairs of the page.
          jsonld: the texts of JSON-LD scripts.
          follow: replaces links to terms by the terms. A link that remains reserves.

        Returns:
          The refusal; None if the record passes.
        """
        source = self.sources[source_id]
        if source.opt_out == "overridden":
            return None
        page = follow(observe_response(headers, metas, self.params.robots_agents))
        observed = [*observations, *page]
        for name, observation in reservations(observed).items():
            return _opt_out_verdict(name, observation, source, self.params)
        on_page = page_licences.detect_licences(headers, metas, links, jsonld)
        stated = list(dict.fromkeys([*on_page, *(o.licence for o in observed if o.licence)]))
        stricter = [
            licence for licence in stated if page_licences.is_stricter(licence, source.licence.spdx)
        ]
        if not stricter:
            return None
        return Verdict(
            "refuse",
            "licence-conflict",
            "page-licence",
            page_licences.VERSION,
            _entry_evidence(source, self.params)
            | {"declared": source.licence.spdx, "stated": stated, "stricter": stricter},
        )

    def check_signal(self, source_id: str | None, uri: str, doc_id: str) -> Verdict:
        """Return the verdict on a signal capture: refused by its entry, else dropped as a signal.

        URL scope and opt-outs do not apply, because none of its text is used.
        """
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
        """Return the verdict of a withdrawal of the document, under any of its possible ids."""
        entries = (self.withdrawals.by_value.get(("document", doc_id)) for doc_id in doc_ids)
        return withdrawal_verdict(next(filter(None, entries), None))

    def check_text_withdrawal(self, digest: str) -> Verdict | None:
        """Return the verdict of a withdrawal of the text, by its SHA-256 (hex)."""
        return withdrawal_verdict(self.withdrawals.find_by_text(digest))

    def reinstatement_evidence(
        self, source_id: str | None, uri: str, doc_ids: Iterable[str], digest: str
    ) -> dict[str, Any]:
        """Return the evidence of a lifted withdrawal, for a record that passes.

        Args:
          source_id: the source that governs the record.
          uri: the URL of the record.
          doc_ids: the possible ids of the record.
          digest: the SHA-256 of its text (hex).
        """
        lifted = self.lifted_withdrawals.find_by_text(digest)
        for doc_id in doc_ids:
            lifted = lifted or self.lifted_withdrawals.find_by_record(source_id, uri, doc_id)
        return {"reinstated": withdrawal_evidence(lifted)} if lifted else {}

    def keep(
        self,
        source_id: str,
        observations: Sequence[Observation] = (),
        stated: Sequence[str] = (),
    ) -> Verdict:
        """Return the verdict for a record that passes, with the grounds in its evidence.

        Args:
          source_id: the source that governs the record.
          observations: what `HostSignals` observes for the URL. Reservations that a contract
            outranks are listed as `overridden`.
          stated: the licences that the page states.
        """
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
    """Whether a verdict's reason is `reason` or comes before it in the order of reasons."""
    return verdict.reason in REGISTER[: REGISTER.index(reason) + 1]
