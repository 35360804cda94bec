"""The reports that every release carries, as its files."""

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
    """JSON that people may read: keys in the order that they were put in."""
    return (json.dumps(value, ensure_ascii=False, indent=1) + "\n").encode()


def contents(facts: Facts) -> dict[str, bytes]:
    """Name -> bytes of each file.  They stand on the tables and the manifest without these files,
    so the same release has the same ones."""
    made = (
        attribution.to_markdown(facts).encode(),
        json_bytes(croissant.description(facts)),
        json_bytes(spdx.document(facts)),
        json_bytes(training_summary.summary(facts)),
        training_summary.to_markdown(facts).encode(),
    )
    return dict(zip(NAMES, made, strict=True))
