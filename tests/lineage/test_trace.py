from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest
from helpers import release_tables
from helpers.commands import tamga

from lineage.release_folder import ReleaseFolder
from lineage.storage import redacted_names
from pipelines.ingest import judge_records
from schemas.stages import DECIDING
from schemas.tables import LINEAGE, RECORDS


@pytest.fixture(scope="module")
def release(sample_run: Path) -> ReleaseFolder:
    return ReleaseFolder(sample_run / "release/sample", sample_run, sample_run / "work/keys")


def test_every_record_resolves_to_its_bytes(release: ReleaseFolder) -> None:
    records = release_tables.read_table(release.folder, "records")
    for doc_id in records["doc_id"]:
        chain = release.chain(doc_id)
        assert chain["bytes"]["found"]
        if chain["outcome"] == "keep":
            assert chain["bytes"]["payload_matches"] and chain["document"]["text_matches"]
            assert (
                chain["source"]["entry"]["basis"]["evidence"] and chain["source"]["evidence_sha256"]
            )
            assert [d["stage"] for d in chain["decisions"]] == [*DECIDING]


def test_by_url_by_row_and_by_id_it_is_the_same(release: ReleaseFolder) -> None:
    row = release_tables.read_table(release.folder, "documents").row(5, named=True)
    uri = release_tables.read_table(release.folder, "records").filter(
        pl.col("doc_id") == row["doc_id"]
    )["uri"][0]
    for query in (
        row["doc_id"],
        uri,
        f"{row['shard']}:{row['row']}",
        f"{row['shard'].removeprefix('data/').removesuffix('.parquet')}:{row['row']}",
    ):
        assert row["doc_id"] in release.find(query)


@pytest.mark.parametrize(
    "query",
    ["' OR 1=1 --", "https://nobody.example/'\"", "data/kk/part-00000:999999", "0" * 32, "", "💥"],
)
def test_unknown_queries_find_nothing(release: ReleaseFolder, query: str) -> None:
    assert release.find(query) == []


def test_command(sample_run: Path, release: ReleaseFolder) -> None:
    doc_id = release_tables.read_table(release.folder, "data")["doc_id"][0]
    done = tamga("trace", doc_id, "--params", sample_run / "params.yaml", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["chains"][0]["doc_id"] == doc_id
    done = tamga("trace", doc_id, "--release", release.folder, "--root", sample_run)
    assert done.returncode == 0 and "licence" in done.stdout and "evidence" in done.stdout
    assert tamga("trace", "nothing", "--params", sample_run / "params.yaml").returncode == 1
    assert tamga("trace", doc_id, "--release", sample_run / "register").returncode == 2


def test_changed_bytes_are_reported(sample_run: Path, tmp_path: Path) -> None:
    shutil.copytree(sample_run / "samples", tmp_path / "samples")
    release = ReleaseFolder(sample_run / "release/sample", tmp_path)
    records = release_tables.read_table(release.folder, "records")
    row = records.filter(
        pl.col("container").str.ends_with(".txt") & pl.col("payload_sha256").is_not_null()
    ).row(0, named=True)
    path = tmp_path / row["container"]
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    assert release.chain(row["doc_id"])["bytes"]["payload_matches"] is False


@pytest.fixture
def redacted(tmp_path: Path) -> ReleaseFolder:
    """A release of three letters; some file names contain an email address."""
    rows = []
    for name in ("letters/aigul.test@example.org.txt", "b@example.org/note.txt", "letters/2.txt"):
        path = tmp_path / "raw" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
        sha256 = hashlib.sha256(name.encode()).hexdigest()
        row = dict.fromkeys(RECORDS.names) | {
            "doc_id": sha256[:32], "uri": f"urn:{len(rows)}", "container": f"raw/{name}",
            "container_sha256": sha256, "locator": "bytes", "offset": 0, "length": len(name),
            "payload_sha256": sha256,
        }  # fmt: skip
        rows.append(row)
    records = pl.DataFrame(rows, schema=pl.DataFrame(RECORDS.empty_table()).schema)
    secret = redacted_names.lookup_key(tmp_path / "keys")
    records = judge_records.redact_columns(records, {"container": "container_hmac"}, secret)
    assert records["container_hmac"].null_count() == 1
    for name, schema in LINEAGE.items():
        path = tmp_path / "release/lineage" / name / "part.parquet"
        path.parent.mkdir(parents=True)
        table = records.to_arrow().cast(schema) if name == "records" else schema.empty_table()
        pq.write_table(table, path)
    return ReleaseFolder(tmp_path / "release", tmp_path, tmp_path / "keys")


@pytest.mark.parametrize(
    "query",
    ["raw/letters/aigul.test@example.org.txt", "./raw/letters/aigul.test@example.org.txt",
     "aigul.test@example.org.txt", "raw/b@example.org/note.txt", "raw/letters/2.txt", "2.txt"],
)  # fmt: skip
def test_a_redacted_file_name_is_found(redacted: ReleaseFolder, query: str) -> None:
    (doc_id,) = redacted.find_all([query])
    found = redacted.chain(doc_id)
    assert found["bytes"]["payload_matches"] and "@" not in str(found)


def test_without_the_key_a_redacted_name_is_not_found(redacted: ReleaseFolder) -> None:
    blind = ReleaseFolder(redacted.folder, redacted.root)
    assert blind.find_all(["aigul.test@example.org.txt"]) == []
    assert len(blind.find_all(["2.txt"])) == 1


def test_only_the_first_of_many_records_are_shown(sample_run: Path) -> None:
    options = ("--params", sample_run / "params.yaml", "--most", "2", "--json")
    answer = json.loads(tamga("trace", "web-00.warc.gz", *options).stdout)
    assert answer["records"] > 2 and len(answer["chains"]) == 2
    assert tamga("trace", "x", "--most", "0").returncode == 2
