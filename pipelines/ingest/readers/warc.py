"""Read WARC 0.18 to 1.1: a gzip member per record, one stream (gzip, zstd, lz4), or plain.

Each member of a `.warc.gz` is inflated separately. So a wrong length or a truncated end affects
only its record, and reading continues at the next member.
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
    """The body of a record, with status, headers and media type if it holds HTTP."""

    payload: bytes
    headers: Headers = ()
    status: int | None = None
    media_type: str | None = None
    error: str | None = None


def scan(source: ContainerSource, grammar: Grammar = WARC) -> Iterator[Envelope]:
    """Yield the envelopes of a WARC file, without `warcinfo`, `request` and `metadata`."""
    bound = source.max_record_bytes + HEADER_ROOM
    with open_container(source) as file:
        if not file.read(1):
            return
        with mmap(file.fileno(), 0, access=ACCESS_READ) as data:
            layout = detect_layout(data, bound, grammar)
            locator, span = "member" if layout == "member" else "bytes", None
            with closing(split_spans(data, layout, bound, grammar)) as container_spans:
                for span in container_spans:
                    if envelope := parse_envelope(span, locator, source.max_record_bytes, grammar):
                        yield envelope
            if span is None:
                yield Envelope(locator, 0, len(data), error="unreadable", detail="nothing in it")


def contents(
    source: ContainerSource, wanted: Sequence[tuple[int, int]], grammar: Grammar = WARC
) -> Iterator[Content]:
    """Yield the bodies of records, read again from the container."""
    bound = source.max_record_bytes + HEADER_ROOM
    with _open_content(source, bound, grammar) as file:
        for offset, length in wanted:
            yield parse_content(read_range(file, offset, length), bound, grammar)


def read_range(file: BufferedReader, offset: int, length: int) -> bytes:
    """Read a range of a file or stream; empty if it cannot be read."""
    try:
        file.seek(offset)
        return file.read(length)
    except streams.BROKEN:
        return b""


def parse_content(raw: bytes, bound: int, grammar: Grammar = WARC) -> Content:
    """Return the body of a record.

    Args:
      raw: the bytes of the record, or of the gzip member that holds it.
      bound: the most bytes to inflate.
      grammar: the form of the record.
    """
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
    """Return the envelope of a span's record; None for `warcinfo`, `request` and `metadata`."""
    header = span.header or grammar.header(span.data, 0)
    fields = header.fields if header else {}
    envelope = Envelope(
        locator,
        span.offset,
        span.length,
        uri=_target_uri(fields),
        captured_at=fields.get("warc-date"),
        error=span.error,
        detail=span.detail,
    )
    envelope.signal = None if span.rest else signal_kind(envelope.uri)
    if span.rest:  # it has the offset of the member's record; the digest gives it another id
        envelope.payload_sha256 = hashlib.sha256(span.data).hexdigest()
    elif header and header.kind in NO_RECORDS and span.error != "unreadable":
        return None  # an unreadable one may contain other records
    if envelope.error:
        return envelope
    body, detail = _checked_body(span.data, header)
    if body is None:
        envelope.error, envelope.detail = "unreadable", detail
        return envelope
    if header and header.kind == "revisit":
        envelope.revisit = _revisit_fields(fields)
    envelope.headers, envelope.http_status = body.headers, body.status
    envelope.media_type = body.media_type
    envelope.payload_sha256 = hashlib.sha256(body.payload).hexdigest()
    if len(body.payload) > limit:
        envelope.error, envelope.detail = "too-large", f"{len(body.payload)} bytes"
    add_signal(envelope, fields, body.payload, limit)
    return envelope


def _checked_body(data: bytes, header: Header | None) -> tuple[_Body | None, str | None]:
    """Return the body of a record, and None; or None and why the record is unreadable."""
    if header is None:
        return None, NO_HEADER
    if header.length is None:
        return None, "no Content-Length that can be believed"
    present = len(data) - header.end
    if data[header.end + header.length :].strip(b"\r\n") or header.length > present:
        return None, f"Content-Length says {header.length}, {present} bytes are there"
    if header.kind not in RECORDS:
        return None, "no type of record that is known"
    body = _parse_body(data, header)
    return (None, body.error) if body.error else (body, None)


def _revisit_fields(fields: dict[str, str]) -> str:
    """Return as JSON what a revisit repeats: URI, date, payload digest and profile."""
    names = {
        "refers_to_uri": "warc-refers-to-target-uri",
        "refers_to_date": "warc-refers-to-date",
        "payload_digest": "warc-payload-digest",
        "profile": "warc-profile",
    }
    original = {key: fields[name] for key, name in names.items() if name in fields}
    if "refers_to_uri" in original:
        original["refers_to_uri"] = original["refers_to_uri"].removeprefix("<").removesuffix(">")
    return json.dumps(original, ensure_ascii=False, sort_keys=True)


def _target_uri(fields: dict[str, str]) -> str | None:
    uri = fields.get("warc-target-uri")
    return uri.removeprefix("<").removesuffix(">") if uri is not None else None


def _parse_body(data: bytes, header: Header) -> _Body:
    """Parse the body of a record; also status, headers and media type if it holds HTTP."""
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
    content_type = next((value for name, value in headers if name.lower() == "content-type"), None)
    return _Body(payload, headers, int(status[1]), _media_type(content_type))


def _media_type(value: str | None) -> str | None:
    return (value or "").partition(";")[0].strip().lower() or None


@contextmanager
def _open_content(
    source: ContainerSource, bound: int, grammar: Grammar
) -> Iterator[BufferedReader]:
    """Open the file that offsets count in: the unpacked stream of a compressed one."""
    with open_container(source) as file:
        if file.read(1):  # an empty file cannot be mapped
            with mmap(file.fileno(), 0, access=ACCESS_READ) as data:
                layout = detect_layout(data, bound, grammar)
            if layout == "stream":
                with open_stream(source) as unpacked:
                    yield unpacked
                return
        yield file
