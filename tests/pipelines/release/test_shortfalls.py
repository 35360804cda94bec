from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from helpers import release_tables
from helpers.commands import tamga
from helpers.yield_counts import make_yields

from pipelines.corpus.yields import Yields
from pipelines.engine import guard
from pipelines.engine.guard import Count, Shortfall
from pipelines.release.shortfalls import yield_counts
from schemas.sections import GuardParams

SERVING = GuardParams()


def named(now: Yields, last: Yields | None, params: GuardParams) -> list[str]:
    found = guard.shortfalls(yield_counts(now, last), params)
    return [f"{one.count.kind}:{one.count.name}" for one in found]


def test_a_count_under_the_floor_falls_short() -> None:
    now = make_yields(
        ("a", "kk", 0, 900, 800),
        ("b", "ky", 0, 100, 1),
        ("c", None, 0, 99, 0),
        ingest=(1099, 1000),
        language=(1000, 19),
    )
    assert named(now, None, SERVING) == ["language:ky", "source:b", "stage:language"]
    assert named(now, None, GuardParams(min_keep_share=0.01)) == []
    assert named(now, None, GuardParams(allow=("ky", "source:b"))) == ["stage:language"]
    assert named(now, None, GuardParams(min_documents=2000)) == []


def test_a_language_that_the_last_release_had_falls_short() -> None:
    last = make_yields(
        ("a", "kk", 0, 1000, 600), ("a", "ru", 0, 1000, 900), ("b", "ky", 0, 500, 400), dedup=(9, 9)
    )
    relabelled = make_yields(
        ("a", "kk", 0, 0, 0), ("a", "ru", 0, 2000, 1500), ("b", "ky", 0, 500, 400), dedup=(9, 1)
    )
    assert guard.shortfalls(yield_counts(relabelled, last), SERVING) == [
        Shortfall(Count("language", "kk", 0, 0, 600.0), "max_fall")
    ]
    halved = make_yields(("a", "kk", 0, 500, 290), ("a", "ru", 0, 500, 460), ("b", "ky", 0, 50, 40))
    assert named(halved, last, SERVING) == []
    assert named(last, last, GuardParams(max_fall=0.0)) == []


def test_a_missing_source_falls_short_and_a_barred_one_does_not() -> None:
    last = make_yields(("a", "kk", 0, 1000, 600), ("b", "ky", 0, 500, 400))
    gone = make_yields(("a", "kk", 0, 1000, 600))
    assert named(gone, last, SERVING) == ["language:ky", "source:b"]
    withdrawn = make_yields(("a", "kk", 0, 1000, 600), ("b", None, 500, 0, 0))
    assert named(withdrawn, last, SERVING) == []
    assert named(gone, last.of_sources(["a"]), SERVING) == []  # taken out of the register


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


def test_a_run_stops_before_it_publishes_until_it_is_allowed(home: Path) -> None:
    before = release_tables.file_digests(home / "release/sample")
    rows = ["rule statistic bound value when language kind source"]
    rows += [f"too-short n_words min {n}  {lang} * own" for n, lang in ((1, "*"), (99999, "kk"))]
    (home / "strict.tsv").write_text("".join(row.replace(" ", "\t") + "\n" for row in rows))
    change(home, "quality: {mode: drop}", "quality: {mode: drop, thresholds: strict.tsv}")
    path = change(home, "min_documents: 100", "min_documents: 5")
    done = tamga("run", "--params", path)
    assert done.returncode == 1 and release_tables.file_digests(home / "release/sample") == before
    message = done.stderr[done.stderr.index("guard: language kk: 0 kept of 9") :]
    assert message.count("quality quality-too-short, by too-short: ") >= 5
    assert "source kz-bilik" in message and "are expected by the last release" in message
    (allow,) = re.findall(r"allow: (\[.*\])\}", message)
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
    assert "stage dedup: 79 kept of 90; at least 95% must be kept" in done.stderr
    (allow,) = re.findall(r"`(guard: \{allow: \[.*\]\})`", done.stderr)
    assert allow == 'guard: {allow: ["stage:dedup"]}'
    done = tamga("dedup", "--params", change(home, "allow: []", 'allow: ["stage:dedup"]'))
    assert done.returncode == 0, done.stderr


def test_guard_against_must_name_a_release(home: Path) -> None:
    path = change(home, "against: ,", "against: work,")
    done = tamga("release", "--params", path)
    assert (
        done.returncode == 2 and "guard.against: must name the folder of a release" in done.stderr
    )
