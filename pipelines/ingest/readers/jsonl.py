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
from pipelines.ingest.readers.opening import open_stream
from pipelines.ingest.readers.records import ContainerSource, Content, Envelope


def scan(source: ContainerSource) -> Iterator[Envelope]:
    """An envelope a line; blank lines are no records.  Offsets count decompressed bytes."""
    offset = 0
    try:
        with open_stream(source) as file:
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
                        uri=_find_uri(line[:4096], source.fields.get("uri")),
                    )
                    continue
                offset += length
                if line.strip():
                    yield _envelope(line, start, source)
    except streams.BROKEN as error:
        yield Envelope(
            "bytes", offset, 0, error="unreadable", detail=f"{type(error).__name__}: torn file"
        )


def contents(source: ContainerSource, wanted: Sequence[tuple[int, int]]) -> Iterator[Content]:
    """The texts of lines; a compressed file is read on from where the last one ended."""
    with open_stream(source) as file:
        for offset, length in wanted:
            try:
                file.seek(offset)
                row = _parse_line(file.read(length))
            except streams.BROKEN:
                row = None
            if row is None:
                yield Content(error="unreadable", detail="the line changed since it was scanned")
                continue
            text = field_value(row, source.fields.get("text", "text"))
            title = field_value(row, source.fields.get("title", "title"))
            yield Content(
                text=text if isinstance(text, str) else "",
                media_type="text/plain",
                title=title if isinstance(title, str) else None,
            )


def field_value(row: Mapping[str, Any], path: str) -> Any:
    """A field by its name, or by a dotted path into nested objects; None where it is not."""
    if path in row:
        return row[path]
    found: Any = row
    for part in path.split("."):
        if not isinstance(found, dict) or part not in found:
            return None
        found = found[part]
    return found


def _envelope(line: bytes, offset: int, source: ContainerSource) -> Envelope:
    fields = source.fields
    found = Envelope("bytes", offset, len(line), media_type="text/plain")
    row = _parse_line(line)
    if row is None:
        found.error, found.detail = "unreadable", "not a JSON object"
        found.uri = _find_uri(line[:4096], fields.get("uri"))
        return found
    uri = field_value(row, fields.get("uri", "uri"))
    date = field_value(row, fields.get("captured_at", "captured_at"))
    text = field_value(row, fields.get("text", "text"))
    found.uri, found.captured_at = _storable_text(uri), _storable_text(date)
    if text is not None and not isinstance(text, str):
        found.error, found.detail = "unreadable", f"the text is of type {type(text).__name__}"
        return found
    content = (text or "").encode("utf-8", "surrogatepass")
    found.payload_sha256 = hashlib.sha256(content).hexdigest()
    return found


def _storable_text(value: Any) -> str | None:
    """A value as text that can be stored: lone surrogates cannot."""
    return None if value is None else str(value).encode("utf-8", "replace").decode()


def _parse_line(line: bytes) -> dict[str, Any] | None:
    line = line.removeprefix(codecs.BOM_UTF8)
    try:
        row = orjson.loads(line)
    except ValueError:
        row = _parse_surrogates(line)
    return row if isinstance(row, dict) else None


def _parse_surrogates(line: bytes) -> Any:
    """A line that orjson refuses for the lone surrogates in it, as scraped text has them."""
    try:
        return json.loads(line) if b"\\ud" in line.lower() else None
    except (ValueError, RecursionError):
        return None


def _find_uri(line: bytes, field: str | None) -> str | None:
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
