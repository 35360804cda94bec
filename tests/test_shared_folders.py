"""Folders that the workers of a test session share (`helpers/shared_folders.py`)."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from helpers.shared_folders import build_once, session_folder


def test_a_folder_is_built_once_and_others_wait(tmp_path: Path) -> None:
    builds: list[Path] = []

    def build(folder: Path) -> None:
        builds.append(folder)
        time.sleep(0.2)
        (folder / "content").write_text("finished")

    def read(_: int) -> str:
        return (build_once(tmp_path / "shared", build) / "content").read_text()

    with ThreadPoolExecutor(4) as workers:
        assert list(workers.map(read, range(4))) == ["finished"] * 4
    assert builds == [tmp_path / "shared"]


def test_an_unfinished_folder_is_built_again(tmp_path: Path) -> None:
    def fail(folder: Path) -> None:
        (folder / "torn").touch()
        raise RuntimeError("no space")

    with pytest.raises(RuntimeError, match="no space"):
        build_once(tmp_path / "shared", fail)
    folder = build_once(tmp_path / "shared", lambda folder: (folder / "content").touch())
    assert [path.name for path in folder.iterdir()] == ["content"]


def test_workers_share_the_folder_above_their_own(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path_factory.getbasetemp()
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    assert session_folder(tmp_path_factory) == own
    monkeypatch.setenv("PYTEST_XDIST_WORKER", "gw0")
    assert session_folder(tmp_path_factory) == own.parent
