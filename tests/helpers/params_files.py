"""Parameter files, and the problems that reading them gives."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas import params
from schemas.errors import Invalid, Problem

LEAST = """as_of: "2026-11-22"
purpose: pretraining
storage_country: KZ
register: register
inputs:
  - {collection: web, format: warc, paths: ["raw/*.warc.gz"]}
  - collection: gazette
    format: jsonl
    paths: [raw/gazette.jsonl.gz]
    fields: {uri: id, text: body}
licences:
  allow: [CC0-1.0, cc-by-4.0, LicenseRef-x]
work: work
release: {name: first, path: release}
"""


def write_params(folder: Path, text: str) -> Path:
    path = folder / "params.yaml"
    path.write_text(text, "utf-8")
    return path


def params_problems(folder: Path, text: str) -> list[Problem]:
    with pytest.raises(Invalid) as caught:
        params.load(write_params(folder, text))
    return list(caught.value.problems)
