"""WARC 0.18 to 1.1: a gzip member per record, one stream of many records (gzip, zstd, lz4), or plain.

Of a `.warc.gz` each member is inflated by itself, so that a record whose length lies, or a torn
tail, costs that record alone: reading goes on at the next member.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from io import BufferedReader
from mmap import ACCESS_READ, mmap

from lineage.storage import streams
from pipelines.ingest.readers import members
from pipelines.ingest.readers.opening import open_container, open_stream
from pipelines.ingest.readers.records import ContainerSource, Content, Envelope
from pipelines.ingest.readers.signals import add_signal, signal_kind
from pipelines.ingest.readers.spans import (
    HEAD_END,
    HEADER_ROOM,
    NO_HEADER,
    WARC,
    Grammar,
    Header,
    Span,
    detect_layout,
    header_fields,
    split_spans,
)

RECORDS = ("response", "resource", "conversion", "revisit")
NO_RECORDS = ("warcinfo", "request", "metadata")
_STATUS = re.compile(rb"[A-Za-z]+(?:/\d+(?:\.\d+)?)?[ \t]+(\d{3})(?!\d)")

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class _Body:
    payload: bytes
    headers: Headers = ()
    status: int | None = None
    media_type: str | None = None
    error: str | None = None


def scan(source: ContainerSource, grammar: Grammar = WARC) -> Iterator[Envelope]:
    """The envelopes of a WARC file, `warcinfo`, `request` and `metadata` left out."""
    bound = source.max_record_bytes + HEADER_ROOM
    with open_container(source) as file:
        if not file.read(1):
            return
        with mmap(file.fileno(), 0, access=ACCESS_READ) as data:
            layout = detect_layout(data, bound, grammar)
            locator, span = "member" if layout == "member" else "bytes", None
            with closing(split_spans(data, layout, bound, grammar)) as found:
                for span in found:
                    if envelope := parse_envelope(span, locator, source.max_record_bytes, grammar):
                        yield envelope
            if span is None:
                yield Envelope(locator, 0, len(data), error="unreadable", detail="nothing in it")


def contents(
    source: ContainerSource, wanted: Sequence[tuple[int, int]], grammar: Grammar = WARC
) -> Iterator[Content]:
    """The bodies of records, cut out of the container again."""
    bound = source.max_record_bytes + HEADER_ROOM
    with _open_content(source, bound, grammar) as file:
        for offset, length in wanted:
            yield parse_content(read_range(file, offset, length), bound, grammar)


def read_range(file: BufferedReader, offset: int, length: int) -> bytes:
    """Bytes of a file or stream; none where they cannot be read."""
    try:
        file.seek(offset)
        return file.read(length)
    except streams.BROKEN:
        return b""


def parse_content(raw: bytes, bound: int, grammar: Grammar = WARC) -> Content:
    """The body in a record's bytes, or in the gzip member that holds it."""
    if raw.startswith(members.MAGIC):
        raw = members.inflate(memoryview(raw), 0, bound)[0]
    header = grammar.header(raw, 0)
    if header is None or header.length is None:
        return Content(error="unreadable", detail="the record changed since it was scanned")
    body = _parse_body(raw, header)
    return Content(
        payload=body.payload,
        media_type=body.media_type,
        headers=body.headers,
        error="unreadable" if body.error else None,
        detail=body.error,
    )


def parse_envelope(
    span: Span, locator: str, limit: int, grammar: Grammar = WARC
) -> Envelope | None:
    """What a span says of its record; None where it holds none that counts."""
    header = span.header or grammar.header(span.data, 0)
    fields = header.fields if header else {}
    found = Envelope(
        locator,
        span.offset,
        span.length,
        uri=_target_uri(fields),
        captured_at=fields.get("warc-date"),
        error=span.error,
        detail=span.detail,
    )
    found.signal = None if span.rest else signal_kind(found.uri)
    if span.rest:  # it shares its offset with the record, and its digest tells the two apart
        found.payload_sha256 = hashlib.sha256(span.data).hexdigest()
    elif header and header.kind in NO_RECORDS and span.error != "unreadable":
        return None  # of a broken one nobody knows what else was in it
    if found.error:
        return found
    found.error = "unreadable"
    if header is None:
        found.detail = NO_HEADER
        return found
    if header.length is None:
        found.detail = "no Content-Length that can be believed"
        return found
    there = len(span.data) - header.end
    if span.data[header.end + header.length :].strip(b"\r\n") or header.length > there:
        found.detail = f"Content-Length says {header.length}, {there} bytes are there"
        return found
    if header.kind not in RECORDS:
        found.detail = "no type of record that is known"
        return found
    body = _parse_body(span.data, header)
    if body.error:
        found.detail = body.error
        return found
    found.error = None
    if header.kind == "revisit":
        found.revisit = _revisit_fields(fields)
    found.headers, found.http_status, found.media_type = body.headers, body.status, body.media_type
    found.payload_sha256 = hashlib.sha256(body.payload).hexdigest()
    if len(body.payload) > limit:
        found.error, found.detail = "too-large", f"{len(body.payload)} bytes"
    add_signal(found, fields, body.payload, limit)
    return found


def _revisit_fields(fields: dict[str, str]) -> str:
    """What a revisit says that it repeats: a URI, a date, a digest, and how that was found."""
    names = {
        "refers_to_uri": "warc-refers-to-target-uri",
        "refers_to_date": "warc-refers-to-date",
        "payload_digest": "warc-payload-digest",
        "profile": "warc-profile",
    }
    said = {key: fields[name] for key, name in names.items() if name in fields}
    if "refers_to_uri" in said:
        said["refers_to_uri"] = said["refers_to_uri"].removeprefix("<").removesuffix(">")
    return json.dumps(said, ensure_ascii=False, sort_keys=True)


def _target_uri(fields: dict[str, str]) -> str | None:
    uri = fields.get("warc-target-uri")
    return uri.removeprefix("<").removesuffix(">") if uri is not None else None


def _parse_body(data: bytes, header: Header) -> _Body:
    """A record's payload; HTTP headers, status and media type of a record that holds HTTP."""
    block = data[header.end : header.end + (header.length or 0)]
    kind = header.fields.get("content-type")
    if not block or not (
        block.startswith(b"HTTP/") if kind is None else kind.lower().startswith("application/http")
    ):
        return _Body(block, media_type=_media_type(kind) if block else None)
    status = _STATUS.match(block)
    if status is None:
        return _Body(b"", error="no HTTP status line")
    end = HEAD_END.search(block, 0, HEADER_ROOM)
    if end is None and len(block) > HEADER_ROOM:
        return _Body(b"", error="HTTP headers without an end")
    head, payload = (block[: end.start()], block[end.end() :]) if end else (block, b"")
    headers = tuple(header_fields(head.partition(b"\n")[2], "latin-1"))
    stated = next((value for name, value in headers if name.lower() == "content-type"), None)
    return _Body(payload, headers, int(status[1]), _media_type(stated))


def _media_type(value: str | None) -> str | None:
    return (value or "").partition(";")[0].strip().lower() or None


@contextmanager
def _open_content(
    source: ContainerSource, bound: int, grammar: Grammar
) -> Iterator[BufferedReader]:
    """The file in which offsets count: unpacked, where it is one compressed stream."""
    with open_container(source) as file:
        if file.read(1):  # an empty file cannot be mapped
            with mmap(file.fileno(), 0, access=ACCESS_READ) as data:
                layout = detect_layout(data, bound, grammar)
            if layout == "stream":
                with open_stream(source) as unpacked:
                    yield unpacked
                return
        yield file
