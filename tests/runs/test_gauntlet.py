"""A governed crawl with known truth, judged from outside."""

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


class Ran(NamedTuple):
    """A gauntlet that was run through, what the run said, and the files that it found there."""

    home: Path
    said: str
    given: frozenset[Path]


@pytest.fixture(scope="module")
def ran(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    home = tmp_path_factory.mktemp("gauntlet") / "G"
    tools = shared / "tools/gauntlet.py"
    size = ["--docs", "300", "--seed", "23", "--out", home]
    made = subprocess.run(
        [sys.executable, tools, "--sentences", shared / "data/sentences", *size],
        capture_output=True,
        text=True,
    )
    assert made.returncode == 0, made.stderr
    given = frozenset(home.rglob("*"))
    done = tamga("run", "--params", home / "params.yaml")
    assert done.returncode == 0, done.stderr
    return Ran(home, done.stdout + done.stderr, given)


def test_the_judge_finds_nothing_short(ran: Ran, shared: Path) -> None:
    judge = [sys.executable, shared / "tools/judge.py", ran.home]
    judged = subprocess.run(judge, capture_output=True, text=True)
    assert judged.returncode == 0, judged.stdout


#: Where texts between stages stand, as `tamga clean` tells.
HELD = ("work/ingest/documents", "work/.state")


def _left(ran: Ran) -> Iterator[tuple[str, str]]:
    """Each file that the run left but for the texts between stages, as text; Parquet by its cells."""
    yield "what the run said", ran.said
    for path in sorted(ran.home.rglob("*")):
        name = path.relative_to(ran.home).as_posix()
        if path in ran.given or not path.is_file() or name.startswith(HELD):
            continue
        if path.suffix == ".parquet":
            table = pq.read_table(path)
            yield name, json.dumps(table.to_pylist(), ensure_ascii=False, default=str)
        else:
            yield name, path.read_bytes().decode("utf-8", "replace")
        yield f"the name {name}", name


def test_no_planted_value_is_left_anywhere(ran: Ran) -> None:
    lines = (ran.home / "truth/personal_data.jsonl").read_text("utf-8").splitlines()
    values = {t["value"] for t in map(json.loads, lines) if not t["decoy"]}
    assert len(values) > 100
    written = values | {v.translate(str.maketrans("", "", " -().")) for v in values}
    left = dict(_left(ran))
    assert sum(name.endswith(".parquet") for name in left) > 20
    held = pq.read_table(ran.home / "work/ingest/documents")["text"].to_pylist()
    assert any(v in text for text in held for v in values)  # there they are found
    # only where, because what stands there must not be told here either
    assert not [name for name, text in left.items() if any(v in text for v in written)]
