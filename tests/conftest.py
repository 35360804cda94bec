"""What tests share: the shared data where it is there, and one finished run of the sample."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.commands import ROOT, SHARED, copy_run, tamga
from helpers.shared_folders import build_once, session_folder
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


def _build_sample(home: Path) -> None:
    shutil.copytree(ROOT / "register", home / "register")
    shutil.copy(ROOT / "params.yaml", home / "params.yaml")
    (home / "samples").mkdir()
    shutil.copy(ROOT / "samples/tokenizer.json", home / "samples")
    script = [sys.executable, ROOT / "samples/build.py", "--out", home / "samples/raw"]
    subprocess.run(script, check=True)


@pytest.fixture(scope="session")
def shared_sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample as all workers share it: read only, nothing run yet."""
    return build_once(session_folder(tmp_path_factory) / "shared-sample", _build_sample)


@pytest.fixture(scope="session")
def sample_home(shared_sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sample's params.yaml, register and raw records, nothing run yet."""
    return Path(shutil.copytree(shared_sample, tmp_path_factory.mktemp("sample") / "home"))


@pytest.fixture(scope="session")
def sample_run(shared_sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sample and a finished run: its release is `release/sample`."""

    def build(home: Path) -> None:
        shutil.copytree(shared_sample, home, dirs_exist_ok=True)
        done = tamga("run", "--params", home / "params.yaml", "--workers", "1")
        assert done.returncode == 0, done.stderr

    shared = build_once(session_folder(tmp_path_factory) / "shared-run", build)
    return Path(shutil.copytree(shared, tmp_path_factory.mktemp("run") / "home"))


@pytest.fixture
def sample_copy(sample_run: Path, tmp_path: Path) -> Path:
    """A copy of the sample's run without its raw records, for one test to change."""
    return copy_run(sample_run, tmp_path)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write tests/golden anew")
