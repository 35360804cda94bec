"""Read JSON lines, plain or compressed (gzip, zstd, lz4): each line is a record.

`fields` names the keys that hold URI, text, title and capture time.
"""

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
    """Yield an envelope for each line that is not blank. Offsets count decompressed bytes."""
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
    """Yield the texts of lines. A compressed file is read on from the end of the last line."""
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
    """Return a field by its name, or by a dotted path into nested objects; None if missing."""
    if path in row:
        return row[path]
    node: Any = row
    for key in path.split("."):
        if not isinstance(node, dict) or key not in node:
            return None
        node = node[key]
    return node


def _envelope(line: bytes, offset: int, source: ContainerSource) -> Envelope:
    """Return the envelope of a line."""
    fields = source.fields
    envelope = Envelope("bytes", offset, len(line), media_type="text/plain")
    row = _parse_line(line)
    if row is None:
        envelope.error, envelope.detail = "unreadable", "not a JSON object"
        envelope.uri = _find_uri(line[:4096], fields.get("uri"))
        return envelope
    uri = field_value(row, fields.get("uri", "uri"))
    date = field_value(row, fields.get("captured_at", "captured_at"))
    text = field_value(row, fields.get("text", "text"))
    envelope.uri, envelope.captured_at = _storable_text(uri), _storable_text(date)
    if text is not None and not isinstance(text, str):
        envelope.error, envelope.detail = "unreadable", f"the text is of type {type(text).__name__}"
        return envelope
    content = (text or "").encode("utf-8", "surrogatepass")
    envelope.payload_sha256 = hashlib.sha256(content).hexdigest()
    return envelope


def _storable_text(value: Any) -> str | None:
    """Return a value as text without lone surrogates, which UTF-8 cannot store."""
    return None if value is None else str(value).encode("utf-8", "replace").decode()


def _parse_line(line: bytes) -> dict[str, Any] | None:
    line = line.removeprefix(codecs.BOM_UTF8)
    try:
        row = orjson.loads(line)
    except ValueError:
        row = _parse_surrogates(line)
    return row if isinstance(row, dict) else None


def _parse_surrogates(line: bytes) -> Any:
    """Parse a line with lone surrogates, which scraped text contains and orjson refuses."""
    try:
        return json.loads(line) if b"\\ud" in line.lower() else None
    except (ValueError, RecursionError):
        return None


def _find_uri(line: bytes, field: str | None) -> str | None:
    """Find the URI in a broken line; None if it is not visible."""
    name = re.escape((field or "uri").encode())
    match = re.search(rb'"' + name + rb'"\s*:\s*"([^"\\]*)"', line)
    return match[1].decode("utf-8", "replace") if match else None


def _skip_line(file: BinaryIO) -> int:
    """Read past the end of the line; return the number of bytes read."""
    skipped = 0
    while part := file.readline(1 << 20):
        skipped += len(part)
        if part.endswith(b"\n"):
            break
    return skipped
