"""Folders of small releases, for tests of the store."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from lineage.signing import release_log
from lineage.storage import release_files
from schemas.tables import DATA, LINEAGE


@dataclass(frozen=True)
class Record:
    """A record of a release, by its address."""

    uri: str
    source_id: str | None = "kz-a"
    outcome: str = "keep"
    reason: str | None = None
    text: str = "a text"
    lang: str = "kk"

    @property
    def doc_id(self) -> str:
        return sha256(self.uri.encode()).hexdigest()[:32]


def write_release(
    folder: Path, name: str, records: Sequence[Record], as_of: str = "2026-01-01"
) -> None:
    """Write a release and its line of the log. Replaces an older release of that name."""
    path = folder / name
    kept = sorted((r for r in records if r.outcome == "keep"), key=lambda r: (r.lang, r.doc_id))
    rows = {lang: [r for r in kept if r.lang == lang] for lang in sorted({r.lang for r in kept})}
    for lang, some in rows.items():
        _write(path / f"data/{lang}/part-00000.parquet", map(row_of, some), DATA)
        documents = [_document(r, row) for row, r in enumerate(some)]
        place = path / f"lineage/documents/part-{lang}-00000.parquet"
        _write(place, documents, LINEAGE["documents"])
    ordered = sorted(records, key=lambda r: r.doc_id)
    tables: dict[str, list[dict[str, Any]]] = {
        "records": [_record(r) for r in ordered],
        "decisions": [_decision(r) for r in ordered],
        "duplicates": [],
    }
    for table, values in tables.items():
        _write(path / f"lineage/{table}/crawl-00000.parquet", values, LINEAGE[table])
    sources = [_source(i) for i in sorted({r.source_id for r in records if r.source_id})]
    _write(path / "lineage/sources/part-00000.parquet", sources, LINEAGE["sources"])
    entries = release_log.read(folder / release_files.LOG)
    about = {
        "schema_version": 1,
        "name": name,
        "as_of": as_of,
        "purpose": "pretraining",
        "files": {},
    }
    (path / "manifest.json").write_text(json.dumps(about))
    envelope = f"statement {len(entries)}".encode()
    (path / "manifest.dsse.json").write_bytes(envelope)
    entry = {
        "seq": len(entries),
        "name": name,
        "root": "00" * 32,
        "size": str(len(kept)),
        "statement_sha256": sha256(envelope).hexdigest(),
    }
    (folder / release_files.LOG).write_bytes(release_log.to_jsonl([*entries, entry]))


def row_of(record: Record) -> dict[str, Any]:
    return {**vars(record), "doc_id": record.doc_id, "licence": "CC0-1.0"}


def _document(record: Record, row: int) -> dict[str, Any]:
    return row_of(record) | {
        "shard": f"data/{record.lang}/part-00000.parquet",
        "row": row,
        "n_chars": len(record.text),
        "text_sha256": sha256(record.text.encode()).hexdigest(),
        "leaf_index": row,
    }


def _record(record: Record) -> dict[str, Any]:
    return row_of(record) | {
        "collection": "web",
        "payload_sha256": sha256(record.text.encode()).hexdigest(),
        "captured_at": "2026-01-01T00:00:00Z",
    }


def _decision(record: Record) -> dict[str, Any]:
    return row_of(record) | {
        "stage": "ingest",
        "rule": "gate",
        "rule_version": "1",
        "evidence": "{}",
        "run_id": "0" * 32,
    }


def _source(source_id: str) -> dict[str, Any]:
    basis = {"kind": "consent", "reference": f"Letter of {source_id}"}
    return {
        "source_id": source_id,
        "entry": json.dumps({"id": source_id, "basis": basis}),
        "entry_sha256": "00" * 32,
        "licence": f"LicenseRef-{source_id}",
        "jurisdiction": source_id[:2].upper(),
    }


def _write(path: Path, rows: Any, schema: pa.Schema) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pa.Table.from_pylist([{n: r.get(n) for n in schema.names} for r in rows], schema)
    pq.write_table(table, path, store_schema=False)
