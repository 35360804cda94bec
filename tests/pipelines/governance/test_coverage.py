"""Coverage of a register by a finished run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from lineage.storage.release_tables import NoRelease
from pipelines.governance import coverage
from schemas.tables import DECISIONS, RECORDS, SOURCES

OURS = "https://ours.example.kz/a"


def write_table(folder: Path, name: str, schema: Any, rows: list[dict[str, Any]]) -> None:
    (folder / name).mkdir(parents=True)
    frame = pl.DataFrame([{c: row.get(c) for c in schema.names} for row in rows])
    frame.write_parquet(folder / name / "part-00000.parquet")


@pytest.fixture
def tables(tmp_path: Path) -> Path:
    rows = [
        ("https://ours.example.kz/a", "ours", 10, "text/html", 200, "bytes"),
        ("https://Big.example:8080/1", None, 900, "text/html", 200, "member"),
        ("http://big.example/2", None, 100, "text/plain", None, "member"),
        ("https://big.example/robots.txt", None, 5000, "text/plain", 200, "member"),
        ("https://big.example/logo", None, 5000, "image/png", 200, "member"),
        ("https://big.example/gone", None, 5000, "text/html", 404, "member"),
        ("https://small.example/", None, 7, None, 200, "member"),
        ("urn:uuid:1", None, 40, "text/plain", None, "bytes"),
        (None, None, 2, "text/plain", None, "bytes"),
        ("https://rows.example/1", None, 1, "text/plain", None, "row"),
        ("http://[not a host", None, 3, "text/html", 200, "member"),
    ]
    names = ("uri", "source_id", "length", "media_type", "http_status", "locator")
    records = [
        dict(zip(names, row, strict=True)) | {"doc_id": str(n), "collection": "c"}
        for n, row in enumerate(rows)
    ]
    decisions = [
        {"doc_id": r["doc_id"]}
        | ({"outcome": "refuse", "reason": "ungoverned"} if r["source_id"] is None else {"outcome": "keep"})
        for r in records
    ]  # fmt: skip
    folder = tmp_path / "work/ingest"
    write_table(folder, "records", RECORDS, records)
    write_table(folder, "decisions", DECISIONS, decisions)
    sources = [{"source_id": "ours", "evidence_sha256": "ab"}, {"source_id": "other"}]
    write_table(folder, "sources", SOURCES, sources)
    return tmp_path


def test_ungoverned_hosts_come_with_records_and_bytes(tables: Path) -> None:
    last = coverage.of_work(tables / "work")
    assert last is not None
    assert list(last.ungoverned_hosts().iter_rows()) == [
        ("big.example", None, 2, 1000),
        (None, "c", 3, 45),
        ("small.example", None, 1, 7),
        ("rows.example", None, 1, 0),
    ]


def test_matched_sources_and_digests_of_evidence(tables: Path) -> None:
    last = coverage.of_work(tables / "work")
    assert last is not None
    assert last.evidence_digests() == {"ours": "ab", "other": None}
    assert last.matched_sources() == {"ours"}


def test_a_folder_without_a_run_or_a_release(tables: Path) -> None:
    assert coverage.of_work(tables / "elsewhere") is None
    with pytest.raises(NoRelease, match="holds no release"):
        coverage.of_release(tables)
    (tables / "work/ingest/sources/part-00000.parquet").unlink()
    assert coverage.of_work(tables / "work") is None
