"""One run over a folder of damaged crawls; the format of each file is detected."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
from helpers.commands import tamga

from lineage import evidence

PARAMS = """
as_of: "2026-11-22"
purpose: pretraining
storage_country: KZ
register: register
inputs:
  - {{collection: crawl, format: auto, paths: ["{folder}"]}}
licences: {{allow: [CC0-1.0]}}
work: work
release: {{name: crawl, path: release}}
"""
ENTRY = """
id: crawl
title: Crawls for tests
publisher: Many
contact: rights@example.org
jurisdiction: KZ
kind: web
languages: [en]
match: {collections: [crawl]}
licence: {spdx: CC0-1.0}
basis: {kind: licence, reference: for tests, evidence: crawl.txt, purposes: [pretraining], granted_on: 2025-01-01}
"""


def test_every_damaged_file_is_accounted_for(shared: Path, tmp_path: Path) -> None:
    damaged = shared / "data/crawl/damaged"
    for name, text in (
        ("params.yaml", PARAMS.format(folder=damaged)),
        ("register/sources/crawl.yaml", ENTRY),
        ("register/evidence/crawl.txt", "for tests\n"),
        ("register/licences.yaml", "{}\n"),
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    done = tamga("ingest", "--params", tmp_path / "params.yaml", "--json", "--workers", "1")
    assert done.returncode == 0, done.stderr
    records = pl.read_parquet(tmp_path / "work/ingest/records/*.parquet")
    decided = pl.read_parquet(tmp_path / "work/ingest/decisions/*.parquet")
    assert records.height == decided.height == records["doc_id"].n_unique()
    files = {p.name for p in damaged.iterdir()}
    assert {Path(c).name for c in records["container"]} == files
    read = decided.filter(pl.col("outcome").is_in(["keep", "drop"]))
    for record in records.filter(pl.col("doc_id").is_in(read["doc_id"].to_list())).to_dicts():
        assert evidence.check(record, tmp_path).payload_matches
    repeats = decided.filter(pl.col("rule") == "revisit")
    assert repeats.select("outcome", "reason").unique().rows() == [("drop", "empty")]
    assert all("payload_digest" in json.loads(e) for e in repeats["evidence"])
