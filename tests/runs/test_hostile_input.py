"""A whole run over hostile files: each record is in the ledger, memory is bounded, no file escapes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from helpers.commands import ROOT
from helpers.hostile_files import BURST, HOSTILE
from helpers.register_entries import make_entry

PARAMS = """as_of: "2026-11-22"
purpose: pretraining
storage_country: KZ
register: register
inputs: [{collection: hostile, format: auto, paths: [raw]}]
licences: {allow: [CC0-1.0]}
ingest: {max_record_bytes: 8388608}
guard: {min_keep_share: 0.0}
work: work
release: {name: r, path: release}
"""


@pytest.fixture(scope="module")
def hostile_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int, str]:
    """The folder of a finished run, its peak of resident bytes, and its output."""
    home = tmp_path_factory.mktemp("hostile") / "in"
    for name in ("raw", "register/sources", "register/evidence"):
        (home / name).mkdir(parents=True)
    (home / "register/sources/all.yaml").write_text(
        make_entry(match="collections: [hostile]", language="en")
    )
    (home / "register/evidence/all.txt").write_text("terms")
    (home / "params.yaml").write_text(PARAMS)
    for name, (build, _) in HOSTILE.items():
        (home / "raw" / name).write_bytes(build())
    # started by a small process: the peak of a child begins at that of its parent
    measured = (
        "import resource as r, subprocess as s, sys; done = s.call(sys.argv[2:]);"
        "open(sys.argv[1], 'w').write(str(r.getrusage(r.RUSAGE_CHILDREN).ru_maxrss));"
        "sys.exit(done)"
    )
    command = ["-m", "pipelines.cli", "run", "--params", str(home / "params.yaml"), "--json"]
    done = subprocess.run(
        [sys.executable, "-c", measured, str(home / "peak"), sys.executable, *command],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-3000:]
    unit = 1 if sys.platform == "darwin" else 1024
    return home, int((home / "peak").read_text()) * unit, done.stdout


def table(home: Path, name: str) -> pl.DataFrame:
    return pl.read_parquet(home / "work/ingest" / name / "*.parquet")


def test_every_record_is_accounted_for(hostile_run: tuple[Path, int, str]) -> None:
    home, _, _ = hostile_run
    rows = (
        table(home, "records")
        .join(table(home, "decisions"), on="doc_id", validate="1:1")
        .sort("container", "offset")
        .select(
            pl.col("container").str.replace("raw/", ""),
            pl.concat_str("outcome", "reason", separator=" ", ignore_nulls=True),
        )
    )
    outcomes: dict[str, list[str]] = {}
    for name, outcome in rows.iter_rows():
        outcomes.setdefault(name, []).append(outcome)
    assert outcomes == {name: list(expected) for name, (_, expected) in HOSTILE.items()}


def test_memory_is_bounded(hostile_run: tuple[Path, int, str]) -> None:
    _, peak, _ = hostile_run
    assert peak < 4.5 * BURST  # of which the libraries of a run without records take most


def test_no_file_escapes_and_no_text_is_printed(hostile_run: tuple[Path, int, str]) -> None:
    home, _, output = hostile_run
    assert not list(home.parent.rglob("*escaped*"))
    assert "Traceback" not in output and "library on the left bank" not in output


def test_later_stages_go_on(hostile_run: tuple[Path, int, str]) -> None:
    home, _, _ = hostile_run
    manifest = json.loads((home / "release/r/manifest.json").read_text())
    assert manifest["counts"]["records"] == sum(len(o) for _, o in HOSTILE.values())
    assert manifest["counts"]["documents"] > 0
