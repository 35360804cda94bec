"""The command line in its own process, and copies of a finished run."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared"


def tamga(*args: str | Path, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run the command line in its own process."""
    return subprocess.run(
        [sys.executable, "-m", "pipelines.cli", *map(str, args)],
        cwd=ROOT,
        text=True,
        capture_output=True,
        timeout=600,
        env=os.environ | (env or {}),
    )


def copy_run(run: Path, home: Path) -> Path:
    """Copy a run: its params.yaml, register, work and release. A test may change the copy."""
    for name in ("register", "work", "release"):
        shutil.copytree(run / name, home / name)
    shutil.copy(run / "params.yaml", home)
    return home
