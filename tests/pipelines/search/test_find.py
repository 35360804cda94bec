"""`tamga find` on the sample's release."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from helpers import release_tables

from pipelines.search import find

FILLER = [f"басқа{i}" for i in range(400)]


@pytest.fixture(scope="module")
def data(sample_run: Path) -> pl.DataFrame:
    return release_tables.read_table(sample_run / "release/sample", "data").sort("doc_id")


def find_json(home: Path, capsys: pytest.CaptureFixture[str], *options: str) -> tuple[int, Any]:
    code = find.main([*options, "--params", str(home / "params.yaml"), "--json"])
    out = capsys.readouterr().out
    return code, json.loads(out) if out else None


def test_an_exact_text(
    sample_run: Path, data: pl.DataFrame, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    row = data.row(7, named=True)
    (tmp_path / "text").write_text(row["text"])
    code, answer = find_json(sample_run, capsys, "--text", str(tmp_path / "text"))
    assert code == 0 and [r["doc_id"] for r in answer["exact"]] == [row["doc_id"]]
    assert answer["absence"] is None
    place = answer["exact"][0]
    shard = pl.read_parquet(sample_run / "release/sample" / place["shard"], hive_partitioning=False)
    assert shard["doc_id"][place["row"]] == row["doc_id"] and place["first"] == "sample@0"


def test_a_text_with_personal_data_matches_its_redacted_form(
    sample_run: Path, data: pl.DataFrame, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    row = data.filter(pl.col("text").str.contains("<EMAIL_ADDRESS>")).row(0, named=True)
    (tmp_path / "text").write_text(row["text"].replace("<EMAIL_ADDRESS>", "someone@example.org"))
    code, answer = find_json(sample_run, capsys, "--text", str(tmp_path / "text"))
    assert code == 0 and [r["doc_id"] for r in answer["exact"]] == [row["doc_id"]]


@pytest.fixture
def torn(sample_run: Path, data: pl.DataFrame, tmp_path: Path) -> tuple[Path, dict[str, Any]]:
    """Return a damaged shard of a copy of the release, and a document in it with an e-mail address."""
    row = data.filter(pl.col("text").str.contains("<EMAIL_ADDRESS>")).row(0, named=True)
    shutil.copytree(sample_run / "release", tmp_path / "release")
    shutil.copytree(sample_run / "register", tmp_path / "register")
    shutil.copy(sample_run / "params.yaml", tmp_path)
    table = release_tables.read_table(sample_run / "release/sample", "documents")
    (shard,) = table.filter(doc_id=row["doc_id"])["shard"]
    path = tmp_path / "release/sample" / shard
    path.write_bytes(path.read_bytes()[:100])
    return path, row


def test_a_text_with_personal_data_is_found_without_its_shard(
    torn: tuple[Path, dict[str, Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = torn[1]["text"].replace("<EMAIL_ADDRESS>", "someone@example.org")
    (tmp_path / "text").write_text(text)
    code, answer = find_json(tmp_path, capsys, "--text", str(tmp_path / "text"))
    assert code == 0 and [r["doc_id"] for r in answer["exact"]] == [torn[1]["doc_id"]]


@pytest.mark.parametrize("gone", [False, True], ids=["cut", "gone"])
def test_an_unreadable_shard_prevents_proof_of_absence(
    torn: tuple[Path, dict[str, Any]],
    tmp_path: Path,
    gone: bool,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path, row = torn
    (tmp_path / "text").write_text(row["text"] + " Иначе.")
    if gone:
        path.unlink()
    code, answer = find_json(tmp_path, capsys, "--text", str(tmp_path / "text"))
    assert code == 1 and not answer["found"] and answer["absence"] is None
    assert answer["unread"] == [str(path)]
    params = ["--params", str(tmp_path / "params.yaml")]
    assert find.main(["--text", str(tmp_path / "text"), *params]) == 1
    out = capsys.readouterr().out
    assert (
        "it is not known" in out.lower()
        and "never released" not in out
        and "in no release" not in out
    )


def test_a_near_duplicate_is_found_with_its_similarity(
    sample_run: Path, data: pl.DataFrame, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    row = data.row(7, named=True)
    words = row["text"].split()
    (tmp_path / "text").write_text(" ".join([*words[:-6], *FILLER[:6]]))
    code, answer = find_json(sample_run, capsys, "--text", str(tmp_path / "text"))
    near = {r["doc_id"]: r["similarity"] for r in answer["near"]}
    assert code == 0 and 0.6 < near[row["doc_id"]] < 1
    assert answer["absence"]["before"] < answer["text_sha256"] < answer["absence"]["behind"]


def test_a_passage_in_a_different_text_is_found(
    sample_run: Path, data: pl.DataFrame, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    row = data.row(7, named=True)
    passage = row["text"].split()[4:58]
    (tmp_path / "text").write_text(" ".join([*FILLER, *passage, *FILLER]))
    code, answer = find_json(sample_run, capsys, "--text", str(tmp_path / "text"))
    assert code == 0 and not answer["exact"] and not answer["near"]
    assert [r["doc_id"] for r in answer["passages"]] == [row["doc_id"]]
    assert 50 <= answer["passages"][0]["words"] <= 54 and answer["passages"][0]["word"] >= 4


def test_a_dropped_record_is_named(sample_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    letter = sample_run / "samples/raw/letters/kubok.txt"
    code, answer = find_json(sample_run, capsys, "--text", str(letter))
    assert code == 0 and [r["reason"] for r in answer["kept_out"]] == ["exact-duplicate"]


def test_a_text_that_was_never_released(
    sample_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "text").write_text("'; DROP TABLE texts; -- " + " ".join(FILLER))
    code, answer = find_json(sample_run, capsys, "--text", str(tmp_path / "text"))
    assert code == 1 and not answer["found"] and answer["absence"]["sorted"] == "text_sha256"
    table = release_tables.read_table(sample_run / "release/sample", "documents")[
        "text_sha256"
    ].sort()
    digest = hashlib.sha256((tmp_path / "text").read_bytes().strip()).hexdigest()
    assert answer["text_sha256"] == digest
    assert answer["absence"]["before"] == table.filter(table < digest).max()
    assert answer["absence"]["behind"] == table.filter(table > digest).min()


def test_by_url_and_domain(
    sample_run: Path, data: pl.DataFrame, capsys: pytest.CaptureFixture[str]
) -> None:
    web = data.filter(pl.col("uri").str.starts_with("https://")).row(0, named=True)
    code, answer = find_json(sample_run, capsys, "--url", web["uri"])
    assert code == 0 and web["doc_id"] in {r["doc_id"] for r in answer["rows"]}
    refused = "https://vestnik.example.ru/zakryto/ekspeditsiya.html"
    code, answer = find_json(sample_run, capsys, "--url", refused)
    assert code == 1 and answer["rows"][0]["reason"] == "opted-out:robots"
    code, answer = find_json(sample_run, capsys, "--domain", "vestnik.example.ru")
    released = sum(r["records"] for r in answer["releases"] if r["outcome"] == "keep")
    uris = data["uri"].str.starts_with("https://vestnik.example.ru/")
    assert code == 0 and released == uris.sum()
    assert find_json(sample_run, capsys, "--domain", "nobody.example")[0] == 1


@pytest.mark.parametrize(
    "content", [b"", b" \n", b"\x00\x01\x02\xff" * 50, b"%PDF-1.4 torn"], ids=len
)
def test_files_without_a_text(
    sample_run: Path, tmp_path: Path, content: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_bytes(content)
    code, _ = find_json(sample_run, capsys, "--text", str(tmp_path / "file"))
    assert code in (1, 2)
    assert find_json(sample_run, capsys, "--text", str(tmp_path / "none"))[0] == 2
