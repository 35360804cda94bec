"""Whether a source's basis holds on a day."""

from __future__ import annotations

from datetime import date
from typing import Final

from schemas.register import Register, Source

GRANTED: Final = "granted"
WITHDRAWN: Final = "withdrawn"
EXPIRED: Final = "expired"
NOT_YET: Final = "not yet granted"
NO_EVIDENCE: Final = "evidence missing"


def standing(source: Source, as_of: date, register: Register | None = None) -> str:
    """One of the words above: how the source stands on `as_of`.  `expires_on` is the last good
    day, `withdrawn_on` the first bad one; with a register its recorded withdrawals count."""
    basis = source.basis
    recorded = register.withdrawals if register is not None else ()
    if any(w.scope == "source" and w.value == source.id for w in recorded):
        return WITHDRAWN
    if basis.withdrawn_on is not None and basis.withdrawn_on <= as_of:
        return WITHDRAWN
    if basis.granted_on > as_of:
        return NOT_YET
    if basis.expires_on is not None and basis.expires_on < as_of:
        return EXPIRED
    return GRANTED if source.evidence_sha256 is not None else NO_EVIDENCE
