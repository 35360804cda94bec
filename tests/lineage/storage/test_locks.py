"""Locks have one holder at a time, and end with it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from lineage.storage import locks


def test_a_folder_has_one_holder_and_is_free_afterwards(tmp_path: Path) -> None:
    with locks.folder_lock(tmp_path / "new"), locks.try_folder_lock(tmp_path / "new") as second:
        assert not second
    with locks.try_folder_lock(tmp_path / "new") as second:
        assert second
    with locks.try_folder_lock(tmp_path / "gone") as none:
        assert not none


def test_a_lock_has_one_holder_and_ends_with_it(tmp_path: Path) -> None:
    path = tmp_path / "deep/.lock"
    for _ in range(2):
        with locks.exclusive_lock(path) as first, locks.exclusive_lock(path) as second:
            assert first and not second and path.exists()
        assert not path.exists()


def test_a_lock_released_during_another_attempt_still_has_one_holder(tmp_path: Path) -> None:
    inside, most = [0], [0]

    def work(_: int) -> None:
        for _ in range(200):
            with locks.exclusive_lock(tmp_path / ".lock") as alone:
                if alone:
                    inside[0] += 1
                    most[0] = max(most[0], inside[0])
                    inside[0] -= 1

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    assert most == [1] and not (tmp_path / ".lock").exists()
