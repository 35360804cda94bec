"""The report files that every release contains."""

from __future__ import annotations

import json
from typing import Any, Final

from lineage.reports import attribution, croissant, spdx, training_summary
from lineage.reports.facts import Facts

NAMES: Final = (
    "ATTRIBUTION.md",
    "croissant.json",
    "spdx.json",
    "training-summary.json",
    "training-summary.md",
)


def json_bytes(value: Any) -> bytes:
    """Return a value as indented JSON for readers; keys keep their order."""
    return (json.dumps(value, ensure_ascii=False, indent=1) + "\n").encode()


def contents(facts: Facts) -> dict[str, bytes]:
    """Return the name and bytes of each report file.

    They depend only on the tables and on the manifest without these files, so the same release
    gives the same bytes.
    """
    reports = (
        attribution.to_markdown(facts).encode(),
        json_bytes(croissant.description(facts)),
        json_bytes(spdx.document(facts)),
        json_bytes(training_summary.summary(facts)),
        training_summary.to_markdown(facts).encode(),
    )
    return dict(zip(NAMES, reports, strict=True))
