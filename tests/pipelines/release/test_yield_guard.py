from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import polars as pl
import pytest
from helpers import release_tables
from helpers.commands import tamga

from pipelines.corpus import yields
from pipelines.corpus.yields import Yields
from pipelines.engine import decisions
from pipelines.release.yield_guard import Shortfall, shortfalls
from schemas.sections import GuardParams

SERVING = GuardParams()


def counted(*cells: tuple[str, str | None, int, int, int], **stages: tuple[int, int]) -> Yields:
    """Cells (source, language, barred, seen, kept) and stages (seen, kept)."""
    names = ("source_id", "lang", *yields.COUNTS)
    schema = dict(zip(names, (pl.String, pl.String, *[pl.Int64] * 3), strict=True))
    return Yields(pl.DataFrame(list(cells), schema, orient="row"), stages)


def named(found: list[Shortfall]) -> list[str]:
    return [f"{s.kind}:{s.name}" for s in found]


def test_what_keeps_less_than_the_floor_falls_short() -> None:
    now = counted(
        ("a", "kk", 0, 900, 800),
        ("b", "ky", 0, 100, 1),
        ("c", None, 0, 99, 0),
        ingest=(1099, 1000),
        language=(1000, 19),
    )
    assert named(shortfalls(now, None, SERVING)) == ["language:ky", "source:b", "stage:language"]
    assert named(shortfalls(now, None, GuardParams(min_keep_share=0.01))) == []
    assert named(shortfalls(now, None, GuardParams(allow=("ky", "source:b")))) == ["stage:language"]
    assert named(shortfalls(now, None, GuardParams(min_documents=2000))) == []


def test_what_the_last_release_had_and_this_one_has_not() -> None:
    last = counted(
        ("a", "kk", 0, 1000, 600), ("a", "ru", 0, 1000, 900), ("b", "ky", 0, 500, 400), dedup=(9, 9)
    )
    relabelled = counted(
        ("a", "kk", 0, 0, 0), ("a", "ru", 0, 2000, 1500), ("b", "ky", 0, 500, 400), dedup=(9, 1)
    )
    (found,) = shortfalls(relabelled, last, SERVING)
    assert found == Shortfall("language", "kk", 0, 0, 600.0)
    assert "600 are to be expected" in found.told(SERVING)
    halved = counted(("a", "kk", 0, 500, 290), ("a", "ru", 0, 500, 460), ("b", "ky", 0, 50, 40))
    assert shortfalls(halved, last, SERVING) == []
    assert named(shortfalls(last, last, GuardParams(max_fall=0.0))) == []


def test_a_source_that_is_gone_falls_short_and_one_that_was_barred_does_not() -> None:
    last = counted(("a", "kk", 0, 1000, 600), ("b", "ky", 0, 500, 400))
    gone = counted(("a", "kk", 0, 1000, 600))
    assert named(shortfalls(gone, last, SERVING)) == ["language:ky", "source:b"]
    withdrawn = counted(("a", "kk", 0, 1000, 600), ("b", None, 500, 0, 0))
    assert shortfalls(withdrawn, last, SERVING) == []
    assert shortfalls(gone, last.of(["a"]), SERVING) == []  # taken out of the register


def test_yields_are_read_back() -> None:
    one = counted(("a", "kk", 1, 2, 3), ("a", None, 0, 1, 0), dedup=(4, 2))
    back = yields.from_json(json.loads(json.dumps(one.as_json())))
    assert back is not None and back.stages == one.stages
    assert back.cells.sort(pl.all()).equals(one.cells.sort(pl.all()))


@pytest.mark.parametrize("value", [None, {}, [], {"stages": 1, "sources": []}, {"sources": "x"}])
def test_what_is_no_yields_is_none(value: object) -> None:
    assert yields.from_json(value) is None


def test_reasons_are_shown_in_proportion() -> None:
    ended = pl.DataFrame(
        {
            "doc_id": [f"{i:032x}" for i in range(20)],
            "stage": ["dedup"] * 16 + ["privacy"] * 4,
            "reason": ["near-duplicate"] * 16 + ["personal-data"] * 4,
            "rule": ["r"] * 20,
            "evidence": ["{}"] * 19 + ["x" * 999],
        }
    )
    counts, *lines = decisions.told(ended)
    assert counts == "16 dedup near-duplicate, 4 privacy personal-data"
    assert len(lines) == 5 and sum("near-duplicate" in line for line in lines) == 4
    assert all(len(line) < 300 for line in decisions.told(ended, 20)[1:])
    assert decisions.told(ended.clear()) == []


@pytest.fixture
def home(sample_run: Path, tmp_path: Path) -> Path:
    for name in ("register", "samples", "work", "release"):
        shutil.copytree(sample_run / name, tmp_path / name)
    shutil.copy(sample_run / "params.yaml", tmp_path)
    return tmp_path


def change(home: Path, old: str, new: str) -> Path:
    text = (home / "params.yaml").read_text()
    assert old in text
    (home / "params.yaml").write_text(text.replace(old, new))
    return home / "params.yaml"


def test_a_run_is_stopped_before_it_publishes_and_let_through(home: Path) -> None:
    before = release_tables.digests(home / "release/sample")
    rows = ["rule statistic bound value when language kind source"]
    rows += [f"too-short n_words min {n}  {lang} * own" for n, lang in ((1, "*"), (99999, "kk"))]
    (home / "strict.tsv").write_text("".join(row.replace(" ", "\t") + "\n" for row in rows))
    change(home, "quality: {mode: drop}", "quality: {mode: drop, thresholds: strict.tsv}")
    path = change(home, "min_documents: 100", "min_documents: 5")
    done = tamga("run", "--params", path)
    assert done.returncode == 1 and release_tables.digests(home / "release/sample") == before
    told = done.stderr[done.stderr.index("guard: language kk: 0 kept of 9") :]
    assert told.count("quality quality-too-short, by too-short: ") >= 5
    assert "source kz-bilik" in told and "are to be expected" in told
    (allow,) = re.findall(r"allow: (\[.*\])\}", told)
    path = change(home, "allow: []", f"allow: {allow}")
    done = tamga("run", "--params", path, "--json")
    assert done.returncode == 0, done.stderr
    stages = json.loads(done.stdout)["stages"]
    assert [name for name, one in stages.items() if one["fresh"]] == ["release"]


def test_a_stage_under_its_floor_names_five_documents(home: Path) -> None:
    path = change(home, "min_keep_share: 0.02", "min_keep_share: 0.95")
    shutil.rmtree(home / "work/dedup")
    done = tamga("dedup", "--params", path)
    assert done.returncode == 1 and done.stderr.count("by dedup: {") == 5
    assert GuardParams(allow=("dedup",)).allows("stage", "dedup")


def test_against_what_is_no_release(home: Path) -> None:
    path = change(home, "against: ,", "against: work,")
    done = tamga("release", "--params", path)
    assert done.returncode == 2 and "guard.against: no release is there" in done.stderr
