"""Files and folders on a local disk: written whole or not at all, replaced atomically, locked.

Folders are exchanged by renameat2(2) with RENAME_EXCHANGE on Linux.  Elsewhere, and on file systems
without it, two renames do it, between which a reader may find neither folder.
"""

from __future__ import annotations

import ctypes
import fcntl
import hashlib
import json
import os
import secrets
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO

_AT_FDCWD, _RENAME_EXCHANGE = -100, 2


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """A file to write, which is there whole when this ends, or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
    try:
        with part.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file so that it is there whole or not at all."""
    with whole_file(path) as file:
        file.write(content)


def json_bytes(value: Any) -> bytes:
    """Canonical, readable JSON."""
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, indent=1)
    return (text + "\n").encode()


def write_json(path: Path, value: Any) -> None:
    """Write canonical, readable JSON atomically."""
    write_bytes(path, json_bytes(value))


def read_json(path: Path) -> Any:
    """A JSON file's value."""
    return json.loads(path.read_bytes())


def sha256_file(path: Path) -> str:
    """SHA-256 of a file's bytes, hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def in_turn(folder: Path) -> Iterator[None]:
    """Hold the lock on a folder, once no other process does."""
    folder.mkdir(parents=True, exist_ok=True)
    file = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
    finally:
        os.close(file)


@contextmanager
def only_one(path: Path) -> Iterator[bool]:
    """Hold a lock, for as long as this process lives at the most; False where another process
    holds it.  The file goes with the lock."""
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        with path.open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                yield False
                return
            if not _is_at(file.fileno(), path):
                continue  # its last holder removed it before it was locked here
            try:
                yield True
            finally:
                path.unlink(missing_ok=True)
            return


def _is_at(file: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file), path.stat())
    except FileNotFoundError:
        return False


def replace_folder(fresh: Path, folder: Path) -> None:
    """Put a finished folder in another's place; no moment shows a half-written one, nor none."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    if not folder.exists():
        fresh.rename(folder)
        return
    exchange(fresh, folder)
    shutil.rmtree(fresh, ignore_errors=True)


@cache
def _renameat2() -> Any:
    try:
        call = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):
        return None
    call.argtypes = [ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint]
    return call


def exchange(one: Path, other: Path) -> bool:
    """Let two folders of one file system change places; False where it took more than one step.

    Raises:
      OSError: where either is not there, or may not be moved.
    """
    call = _renameat2()
    if call:
        names = (os.fsencode(one), os.fsencode(other))
        if call(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE) == 0:
            return True
    aside = one.with_name(f".{other.name}.{secrets.token_hex(16)}.old")
    other.rename(aside)
    one.rename(other)
    aside.rename(one)
    return False


def link(source: Path, target: Path) -> None:
    """The same file under another name: a hard link, or a copy where none can be made."""
    try:
        os.link(source, target)
    except OSError:  # another file system
        shutil.copyfile(source, target)


def sync(folder: Path) -> None:
    """Have a folder's entries on disk before what comes next."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
