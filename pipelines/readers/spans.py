"""How a WARC container is laid out, and the stretches of it that its records take up."""

from __future__ import annotations

import gzip
import re
import tempfile
import zlib
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from mmap import ACCESS_READ, mmap
from typing import BinaryIO, cast

from pipelines.readers import members

HEADER_ROOM = 1 << 20  # envelope and HTTP headers do not count as the record's body
#: A file that is one gzip stream is unpacked on disk, up to this many times its size.
STREAM_RATIO = 100
HEAD_END = re.compile(rb"\r?\n\r?\n")
_LINE = re.compile(rb"^([^\s:]+)[ \t]*:(.*)$", re.M)
_FOLD = re.compile(rb"\r?\n[ \t]+")
_NEXT = re.compile(rb"\n\r?\n(?=WARC/[01]\.\d+\r?\n[A-Za-z-]+[ \t]*:)")
_GAP = re.compile(rb"(?:[\r\n]+\0*)*")
_DIGITS = re.compile(r"\d{1,15}")


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of the container: a record's bytes, or what is wrong with them."""

    offset: int
    length: int
    data: bytes
    error: str | None = None
    detail: str | None = None
    rest: bool = False  # what is left over behind a member's record


@dataclass(frozen=True, slots=True)
class Header:
    """A record's own header: where it ends, its fields by lower-case name, and how many bytes
    it says that follow (None: nothing that can be believed)."""

    end: int
    fields: dict[str, str]
    length: int | None

    @property
    def kind(self) -> str:
        return self.fields.get("warc-type", "").lower()


def spans(data: mmap, layout: str, bound: int) -> Generator[Span, None, None]:
    """All of a container in spans, in its order; each held up to `bound` bytes."""
    yield from {"member": _members, "stream": _stream, "plain": _plain}[layout](data, bound)


def header_of(data: bytes | mmap, start: int = 0) -> Header | None:
    """The header of the record that starts there; None where none does."""
    end = HEAD_END.search(data, start, start + HEADER_ROOM)
    if end is None or data[start : start + 5] != b"WARC/":
        return None
    fields: dict[str, str] = {}
    lengths = set()
    for name, value in fields_of(data[start : end.start()], "utf-8"):
        name = name.lower()
        fields.setdefault(name, value)
        if name == "content-length":
            lengths.add(value)
    stated = lengths.pop() if len(lengths) == 1 else ""
    length = int(stated) if _DIGITS.fullmatch(stated) else None
    return Header(end.end() - start, fields, length)


def fields_of(head: bytes, charset: str) -> list[tuple[str, str]]:
    """The `Name: value` lines of a head, folded ones joined."""
    return [
        (name.decode(charset, "replace"), value.decode(charset, "replace").strip())
        for name, value in _LINE.findall(_FOLD.sub(b" ", head))
    ]


def layout_of(data: mmap, bound: int) -> str:
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
            header = header_of(content)
            if header is None or header.length is None:
                return "member"
            rest = content[header.end + header.length :].lstrip(b"\r\n")
            if rest:
                return "stream" if rest.startswith(b"WARC/"[: len(rest)]) else "member"
            if state == "whole":
                return "member"
    return "member"


def _members(data: mmap, bound: int) -> Generator[Span, None, None]:
    position, size, wasted = 0, len(data), 0
    with memoryview(data) as view:
        while position < size:
            start = position
            if data[position : position + 3] != members.MAGIC:
                position = members.following(data, position + 1, b"WARC/")
                yield Span(start, position - start, b"", "unreadable", "not a gzip member")
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
                yield Span(
                    start,
                    position - start,
                    content,
                    "too-large",
                    f"more than {bound} bytes decompressed",
                )
                position = members.skip_zeros(data, position)
            else:
                # a broken member may hide whole ones; one made of many such must not cost a day
                wasted += position - start
                skip = 0 if wasted <= members.PATIENCE * size else position - members.CHUNK
                position = members.following(data, max(skip, start + 3), b"WARC/")
                yield Span(start, position - start, content, "unreadable", state)


def _parted(offset: int, length: int, content: bytes) -> Iterator[Span]:
    """A member's record.  What follows it in the same member cannot be delimited: one span."""
    header = header_of(content)
    if header and header.length is not None:
        end = _gap(content, header.end + header.length)
        if content[end:].startswith(b"WARC/"):
            yield Span(offset, length, content[:end])
            number = 1 + len(_NEXT.findall(content, end))
            yield Span(
                offset,
                length,
                content[end:],
                "unreadable",
                f"{number} more in a gzip member that should hold one record",
                True,
            )
            return
    yield Span(offset, length, content)


def _stream(data: mmap, bound: int) -> Generator[Span, None, None]:
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
            yield Span(total, 0, b"", "too-large", f"more than {limit} bytes decompressed")
        elif broken:
            yield Span(total, 0, b"", "unreadable", broken)


def _plain(data: mmap, bound: int) -> Generator[Span, None, None]:
    position, size = _gap(data, 0), len(data)
    while position < size:
        start, header = position, header_of(data, position)
        end = start + header.end + header.length if header and header.length is not None else size
        following = _gap(data, end)
        if (
            header is None
            or header.length is None
            or end > size
            or (following < size and data[following : following + 5] != b"WARC/")
        ):
            marker = _NEXT.search(data, start)
            position = marker.end() if marker else size
            yield Span(
                start,
                position - start,
                data[start : min(position, start + bound)],
                "unreadable",
                "the stated length does not end at a record's end" if header else "no WARC header",
            )
            continue
        if end - start > bound:
            yield Span(
                start,
                end - start,
                data[start : start + header.end],
                "too-large",
                f"{end - start} bytes",
            )
        else:
            yield Span(start, end - start, data[start:end])
        position = following


def _gap(data: bytes | mmap, position: int) -> int:
    gap = _GAP.match(data, position)
    return gap.end() if gap else position
