"""The sample, end to end, compared with the truth that its builder writes."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import polars as pl
import pytest
from helpers import release_tables
from helpers.commands import tamga


@pytest.fixture(scope="module")
def release(sample_run: Path) -> Path:
    return sample_run / "release/sample"


@pytest.fixture(scope="module")
def truth(sample_run: Path) -> list[dict]:
    return release_tables.read_jsonl(sample_run / "samples/raw/truth.jsonl")


def _matched(release: Path, truth: list[dict]) -> list[tuple[dict, str]]:
    """Each row of the truth with the id of its record, by uri, or by file name for letters."""
    ids = {
        row["uri"].rsplit("/", 1)[-1] if row["collection"] == "letters" else row["uri"]: row[
            "doc_id"
        ]
        for row in release_tables.read_table(release, "records").iter_rows(named=True)
        if row["uri"]
    }
    return [
        (
            row,
            ids[
                row["uri"].rsplit("/", 1)[-1]
                if row["uri"].endswith(".txt") and "://" not in row["uri"]
                else row["uri"]
            ],
        )
        for row in truth
    ]


def test_every_record_ends_as_the_builder_says(release: Path, truth: list[dict]) -> None:
    fates = release_tables.outcomes_by_document(release)
    wrong = []
    for row, doc_id in _matched(release, truth):
        outcome, reason = fates[doc_id]
        if row["twin"] and reason in ("exact-duplicate", "near-duplicate"):
            continue
        if (outcome, reason) != (row["outcome"], row["reason"]):
            wrong.append((row["uri"], row["outcome"], row["reason"], outcome, reason))
    assert wrong == []


def test_each_group_of_twins_keeps_one(release: Path, truth: list[dict]) -> None:
    released = set(release_tables.read_table(release, "data")["doc_id"])
    kept = Counter(
        row["twin"]
        for row, doc_id in _matched(release, truth)
        if row["twin"] and doc_id in released
    )
    assert kept and set(kept.values()) == {1}
    assert set(kept) == {row["twin"] for row in truth if row["twin"]}


def test_each_record_is_in_the_ledger_once(release: Path, truth: list[dict]) -> None:
    records, decisions = (
        release_tables.read_table(release, "records"),
        release_tables.read_table(release, "decisions"),
    )
    assert records.height == len(truth) == records["doc_id"].n_unique()
    assert set(decisions["doc_id"]) == set(records["doc_id"])
    ends = decisions.group_by("doc_id").agg(
        ends=(pl.col("outcome") != "keep").sum(), stages=pl.len(), unique=pl.col("stage").n_unique()
    )
    assert ends.filter((pl.col("ends") > 1) | (pl.col("stages") != pl.col("unique"))).height == 0
    released = set(release_tables.read_table(release, "data")["doc_id"])
    assert released == {row["doc_id"] for row in ends.iter_rows(named=True) if row["ends"] == 0}


def test_languages_and_scripts(release: Path, truth: list[dict]) -> None:
    data = {
        row["doc_id"]: row
        for row in release_tables.read_table(release, "data")
        .select("doc_id", "lang", "script")
        .iter_rows(named=True)
    }
    rows = [(row, data[i]) for row, i in _matched(release, truth) if i in data]
    wrong = [
        (row["uri"], released)
        for row, released in rows
        if (row["lang"], row["script"]) != (released["lang"], released["script"])
    ]
    assert wrong == []


def test_no_planted_value_is_left_anywhere(
    sample_run: Path, release: Path, truth: list[dict]
) -> None:
    values = [p["value"] for row in truth for p in row["planted"]]
    assert len(values) >= 10
    tables = {p: pl.read_parquet(p, hive_partitioning=False) for p in release.rglob("*.parquet")}
    texts = [
        str(v)
        for t in tables.values()
        for c in t.get_columns()
        if c.dtype == pl.String
        for v in c.drop_nulls()
    ]
    texts += [
        p.read_text()
        for p in [
            *release.glob("*.json"),
            *release.glob("*.md"),
            *(sample_run / "work/validation").rglob("*.html"),
            *(sample_run / "work/metrics").rglob("*.json"),
        ]
    ]
    whole = "\n".join(texts)
    assert [v for v in values if v in whole] == []


def test_redactions_point_at_placeholders(release: Path) -> None:
    texts = dict(release_tables.read_table(release, "data").select("doc_id", "text").iter_rows())
    redactions = release_tables.read_table(release, "redactions")
    assert redactions.height >= 10
    for row in redactions.iter_rows(named=True):
        assert texts[row["doc_id"]][row["start"] : row["end"]] == f"<{row['entity_type']}>"


def test_documents_table_points_at_rows(release: Path) -> None:
    documents = release_tables.read_table(release, "documents").sort("leaf_index")
    assert documents["leaf_index"].to_list() == list(range(documents.height))
    for (shard,), rows in documents.group_by("shard"):
        data = pl.read_parquet(release / shard, hive_partitioning=False)
        assert data[rows["row"].to_list()]["doc_id"].to_list() == rows["doc_id"].to_list()


def test_manifest_lists_every_file_with_its_digest(release: Path) -> None:
    manifest = json.loads((release / "manifest.json").read_bytes())
    here = release_tables.file_digests(release)
    listed = {path: about["sha256"] for path, about in manifest["files"].items()}
    assert listed == {path: digest for path, digest in here.items() if path != "manifest.json"}
    assert manifest["counts"]["documents"] == release_tables.read_table(release, "data").height


def test_a_second_run_computes_nothing_anew(sample_run: Path) -> None:
    done = tamga("run", "--params", sample_run / "params.yaml", "--json")
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert not any(stage["fresh"] for stage in summary["stages"].values())
    assert sum(summary["outcomes"].values()) == summary["records"]
