"""The receipt of a withdrawal: a signed statement of what was removed, when, and what replaces it.

<releases>/receipts/<id>.dsse.json          the receipt
<releases>/receipts/<id>.tombstones.jsonl   the purged objects and records, one per line
<releases>/exclusions/<id>.jsonl            for trainers: the documents, with their earlier places
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
    """The path of a receipt, below the folder of releases."""
    return f"{release_files.RECEIPTS}/{id}.dsse.json"


def tombstones_path(id: str) -> str:
    """The path of the list of purged objects, below the folder of releases."""
    return f"{release_files.RECEIPTS}/{id}.tombstones.jsonl"


def exclusions_path(id: str) -> str:
    """The path of the exclusion list for trainers, below the folder of releases."""
    return f"{release_files.EXCLUSIONS}/{id}.jsonl"


def statement(digests: Mapping[str, str], predicate: Mapping[str, Any]) -> dict[str, Any]:
    """Build the in-toto statement; `digests`: SHA-256 by path below the folder of releases."""
    return dsse.statement(digests, PREDICATE_TYPE, dict(predicate))


def read_predicate(path: Path) -> dict[str, Any]:
    """Read the predicate of a receipt, without verifying its signature.

    Raises:
      ValueError: if it is not a receipt.
    """
    import base64

    try:
        signed: dict[str, Any] = json.loads(
            base64.b64decode(json.loads(path.read_bytes())["payload"])
        )
        predicate = signed["predicate"]
    except (OSError, ValueError, LookupError, TypeError):
        raise ValueError(f"{path} is not a receipt") from None
    return dict(predicate)


def defects(path: Path, key: Ed25519PublicKey, folder: Path | None = None) -> Iterator[Defect]:
    """Verify a receipt; yield its defects, the outermost first.

    Args:
      path: the receipt.
      key: the public key of releases.
      folder: the folder of releases; None: the one in which the receipt lies.
    """
    folder = folder or path.absolute().parent.parent
    try:
        signed = dsse.open_envelope(path.read_bytes(), key)
        predicate = signed["predicate"]
        digests = {file["name"]: file["digest"]["sha256"] for file in signed["subject"]}
        sound = signed["predicateType"] == PREDICATE_TYPE and predicate.keys() >= _REQUIRED_KEYS
        redacted = [(one["name"], one["old"], one["new"]) for one in predicate["releases"]]
    except OSError as error:
        yield Defect(path.name, f"cannot be read ({error.strerror})")
        return
    except dsse.BadEnvelope as error:
        yield Defect(path.name, str(error))
        return
    except (LookupError, TypeError, AttributeError):
        sound = False
    if not sound:
        yield Defect(path.name, "is not a statement about a withdrawal")
        return
    yield from _file_defects(folder, digests)
    yield from _log_defects(folder / release_files.LOG, redacted)
    yield from _excluded_defects(folder, predicate, redacted)


def _file_defects(folder: Path, digests: Mapping[str, str]) -> Iterator[Defect]:
    for name, digest in sorted(digests.items()):
        try:
            same = sha256((folder / name).read_bytes()).hexdigest() == digest
        except OSError:
            yield Defect(name, "is missing")
            continue
        if not same:
            yield Defect(name, "does not have the bytes that were signed")


def _log_defects(history: Path, redacted: list[tuple[str, str, str]]) -> Iterator[Defect]:
    """Check that each new release is in the log, after the release that it replaces."""
    try:
        places = {entry["statement_sha256"]: entry["seq"] for entry in release_log.read(history)}
    except release_log.BadLog as error:
        yield Defect(release_files.LOG, str(error))
        return
    for name, old, new in redacted:
        if old not in places or new not in places or places[old] >= places[new]:
            yield Defect(
                release_files.LOG, f"does not have the release {name} from before and after"
            )


def _excluded_defects(
    folder: Path, predicate: Mapping[str, Any], redacted: list[tuple[str, str, str]]
) -> Iterator[Defect]:
    """Check that the redacted releases have none of the excluded documents."""
    path = folder / exclusions_path(predicate["id"])
    if not path.is_file() or not path.stat().st_size:
        return
    excluded = pl.scan_ndjson(path).select("release", "doc_id").collect()
    for name, _, new in redacted:
        try:
            envelope = (folder / name / release_files.STATEMENT).read_bytes()
            documents = ReleaseFolder(folder / name, folder).table("documents").select("doc_id")
        except (OSError, NoRelease):
            continue
        if sha256(envelope).hexdigest() != new:
            continue  # a later release: there the register bars the documents
        left = documents.collect().join(excluded.filter(pl.col("release") == name), on="doc_id")
        if left.height:
            yield Defect(name, f"still holds {left.height} of the documents that were withdrawn")
