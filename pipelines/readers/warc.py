"""WARC 0.18 to 1.1: a gzip member per record, one gzip stream of many records, or plain.

Of a `.warc.gz` each member is inflated by itself, so that a record whose length lies, or a torn
tail, costs that record alone: reading goes on at the next member.
"""
from __future__ import annotations

import gzip
import hashlib
import re
import tempfile
import zlib
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from mmap import ACCESS_READ, mmap
from typing import BinaryIO, cast
from urllib.parse import urlsplit

from pipelines.content import decoded_body
from pipelines.readers import MAX_SIGNAL_BYTES, Content, Envelope, Source, members

HEADER_ROOM = 1 << 20  # envelope and HTTP headers do not count as the record's body
#: A file that is one gzip stream is unpacked on disk, up to this many times its size.
STREAM_RATIO = 100
RECORDS = ("response", "resource", "conversion", "revisit")
NO_RECORDS = ("warcinfo", "request", "metadata")
SIGNAL_PATHS = {"/robots.txt": "robots", "/.well-known/tdmrep.json": "tdmrep"}
_HEAD_END = re.compile(rb"\r?\n\r?\n")
_LINE = re.compile(rb"^([^\s:]+)[ \t]*:(.*)$", re.M)
_FOLD = re.compile(rb"\r?\n[ \t]+")
_NEXT = re.compile(rb"\n\r?\n(?=WARC/[01]\.\d+\r?\n[A-Za-z-]+[ \t]*:)")
_GAP = re.compile(rb"(?:[\r\n]+\0*)*")
_STATUS = re.compile(rb"[A-Za-z]+(?:/\d+(?:\.\d+)?)?[ \t]+(\d{3})(?!\d)")
_DIGITS = re.compile(r"\d{1,15}")

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class _Span:
    """A stretch of the container: a record's bytes, or what is wrong with them."""

    offset: int
    length: int
    data: bytes
    error: str | None = None
    detail: str | None = None
    rest: bool = False  # what is left over behind a member's record


@dataclass(frozen=True, slots=True)
class _Header:
    """A record's own header: where it ends, its fields by lower-case name, and how many bytes
    it says that follow (None: nothing that can be believed)."""

    end: int
    fields: dict[str, str]
    length: int | None

    @property
    def kind(self) -> str:
        return self.fields.get("warc-type", "").lower()


@dataclass(frozen=True, slots=True)
class _Body:
    payload: bytes
    headers: Headers = ()
    status: int | None = None
    media_type: str | None = None
    error: str | None = None


def scan(source: Source) -> Iterator[Envelope]:
    """The envelopes of a WARC file, `warcinfo`, `request` and `metadata` left out."""
    bound = source.max_record_bytes + HEADER_ROOM
    with source.path.open("rb") as file:
        if not file.read(1):
            return
        with mmap(file.fileno(), 0, access=ACCESS_READ) as data:
            layout = _layout(data, bound)
            spans = {"member": _members, "stream": _stream, "plain": _plain}[layout]
            locator = "member" if layout == "member" else "bytes"
            with closing(spans(data, bound)) as found:
                for span in found:
                    if envelope := _envelope(span, locator, source.max_record_bytes):
                        yield envelope


def contents(source: Source, wanted: Sequence[tuple[int, int]]) -> Iterator[Content]:
    """The bodies of records, cut out of the container again."""
    bound = source.max_record_bytes + HEADER_ROOM
    with _opened(source, bound) as file:
        for offset, length in wanted:
            try:
                file.seek(offset)
                raw = file.read(length)
            except (OSError, EOFError, zlib.error):
                raw = b""
            if raw.startswith(members.MAGIC):
                raw = members.inflate(memoryview(raw), 0, bound)[0]
            header = _header(raw)
            if header is None or header.length is None:
                yield Content(error="unreadable", detail="the record changed since it was scanned")
                continue
            body = _body(raw, header)
            yield Content(payload=body.payload, media_type=body.media_type, headers=body.headers,
                          error="unreadable" if body.error else None, detail=body.error)


def signal_kind(uri: str | None) -> str | None:
    """`robots` or `tdmrep` where a URI is that of a host's file of signals."""
    if not uri or not uri.endswith(tuple(SIGNAL_PATHS)):
        return None
    try:
        return SIGNAL_PATHS.get(urlsplit(uri).path)
    except ValueError:
        return None


def _envelope(span: _Span, locator: str, limit: int) -> Envelope | None:
    header = _header(span.data)
    fields = header.fields if header else {}
    found = Envelope(locator, span.offset, span.length, uri=_uri(fields),
                     captured_at=fields.get("warc-date"), error=span.error, detail=span.detail)
    if span.rest:  # it shares its offset with the record, and its digest tells the two apart
        found.payload_sha256 = hashlib.sha256(span.data).hexdigest()
    elif header and header.kind in NO_RECORDS and span.error != "unreadable":
        return None  # of a broken one nobody knows what else was in it
    if found.error:
        return found
    found.error = "unreadable"
    if header is None:
        found.detail = "no WARC header"
        return found
    if header.length is None:
        found.detail = "no Content-Length that can be believed"
        return found
    there = len(span.data) - header.end
    if span.data[header.end + header.length:].strip(b"\r\n") or header.length > there:
        found.detail = f"Content-Length says {header.length}, {there} bytes are there"
        return found
    if header.kind not in RECORDS:
        found.detail = "no type of record that is known"
        return found
    body = _body(span.data, header)
    if body.error:
        found.detail = body.error
        return found
    found.error = None
    found.headers, found.http_status, found.media_type = body.headers, body.status, body.media_type
    found.payload_sha256 = hashlib.sha256(body.payload).hexdigest()
    if len(body.payload) > limit:
        found.error, found.detail = "too-large", f"{len(body.payload)} bytes"
    found.signal = signal_kind(found.uri)
    if found.signal and header.kind != "revisit":  # a revisit repeats a body without holding it
        plain, error = decoded_body(body.payload, body.headers, limit)
        found.signal_body = (body.payload if error else plain)[:MAX_SIGNAL_BYTES]
    return found


def _header(data: bytes | mmap, start: int = 0) -> _Header | None:
    end = _HEAD_END.search(data, start, start + HEADER_ROOM)
    if end is None or data[start:start + 5] != b"WARC/":
        return None
    fields: dict[str, str] = {}
    lengths = set()
    for name, value in _lines(data[start:end.start()], "utf-8"):
        name = name.lower()
        fields.setdefault(name, value)
        if name == "content-length":
            lengths.add(value)
    stated = lengths.pop() if len(lengths) == 1 else ""
    length = int(stated) if _DIGITS.fullmatch(stated) else None
    return _Header(end.end() - start, fields, length)


def _uri(fields: dict[str, str]) -> str | None:
    uri = fields.get("warc-target-uri")
    return uri.removeprefix("<").removesuffix(">") if uri is not None else None


def _lines(head: bytes, charset: str) -> list[tuple[str, str]]:
    return [(name.decode(charset, "replace"), value.decode(charset, "replace").strip())
            for name, value in _LINE.findall(_FOLD.sub(b" ", head))]


def _body(data: bytes, header: _Header) -> _Body:
    """A record's payload; HTTP headers, status and media type of a record that holds HTTP."""
    block = data[header.end:header.end + (header.length or 0)]
    kind = header.fields.get("content-type")
    if not block or not (block.startswith(b"HTTP/") if kind is None
                         else kind.lower().startswith("application/http")):
        return _Body(block, media_type=_media_type(kind) if block else None)
    status = _STATUS.match(block)
    if status is None:
        return _Body(b"", error="no HTTP status line")
    end = _HEAD_END.search(block, 0, HEADER_ROOM)
    if end is None and len(block) > HEADER_ROOM:
        return _Body(b"", error="HTTP headers without an end")
    head, payload = (block[:end.start()], block[end.end():]) if end else (block, b"")
    headers = tuple(_lines(head.partition(b"\n")[2], "latin-1"))
    stated = next((value for name, value in headers if name.lower() == "content-type"), None)
    return _Body(payload, headers, int(status[1]), _media_type(stated))


def _media_type(value: str | None) -> str | None:
    return (value or "").partition(";")[0].strip().lower()[:100] or None


def _layout(data: mmap, bound: int) -> str:
    """`plain`, `member` (a gzip member per record) or `stream` (the first member holds several
    records, as plain files that were compressed whole do).  A broken beginning decides nothing."""
    if data[:5] == b"WARC/":
        return "plain"
    if data[:3] != members.MAGIC:
        marker = _NEXT.search(data)
        member = members.following(data, 0, b"WARC/")
        return "member" if member < (marker.start() if marker else len(data)) else "plain"
    with memoryview(data) as view:
        for room in (members.CHUNK, bound):
            content, _, state = members.inflate(view, 0, room, 1)
            header = _header(content)
            if header is None or header.length is None:
                return "member"
            rest = content[header.end + header.length:].lstrip(b"\r\n")
            if rest:
                return "stream" if rest.startswith(b"WARC/"[:len(rest)]) else "member"
            if state == "whole":
                return "member"
    return "member"


def _opened(source: Source, bound: int) -> BinaryIO:
    """The file in which offsets count: unpacked, where it is one gzip stream."""
    file = source.path.open("rb")
    if file.read(1):  # an empty file cannot be mapped
        with mmap(file.fileno(), 0, access=ACCESS_READ) as data:
            if _layout(data, bound) == "stream":
                file.close()
                return cast(BinaryIO, gzip.open(source.path))
    return file


def _members(data: mmap, bound: int) -> Generator[_Span, None, None]:
    position, size = 0, len(data)
    with memoryview(data) as view:
        while position < size:
            start = position
            if data[position:position + 3] != members.MAGIC:
                position = members.following(data, position + 1, b"WARC/")
                yield _Span(start, position - start, b"", "unreadable", "not a gzip member")
                continue
            content, position, state = members.inflate(view, position, bound)
            if state == "whole":
                # empty members and zeros are padding
                if content:
                    yield from _parted(start, position - start, content)
                position = members.skip_zeros(data, position)
            elif state in ("too-large", "endless"):
                if state == "endless":
                    position = members.following(data, position, b"WARC/")
                yield _Span(start, position - start, content, "too-large",
                            f"more than {bound} bytes decompressed")
                position = members.skip_zeros(data, position)
            else:
                position = members.following(data, start + 3, b"WARC/")
                yield _Span(start, position - start, content, "unreadable", state)


def _parted(offset: int, length: int, content: bytes) -> Iterator[_Span]:
    """A member's record.  What follows it in the same member cannot be delimited: one span."""
    header = _header(content)
    if header and header.length is not None:
        end = _gap(content, header.end + header.length)
        if content[end:].startswith(b"WARC/"):
            yield _Span(offset, length, content[:end])
            number = 1 + len(_NEXT.findall(content, end))
            yield _Span(offset, length, content[end:], "unreadable",
                        f"{number} more in a gzip member that should hold one record", True)
            return
    yield _Span(offset, length, content)


def _stream(data: mmap, bound: int) -> Generator[_Span, None, None]:
    """One gzip stream, unpacked on disk; offsets count unpacked bytes."""
    limit, total, broken = len(data) * STREAM_RATIO + bound, 0, None
    with tempfile.TemporaryFile() as file:
        data.seek(0)
        with gzip.GzipFile(fileobj=cast(BinaryIO, data)) as stream:
            try:
                while total <= limit and (part := stream.read1(members.CHUNK)):
                    total += file.write(part)
            except (OSError, EOFError, zlib.error) as error:
                broken = f"{type(error).__name__}: torn gzip stream"
        file.flush()
        if total:
            with mmap(file.fileno(), 0, access=ACCESS_READ) as unpacked:
                yield from _plain(unpacked, bound)
        if total > limit:
            yield _Span(total, 0, b"", "too-large", f"more than {limit} bytes decompressed")
        elif broken:
            yield _Span(total, 0, b"", "unreadable", broken)


def _plain(data: mmap, bound: int) -> Generator[_Span, None, None]:
    position, size = _gap(data, 0), len(data)
    while position < size:
        start, header = position, _header(data, position)
        end = start + header.end + header.length if header and header.length is not None else size
        following = _gap(data, end)
        if header is None or header.length is None or end > size or (
                following < size and data[following:following + 5] != b"WARC/"):
            marker = _NEXT.search(data, start)
            position = marker.end() if marker else size
            yield _Span(start, position - start, data[start:min(position, start + bound)],
                        "unreadable", "the stated length does not end at a record's end"
                        if header else "no WARC header")
            continue
        if end - start > bound:
            yield _Span(start, end - start, data[start:start + header.end], "too-large",
                        f"{end - start} bytes")
        else:
            yield _Span(start, end - start, data[start:end])
        position = following


def _gap(data: bytes | mmap, position: int) -> int:
    gap = _GAP.match(data, position)
    return gap.end() if gap else position
