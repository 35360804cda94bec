"""How a container of records is laid out, and the stretches of it that its records take up.

What a record looks like is a `Grammar`: WARC's is here, ARC's in its own module.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from io import BufferedReader
from mmap import ACCESS_READ, mmap
from typing import cast

from lineage.storage import streams
from pipelines.ingest.readers import members

HEADER_ROOM = 1 << 20  # envelope and HTTP headers do not count as the record's body
#: A file that is one compressed stream is unpacked on disk, up to this many times its size.
STREAM_RATIO = 100
HEAD_END = re.compile(rb"\r?\n\r?\n")
_LINE = re.compile(r"^([^\s:]+)[ \t]*:(.*)$", re.M | re.A)
_FOLD = re.compile(r"\r?\n[ \t]+")
_GAP = re.compile(rb"(?:[\r\n]+\0*)*")
NO_HEADER = "no header of a record"
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
    header: Header | None = None  # where it is known already


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


@dataclass(frozen=True, slots=True)
class Grammar:
    """How records of a format look: `begins` matches at the first bytes of a container or member,
    `starts` at the first of a record behind another one, `marker` ends where a record starts again
    behind damage; `header` reads a record's own header."""

    begins: re.Pattern[bytes]
    starts: re.Pattern[bytes]
    marker: re.Pattern[bytes]
    header: Callable[[bytes | mmap, int], Header | None]


def split_spans(
    data: mmap, layout: str, bound: int, grammar: Grammar
) -> Generator[Span, None, None]:
    """All of a container in spans, in its order; each held up to `bound` bytes."""
    if layout == "stream":
        with streams.decompressed(cast(BufferedReader, _Window(data))) as stream:
            yield from unpack_spans(stream, len(data) * STREAM_RATIO + bound, bound, grammar)
    else:
        yield from (_member_spans if layout == "member" else _plain_spans)(data, bound, grammar)


def parse_header(data: bytes | mmap, start: int = 0) -> Header | None:
    """The header of the record that starts there; None where none does."""
    end = HEAD_END.search(data, start, start + HEADER_ROOM)
    if end is None or data[start : start + 5] != b"WARC/":
        return None
    fields: dict[str, str] = {}
    lengths = set()
    for name, value in header_fields(data[start : end.start()], "utf-8"):
        name = name.lower()
        fields.setdefault(name, value)
        if name == "content-length":
            lengths.add(value)
    stated = lengths.pop() if len(lengths) == 1 else ""
    length = int(stated) if _DIGITS.fullmatch(stated) else None
    return Header(end.end() - start, fields, length)


_WARC = re.compile(rb"WARC/")
WARC = Grammar(
    _WARC,
    _WARC,
    re.compile(rb"\n\r?\n(?=WARC/[01]\.\d+\r?\n[A-Za-z-]+[ \t]*:)"),
    parse_header,
)


def header_fields(head: bytes, charset: str) -> list[tuple[str, str]]:
    """The `Name: value` lines of a head, folded ones joined."""
    unfolded = _FOLD.sub(" ", head.decode(charset, "replace"))
    return [(name, value.strip()) for name, value in _LINE.findall(unfolded)]


def detect_layout(data: mmap | bytes, bound: int, grammar: Grammar) -> str:
    """`plain`, `member` (a gzip member per record) or `stream` (zstd, lz4, or a first member that
    holds several records, as plain files that were compressed whole do).  A broken beginning
    decides nothing."""
    if grammar.begins.match(data):
        return "plain"
    if streams.compression(data[:4]) in ("zstd", "lz4"):
        return "stream"
    if data[:3] != members.MAGIC:
        marker = grammar.marker.search(data)
        member = members.next_member(data, 0, grammar.begins)
        return "member" if member < (marker.start() if marker else len(data)) else "plain"
    with memoryview(data) as view:
        for room in (members.CHUNK, bound):
            content, end, state = members.inflate(view, 0, room, 1)
            header = grammar.header(content, 0)
            held = header.end + header.length if header and header.length is not None else None
            if state == "whole" and (held is None or held > len(content)):
                return (
                    "stream" if _continues_in_next_member(data, content, end, grammar) else "member"
                )
            if held is None:
                return "member"
            rest = content[held:].lstrip(b"\r\n")
            if grammar.starts.match(rest):
                return "stream"
            if state == "whole":
                return "member"
    return "member"


def _continues_in_next_member(
    data: mmap | bytes, content: bytes, end: int, grammar: Grammar
) -> bool:
    """Whether a record whose beginning fills the first member goes on in the next: the stream was
    cut anywhere."""
    return (
        grammar.begins.match(content) is not None
        and data[end : end + 3] == members.MAGIC
        and not members.member_begins(data, end, grammar.begins)
    )


def _member_spans(data: mmap, bound: int, grammar: Grammar) -> Generator[Span, None, None]:
    position, size, wasted = 0, len(data), 0
    with memoryview(data) as view:
        while position < size:
            start = position
            if data[position : position + 3] != members.MAGIC:
                position = members.next_member(data, position + 1, grammar.begins)
                yield Span(start, position - start, b"", "unreadable", "not a gzip member")
                continue
            content, position, state = members.inflate(view, position, bound)
            if state == "whole":
                # empty members and zeros are padding
                if content:
                    yield from _split_member(start, position - start, content, grammar)
                position = members.skip_zeros(data, position)
            elif state in ("too-large", "endless"):
                if state == "endless":
                    position = members.next_member(data, position, grammar.begins)
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
                position = members.next_member(data, max(skip, start + 3), grammar.begins)
                yield Span(start, position - start, content, "unreadable", state)


def _split_member(offset: int, length: int, content: bytes, grammar: Grammar) -> Iterator[Span]:
    """A member's record.  What follows it in the same member cannot be delimited: one span."""
    header = grammar.header(content, 0)
    if header and header.length is not None:
        end = _skip_gap(content, header.end + header.length)
        if grammar.starts.match(content, end):
            yield Span(offset, length, content[:end], header=header)
            number = 1 + len(grammar.marker.findall(content, end))
            yield Span(
                offset,
                length,
                content[end:],
                "unreadable",
                f"{number} more in a gzip member that should hold one record",
                True,
            )
            return
    yield Span(offset, length, content, header=header)


class _Window:
    """A mapped file as one to be read from its front, which outlives its readers."""

    def __init__(self, data: mmap) -> None:
        self.read, self.seek, self.tell = data.read, data.seek, data.tell

    def close(self) -> None:
        """Left to whoever mapped it."""


def unpack_spans(
    stream: BufferedReader, limit: int, bound: int, grammar: Grammar
) -> Generator[Span, None, None]:
    """The spans of a stream, unpacked on disk up to `limit` bytes; offsets count its bytes."""
    total, broken = 0, None
    with tempfile.TemporaryFile() as file:
        try:
            while total <= limit and (part := stream.read1(streams.BUFFER)):
                total += file.write(part)
        except streams.BROKEN as error:
            broken = f"{type(error).__name__}: torn or broken stream"
        file.flush()
        if total:
            with mmap(file.fileno(), 0, access=ACCESS_READ) as data:
                yield from _plain_spans(data, bound, grammar)
        if total > limit:
            yield Span(total, 0, b"", "too-large", f"more than {limit} bytes decompressed")
        elif broken:
            yield Span(total, 0, b"", "unreadable", broken)


def _plain_spans(data: mmap, bound: int, grammar: Grammar) -> Generator[Span, None, None]:
    position, size = _skip_gap(data, 0), len(data)
    while position < size:
        start, header = position, grammar.header(data, position)
        end = start + header.end + header.length if header and header.length is not None else size
        following = _skip_gap(data, end)
        if (
            header is None
            or header.length is None
            or end > size
            or (following < size and not grammar.starts.match(data, following))
        ):
            marker = grammar.marker.search(data, start)
            position = marker.end() if marker else size
            yield Span(
                start,
                position - start,
                data[start : min(position, start + bound)],
                "unreadable",
                "the stated length does not end at a record's end" if header else NO_HEADER,
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
            yield Span(start, end - start, data[start:end], header=header)
        position = following


def _skip_gap(data: bytes | mmap, position: int) -> int:
    gap = _GAP.match(data, position)
    return gap.end() if gap else position
