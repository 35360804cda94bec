"""Write small releases for the tests of reports; their numbers can be counted by hand."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from lineage.reports.facts import Facts, read_facts
from schemas.tables import LINEAGE

OWN = {
    "LicenseRef-own": {
        "id": "LicenseRef-own",
        "title": "Terms | of ours",
        "url": None,
        "purposes": ["pretraining"],
        "attribution": True,
        "share_alike": False,
        "text": "First line\nSecond line",
        "citation": "Art. 8",
    }
}


def make_entry(id: str, spdx: str, **more: Any) -> dict[str, Any]:
    """Return a register entry with the basis `consent`."""
    return {
        "id": id,
        "title": f"Title of {id}",
        "publisher": f"Publisher of {id}",
        "contact": "rights@example.org",
        "jurisdiction": "KZ",
        "kind": "web",
        "languages": ["kk"],
        "match": {"domains": [f"{id}.example"]},
        "licence": {"spdx": spdx},
        "basis": {
            "kind": "consent",
            "reference": "Letter",
            "evidence": f"{id}.txt",
            "purposes": ["pretraining"],
            "granted_on": "2025-01-01",
        },
        **more,
    }


def write_release(
    folder: Path,
    entries: Sequence[Mapping[str, Any]],
    documents: Sequence[Mapping[str, Any]],
    decisions: Sequence[Mapping[str, Any]] = (),
    about: Mapping[str, Any] | None = None,
) -> Facts:
    """Write a release to a folder and return its facts.

    Args:
      folder: where to write.
      entries: the register entries of its sources.
      documents: source_id and uri; optional: lang, n_chars, n_tokens, captured_at.
      decisions: rows of `decisions`.
      about: keys to set in the manifest.
    """
    rows = [
        {"doc_id": f"{i:032x}", "lang": "kk", "n_chars": 100, "captured_at": "2026-01-02", **row}
        for i, row in enumerate(documents)
    ]
    files: dict[str, Any] = {
        "data/kk/part-00000.parquet": {"rows": len(rows), "bytes": 10, "sha256": "a" * 64}
    }
    sources = [
        {
            "source_id": entry["id"],
            "entry": json.dumps(entry),
            "entry_sha256": "b" * 64,
            "evidence_sha256": "c" * 64,
            "licence": entry["licence"]["spdx"],
            "jurisdiction": entry["jurisdiction"],
        }
        for entry in entries
    ]
    tables = {"documents": rows, "records": rows, "decisions": decisions, "sources": sources}
    for name, values in tables.items():
        path = folder / "lineage" / name / "part-00000.parquet"
        path.parent.mkdir(parents=True)
        pq.write_table(pa.Table.from_pylist(list(values), LINEAGE[name]), path)
        files[path.relative_to(folder).as_posix()] = {"rows": len(values), "bytes": 1}
    manifest = {
        "name": "small",
        "as_of": "2026-11-22",
        "purpose": "pretraining",
        "code_version": "0",
        "params_sha256": "d" * 64,
        "register_sha256": "e" * 64,
        "counts": {"documents": len(rows), "redactions": {"EMAIL_ADDRESS": 3}},
        "licences": OWN,
        "files": files,
        **(about or {}),
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return read_facts(folder)
