"""A withdrawal's receipt: a signed statement of what went, when, and what stands in its place.

<releases>/receipts/<id>.dsse.json          the receipt
<releases>/receipts/<id>.tombstones.jsonl   what was purged: a line per object and record
<releases>/exclusions/<id>.jsonl            for trainers: the documents, by their earlier places
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import polars as pl
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from lineage.release_folder import ReleaseFolder
from lineage.signing import dsse, release_log
from lineage.storage import release_files
from lineage.storage.release_tables import NoRelease
from lineage.verify import Defect

PREDICATE_TYPE = "urn:tamga:withdrawal:v1"
_REQUIRED_KEYS = {"id", "scope", "recorded_on", "executed_at", "erased", "counts", "releases"}


def receipt_path(id: str) -> str:
    """Where a receipt lies, below the folder of releases."""
    return f"{release_files.RECEIPTS}/{id}.dsse.json"


def tombstones_path(id: str) -> str:
    """Where the lines on what was purged lie."""
    return f"{release_files.RECEIPTS}/{id}.tombstones.jsonl"


def exclusions_path(id: str) -> str:
    """Where the lines for trainers lie."""
    return f"{release_files.EXCLUSIONS}/{id}.jsonl"


def statement(digests: Mapping[str, str], predicate: Mapping[str, Any]) -> dict[str, Any]:
    """The in-toto statement; `digests`: SHA-256 by path below the folder of releases."""
    return dsse.statement(digests, PREDICATE_TYPE, dict(predicate))


def read_predicate(path: Path) -> dict[str, Any]:
    """What a receipt says, its signature not looked at; ValueError where it is none."""
    import base64

    try:
        signed: dict[str, Any] = json.loads(
            base64.b64decode(json.loads(path.read_bytes())["payload"])
        )
        told = signed["predicate"]
    except (OSError, ValueError, LookupError, TypeError):
        raise ValueError(f"{path} is no receipt") from None
    return dict(told)


def defects(path: Path, key: Ed25519PublicKey, folder: Path | None = None) -> Iterator[Defect]:
    """What is wrong with a receipt, the outermost first.

    Args:
      path: the receipt.
      key: the public half of the key that signs releases.
      folder: of releases; None: the one in which the receipt lies.
    """
    folder = folder or path.absolute().parent.parent
    try:
        signed = dsse.open_envelope(path.read_bytes(), key)
        told, named = signed["predicate"], signed["subject"]
        digests = {one["name"]: one["digest"]["sha256"] for one in named}
        sound = signed["predicateType"] == PREDICATE_TYPE and told.keys() >= _REQUIRED_KEYS
        made = [(one["name"], one["old"], one["new"]) for one in told["releases"]]
    except OSError as error:
        yield Defect(path.name, f"cannot be read ({error.strerror})")
        return
    except dsse.BadEnvelope as error:
        yield Defect(path.name, str(error))
        return
    except (LookupError, TypeError, AttributeError):
        sound = False
    if not sound:
        yield Defect(path.name, "is a statement about something else than a withdrawal")
        return
    yield from _file_defects(folder, digests)
    yield from _log_defects(folder / release_files.LOG, made)
    yield from _excluded_defects(folder, told, made)


def _file_defects(folder: Path, digests: Mapping[str, str]) -> Iterator[Defect]:
    for name, digest in sorted(digests.items()):
        try:
            same = sha256((folder / name).read_bytes()).hexdigest() == digest
        except OSError:
            yield Defect(name, "is not there")
            continue
        if not same:
            yield Defect(name, "does not have the bytes that were signed")


def _log_defects(history: Path, made: list[tuple[str, str, str]]) -> Iterator[Defect]:
    """Each new release stands in the log, after the one that it was made of."""
    try:
        places = {one["statement_sha256"]: one["seq"] for one in release_log.read(history)}
    except release_log.BadLog as error:
        yield Defect(release_files.LOG, str(error))
        return
    for name, old, new in made:
        if old not in places or new not in places or places[old] >= places[new]:
            yield Defect(release_files.LOG, f"does not hold the release {name} before and after")


def _excluded_defects(
    folder: Path, told: Mapping[str, Any], made: list[tuple[str, str, str]]
) -> Iterator[Defect]:
    """A release that still is the redacted one holds none of the excluded documents."""
    path = folder / exclusions_path(told["id"])
    if not path.is_file() or not path.stat().st_size:
        return
    gone = pl.scan_ndjson(path).select("release", "doc_id").collect()
    for name, _, new in made:
        try:
            envelope = (folder / name / release_files.STATEMENT).read_bytes()
            documents = ReleaseFolder(folder / name, folder).table("documents").select("doc_id")
        except (OSError, NoRelease):
            continue
        if sha256(envelope).hexdigest() != new:
            continue  # made anew since: what bars it there is the register
        left = documents.collect().join(gone.filter(pl.col("release") == name), on="doc_id")
        if left.height:
            yield Defect(name, f"still holds {left.height} of the documents that were withdrawn")
