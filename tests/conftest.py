"""What tests share: the shared data where it is there, and one finished run of the sample."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.commands import ROOT, SHARED, copied, tamga
from hypothesis import settings

# machines are loaded, and what is tested before a landing is the same each time
settings.register_profile("steady", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("steady")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of shared data; tests that need it are skipped where it is absent."""
    if not SHARED.is_dir():
        pytest.skip("the shared data are not here")
    return SHARED


@pytest.fixture(scope="session")
def sample_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sample's params.yaml, register and raw records, nothing run yet."""
    home = tmp_path_factory.mktemp("sample")
    shutil.copytree(ROOT / "register", home / "register")
    shutil.copy(ROOT / "params.yaml", home / "params.yaml")
    (home / "samples").mkdir()
    shutil.copy(ROOT / "samples/tokenizer.json", home / "samples")
    subprocess.run(
        [sys.executable, ROOT / "samples/build.py", "--out", home / "samples/raw"], check=True
    )
    return home


@pytest.fixture(scope="session")
def sample_run(sample_home: Path) -> Iterator[Path]:
    """The same folder with a finished run: its release is `release/sample`."""
    done = tamga("run", "--params", sample_home / "params.yaml", "--workers", "1")
    assert done.returncode == 0, done.stderr
    yield sample_home


@pytest.fixture
def sample_copy(sample_run: Path, tmp_path: Path) -> Path:
    """A copy of the sample's run."""
    return copied(sample_run, tmp_path)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write tests/golden anew")
