"""Files and folders on a local disk: written whole or not at all, replaced atomically, locked.

No other module of the project opens a file for writing.  A file is written under an unpredictable
temporary name, synced, and renamed or linked; then its folder is synced.

Folders are exchanged by renameat2(2) with RENAME_EXCHANGE on Linux.  Elsewhere, and on file systems
without it, two renames do it, between which a reader may find neither folder.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import hashlib
import json
import os
import re
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO

from lineage.storage import locks
from lineage.storage.object_store import Content, ObjectStore, is_key

_AT_FDCWD, _RENAME_NOREPLACE, _RENAME_EXCHANGE = -100, 1, 2


@contextmanager
def atomic_path(path: Path, mode: int | None = None) -> Iterator[Path]:
    """A temporary path for a library that writes files by name.

    The file becomes `path` when the block ends; if the block raises, nothing is left of it.

    Args:
      path: its folder is made if it is missing.
      mode: the permissions that the file gets.  None: those of the file that it replaces, else as
        it was made.
    """
    make_folder(path.parent)
    part = _temporary(path)
    try:
        yield part
        _sync_file(part, _mode_of(path) if mode is None else mode)
        os.replace(part, path)
        fsync_folder(path.parent)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def atomic_file(path: Path, mode: int | None = None) -> Iterator[BinaryIO]:
    """A file to write; it becomes `path` when the block ends, and is removed if the block raises.

    Args:
      path: its folder is made if it is missing.
      mode: the file's permissions from its first byte on, e.g. 0o600 for a secret.  None: those of
        the file that it replaces, else the process's default.
    """
    at_first = _mode_of(path) if mode is None else mode
    with atomic_path(path, mode) as part, _new_file(part, at_first) as file:
        yield file


def write_bytes(path: Path, content: bytes, mode: int | None = None) -> None:
    """Write a file as `atomic_file` does."""
    with atomic_file(path, mode) as file:
        file.write(content)


def create_file(path: Path, content: Content, mode: int | None = None) -> bool:
    """Write a file unless one exists.

    Returns:
      Whether this call wrote it.  If several processes try at once, exactly one succeeds, and the
      others see its whole file.

    Raises:
      OSError: also if the file system has neither hard links nor RENAME_NOREPLACE.
    """
    if os.path.lexists(path):
        return False
    make_folder(path.parent)
    part = _temporary(path)
    try:
        with _new_file(part, mode) as file:
            _copy(content, file)
        _sync_file(part, mode)
        _move_if_absent(part, path)
        fsync_folder(path.parent)
    except FileExistsError:
        return False
    finally:
        part.unlink(missing_ok=True)
    return True


def append_line(path: Path, line: bytes) -> None:
    """Add a line to a log that others follow while it is written.

    Lines of several processes do not mix.  A line is not synced, and a full disk may cut it short.
    Use `write_bytes` for files that must be complete.
    """
    make_folder(path.parent)
    with path.open("ab", buffering=0) as file:
        if file.write(line + b"\n") != len(line) + 1:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))


def write_output(path: Path, content: bytes) -> None:
    """Write output to a path that the user chose; its folder must exist.

    A regular file is replaced atomically.  A link, a pipe or a device (/dev/stdout) is written to.
    """
    if path.is_symlink() or (path.exists() and not path.is_file()):
        path.write_bytes(content)
    elif path.parent.is_dir():
        write_bytes(path, content)
    else:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))


def remove_file(path: Path) -> None:
    """Remove a file and sync its folder.  A missing file is ignored."""
    if path.parent.is_dir():
        path.unlink(missing_ok=True)
        fsync_folder(path.parent)


def hard_link_or_copy(source: Path, target: Path) -> None:
    """The same file under another name: a hard link, or a copy if none can be made.  The caller
    must sync the folder, once for all its links."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:  # another file system
        with source.open("rb") as content, atomic_file(target) as file:
            _copy(content, file)


def _temporary(path: Path, ending: str = "part") -> Path:
    return path.with_name(f".{path.name}.{secrets.token_hex(16)}.{ending}")


def _new_file(path: Path, mode: int | None) -> BinaryIO:
    at_first = 0o666 if mode is None else mode
    return open(path, "xb", opener=lambda name, flags: os.open(name, flags, at_first))


def _copy(content: Content, file: BinaryIO) -> None:
    if isinstance(content, bytes):
        file.write(content)
    else:
        shutil.copyfileobj(content, file, 1 << 20)


def _mode_of(path: Path) -> int | None:
    """A regular file's permissions; None if there is no such file."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return None
    return stat.S_IMODE(mode) if stat.S_ISREG(mode) else None


def _sync_file(path: Path, mode: int | None) -> None:
    opened = os.open(path, os.O_RDONLY)
    try:
        if mode is not None and stat.S_IMODE(os.fstat(opened).st_mode) != mode:
            os.fchmod(opened, mode)
        os.fsync(opened)
    finally:
        os.close(opened)


def _move_if_absent(part: Path, path: Path) -> None:
    try:
        os.link(part, path)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        _rename(part, path, _RENAME_NOREPLACE)


def json_bytes(value: Any) -> bytes:
    """Canonical, readable JSON."""
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, indent=1)
    return (text + "\n").encode()


def write_json(path: Path, value: Any) -> None:
    """Write canonical, readable JSON as `atomic_file` does."""
    write_bytes(path, json_bytes(value))


def read_json(path: Path) -> Any:
    """A JSON file's value."""
    return json.loads(path.read_bytes())


def sha256_file(path: Path) -> str:
    """SHA-256 of a file's bytes, hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def make_folder(folder: Path) -> None:
    """Make a folder and its parents; sync each folder that got a new entry."""
    missing, parent = [], folder
    while not parent.exists():
        missing.append(parent)
        parent = parent.parent
    folder.mkdir(parents=True, exist_ok=True)
    for created in missing:
        fsync_folder(created.parent)


def fsync_folder(folder: Path) -> None:
    """Sync a folder, so that its entries are on disk."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some network disks sync no folder
            raise
    finally:
        os.close(opened)


@contextmanager
def atomic_folder(folder: Path) -> Iterator[Path]:
    """An empty folder to fill; it takes the place of `folder` when the block ends.

    If the block raises, nothing is left of it, and `folder` stays as it was.  Temporary
    folders that killed processes left are removed.  The files in it are written by this module.
    """
    make_folder(folder.parent)
    _sweep(folder)
    fresh, held = _locked_folder(folder)
    try:
        yield fresh
        for inside, _, _ in os.walk(fresh):
            fsync_folder(Path(inside))
        replace_folder(fresh, folder)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
        os.close(held)


def _locked_folder(folder: Path) -> tuple[Path, int]:
    """A temporary folder, and the descriptor whose lock shows that its process is alive."""
    while True:
        fresh = _temporary(folder)
        fresh.mkdir()
        held = -1
        with suppress(OSError):  # another process swept it before it was locked
            held = os.open(fresh, os.O_RDONLY)
            fcntl.flock(held, fcntl.LOCK_EX)
        if held >= 0 and locks.is_at(held, fresh):
            return fresh, held
        if held >= 0:
            os.close(held)


def _sweep(folder: Path) -> None:
    temporary = re.compile(rf"\.{re.escape(folder.name)}\.[0-9a-f]{{32}}\.(part|old)")
    for left in folder.parent.glob(".*"):
        if temporary.fullmatch(left.name) and left.is_dir():
            with locks.try_folder_lock(left) as dead:
                if dead:
                    shutil.rmtree(left, ignore_errors=True)


def replace_folder(fresh: Path, folder: Path) -> None:
    """Put a finished folder in another's place; readers see the old one or the new one, whole."""
    swap_folder(fresh, folder)
    shutil.rmtree(fresh, ignore_errors=True)


def swap_folder(fresh: Path, folder: Path) -> None:
    """Swap a finished folder with another; the old one is then where the finished one was."""
    make_folder(folder.parent)
    if folder.exists():
        exchange(fresh, folder)
    else:
        fresh.rename(folder)
    for parent in {fresh.parent, folder.parent}:
        fsync_folder(parent)


def exchange(first: Path, second: Path) -> bool:
    """Exchange two folders of one file system; False if it took more than one step.

    Raises:
      OSError: if either is missing, or must not be moved.
    """
    with suppress(OSError):
        _rename(first, second, _RENAME_EXCHANGE)
        return True
    aside = _temporary(second, "old")
    second.rename(aside)
    first.rename(second)
    aside.rename(first)
    return False


def copy_folder(source: Path, target: Path) -> None:
    """Copy a folder of files that are never changed in place: hard links where they can be made."""
    for inside, _, names in os.walk(source):
        place = target / Path(inside).relative_to(source)
        make_folder(place)
        for name in names:
            hard_link_or_copy(Path(inside, name), place / name)
        fsync_folder(place)


def _rename(source: Path, target: Path, flags: int) -> None:
    """renameat2(2); OSError also if the system does not have it."""
    call, names = _renameat2(), (os.fsencode(source), os.fsencode(target))
    if call is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS), str(target))
    if call(_AT_FDCWD, names[0], _AT_FDCWD, names[1], flags) != 0:
        failed = ctypes.get_errno()
        raise OSError(failed, os.strerror(failed), str(target))


@cache
def _renameat2() -> Any:
    try:
        call = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):
        return None
    call.argtypes = [ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint]
    return call


@dataclass(frozen=True)
class LocalDisk(ObjectStore):
    """Objects as files below a folder."""

    root: Path

    def open(self, key: str) -> BinaryIO:
        try:
            return self.path(key).open("rb")
        except (IsADirectoryError, NotADirectoryError):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), key) from None

    def put(self, key: str, content: Content) -> None:
        with atomic_file(self.path(key)) as file:
            _copy(content, file)

    def create(self, key: str, content: Content) -> bool:
        path = self.path(key)
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), key)
        return create_file(path, content)

    def exists(self, key: str) -> bool:
        return self.path(key).is_file()

    def list_keys(self, prefix: str = "") -> list[str]:
        folder = prefix.rpartition("/")[0]
        keys = []
        for inside, _, names in os.walk(self.path(folder) if folder else self.root, onerror=_fail):
            above = Path(inside).relative_to(self.root).as_posix()
            keys += [name if above == "." else f"{above}/{name}" for name in names]
        return sorted(key for key in keys if key.startswith(prefix) and is_key(key))

    def delete(self, key: str) -> None:
        if (path := self.path(key)).is_file():
            remove_file(path)

    def path(self, key: str) -> Path:
        """Where an object lies; only for libraries that read files by name."""
        if not is_key(key):
            raise ValueError(
                f"{key!r} is not a key of an object: see lineage/storage/object_store.py"
            )
        return self.root / key


def _fail(error: OSError) -> None:
    """Raise an error of `os.walk`; a missing folder is ignored."""
    if not isinstance(error, (FileNotFoundError, NotADirectoryError)):
        raise error
