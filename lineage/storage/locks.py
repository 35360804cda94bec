"""Locks on a local disk, by flock(2): they end with the process that holds them."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def folder_lock(folder: Path) -> Iterator[None]:
    """Hold the lock on a folder; wait while another process holds it."""
    folder.mkdir(parents=True, exist_ok=True)
    opened = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(opened, fcntl.LOCK_EX)
        yield
    finally:
        os.close(opened)


@contextmanager
def try_folder_lock(folder: Path) -> Iterator[bool]:
    """Hold the lock on a folder; False if another process holds it, or the folder is gone."""
    try:
        opened = os.open(folder, os.O_RDONLY)
    except FileNotFoundError:
        yield False
        return
    try:
        yield _locked(opened)
    finally:
        os.close(opened)


@contextmanager
def exclusive_lock(path: Path) -> Iterator[bool]:
    """Hold a lock on a file; False if another process holds it.

    The lock ends with this process at the latest.  The file is removed with the lock.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        with path.open("a") as file:
            if not _locked(file.fileno()):
                yield False
                return
            if not is_at(file.fileno(), path):
                continue  # its last holder removed the file before this lock
            try:
                yield True
            finally:
                path.unlink(missing_ok=True)
            return


def _locked(file: int) -> bool:
    """Take the lock on an open file; False if another process holds it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def is_at(file: int, path: Path) -> bool:
    """Whether a path names this open file."""
    try:
        return os.path.samestat(os.fstat(file), path.stat())
    except FileNotFoundError:
        return False
