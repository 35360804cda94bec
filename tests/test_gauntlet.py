"""A governed crawl with known truth, judged from outside."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from conftest import tamga


def test_the_judge_finds_nothing_short(shared: Path, tmp_path: Path) -> None:
    made = subprocess.run(
        [
            sys.executable,
            shared / "tools/gauntlet.py",
            "--sentences",
            shared / "data/sentences",
            "--out",
            tmp_path / "G",
            "--docs",
            "300",
            "--seed",
            "23",
        ],
        capture_output=True,
        text=True,
    )
    assert made.returncode == 0, made.stderr
    done = tamga("run", "--params", tmp_path / "G/params.yaml")
    assert done.returncode == 0, done.stderr
    judged = subprocess.run(
        [sys.executable, shared / "tools/judge.py", tmp_path / "G"], capture_output=True, text=True
    )
    assert judged.returncode == 0, judged.stdout
