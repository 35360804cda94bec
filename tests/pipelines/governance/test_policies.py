"""`tamga policy` on the packs of the installation and on the sample's release."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import polars as pl
import pytest
from helpers import release_tables
from helpers.commands import ROOT

from pipelines.governance import policies, sources
from schemas import policy


@pytest.fixture
def release(sample_run: Path) -> Path:
    return sample_run / "release/sample"


def run_policy(capsys: pytest.CaptureFixture[str], *args: str | Path) -> tuple[int, str]:
    """Run `tamga policy`; return the exit code and standard output."""
    code = policies.main([str(a) for a in args])
    return code, capsys.readouterr().out


def test_list_and_show(capsys: pytest.CaptureFixture[str]) -> None:
    code, out = run_policy(capsys, "list", "--json", "--as-of", "2026-11-22")
    packs = {p["pack"]: p for p in json.loads(out)["packs"]}
    assert code == 0 and set(packs) == {p.name for p in policy.built_in().packs}
    code, out = run_policy(capsys, "show", "kz", "--as-of", "2026-01-17")
    assert code == 0 and "kz-residency (residency)" in out and "kz-training" not in out
    code, out = run_policy(capsys, "show", "EU", "--json")
    assert code == 0 and "PL" in str(json.loads(out)["of"])
    assert run_policy(capsys, "show", "ZZ")[0] == 1


def test_the_same_packs_change_no_outcome(
    release: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out = run_policy(capsys, "diff", "", "", "--release", release)
    assert code == 0 and out.startswith("0 released documents of 0 records")


def test_a_later_day_changes_the_outcomes_of_its_new_rule(
    release: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out = run_policy(
        capsys, "diff", "RU@2025-06-30", "RU@2025-07-01", "--release", release, "--json"
    )
    report = json.loads(out)
    ingest = release_tables.read_table(release, "decisions").filter(
        (pl.col("stage") == "ingest") & (pl.col("outcome") == "keep")
    )
    records = release_tables.read_table(release, "records").join(ingest, on="doc_id", how="semi")
    kept = set(records.filter(pl.col("source_id").str.starts_with("ru-"))["doc_id"])
    released = set(release_tables.read_table(release, "data")["doc_id"])
    assert code == 1
    assert {i for row in report["sources"] for i in row["doc_ids"]} == kept
    assert report["released"] == len(kept & released) > 0
    assert {row["flip"] for row in report["sources"]} == {"keep to refuse"}
    assert {row["rule"] for row in report["sources"]} == {"ru-residency"}


def test_changes_by_an_own_pack_are_printed_as_csv(
    release: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = tmp_path / "MD.yaml"
    text = (policy.BUILT_IN / "MD.yaml").read_text()
    own.write_text(text.replace("exception: any", "exception: none"))
    code, out = run_policy(capsys, "diff", "MD", own, "--release", release, "--csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert code == 1 and {row["source_id"] for row in rows} == {"md-judecata"}
    assert {row["rule"] for row in rows} == {"md-training"} and rows[0]["released"] == "true"
    code, out = run_policy(capsys, "diff", own, "MD", "--release", release)
    assert code == 1 and "refuse to keep" in out


def test_a_release_without_the_country_needs_the_option(
    release: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("records", "documents", "sources", "decisions"):
        table = release_tables.read_table(release, name)
        if name == "decisions":
            plain = pl.col("evidence").str.replace(r', "policy": \{[^}]*\}', "")
            table = table.with_columns(evidence=plain)
        (tmp_path / "lineage" / name).mkdir(parents=True)
        table.write_parquet(tmp_path / "lineage" / name / "part-0.parquet")
    days = ("RU@2025-06-30", "RU@2025-07-01", "--release", tmp_path)
    assert run_policy(capsys, "diff", *days)[0] == 0
    assert run_policy(capsys, "diff", *days, "--storage-country", "KZ")[0] == 1
    assert run_policy(capsys, "diff", *days, "--storage-country", "RU")[0] == 0
    table = pl.read_parquet(tmp_path / "lineage/decisions/part-0.parquet")
    broken = table.with_columns(evidence=pl.lit("{torn"))
    broken.write_parquet(tmp_path / "lineage/decisions/part-0.parquet")
    assert run_policy(capsys, "diff", *days)[0] == 1


@pytest.mark.parametrize("name", ["KZ@soon", "nothing.yaml", "QQ"])
def test_unknown_packs_days_and_releases(
    name: str, release: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_policy(capsys, "diff", name, "KZ", "--release", release)[0] in (1, 2)
    assert run_policy(capsys, "diff", "KZ", "KZ", "--release", release / "none")[0] == 2


def test_every_governed_decision_of_ingest_names_its_pack(release: Path) -> None:
    rows = release_tables.read_table(release, "decisions").filter(pl.col("stage") == "ingest")
    rows = rows.join(
        release_tables.read_table(release, "records").select("doc_id", "source_id"), on="doc_id"
    )
    versions = {p.name: p.version for p in policy.built_in().packs}
    for row in rows.iter_rows(named=True):
        pack = json.loads(row["evidence"]).get("policy")
        assert (pack is None) is (row["source_id"] is None)
        if pack:
            assert versions[pack["pack"]] == pack["version"]


def test_sources_check_prints_warnings_of_packs(capsys: pytest.CaptureFixture[str]) -> None:
    assert sources.main(["check", "--params", str(ROOT / "params.yaml"), "--json"]) == 0
    warnings = json.loads(capsys.readouterr().out)["warnings"]
    prefixes = {(w["source_id"], w["message"].partition(":")[0]) for w in warnings}
    assert ("ru-klinika", "policy RU 2026.11, ru-residency") in prefixes
    assert not any(id == "kz-gazette" for id, _ in prefixes)
