"""The same inputs give the same bytes: in another order, with more workers, after interruptions."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from helpers import release_tables
from helpers.commands import ROOT, tamga


@pytest.fixture
def home(sample_run: Path, tmp_path: Path) -> Path:
    """The sample, not run yet."""
    for name in ("register", "samples"):
        shutil.copytree(sample_run / name, tmp_path / name)
    shutil.copy(sample_run / "params.yaml", tmp_path)
    return tmp_path


def test_order_of_inputs_and_number_of_workers(sample_run: Path, home: Path) -> None:
    params = yaml.safe_load((home / "params.yaml").read_text())
    params["inputs"].reverse()
    for entry in params["inputs"]:
        entry["paths"] = sorted(
            (str(p.relative_to(home)) for pattern in entry["paths"] for p in home.glob(pattern)),
            reverse=True,
        )
    (home / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    done = tamga("run", "--params", home / "params.yaml", "--workers", "2")
    assert done.returncode == 0, done.stderr
    assert release_tables.file_digests(home / "release/sample") == release_tables.file_digests(
        sample_run / "release/sample"
    )


def test_a_killed_run_continues_with_the_same_bytes(sample_run: Path, home: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "pipelines.cli",
        "run",
        "--params",
        str(home / "params.yaml"),
        "--workers",
        "1",
    ]
    for appears in (
        "work/.state/ingest/*/done/*.json",
        "work/ingest/stage.json",
        "work/.state/dedup/*/signatures/*",
    ):
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        until = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < until and not any(home.glob(appears)):
            time.sleep(0.002)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        assert not (home / "release/sample").exists()
    done = tamga("run", "--params", home / "params.yaml", "--workers", "1")
    assert done.returncode == 0, done.stderr
    assert release_tables.file_digests(home / "release/sample") == release_tables.file_digests(
        sample_run / "release/sample"
    )
    assert not list(home.glob("release/.*")) and not list(home.glob("work/.*.part"))
