"""Read and write the files of a register: entries, evidence, licences, withdrawals, policy packs.

`schemas` parses their bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from lineage.storage import disk, locks
from schemas import policy, register_parsing, withdrawals
from schemas.errors import Invalid, Problem
from schemas.policy import Pack, Packs
from schemas.register import Register
from schemas.withdrawals import Entry
from schemas.yaml_source import MAX_BYTES, ParsedFile, parse_bytes


def read_yaml(path: Path) -> ParsedFile:
    """Read a YAML file; return it with its lines (None: it cannot be used), and its problems."""
    try:
        data = _content(path)
    except OSError as error:
        return None, [_unreadable(path, error)]
    return parse_bytes(data, str(path))


def _content(path: Path) -> bytes:
    """Read a file up to one byte more than allowed, so that a parser sees that it is too large."""
    with path.open("rb") as file:
        return file.read(MAX_BYTES + 1)


def _unreadable(path: Path, error: OSError) -> Problem:
    return Problem(str(path), None, "", f"cannot be read: {error.strerror}")


def load_register(directory: Path) -> Register:
    """Load the register from a folder.

    Reads `sources/*.yaml`, `evidence/`, `licences.yaml` and `withdrawals.yaml`.  The last two may be
    missing.  An evidence file may be missing too: its source's records are then refused.

    Raises:
      Invalid: with all problems of all files.
    """
    folder = directory / "sources"
    if not folder.is_dir():
        raise Invalid([Problem(str(folder), None, "", "no such folder: one YAML file per source")])
    problems = _misplaced(folder)
    paths = [p for p in sorted(folder.glob("*.yaml")) if not p.name.startswith(".")]
    files = register_parsing.RegisterFiles(
        folder=str(folder),
        entries={path.stem: read_yaml(path) for path in paths},
        licences=_if_there(directory / "licences.yaml"),
        withdrawals=_if_there(directory / withdrawals.NAME),
    )
    return register_parsing.parse_register(
        files, lambda name: _file_digest(directory / "evidence" / name), problems
    )


def _misplaced(folder: Path) -> list[Problem]:
    """Files that would be ignored."""
    message = "not read: an entry is sources/<id>.yaml"
    return [
        Problem(str(p), None, "", message)
        for p in sorted(folder.rglob("*.y*ml"))
        if not p.name.startswith(".") and (p.parent != folder or p.suffix != ".yaml")
    ]


def _if_there(path: Path) -> ParsedFile | None:
    return read_yaml(path) if path.exists() else None


def _file_digest(path: Path) -> str | None:
    """SHA-256 of a file; None if it is missing, empty or cannot be read.  Links are followed: DVC
    may link evidence from its cache.  The schema refuses a path that leaves the folder."""
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            return digest if file.tell() else None
    except OSError:
        return None


@lru_cache(8)
def load_policies(folder: Path | None = None) -> Packs:
    """Load the policy packs: the built-in ones, replaced by a folder's packs of the same
    jurisdiction.

    Raises:
      Invalid: with all problems of all files.
    """
    if folder is None:
        return policy.built_in()
    read = {str(path): _read_pack(path) for path in sorted(folder.glob("*.yaml"))}
    return policy.built_in().with_packs(policy.by_jurisdiction(str(folder), read))


def load_policy(path: Path) -> Pack:
    """Load a policy pack; raises `Invalid`."""
    pack, problems = _read_pack(path)
    if pack is None:
        raise Invalid(problems)
    return pack


def _read_pack(path: Path) -> tuple[Pack | None, list[Problem]]:
    return policy.parse_pack(read_yaml(path), path.stem)


def recorded_withdrawals(register: Path) -> list[dict[str, Any]]:
    """The entries of a register's withdrawals, including lifted ones.

    Raises:
      Invalid: if the file cannot be used.
    """
    return _withdrawals(register / withdrawals.NAME)[1]


def add_withdrawal(register: Path, entry: Entry) -> None:
    """Add an entry to a register's withdrawals; the file is written atomically.

    Raises:
      Invalid: if the entry, or the file as it is, cannot be used.
    """
    path = register / withdrawals.NAME
    with _locked(register):
        text, before = _withdrawals(path)
        _write(path, withdrawals.with_entry(text, before, entry))


def lift_withdrawals(register: Path, scope: str, value: str, lifted: Mapping[str, str]) -> bool:
    """Mark the current entries of a scope and value as lifted.

    Args:
      register: the register's folder.
      scope: the scope of the entries.
      value: their value; compared in the form of `withdrawals.key_of`.
      lifted: `lifted_on` and the other fields to add.

    Returns:
      Whether there was such an entry.
    """
    path = register / withdrawals.NAME
    with _locked(register):
        text, before = _withdrawals(path)
        edited = withdrawals.with_lifted(text, before, scope, value, lifted)
        if edited is not None:
            _write(path, edited)
        return edited is not None


@contextmanager
def _locked(register: Path) -> Iterator[None]:
    """Hold the lock on a register."""
    if not register.is_dir():
        message = "cannot be written: no such folder"
        raise Invalid([Problem(str(register), None, "", message)])
    with locks.folder_lock(register):
        yield


def _withdrawals(path: Path) -> tuple[str, list[dict[str, Any]]]:
    """The file's text, and its entries."""
    if not path.exists():
        return withdrawals.HEADER, []
    try:
        return withdrawals.parse_withdrawals(_content(path), str(path))
    except OSError as error:
        raise Invalid([_unreadable(path, error)]) from None


def _write(path: Path, text: str) -> None:
    try:
        disk.write_bytes(path, text.encode())
    except OSError as error:
        problem = f"cannot be written: {error.strerror}"
        raise Invalid([Problem(str(path), None, "", problem)]) from None
