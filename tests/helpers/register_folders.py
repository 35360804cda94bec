"""Write registers into a folder; return the problems of reading them."""

from __future__ import annotations

from pathlib import Path

import pytest

from lineage.register_files import load_register
from schemas.errors import Invalid, Problem

ENTRY = """id: {id}
title: Official texts
publisher: Ministry
contact: rights@example.org
jurisdiction: KZ
kind: web
languages: [kk, ru]
match:
  domains: [{domain}]
licence:
  spdx: CC-BY-4.0
basis:
  kind: licence
  reference: "1"
  evidence: {id}.txt
  purposes: [pretraining, evaluation]
  granted_on: 2025-02-01
"""


def entry_text(id: str = "one", domain: str = "one.example.kz") -> str:
    return ENTRY.format(id=id, domain=domain)


def write_register(folder: Path, entries: dict[str, str], **files: str) -> Path:
    for name in ("sources", "evidence"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for name, text in entries.items():
        (folder / f"sources/{name}.yaml").write_text(text, "utf-8")
        (folder / f"evidence/{name}.txt").write_text(f"evidence of {name}", "utf-8")
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text, "utf-8")
    return folder


def register_problems(folder: Path) -> list[Problem]:
    with pytest.raises(Invalid) as caught:
        load_register(folder)
    return list(caught.value.problems)
