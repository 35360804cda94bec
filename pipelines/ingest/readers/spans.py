"""Detect the layout of a container, and split it into the spans of its records.

A `Grammar` describes the form of a record. WARC's is here, ARC's in its own module.
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

HEADER_ROOM = 1 << 20  # bytes for envelope and HTTP headers, added to the limit of a body
#: A file that is one compressed stream is unpacked to disk, up to this many times its size.
STREAM_RATIO = 100
HEAD_END = re.compile(rb"\r?\n\r?\n")
_LINE = re.compile(r"^([^\s:]+)[ \t]*:(.*)$", re.M | re.A)
_FOLD = re.compile(r"\r?\n[ \t]+")
_GAP = re.compile(rb"(?:[\r\n]+\0*)*")
NO_HEADER = "no header of a record"
_DIGITS = re.compile(r"\d{1,15}")


@dataclass(frozen=True, slots=True)
class Span:
    """A range of the container: the bytes of a record, or an error.

    Attributes:
      offset, length: the range.
      data: the content of the range, decompressed; only the beginning of a record that is too long.
      error, detail: a reason of the ledger and what was observed; None for a readable record.
      rest: whether these are bytes after the record of a gzip member.
      header: the header, if it is parsed already.
    """

    offset: int
    length: int
    data: bytes
    error: str | None = None
    detail: str | None = None
    rest: bool = False
    header: Header | None = None


@dataclass(frozen=True, slots=True)
class Header:
    """The header of a record.

    Attributes:
      end: its length in bytes.
      fields: its fields by lower-case name.
      length: how many bytes follow, as declared; None if the value is missing or invalid.
    """

    end: int
    fields: dict[str, str]
    length: int | None

    @property
    def kind(self) -> str:
        """The type of the record, in lower case."""
        return self.fields.get("warc-type", "").lower()


@dataclass(frozen=True, slots=True)
class Grammar:
    """The form of a format's records.

    Attributes:
      begins: matches at the first bytes of a container or gzip member.
      starts: matches at the first bytes of a record that follows another.
      marker: matches up to the start of a record, and finds the next record after damage.
      header: parses the header of the record at a position; None if there is none.
    """

    begins: re.Pattern[bytes]
    starts: re.Pattern[bytes]
    marker: re.Pattern[bytes]
    header: Callable[[bytes | mmap, int], Header | None]


def split_spans(
    data: mmap, layout: str, bound: int, grammar: Grammar
) -> Generator[Span, None, None]:
    """Yield the spans of a container, in its order.

    Args:
      data: the bytes of the container.
      layout: its layout, from `detect_layout`.
      bound: the most bytes of a record.
      grammar: the form of its records.
    """
    if layout == "stream":
        with streams.decompressed(cast(BufferedReader, _Window(data))) as stream:
            yield from unpack_spans(stream, len(data) * STREAM_RATIO + bound, bound, grammar)
    else:
        yield from (_member_spans if layout == "member" else _plain_spans)(data, bound, grammar)


def parse_header(data: bytes | mmap, start: int = 0) -> Header | None:
    """Return the header of the WARC record at `start`; None if there is none."""
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
    declared = lengths.pop() if len(lengths) == 1 else ""
    length = int(declared) if _DIGITS.fullmatch(declared) else None
    return Header(end.end() - start, fields, length)


_WARC = re.compile(rb"WARC/")
WARC = Grammar(
    _WARC,
    _WARC,
    re.compile(rb"\n\r?\n(?=WARC/[01]\.\d+\r?\n[A-Za-z-]+[ \t]*:)"),
    parse_header,
)


def header_fields(head: bytes, charset: str) -> list[tuple[str, str]]:
    """Return the `Name: value` lines of a head; folded lines are joined."""
    unfolded = _FOLD.sub(" ", head.decode(charset, "replace"))
    return [(name, value.strip()) for name, value in _LINE.findall(unfolded)]


def detect_layout(data: mmap | bytes, bound: int, grammar: Grammar) -> str:
    """Detect the layout of a container. A damaged beginning is skipped.

    Returns:
      `plain`; `member`: one gzip member per record; `stream`: zstd, lz4, or gzip whose first
      member holds several records, as in a plain file that was compressed as one.
    """
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
            size = header.end + header.length if header and header.length is not None else None
            if state == "whole" and (size is None or size > len(content)):
                continues = _continues_in_next_member(data, content, end, grammar)
                return "stream" if continues else "member"
            if size is None:
                return "member"
            rest = content[size:].lstrip(b"\r\n")
            if grammar.starts.match(rest):
                return "stream"
            if state == "whole":
                return "member"
    return "member"


def _continues_in_next_member(
    data: mmap | bytes, content: bytes, end: int, grammar: Grammar
) -> bool:
    """Whether the record in the first member continues in the next: members cut at any byte."""
    return (
        grammar.begins.match(content) is not None
        and data[end : end + 3] == members.MAGIC
        and not members.member_begins(data, end, grammar.begins)
    )


def _member_spans(data: mmap, bound: int, grammar: Grammar) -> Generator[Span, None, None]:
    """Yield the spans of a container with a gzip member per record."""
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
                # Empty members and zeros are padding.
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
                # A broken member may contain sound ones. The limit keeps the time linear.
                wasted += position - start
                skip = 0 if wasted <= members.PATIENCE * size else position - members.CHUNK
                position = members.next_member(data, max(skip, start + 3), grammar.begins)
                yield Span(start, position - start, content, "unreadable", state)


def _split_member(offset: int, length: int, content: bytes, grammar: Grammar) -> Iterator[Span]:
    """Yield the record of a member, and one span for all bytes after it in the same member."""
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
    """A mapped file as a readable stream. Closing the stream leaves the map open."""

    def __init__(self, data: mmap) -> None:
        self.read, self.seek, self.tell = data.read, data.seek, data.tell

    def close(self) -> None:
        """Do nothing: the owner closes the map."""


def unpack_spans(
    stream: BufferedReader, limit: int, bound: int, grammar: Grammar
) -> Generator[Span, None, None]:
    """Yield the spans of a decompressed stream, which is written to a temporary file.

    Args:
      stream: the decompressed stream; offsets count its bytes.
      limit: the most bytes to unpack.
      bound: the most bytes of a record.
      grammar: the form of its records.
    """
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
    """Yield the spans of a container without compression."""
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
    """Return the position after line breaks and padding."""
    gap = _GAP.match(data, position)
    return gap.end() if gap else position
