"""JSON lines, plain or compressed (gzip, zstd, lz4): a record a line.  `fields` names the keys that hold what."""

from __future__ import annotations

import codecs
import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO

import orjson

from lineage.storage import streams
from pipelines.ingest.readers.opening import stream
from pipelines.ingest.readers.records import Content, Envelope, Source


def scan(source: Source) -> Iterator[Envelope]:
    """An envelope a line; blank lines are no records.  Offsets count decompressed bytes."""
    offset = 0
    try:
        with stream(source) as file:
            while line := file.readline(source.max_record_bytes + 1):
                length, start = len(line), offset
                if length > source.max_record_bytes and not line.endswith(b"\n"):
                    length += _skip_line(file)
                    offset += length
                    yield Envelope(
                        "bytes",
                        start,
                        length,
                        error="too-large",
                        detail=f"a line of {length} bytes",
                        uri=_salvage(line[:4096], source.fields.get("uri")),
                    )
                    continue
                offset += length
                if line.strip():
                    yield _envelope(line, start, source)
    except streams.BROKEN as error:
        yield Envelope(
            "bytes", offset, 0, error="unreadable", detail=f"{type(error).__name__}: torn file"
        )


def contents(source: Source, wanted: Sequence[tuple[int, int]]) -> Iterator[Content]:
    """The texts of lines; a compressed file is read on from where the last one ended."""
    with stream(source) as file:
        for offset, length in wanted:
            try:
                file.seek(offset)
                row = _load(file.read(length))
            except streams.BROKEN:
                row = None
            if row is None:
                yield Content(error="unreadable", detail="the line changed since it was scanned")
                continue
            text = value(row, source.fields.get("text", "text"))
            title = value(row, source.fields.get("title", "title"))
            yield Content(
                text=text if isinstance(text, str) else "",
                media_type="text/plain",
                title=title if isinstance(title, str) else None,
            )


def value(row: Mapping[str, Any], path: str) -> Any:
    """A field by its name, or by a dotted path into nested objects; None where it is not."""
    if path in row:
        return row[path]
    found: Any = row
    for part in path.split("."):
        if not isinstance(found, dict) or part not in found:
            return None
        found = found[part]
    return found


def _envelope(line: bytes, offset: int, source: Source) -> Envelope:
    fields = source.fields
    found = Envelope("bytes", offset, len(line), media_type="text/plain")
    row = _load(line)
    if row is None:
        found.error, found.detail = "unreadable", "not a JSON object"
        found.uri = _salvage(line[:4096], fields.get("uri"))
        return found
    uri = value(row, fields.get("uri", "uri"))
    date = value(row, fields.get("captured_at", "captured_at"))
    text = value(row, fields.get("text", "text"))
    found.uri, found.captured_at = _plain(uri), _plain(date)
    if text is not None and not isinstance(text, str):
        found.error, found.detail = "unreadable", f"the text is of type {type(text).__name__}"
        return found
    content = (text or "").encode("utf-8", "surrogatepass")
    found.payload_sha256 = hashlib.sha256(content).hexdigest()
    return found


def _plain(value: Any) -> str | None:
    """A value as text that can be stored: lone surrogates cannot."""
    return None if value is None else str(value).encode("utf-8", "replace").decode()


def _load(line: bytes) -> dict[str, Any] | None:
    line = line.removeprefix(codecs.BOM_UTF8)
    try:
        row = orjson.loads(line)
    except ValueError:
        row = _surrogates(line)
    return row if isinstance(row, dict) else None


def _surrogates(line: bytes) -> Any:
    """A line that orjson refuses for the lone surrogates in it, as scraped text has them."""
    try:
        return json.loads(line) if b"\\ud" in line.lower() else None
    except (ValueError, RecursionError):
        return None


def _salvage(line: bytes, field: str | None) -> str | None:
    """The uri of a broken line, where it can still be seen."""
    name = re.escape((field or "uri").encode())
    found = re.search(rb'"' + name + rb'"\s*:\s*"([^"\\]*)"', line)
    return found[1].decode("utf-8", "replace") if found else None


def _skip_line(file: BinaryIO) -> int:
    """Read past the end of the line; how many bytes that was."""
    skipped = 0
    while part := file.readline(1 << 20):
        skipped += len(part)
        if part.endswith(b"\n"):
            break
    return skipped
