"""A governed crawl with known truth, held against it by the shared judge."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pyarrow.parquet as pq
import pytest
from helpers.commands import tamga


class GauntletRun(NamedTuple):
    """A finished run on a gauntlet, its output, and the files that stood there before it."""

    home: Path
    output: str
    inputs: frozenset[Path]


@pytest.fixture(scope="module")
def gauntlet_run(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> GauntletRun:
    home = tmp_path_factory.mktemp("gauntlet") / "G"
    tools = shared / "tools/gauntlet.py"
    size = ["--docs", "300", "--seed", "23", "--out", home]
    generated = subprocess.run(
        [sys.executable, tools, "--sentences", shared / "data/sentences", *size],
        capture_output=True,
        text=True,
    )
    assert generated.returncode == 0, generated.stderr
    inputs = frozenset(home.rglob("*"))
    done = tamga("run", "--params", home / "params.yaml")
    assert done.returncode == 0, done.stderr
    return GauntletRun(home, done.stdout + done.stderr, inputs)


def test_the_judge_finds_nothing_short(gauntlet_run: GauntletRun, shared: Path) -> None:
    judge = [sys.executable, shared / "tools/judge.py", gauntlet_run.home]
    judged = subprocess.run(judge, capture_output=True, text=True)
    assert judged.returncode == 0, judged.stdout


#: Where texts between stages are stored; `tamga clean` lists and removes them.
HELD = ("work/ingest/documents", "work/.state")


def _left(gauntlet_run: GauntletRun) -> Iterator[tuple[str, str]]:
    """Each file that the run wrote, as text; Parquet files by their cells. Skips texts between stages."""
    yield "the output of the run", gauntlet_run.output
    for path in sorted(gauntlet_run.home.rglob("*")):
        name = path.relative_to(gauntlet_run.home).as_posix()
        if path in gauntlet_run.inputs or not path.is_file() or name.startswith(HELD):
            continue
        if path.suffix == ".parquet":
            table = pq.read_table(path)
            yield name, json.dumps(table.to_pylist(), ensure_ascii=False, default=str)
        else:
            yield name, path.read_bytes().decode("utf-8", "replace")
        yield f"the name {name}", name


def test_no_planted_value_is_left_anywhere(gauntlet_run: GauntletRun) -> None:
    lines = (gauntlet_run.home / "truth/personal_data.jsonl").read_text("utf-8").splitlines()
    values = {t["value"] for t in map(json.loads, lines) if not t["decoy"]}
    assert len(values) > 100
    written = values | {v.translate(str.maketrans("", "", " -().")) for v in values}
    left = dict(_left(gauntlet_run))
    assert sum(name.endswith(".parquet") for name in left) > 20
    held = pq.read_table(gauntlet_run.home / "work/ingest/documents")["text"].to_pylist()
    assert any(v in text for text in held for v in values)  # the check can see them
    # report the place only: an assertion must not print personal data
    assert not [name for name, text in left.items() if any(v in text for v in written)]
