"""Warnings about valid register entries that may be a mistake."""

from __future__ import annotations

import json
import shutil
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from helpers.register_entries import make_entry

from lineage.register_files import load_register
from pipelines.governance import register_warnings
from pipelines.governance.coverage import Coverage
from pipelines.governance.sources import main


def entry_yaml(id: str, granted: str = "") -> str:
    match = f"domains: [{id}.example.kz]"
    return make_entry(id, match=match, licence="CC-BY-4.0", basis="consent", granted=granted)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (", expires_on: 2026-06-30", "expires on 2026-06-30, in 90 days: renew the consent"),
        (", expires_on: 2026-04-01", "expires on 2026-04-01, in 0 days"),
        (", expires_on: 2026-07-01", None),
        (", withdrawn_on: 2026-04-02", "withdrawn from 2026-04-02, in 1 days"),
        (", expires_on: 2026-05-01, withdrawn_on: 2026-04-03", "withdrawn from 2026-04-03"),
        (", withdrawn_on: 2026-04-01", "withdrawn on 2026-04-01: its records are refused"),
        ("", None),
    ],
)
def test_a_basis_that_ends_soon(tmp_path: Path, more: str, message: str | None) -> None:
    (tmp_path / "sources").mkdir()
    (tmp_path / "evidence").mkdir()
    (tmp_path / "evidence/aa.txt").write_text("signed")
    (tmp_path / "sources/aa.yaml").write_text(entry_yaml("aa", more))
    warnings = dict(register_warnings.entry_warnings(load_register(tmp_path), date(2026, 4, 1)))
    assert warnings.get("aa", "").startswith(message or "") and bool(warnings) is bool(message)


@pytest.fixture
def changed_register(sample_run: Path, tmp_path: Path) -> Path:
    """Return the sample's register with changed evidence and a source that is newer than the run."""
    folder = tmp_path / "register"
    shutil.copytree(sample_run / "register", folder)
    letter = folder / "evidence/kz-bilik.txt"
    letter.write_text(letter.read_text() + "and nothing else\n")
    (folder / "sources/kz-new.yaml").write_text(entry_yaml("kz-new"))
    (folder / "evidence/kz-new.txt").write_text("signed")
    return folder


def test_warnings_from_the_run_of_a_release(
    changed_register: Path, sample_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    release = sample_run / "release/sample"
    place = ["--register", str(changed_register), "--release", str(release)]
    assert main(["check", *place, "--as-of", "2026-11-22"]) == 0
    out, err = capsys.readouterr()
    [warning] = [line for line in err.splitlines() if "changed since" in line]
    assert warning.startswith("warning: kz-bilik: evidence/kz-bilik.txt changed since the last run")
    assert "kz-new: " not in err and "matched no record" not in err
    table = out.partition("what to license next")[2].splitlines()[1:]
    assert table[0].split() == ["host", "records", "bytes"]
    assert all(row.split()[0].count(".example.") == 1 for row in table[1:]) and len(table) == 4
    assert main(["check", *place, "--as-of", "2026-11-22", "--json", "--top", "1"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["last_run"].endswith("lineage") and len(report["ungoverned"]) == 1
    assert report["ungoverned"][0]["records"] == 1


def test_the_work_folder_names_the_last_run(
    sample_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", "--params", str(sample_run / "params.yaml"), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert Path(report["last_run"]) == sample_run / "work/ingest"
    assert not any("last run" in w["message"] for w in report["warnings"])


def test_a_source_that_matched_no_record(changed_register: Path, tmp_path: Path) -> None:
    for table, rows in (
        ("records", [{"source_id": "kz-bilik"}, {"source_id": None}]),
        ("sources", [{"source_id": i, "evidence_sha256": None} for i in ("kz-new", "kz-bilik")]),
    ):
        (tmp_path / table).mkdir()
        pl.DataFrame(rows).write_parquet(tmp_path / table / "part-00000.parquet")
    warnings = list(
        register_warnings.last_run_warnings(load_register(changed_register), Coverage(tmp_path))
    )
    assert warnings == [("kz-new", "matched no record in the last run: check `match`")]


def test_a_missing_release_is_bad_usage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--release", str(tmp_path)]) == 2
    assert "holds no release" in capsys.readouterr().err
