from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from helpers.commands import tamga

from lineage.configuration import load_params
from lineage.storage import locks
from pipelines.release.parts import deal_parts
from pipelines.release.stage import check_target
from schemas.errors import Invalid


def test_parts_follow_the_order_of_shards_and_count_leaves() -> None:
    sizes = pl.DataFrame(
        {
            "shard": ["b", "a", "c", "a"],
            "lang": ["kk", "kk", "kk", "ru"],
            "group": [0, 1, 0, 0],
            "rows": [2, 3, 4, 5],
            "bytes": [60, 60, 60, 10],
        }
    )
    found = deal_parts(sizes, 100).to_dicts()
    assert [(p["lang"], p["part"], p["shards"], p["groups"], p["leaf"]) for p in found] == [
        ("kk", 0, ["a", "b"], [1, 0], 0),
        ("kk", 1, ["c"], [0], 5),
        ("ru", 0, ["a"], [0], 9),
    ]


def test_only_a_release_is_replaced(sample_home: Path, tmp_path: Path) -> None:
    params = replace(load_params(sample_home / "params.yaml"), path=sample_home / "params.yaml")
    check_target(params, tmp_path / "new")
    (tmp_path / "mine").mkdir()
    check_target(params, tmp_path / "mine")
    (tmp_path / "mine/thesis.txt").write_text("years of work")
    for target in (tmp_path / "mine", sample_home, params.register, sample_home / "params.yaml"):
        with pytest.raises(Invalid, match="would replace"):
            check_target(params, target)


def test_a_release_that_lost_a_file_is_restored(sample_run: Path, tmp_path: Path) -> None:
    home = Path(shutil.copytree(sample_run, tmp_path / "home"))
    release = home / "release/sample"
    complete = {p.relative_to(release) for p in release.rglob("*")}
    (release / "README.md").unlink()
    (release / "data/ru/part-99999.parquet").touch()
    assert tamga("run", "--params", home / "params.yaml").returncode == 0
    assert {p.relative_to(release) for p in release.rglob("*")} == complete


def test_a_release_that_another_run_writes_is_locked(sample_run: Path) -> None:
    params = sample_run / "params.yaml"
    with locks.exclusive_lock(sample_run / "release/.sample.lock"):
        done = tamga("release", "--params", params)
    assert done.returncode == 1 and "another process is at work" in done.stderr
    assert tamga("release", "--params", params).returncode == 0
    assert not list((sample_run / "release").glob(".*"))
