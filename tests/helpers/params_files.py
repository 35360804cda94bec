"""Write parameter files; return the problems of reading them."""

from __future__ import annotations

from pathlib import Path

import pytest

from lineage.configuration import load_params
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


def write_mixture(folder: Path, text: str) -> Path:
    """Write a mixture, and parameters that name it; return the parameters' path."""
    (folder / "mixture.yaml").write_text(text, "utf-8")
    named = "path: release, mixture: mixture.yaml}"
    return write_params(folder, LEAST.replace("path: release}", named))


def params_problems(folder: Path, text: str) -> list[Problem]:
    with pytest.raises(Invalid) as caught:
        load_params(write_params(folder, text))
    return list(caught.value.problems)
