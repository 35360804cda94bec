"""The reasons that decisions can name, by outcome."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

#: The register's reasons, in the order of the checks.
REGISTER: Final = (
    "withdrawn",
    "ungoverned",
    "consent-withdrawn",
    "consent-expired",
    "purpose-not-granted",
    "licence-not-allowed",
    "evidence-missing",
    "residency",
)

#: Outcome -> reasons.  A reason that ends with a colon or a hyphen is a family (`opted-out:robots`).
REASONS: Final[Mapping[str, tuple[str, ...]]] = {
    "keep": (),
    "refuse": (
        *REGISTER,
        "policy:",
        "opted-out:",
        "licence-conflict",
    ),
    "damaged": ("unreadable", "too-large", "unsupported-media-type", "http-status", "undecodable"),
    "drop": (
        "signal",
        "empty",
        "language-",
        "quality-",
        "exact-duplicate",
        "near-duplicate",
        "published-under-refusal",
        "contaminated:",
        "personal-data",
        "not-selected",
        "mixture-cap",
    ),
}
