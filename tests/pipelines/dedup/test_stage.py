"""The command `tamga dedup` on the sample."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import polars as pl
import pytest
import yaml
from helpers.commands import tamga


@pytest.fixture
def home(sample_run: Path, tmp_path: Path) -> Path:
    """Return a copy of the finished sample run."""
    return Path(shutil.copytree(sample_run, tmp_path / "home"))


def change(home: Path, **sections: dict[str, object]) -> Path:
    path = home / "params.yaml"
    params = yaml.safe_load(path.read_text())
    for name, values in sections.items():
        params[name] |= values
    path.write_text(yaml.safe_dump(params, sort_keys=False))
    return path


def test_a_source_that_loses_too_much_stops_the_run_unless_it_is_accepted(home: Path) -> None:
    before = json.loads((home / "work/dedup/stage.json").read_text())
    lost = before["totals"]["source lost"]
    assert lost, "sources of the sample share texts"
    strict = {"max_source_loss": 0.001, "min_source_loss": 1}
    path = change(home, guard=strict)
    done = tamga("dedup", "--params", path, "--workers", "1")
    assert done.returncode == 1 and not done.stdout
    for pair, number in lost.items():
        loser, keeper = pair.split(" > ")
        (line,) = re.findall(rf"guard: source {loser}: .* source {keeper};.*", done.stderr)
        assert f": {number} of " in line and "guard.max_source_loss" in line
    assert done.stderr.count(" is like ") == sum(min(5, n) for n in lost.values())
    assert json.loads((home / "work/dedup/stage.json").read_text()) == before
    change(home, guard=strict | {"accept_source_loss": sorted(lost)})
    done = tamga("dedup", "--params", path, "--workers", "1")
    assert done.returncode == 0, done.stderr


def rows(home: Path, table: str, stage: str = "dedup") -> pl.DataFrame:
    return pl.read_parquet(home / f"work/{stage}/{table}/*.parquet")


def evidence(home: Path) -> list[dict[str, str]]:
    """Return the evidence of the stage's drops."""
    decided = rows(home, "decisions").filter(pl.col("outcome") == "drop")
    return [json.loads(e) for e in decided["evidence"]]


def test_the_next_lawful_copy_stays_when_the_kept_one_is_withdrawn(home: Path) -> None:
    found = rows(home, "duplicates")
    kept = found.filter(pl.col("doc_id") == pl.col("kept_doc_id"))
    gone = found.filter(pl.col("doc_id") != pl.col("kept_doc_id")).join(
        kept.select("kept_doc_id", keeper="source_id"), on="kept_doc_id"
    )
    next_one = (
        gone.filter(pl.col("source_id") != pl.col("keeper")).sort("doc_id").row(0, named=True)
    )
    entry = home / f"register/sources/{next_one['keeper']}.yaml"
    source = yaml.safe_load(entry.read_text())
    source["basis"]["withdrawn_on"] = "2026-01-01"
    entry.write_text(yaml.safe_dump(source, sort_keys=False))
    path = change(home, guard={"max_fall": 1.0})
    done = tamga("run", "--params", path, "--workers", "1")
    assert done.returncode == 0, done.stderr
    left = rows(home, "decisions").filter(pl.col("outcome") == "keep")["doc_id"]
    again = rows(home, "duplicates").filter(pl.col("cluster_id").is_in(left.implode()))
    members = set(found.filter(pl.col("cluster_id") == next_one["cluster_id"])["doc_id"])
    assert len(members & set(left)) == 1 and next_one["kept_doc_id"] not in set(left)
    assert set(again["source_id"]) & {next_one["keeper"]} == set()


def test_a_second_delivery_names_the_release_that_has_it(home: Path) -> None:
    path = change(home, dedup={"index": "index"}, guard={"min_keep_share": 0.0, "max_fall": 1.0})
    done = tamga("run", "--params", path, "--workers", "1")
    assert done.returncode == 0, done.stderr
    released = set(pl.read_parquet(home / "release/sample/data/**/*.parquet")["doc_id"])
    change(home, release={"name": "second"})
    done = tamga("dedup", "--params", path, "--workers", "1")
    assert done.returncode == 0, done.stderr
    decided = rows(home, "decisions").filter(pl.col("outcome") == "drop")
    assert released <= set(decided["doc_id"])
    assert {e["release"] for e in evidence(home)} == {"sample"}
    change(home, licences={"allow": ["CC-BY-4.0"]})  # documents with other licences no longer count
    done = tamga("dedup", "--params", path, "--workers", "1")
    assert done.returncode == 0, done.stderr
    counted = {e["kept_doc_id"] for e in evidence(home) if "release" in e}
    old = pl.read_parquet(home / "release/sample/data/**/*.parquet")
    kept = old.filter(pl.col("doc_id").is_in(counted))["licence"].unique()
    assert kept.to_list() == ["CC-BY-4.0"] and old["licence"].n_unique() > 1
    change(home, dedup={"rows": 6})
    done = tamga("dedup", "--params", path, "--workers", "1")
    assert done.returncode == 2 and "rows: 5 there, 6 here" in done.stderr
