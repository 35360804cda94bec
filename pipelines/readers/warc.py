"""WARC 1.0 and 1.1: gzip per record, or plain.

Of a `.warc.gz` each gzip member is inflated by itself, so that a record whose length lies,
or a torn tail, costs that record alone: reading goes on at the next member.
"""
from __future__ import annotations

import hashlib
import io
import mmap
import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from fastwarc.warc import ArchiveIterator, WarcRecord, WarcRecordType

from pipelines.readers import MAX_SIGNAL_BYTES, Content, Envelope, Source

MEMBER = b"\x1f\x8b\x08"
CHUNK = 1 << 16
HEADER_ROOM = 1 << 20  # envelope and HTTP headers do not count as the record's body
RECORD_TYPES = (WarcRecordType.response, WarcRecordType.resource, WarcRecordType.conversion,
                WarcRecordType.revisit)
SIGNAL_PATHS = {"/robots.txt": "robots", "/.well-known/tdmrep.json": "tdmrep"}
_URI = re.compile(rb"^WARC-Target-URI:[ \t]*<?([^\r\n>]*)", re.I | re.M)
_DATE = re.compile(rb"^WARC-Date:[ \t]*([^\r\n]*)", re.I | re.M)
_TYPE = re.compile(rb"^WARC-Type:[ \t]*([^\r\n]*)", re.I | re.M)
_LENGTH = re.compile(rb"^Content-Length:[ \t]*(\d+)[ \t]*\r?$", re.I | re.M)


@dataclass(slots=True)
class _Span:
    """A stretch of the container: a record's bytes, or what is wrong with them."""

    offset: int
    length: int
    data: bytes
    error: str | None = None
    detail: str | None = None


def scan(source: Source) -> Iterator[Envelope]:
    """The envelopes of a WARC file, `warcinfo`, `request` and `metadata` left out."""
    with source.path.open("rb") as file:
        if not file.read(1):
            return
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            gzipped = data[:2] == MEMBER[:2]
            locator = "member" if gzipped else "bytes"
            spans = _members if gzipped else _plain
            for span in spans(data, source.max_record_bytes + HEADER_ROOM):
                envelope = _envelope(span, locator, source.max_record_bytes)
                if envelope is not None:
                    yield envelope


def contents(source: Source, wanted: Sequence[tuple[int, int]]) -> Iterator[Content]:
    """The bodies of records, cut out of the container again."""
    bound = source.max_record_bytes + HEADER_ROOM
    with source.path.open("rb") as file:
        for offset, length in wanted:
            file.seek(offset)
            raw = file.read(length)
            data = _inflate(memoryview(raw), 0, bound)[0] if raw[:2] == MEMBER[:2] else raw
            record = _parse(data)
            if record is None:
                yield Content(error="unreadable", detail="the record changed since it was scanned")
                continue
            headers, _, media_type = _http(record)
            yield Content(payload=record.reader.read(), media_type=media_type, headers=headers)


def _envelope(span: _Span, locator: str, limit: int) -> Envelope | None:
    head = span.data[:HEADER_ROOM].partition(b"\r\n\r\n")[0]
    found = Envelope(locator, span.offset, span.length, uri=_field(_URI, head),
                     captured_at=_field(_DATE, head), error=span.error, detail=span.detail)
    kind = (_field(_TYPE, head) or "").lower()
    if kind in ("warcinfo", "request", "metadata"):
        return None
    if found.error:
        return found
    record = _parse(span.data)
    if record is None or record.record_type not in RECORD_TYPES:
        if kind and kind not in ("response", "resource", "conversion", "revisit"):
            return None
        found.error, found.detail = "unreadable", "the record's header cannot be parsed"
        return found
    stated = _LENGTH.search(head + b"\r\n")
    there = len(span.data) - len(head) - 4
    if stated is None or int(stated[1]) > there:
        found.error = "unreadable"
        found.detail = f"Content-Length says {stated[1].decode() if stated else 'nothing'}, {there} bytes are there"
        return found
    try:
        found.headers, found.http_status, found.media_type = _http(record)
        payload = record.reader.read()
    except Exception as error:  # the parser's own classes differ by what is broken
        found.error, found.detail = "unreadable", type(error).__name__
        return found
    found.payload_sha256 = hashlib.sha256(payload).hexdigest()
    if len(payload) > limit:
        found.error, found.detail = "too-large", f"{len(payload)} bytes"
    found.signal = signal_kind(found.uri)
    if found.signal:
        found.signal_body = payload[:MAX_SIGNAL_BYTES]
    return found


def signal_kind(uri: str | None) -> str | None:
    """`robots` or `tdmrep` where a URI is that of a host's file of signals."""
    if not uri or not uri.endswith((".txt", ".json")):
        return None
    try:
        return SIGNAL_PATHS.get(urlsplit(uri).path)
    except ValueError:
        return None


def _parse(data: bytes) -> WarcRecord | None:
    try:
        return next(ArchiveIterator(io.BytesIO(data), parse_http=True), None)
    except Exception:
        return None


def _http(record: WarcRecord) -> tuple[tuple[tuple[str, str], ...], int | None, str | None]:
    """HTTP headers as they stand, status and media type; of a record without HTTP, its own."""
    http = record.http_headers
    if http is None:
        kind = record.headers.get("Content-Type")
        return (), None, kind.partition(";")[0].strip().lower() if kind else None
    headers = tuple((str(k), str(v)) for k, v in http.astuples())
    return headers, http.status_code, record.http_content_type


def _field(pattern: re.Pattern[bytes], head: bytes) -> str | None:
    found = pattern.search(head)
    return found[1].decode("utf-8", "replace").strip() if found else None


def _members(data: mmap.mmap, bound: int) -> Iterator[_Span]:
    position, size, view = 0, len(data), memoryview(data)
    try:
        while position < size:
            if data[position:position + 3] != MEMBER:
                following = _resume(data, view, position + 1)
                yield _Span(position, following - position, b"", "unreadable", "not a gzip member")
                position = following
                continue
            content, end, state = _inflate(view, position, bound)
            if state in ("whole", "too-large"):
                # zero padding between members is no record
                detail = None if state == "whole" else f"more than {bound} bytes decompressed"
                if content or state == "too-large":
                    yield _Span(position, end - position, content,
                                None if state == "whole" else state, detail)
                position = end
                while position < size and data[position] == 0:
                    position += 1
            else:
                following = _resume(data, view, position + 3)
                yield _Span(position, following - position, content, "unreadable", state)
                position = following
    finally:
        view.release()


def _inflate(view: memoryview, start: int, bound: int) -> tuple[bytes, int, str]:
    """One gzip member from `start`: its content (at most `bound` bytes), its end, and `whole`,
    `too-large`, or what broke it.  Memory stays bounded whatever the member holds."""
    inflater, parts, held, position = zlib.decompressobj(31), [], 0, start
    size = len(view)
    pending: bytes | memoryview = b""
    try:
        while not inflater.eof:
            if not pending:
                if position >= size:
                    return b"".join(parts), size, "torn gzip member"
                pending = view[position:position + CHUNK]
                position += len(pending)
            part = inflater.decompress(pending, 1 << 20)
            pending = inflater.unconsumed_tail
            if held <= bound:
                parts.append(part)
                held += len(part)
    except zlib.error as error:
        return b"".join(parts), position, str(error)
    end = position - len(inflater.unused_data)
    if held > bound:
        return parts[0], end, "too-large"
    return b"".join(parts), end, "whole"


def _resume(data: mmap.mmap, view: memoryview, start: int) -> int:
    """Where the next member that holds a WARC record begins, or the end of the file."""
    position = data.find(MEMBER, start)
    while position != -1:
        try:
            if zlib.decompressobj(31).decompress(view[position:position + 512], 5) == b"WARC/":
                return position
        except zlib.error:
            pass
        position = data.find(MEMBER, position + 1)
    return len(data)


def _plain(data: mmap.mmap, bound: int) -> Iterator[_Span]:
    position, size = 0, len(data)
    while position < size:
        head_end = data.find(b"\r\n\r\n", position, position + HEADER_ROOM)
        head = data[position:head_end] if head_end != -1 else b""
        stated = _LENGTH.search(head + b"\r\n") if head.startswith(b"WARC/") else None
        end = head_end + 4 + int(stated[1]) if stated else size + 1
        if end > size or data[end:end + 4] not in (b"\r\n\r\n", b"\r\n", b""):
            following = data.find(b"\r\n\r\nWARC/1.", position + 1)
            following = following + 4 if following != -1 else size
            yield _Span(position, following - position, head, "unreadable",
                        "the stated length does not end at a record's end" if stated else "no WARC header")
            position = following
            continue
        if end - position > bound:
            yield _Span(position, end - position, head + b"\r\n\r\n", "too-large",
                        f"{end - position} bytes")
        else:
            yield _Span(position, end - position, data[position:end])
        position = end
        while data[position:position + 2] == b"\r\n":
            position += 2
