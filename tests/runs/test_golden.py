"""The output of each stage on the sample, compared with `golden/` (`--update-golden` rewrites it)."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from helpers import release_tables

GOLDEN = Path(__file__).parent / "golden"


def _named(release: Path, frame: pl.DataFrame) -> pl.DataFrame:
    """Rows by the records' uri: ids and run ids change with code, uris do not."""
    uris = release_tables.read_table(release, "records").select("doc_id", name="uri")
    return frame.drop("uri", strict=False).join(uris, on="doc_id")


def _ingest(release: Path) -> pl.DataFrame:
    decided = release_tables.read_table(release, "decisions").filter(pl.col("stage") == "ingest")
    seen = decided.join(release_tables.read_table(release, "records"), on="doc_id")
    return _named(release, seen).select(
        "name", "outcome", "reason", "source_id", "media_type", "charset", "charset_declared"
    )


def _language(release: Path) -> pl.DataFrame:
    decided = release_tables.read_table(release, "decisions").filter(pl.col("stage") == "language")
    found = pl.col("evidence").str.json_path_match
    return _named(release, decided).select(
        "name", "outcome", "reason", lang=found("$.lang"), script=found("$.script")
    )


def _quality(release: Path) -> pl.DataFrame:
    decided = release_tables.read_table(release, "decisions").filter(pl.col("stage") == "quality")
    return _named(release, decided).select("name", "outcome", "reason", "rule", "evidence")


def _dedup(release: Path) -> pl.DataFrame:
    members = release_tables.read_table(release, "duplicates")
    kept = _named(release, members.select(doc_id="kept_doc_id")).unique()
    return (
        _named(release, members)
        .join(kept.rename({"name": "kept"}), left_on="kept_doc_id", right_on="doc_id")
        .select("name", "kept", "kind", pl.col("similarity").round(6), "licence")
    )


def _privacy(release: Path) -> pl.DataFrame:
    spans = _named(release, release_tables.read_table(release, "redactions"))
    return spans.select("name", "entity_type", "start", "end", "original_length", "recogniser")


def _release(release: Path) -> pl.DataFrame:
    documents = _named(release, release_tables.read_table(release, "documents"))
    return documents.select("name", "lang", "n_chars", "text_sha256")


@pytest.mark.parametrize("stage", [_ingest, _language, _quality, _dedup, _privacy, _release])
def test_a_stage_gives_the_golden_output(
    stage: Callable[[Path], pl.DataFrame], sample_run: Path, request: pytest.FixtureRequest
) -> None:
    found = stage(sample_run / "release/sample")
    rows: list[dict[str, Any]] = found.sort(pl.all()).to_dicts()
    path = GOLDEN / f"{stage.__name__.removeprefix('_')}.jsonl"
    if request.config.getoption("--update-golden"):
        path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    assert rows == release_tables.read_jsonl(path)
