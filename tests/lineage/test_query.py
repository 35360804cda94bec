"""The commands that query the store."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path

import pytest
from helpers import release_tables
from helpers.commands import tamga
from helpers.store_folders import Record, write_release

from lineage import diff, query
from pipelines.search.index import enter_all, main


def test_query_counts_as_the_release_does(sample_run: Path) -> None:
    params = ("--params", sample_run / "params.yaml")
    done = tamga("query", "--by", "outcome,reason", *params, "--json")
    rows = json.loads(done.stdout)["rows"]
    assert {(r["outcome"], r["reason"]) for r in rows} == set(
        release_tables.outcomes_by_document(sample_run / "release/sample").values()
    )
    manifest = json.loads((sample_run / "release/sample/manifest.json").read_text())
    done = tamga("query", "--by", "source_id", "--as-of", "2026-11-22", *params, "--csv")
    counts = {r["source_id"]: int(r["records"]) for r in csv.DictReader(io.StringIO(done.stdout))}
    assert counts == manifest["counts"]["by_source"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    a, b = Record("https://a.example.kz/1"), Record("https://b.example.kz/2", "ru-b")
    write_release(tmp_path, "v1", [a, b], "2026-01-01")
    write_release(tmp_path, "v2", [a], "2026-02-01")
    enter_all(tmp_path)
    return tmp_path


HOSTILE = ["' OR 1=1 --", "x'); DROP TABLE docs; --", '"', "\\", "%", "*", "💥", "\x00", "a" * 9999]


@pytest.mark.parametrize("value", HOSTILE, ids=range(len(HOSTILE)))
@pytest.mark.parametrize(
    "option", ["doc", "url", "domain", "source", "licence", "lang", "reason", "reference"]
)
def test_values_are_data(
    folder: Path, option: str, value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code = query.main(["--releases", str(folder), f"--{option}={value}", "--json"])
    assert code == 1 and json.loads(capsys.readouterr().out)["rows"] == []


@pytest.mark.parametrize(
    ("options", "found"),
    [
        (["--domain", "example.kz"], 2),
        (["--domain", "example.kz", "--release", "v2"], 1),
        (["--domain", "example.kz", "--as-of", "2026-01-15"], 2),
        (["--source", "kz-a", "--source", "ru-b", "--consent", "consent"], 2),
        (["--url", "https://b.example.kz/2", "--release", "v2"], 0),
        (["--url", "https://b.example.kz/2", "--source", "kz-a"], 0),
        (["--jurisdiction", "RU", "--released"], 1),
    ],
    ids=" ".join if False else lambda v: "-".join(v) if isinstance(v, list) else str(v),
)
def test_filters(
    folder: Path, options: list[str], found: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert query.main(["--releases", str(folder), *options, "--json"]) == (0 if found else 1)
    assert len(json.loads(capsys.readouterr().out)["rows"]) == found


def test_diff_command(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = ["--releases", str(folder)]
    assert diff.main(["v1", "v2", *place, "--json"]) == 1
    answer = json.loads(capsys.readouterr().out)
    assert answer["counts"] == {"entered": 0, "left": 1, "changed": 0}
    assert answer["rows"][0]["last"] == "v1@0"
    assert diff.main(["v2", "v2", *place]) == 0
    assert diff.main(["v1", "nobody", *place]) == 2


def test_a_damaged_store_is_reported(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in (folder / "_store").glob("*/docs.parquet"):
        path.write_bytes(path.read_bytes()[:-9])
    assert query.main(["--releases", str(folder)]) == 2
    assert "tamga index --rebuild" in capsys.readouterr().err
    assert main(["--releases", str(folder), "--rebuild"]) == 0
    assert query.main(["--releases", str(folder), "--csv"]) == 0


def test_index_names_missing_releases(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--releases", str(folder), "--json"]) == 0
    shutil.rmtree(folder / "v1")
    assert main(["--releases", str(folder), "--rebuild", "--json"]) == 1
    summary = json.loads(capsys.readouterr().out.splitlines()[-1])
    want = {"entered": ["v2@1"], "not_on_disk": ["v1@0"], "releases": 1, "misnamed": {}}
    assert summary == want


def test_wrong_usage(tmp_path: Path) -> None:
    assert query.main(["--releases", str(tmp_path)]) == 2
    assert query.main(["--params", str(tmp_path / "none.yaml")]) == 2
    for options in (["--as-of", "yesterday"], ["--by", "colour"]):
        with pytest.raises(SystemExit) as ended:
            query.main(["--releases", str(tmp_path), *options])
        assert ended.value.code == 2


@pytest.mark.parametrize("day", ["2026-13-01", "2026-02-30", "soon", "20261122"])
def test_a_day_that_does_not_exist(folder: Path, day: str) -> None:
    with pytest.raises(SystemExit) as ended:
        query.main(["--releases", str(folder), "--as-of", day])
    assert ended.value.code == 2


def test_a_copy_under_another_name_is_reported(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--releases", str(folder)]) == 0
    assert capsys.readouterr().err == ""
    shutil.copytree(folder / "v1", folder / "copy")
    assert main(["--releases", str(folder), "--json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["misnamed"] == {"copy": "v1"}
    assert "the folder copy was not entered: it holds the release v1" in err


def test_a_table_that_is_piped_is_not_wrapped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = "https://a.example.kz/" + "long/" * 40
    write_release(tmp_path, "v1", [Record(url)], "2026-01-01")
    enter_all(tmp_path)
    assert query.main(["--releases", str(tmp_path), "--lang", "kk"]) == 0
    heading, _, row, *_ = capsys.readouterr().out.strip().splitlines()
    assert heading.split()[:2] == ["doc_id", "uri"]
    doc_id, uri, *_ = row.split()
    assert len(doc_id) == 32 and uri == url
