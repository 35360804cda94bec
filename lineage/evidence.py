"""A record's bytes, cut out of its container again, and whether they are still the same."""

from __future__ import annotations

import hashlib
import json
import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from lineage import remote, streams

_LENGTH = re.compile(rb"^Content-Length:[ \t]*(\d+)", re.I | re.M)
_HEAD_END = re.compile(rb"\r?\n\r?\n")
_ARC = re.compile(rb"[A-Za-z][A-Za-z0-9+.\-]*:[^\r\n]* (\d{1,15})\r?\n")


@dataclass(frozen=True)
class Bytes:
    """What is found at a record's place: `found` whether the container is there, `length` of the
    bytes, `sha256` of them, and whether the payload's digest is the one in the records."""

    container: str
    found: bool
    length: int = 0
    sha256: str | None = None
    payload_matches: bool | None = None
    note: str | None = None

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def cut(path: Path, locator: str, offset: int, length: int) -> bytes:
    """The bytes of a record: `member` (a gzip member, inflated), `bytes` (after decompression) or
    `entry` (of a ZIP, after decompression: `offset` is `streams.ENTRY_BITS` bits of position, and
    above them the entry's number).

    Raises:
      OSError, EOFError, zlib.error: where the container cannot be read.
      ValueError: for a locator that names no bytes.
    """
    if locator == "member":
        with path.open("rb") as file:
            file.seek(offset)
            return zlib.decompress(file.read(length), 31)
    if locator == "bytes":
        with streams.opened(path) as file:
            file.seek(offset)
            return file.read(length)
    if locator == "entry":
        with streams.entry(path, offset >> streams.ENTRY_BITS) as file:
            file.seek(offset & ((1 << streams.ENTRY_BITS) - 1))
            return file.read(length)
    raise ValueError(f"a record located by {locator} has no bytes of its own")


def check(record: Mapping[str, Any], root: Path) -> Bytes:
    """Look a record's bytes up in its container below `root`, and hold them against its digest."""
    container = record["container"]
    if remote.is_url(container):
        with TemporaryDirectory() as folder:
            return _check(record, remote.fetched(container, Path(folder)))
    return _check(record, root / container)


def _check(record: Mapping[str, Any], path: Path) -> Bytes:
    container = record["container"]
    if not path.is_file():
        return Bytes(
            container,
            False,
            note=f"{container} is not there; name the folder it is relative to by --root",
        )
    wanted = record["payload_sha256"]
    try:
        if record["locator"] == "row":
            return _row(path, record)
        raw = cut(path, record["locator"], record["offset"], record["length"])
    except (OSError, EOFError, zlib.error, ValueError) as error:
        return Bytes(container, True, note=f"cannot be read: {type(error).__name__}")
    matches = (
        None
        if wanted is None
        else any(hashlib.sha256(p).hexdigest() == wanted for p in _payloads(raw))
    )
    return Bytes(container, True, len(raw), hashlib.sha256(raw).hexdigest(), matches)


def _row(path: Path, record: Mapping[str, Any]) -> Bytes:
    """A row of a columnar file: its texts are its bytes."""
    import polars as pl

    row = pl.scan_parquet(path).slice(record["offset"], 1).collect()
    texts = [str(v).encode() for v in row.row(0)] if row.height else []
    matches = any(hashlib.sha256(t).hexdigest() == record["payload_sha256"] for t in texts)
    return Bytes(record["container"], True, sum(map(len, texts)), None, matches)


def _payloads(raw: bytes) -> Iterator[bytes]:
    """What may be a record's payload: an HTTP body, a block of a WARC or ARC file, the texts of
    a JSON object, or the whole."""
    if raw.startswith(b"WARC/"):
        head, rest = _parted(raw)
        stated = _LENGTH.search(head)
        block = rest[: int(stated[1])] if stated else rest
        yield _parted(block)[1]
        yield block
        return
    yield raw
    if arc := _ARC.match(raw):
        block = raw[arc.end() : arc.end() + int(arc[1])]
        yield _parted(block)[1]
        yield block
    if raw[:1] == b"{":
        try:
            values = json.loads(raw)
        except ValueError:
            return
        yield from _texts(values)


def _parted(data: bytes) -> tuple[bytes, bytes]:
    """A head and what stands behind the empty line that ends it."""
    end = _HEAD_END.search(data)
    return (data[: end.start()], data[end.end() :]) if end else (data, b"")


def _texts(value: Any) -> Iterator[bytes]:
    if isinstance(value, str):
        yield value.encode("utf-8", "surrogatepass")
    elif isinstance(value, dict):
        for one in value.values():
            yield from _texts(one)
