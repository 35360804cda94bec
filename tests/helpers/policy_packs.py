"""A policy pack of one rule, in a folder."""

from __future__ import annotations

from pathlib import Path

PACK = """schema_version: 1
pack: XX
version: "1"
title: A country
jurisdictions: [XX]
rules:
  - id: xx-residency
    drives: residency
    storage: [XX, EU]
    citation: "Law 1, Art. 2"
    says: Kept at home.
    effective_from: 2025-01-01
    effective_to: 2025-06-30
    verified_on: 2026-11-22
    verified_by: counsel
    confidence: high
"""


def write_pack(folder: Path, text: str = PACK, name: str = "XX") -> Path:
    path = folder / f"{name}.yaml"
    path.write_text(text)
    return path
