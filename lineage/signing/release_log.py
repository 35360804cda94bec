"""The log of releases: one line per release, in order of publication, never changed.

`releases.jsonl` lies beside the releases.  Its lines are the leaves of a Merkle tree (RFC 6962).
The signed statement of each release holds the head of this tree before the release.  So releases
are chained, and a proof can show that any two heads are consistent.
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
    """A log is damaged or was changed; the message names the line."""

    exit_code = NO


def read(path: Path) -> list[dict[str, Any]]:
    """Read the entries of a log: seq, name, root, size, statement_sha256.

    A missing log has no entries.

    Raises:
      BadLog: if a line is not in its canonical form, or not at its place.
    """
    try:
        lines = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return []
    if lines.pop():
        raise BadLog(f"{path}:{len(lines) + 1}: the line is cut off: it has no newline")
    entries = []
    for seq, line in enumerate(lines):
        try:
            entry = json.loads(line)
            sound = canonical_json(entry).encode() == line and entry["seq"] == seq
        except (ValueError, LookupError, TypeError, RecursionError):
            sound = False
        if not sound:
            raise BadLog(f"{path}:{seq + 1}: the line is not entry {seq} of a log of releases")
        entries.append(entry)
    return entries


def tree_head(entries: Sequence[dict[str, Any]], size: int | None = None) -> tuple[int, str]:
    """Size and root (hex) of the tree over the first `size` entries; None: over all entries."""
    first = entries[:size]
    return len(first), merkle.root(leaves(first)).hex()


def leaves(entries: Sequence[dict[str, Any]]) -> list[bytes]:
    """The hashes of the leaves, one per entry."""
    return [merkle.leaf_hash(canonical_json(entry).encode()) for entry in entries]


def entry(seq: int, envelope: bytes, signed: Mapping[str, Any]) -> dict[str, Any]:
    """Build the entry of a release from its envelope and the statement in the envelope."""
    predicate = signed["predicate"]
    return {
        "seq": seq,
        "name": predicate["name"],
        "root": predicate["merkle"]["root"],
        "size": predicate["merkle"]["size"],
        "statement_sha256": sha256(envelope).hexdigest(),
    }


def to_jsonl(entries: Sequence[dict[str, Any]]) -> bytes:
    """The bytes of a log file."""
    return b"".join(canonical_json(entry).encode() + b"\n" for entry in entries)


def enter(path: Path, envelope: bytes, signed: Mapping[str, Any]) -> None:
    """Append a release to a log, unless it has an entry.

    Args:
      path: the log.
      envelope: the signed statement of the release, as the bytes of its file.
      signed: the statement in the envelope.

    Raises:
      BadLog: if the log is damaged.
    """
    with locks.folder_lock(path.parent):
        entries = read(path)
        fresh = entry(len(entries), envelope, signed)
        if all(known["statement_sha256"] != fresh["statement_sha256"] for known in entries):
            disk.write_bytes(path, to_jsonl([*entries, fresh]))
