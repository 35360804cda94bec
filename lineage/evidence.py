"""Read a record's bytes from its container again, and check whether they are unchanged."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from lineage import payloads
from lineage.storage import remote, streams

EMPTY = hashlib.sha256(b"").hexdigest()


@dataclass(frozen=True)
class RecordBytes:
    """The bytes at a record's place.

    Args:
      container: the name of the container.
      found: whether the container exists.
      length, sha256: of the bytes.
      payload_matches: whether the payload has the recorded digest.  None: no digest was recorded,
        or it cannot be decided, as `note` explains.
      note: what prevented the check.
    """

    container: str
    found: bool
    length: int = 0
    sha256: str | None = None
    payload_matches: bool | None = None
    note: str | None = None

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def read_record(path: Path, locator: str, offset: int, length: int) -> bytes:
    """Read the bytes of a record.

    Args:
      path: the container.
      locator: `member` (a gzip member, which is decompressed), `bytes` (after decompression) or
        `entry` (of a ZIP file, after decompression).
      offset: of the bytes.  For `entry`, the lowest `streams.ENTRY_BITS` bits are the position, and
        the bits above are the entry's number.
      length: of the bytes.

    Raises:
      OSError, EOFError, zlib.error: if the container cannot be read.
      ValueError: if the locator names no bytes.
    """
    if locator == "member":
        with path.open("rb") as file:
            file.seek(offset)
            return zlib.decompress(file.read(length), 31)
    if locator == "bytes":
        with streams.open_decompressed(path) as file:
            file.seek(offset)
            return file.read(length)
    if locator == "entry":
        with streams.open_zip_entry(path, offset >> streams.ENTRY_BITS) as file:
            file.seek(offset & ((1 << streams.ENTRY_BITS) - 1))
            return file.read(length)
    raise ValueError(f"a record located by {locator} has no bytes of its own")


def check(record: Mapping[str, Any], root: Path, container: str | None = None) -> RecordBytes:
    """Read a record's bytes from its container, and compare them with the recorded digest.

    A row of a table or an item of a feed is compared on its own if possible, otherwise by the
    digest of the whole file.

    Args:
      record: a row of `records`.
      root: the folder that containers are relative to.
      container: the container's name, if the name in the record is redacted.
    """
    name = container or record["container"]
    if remote.is_url(name):
        with TemporaryDirectory() as folder:
            return _check(record, remote.fetch_file(name, Path(folder)))
    return _check(record, root / name)


def _check(record: Mapping[str, Any], path: Path) -> RecordBytes:
    from pyarrow import ArrowException

    container = record["container"]
    if not path.is_file():
        return RecordBytes(
            container,
            False,
            note=f"{container} is missing; --root names the folder that containers are relative to",
        )
    locator, wanted = record["locator"], record["payload_sha256"]
    try:
        if locator == "row":
            texts = payloads.row_payloads(path, record["offset"])
            return _check_part_of_file(
                record, path, sum(map(len, texts)), None, _among(texts, wanted)
            )
        if locator == "entry" and not record["offset"] >> streams.ENTRY_BITS:  # an item of a feed
            return _check_part_of_file(record, path, path.stat().st_size, None, None)
        raw = read_record(path, locator, record["offset"], record["length"])
    except (OSError, EOFError, zlib.error, ValueError, ArrowException) as error:
        return RecordBytes(container, True, note=f"cannot be read: {type(error).__name__}")
    digest = hashlib.sha256(raw).hexdigest()
    if wanted is None or wanted == record.get("container_sha256"):  # of a whole file
        return RecordBytes(container, True, len(raw), digest, digest == wanted if wanted else None)
    matches = _among(payloads.archive_payloads(raw), wanted)
    if raw.startswith(b"WARC/"):
        return RecordBytes(container, True, len(raw), digest, matches)
    matches = matches or _among(payloads.line_payloads(raw), wanted)
    return _check_part_of_file(
        record, path, len(raw), digest, matches if matches or _is_utf8(raw) else None
    )


def _check_part_of_file(
    record: Mapping[str, Any], path: Path, length: int, digest: str | None, matches: bool | None
) -> RecordBytes:
    """Judge a record that is a part of a file, if need be by the digest of the whole file.

    Args:
      record, path, length, digest: the record, its container, and its bytes.
      matches: whether the part itself has the recorded digest; None: it cannot be decided.
    """
    wanted = record["payload_sha256"]
    if wanted is None or matches:
        return RecordBytes(record["container"], True, length, digest, matches if wanted else None)
    stat = path.stat()
    if _file_digest(path, stat.st_size, stat.st_mtime_ns) == record.get("container_sha256"):
        return RecordBytes(record["container"], True, length, digest, True)
    if matches is None or wanted == EMPTY:
        note = "the file has changed, and this part of it cannot be checked on its own"
        return RecordBytes(record["container"], True, length, digest, None, note)
    return RecordBytes(record["container"], True, length, digest, False)


def _among(texts: Iterable[bytes], wanted: str | None) -> bool:
    return any(hashlib.sha256(text).hexdigest() == wanted for text in texts)


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True


@lru_cache(64)
def _file_digest(path: Path, size: int, changed: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
