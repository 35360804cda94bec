"""What recorded withdrawals bar, looked up by record and by text."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from schemas.register import Withdrawal
from schemas.urls import authority_host, normal_url
from schemas.withdrawals import comparison_key


@dataclass(frozen=True)
class WithdrawalIndex:
    """Recorded withdrawals, looked up by what they bar.  They bar from the day they stand in the
    register, whatever `as_of` is: text once withdrawn does not come back with an older date.

    Scopes are those of `schemas.withdrawals`, and `part`: the parts of records, and the records, of
    which a text was withdrawn."""

    by_value: Mapping[tuple[str, str], Withdrawal]
    scopes: frozenset[str]

    @classmethod
    def build(cls, withdrawals: Collection[Withdrawal]) -> WithdrawalIndex:
        index: dict[tuple[str, str], Withdrawal] = {}
        for one in withdrawals:
            index.setdefault((one.scope, comparison_key(one.scope, one.value)), one)
        for one in withdrawals:  # what was withdrawn by its own name goes by that
            for kind, ids in (("document", one.documents), ("part", one.parts)):
                for id in ids:
                    index.setdefault((kind, id), one)
        return cls(index, frozenset(scope for scope, _ in index))

    def find_by_record(self, source_id: str | None, uri: str, doc_id: str) -> Withdrawal | None:
        """The withdrawal that bars a record; a domain bars its subdomains too."""
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
        """The withdrawal that bars a text, by its SHA-256 (hex)."""
        return self.by_value.get(("text", digest.lower()))


def _host(url: str) -> str | None:
    return authority_host(url.partition("//")[2].partition("/")[0])


def withdrawal_evidence(found: Withdrawal) -> dict[str, Any]:
    """What evidence names of a withdrawal: neither a URL nor the ground."""
    named = {"value": found.value} if found.scope in ("source", "domain", "document") else {}
    return (
        named
        | ({"case": found.case} if found.case else {})
        | {
            "scope": found.scope,
            "recorded_on": found.recorded_on.isoformat(),
            "withdrawal_sha256": found.sha256,
        }
    )
