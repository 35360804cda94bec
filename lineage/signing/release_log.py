"""The log of releases: a line for each, in the order in which they were made, never changed.

`releases.jsonl` lies beside the releases.  Its lines are the leaves of a Merkle tree (RFC 6962);
each release's signed statement holds the tree's head before it, so that releases are chained and
any two heads can be shown to be consistent.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from lineage.signing import merkle
from lineage.storage import disk, locks
from schemas.canonical import canonical_json
from schemas.errors import NO, TamgaError


class BadLog(TamgaError):
    """A log that is torn or was changed; the message names the line."""

    exit_code = NO


def read(path: Path) -> list[dict[str, Any]]:
    """The entries: seq, name, root, size, statement_sha256; none where there is no log.

    Raises:
      BadLog: where a line is not in its one form, or out of its place.
    """
    try:
        lines = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return []
    if lines.pop():
        raise BadLog(f"{path}:{len(lines) + 1}: the line has no end")
    entries = []
    for seq, line in enumerate(lines):
        try:
            entry = json.loads(line)
            sound = canonical_json(entry).encode() == line and entry["seq"] == seq
        except (ValueError, LookupError, TypeError, RecursionError):
            sound = False
        if not sound:
            raise BadLog(f"{path}:{seq + 1}: this is no entry number {seq} of a log of releases")
        entries.append(entry)
    return entries


def tree_head(entries: Sequence[dict[str, Any]], size: int | None = None) -> tuple[int, str]:
    """Size and root (hex) of the tree over the first `size` entries; None: over all."""
    some = entries[:size]
    return len(some), merkle.root(leaves(some)).hex()


def leaves(entries: Sequence[dict[str, Any]]) -> list[bytes]:
    """The leaves' hashes."""
    return [merkle.leaf_hash(canonical_json(entry).encode()) for entry in entries]


def entry(seq: int, envelope: bytes, signed: Mapping[str, Any]) -> dict[str, Any]:
    """The entry of a release: by the bytes of its signed envelope, and the statement in it."""
    told = signed["predicate"]
    return {
        "seq": seq,
        "name": told["name"],
        "root": told["merkle"]["root"],
        "size": told["merkle"]["size"],
        "statement_sha256": sha256(envelope).hexdigest(),
    }


def to_jsonl(entries: Sequence[dict[str, Any]]) -> bytes:
    """The bytes of a log."""
    return b"".join(canonical_json(one).encode() + b"\n" for one in entries)


def enter(path: Path, envelope: bytes, signed: Mapping[str, Any]) -> None:
    """Enter a release into a log, where it has no entry yet.

    Args:
      path: the log.
      envelope: the release's signed statement.
      signed: what it says.

    Raises:
      BadLog: where the log is torn.
    """
    with locks.folder_lock(path.parent):
        entries = read(path)
        fresh = entry(len(entries), envelope, signed)
        if all(one["statement_sha256"] != fresh["statement_sha256"] for one in entries):
            disk.write_bytes(path, to_jsonl([*entries, fresh]))
