"""Look up the recorded withdrawal that bars a record or a text."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from schemas.register import Withdrawal
from schemas.urls import authority_host, normal_url
from schemas.withdrawals import comparison_key


@dataclass(frozen=True)
class WithdrawalIndex:
    """Recorded withdrawals by what they bar.

    They apply as soon as they are in the register, whatever `as_of` is: an older `as_of` does not
    bring withdrawn text back.  Scopes are those of `schemas.withdrawals`, and `part`: parts whose text
    was withdrawn, and the records of these parts.

    Attributes:
      by_value: (scope, comparison key) to withdrawal.
      scopes: the scopes that occur.
    """

    by_value: Mapping[tuple[str, str], Withdrawal]
    scopes: frozenset[str]

    @classmethod
    def build(cls, withdrawals: Collection[Withdrawal]) -> WithdrawalIndex:
        """Return the index of withdrawals; of several for one key the first one counts."""
        index: dict[tuple[str, str], Withdrawal] = {}
        for entry in withdrawals:
            index.setdefault((entry.scope, comparison_key(entry.scope, entry.value)), entry)
        for entry in withdrawals:  # a withdrawal by the record's own id takes precedence
            for kind, ids in (("document", entry.documents), ("part", entry.parts)):
                for id in ids:
                    index.setdefault((kind, id), entry)
        return cls(index, frozenset(scope for scope, _ in index))

    def find_by_record(self, source_id: str | None, uri: str, doc_id: str) -> Withdrawal | None:
        """Return the withdrawal that bars a record.  A domain bars its subdomains too."""
        if not self.scopes - {"text"}:
            return None
        keys = [("source", source_id or ""), ("document", doc_id)]
        if self.scopes & {"url", "domain"}:
            url = normal_url(uri)
            keys.append(("url", url or uri.strip()))
            host = _host(url) if url else None
            while host:
                keys.append(("domain", host))
                host = host.partition(".")[2]
        return next((self.by_value[k] for k in keys if k in self.by_value), None)

    def find_by_text(self, digest: str) -> Withdrawal | None:
        """Return the withdrawal that bars a text, by its SHA-256 (hex)."""
        return self.by_value.get(("text", digest.lower()))


def _host(url: str) -> str | None:
    return authority_host(url.partition("//")[2].partition("/")[0])


def withdrawal_evidence(withdrawal: Withdrawal) -> dict[str, Any]:
    """Return the evidence about a withdrawal, without its URL and ground (personal data)."""
    named = (
        {"value": withdrawal.value} if withdrawal.scope in ("source", "domain", "document") else {}
    )
    return (
        named
        | ({"case": withdrawal.case} if withdrawal.case else {})
        | {
            "scope": withdrawal.scope,
            "recorded_on": withdrawal.recorded_on.isoformat(),
            "withdrawal_sha256": withdrawal.sha256,
        }
    )
