"""Read CSV with a header row, plain or gzip: each row is a record. `fields` names the columns.

Delimiter (comma, semicolon, tab, bar) and charset are detected from the file. Rows have byte
offsets, so that a row can be read again without the rows before it.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import hashlib
import io
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO, cast

from pipelines.ingest.decoding import charset
from pipelines.ingest.readers.records import ContainerSource, Content, Envelope

DELIMITERS = ",;\t|"
MAX_HEADER = 1 << 20
SAMPLE = 1 << 16
#: After an unclosed quote the following lines are read again, at most this often in a file.
PATIENCE = 20
BROKEN = (OSError, EOFError, zlib.error)
NAMES = ("uri", "text", "title", "captured_at")
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_WIDTHS = {"utf-16-le": 2, "utf-16-be": 2, "utf-32-le": 4, "utf-32-be": 4}
csv.field_size_limit(2**31 - 1)  # the size of rows is limited, and so is that of fields


@dataclass(frozen=True, slots=True)
class _Layout:
    """The layout of a file: charset, delimiter, column numbers by name, offset of the first row."""

    charset: str
    delimiter: str
    columns: Mapping[str, int]
    start: int


@dataclass(slots=True)
class _Row:
    """A row.

    Attributes:
      raw: its bytes; only the beginning if the row is too long.
      length: its length in bytes.
      values: its values; None if it cannot be read.
      error: (reason, detail) of a row that cannot be read.
    """

    raw: bytes
    length: int
    values: list[str] | None
    error: tuple[str, str] | None = None


def scan(source: ContainerSource) -> Iterator[Envelope]:
    """Yield an envelope for each row that is not empty. Offsets count decompressed bytes."""
    offset = 0
    try:
        layout = _detect_layout(source)
        if layout is None:
            size = source.path.stat().st_size
            yield Envelope(
                "bytes", 0, size, source.uri, error="undecodable", detail="no charset fits it"
            )
            return
        offset = layout.start
        with _open(source.path) as file:
            file.seek(offset)
            for row in _read_rows(file, layout, source.max_record_bytes):
                if row.error or row.values:
                    yield _envelope(row, offset, layout, source)
                offset += row.length
    except BROKEN as error:
        detail = f"{type(error).__name__}: torn file"
        yield Envelope("bytes", offset, 0, source.uri, error="unreadable", detail=detail)


def contents(source: ContainerSource, wanted: Sequence[tuple[int, int]]) -> Iterator[Content]:
    """Yield the texts of rows."""
    try:
        layout = _detect_layout(source)
    except BROKEN:
        layout = None
    with _open(source.path) as file:
        for offset, length in wanted:
            try:
                file.seek(offset)
                raw = file.read(length)
            except BROKEN:
                raw = b""
            row = _parse_row(raw, layout) if layout and len(raw) == length else None
            if layout is None or row is None:
                yield Content(error="unreadable", detail="the row changed since it was scanned")
                continue
            values = _named_values(row, layout, source)
            yield Content(text=values["text"] or "", title=values["title"], media_type="text/plain")


def _envelope(row: _Row, offset: int, layout: _Layout, source: ContainerSource) -> Envelope:
    envelope = Envelope("bytes", offset, row.length, media_type="text/plain")
    if row.error or row.values is None:
        envelope.error, envelope.detail = row.error or ("unreadable", "not a CSV row")
        return envelope
    values = _named_values(row.values, layout, source)
    envelope.uri, envelope.captured_at = values["uri"], values["captured_at"]
    envelope.payload_sha256 = hashlib.sha256((values["text"] or "").encode()).hexdigest()
    return envelope


def _named_values(
    row: list[str], layout: _Layout, source: ContainerSource
) -> dict[str, str | None]:
    """Return a row's values by the names in `NAMES`; None if a column is missing or empty."""
    columns = {name: layout.columns.get(source.fields.get(name, name)) for name in NAMES}
    return {
        n: row[i] or None if i is not None and i < len(row) else None for n, i in columns.items()
    }


def _parse_row(raw: bytes, layout: _Layout) -> list[str] | None:
    lines = io.StringIO(raw.decode(layout.charset, "replace"), newline="\n")
    try:
        return next(csv.reader(lines, delimiter=layout.delimiter), None)
    except csv.Error:
        return None


class _Lines:
    """Iterates over the decoded lines of a row for `csv.reader`, and keeps their bytes.

    Attributes:
      raw: the bytes of all lines read.
      first: the length of the first line.
      ended: whether the file ended.
      long: whether the row is longer than `bound` bytes.
    """

    def __init__(self, file: BinaryIO, layout: _Layout, bound: int) -> None:
        self.file, self.charset, self.bound = file, layout.charset, bound
        self.raw, self.first, self.ended, self.long = bytearray(), 0, False, False

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = _read_line(self.file, self.charset, self.bound + 1)
        self.ended = not line
        self.long = len(self.raw) + len(line) > self.bound
        self.raw += line
        self.first = self.first or len(line)
        if self.ended or self.long:
            raise StopIteration
        return line.decode(self.charset, "replace")


def _read_rows(file: BinaryIO, layout: _Layout, bound: int) -> Iterator[_Row]:
    """Yield the rows of a file.

    After an unclosed quote, the line is one row, and reading continues at the next line.
    """
    patience = PATIENCE
    while True:
        start = file.tell()
        lines = _Lines(file, layout, bound)
        try:
            values = next(csv.reader(lines, delimiter=layout.delimiter), None)
            error = None
        except csv.Error as broken:
            values, error = None, ("unreadable", f"CSV: {broken}"[:80])
        if not lines.raw:
            return
        raw, length = bytes(lines.raw), len(lines.raw)
        if lines.first > bound:
            length += _skip_line(file, layout.charset, raw)
            values, error = None, ("too-large", f"a line of {length} bytes")
        elif lines.ended or lines.long:
            values, error = None, ("unreadable", "a quote that is not closed")
            patience -= 1
            if patience:
                raw, length = raw[: lines.first], lines.first
                file.seek(start + length)
            else:
                while part := file.read(1 << 20):
                    length += len(part)
        yield _Row(raw, length, values, error)


def _read_line(file: BinaryIO, name: str, bound: int) -> bytes:
    """Read a line with its end, or `bound` bytes of it, in the charset `name`.

    In charsets of two or four bytes per character, a line ends with such a character.
    """
    line = file.readline(bound)
    width = _WIDTHS.get(name, 1)
    if width == 1 or not line:
        return line
    end = "\n".encode(name)
    collected = bytearray(line)
    while line and len(collected) < bound:
        collected += file.read(-len(collected) % width)
        if collected.endswith(end):
            break
        line = file.readline(bound - len(collected))
        collected += line
    return bytes(collected)


def _skip_line(file: BinaryIO, name: str, line: bytes) -> int:
    """Read past the end of a line whose beginning was read; return the number of bytes read."""
    skipped, end = 0, "\n".encode(name)
    while not line.endswith(end) and (line := _read_line(file, name, 1 << 20)):
        skipped += len(line)
    return skipped


def _detect_layout(source: ContainerSource) -> _Layout | None:
    """Detect the layout of a file; None if no charset fits its bytes."""
    stat = source.path.stat()
    name = _detect_charset(source.path, stat.st_size, stat.st_mtime_ns)
    if name is None:
        return None
    with _open(source.path) as file:
        mark = next((mark for mark, known in _MARKS if known == name), b"")
        start = len(mark) if file.read(len(mark)) == mark else 0
        file.seek(start)
        head = b""
        while not head.strip() and (line := _read_line(file, name, MAX_HEADER)):
            start, head = start + len(line), line
    wanted = {source.fields.get(n, n) for n in NAMES}
    delimiter, columns = max(
        (_parse_header(head, name, delimiter) for delimiter in DELIMITERS),
        key=lambda header: (len(wanted & header[1].keys()), len(header[1])),
    )
    return _Layout(name, delimiter, columns, start)


def _parse_header(head: bytes, name: str, delimiter: str) -> tuple[str, dict[str, int]]:
    """Return the delimiter, and the column numbers that the header row has with it."""
    row = _parse_row(head, _Layout(name, delimiter, {}, 0)) or []
    return delimiter, {column.strip(): n for n, column in reversed([*enumerate(row)])}


@lru_cache(64)
def _detect_charset(path: Path, size: int, changed: int) -> str | None:
    """Detect the charset: by a byte-order mark; UTF-8 if the file is valid; else from a sample.

    Args:
      path: the file.
      size: its size, part of the cache key.
      changed: its modification time, part of the cache key.

    Returns:
      The charset's Python name; None if no charset fits.
    """
    with _open(path) as file:
        head = file.read(4)
        for mark, name in _MARKS:
            if head.startswith(mark):
                return name
        file.seek(0)
        decoder = codecs.getincrementaldecoder("utf-8")()
        try:
            while part := file.read(1 << 20):
                decoder.decode(part)
        except UnicodeDecodeError as error:
            lines = (part[max(0, error.start - 4) :] + file.read(SAMPLE)).split(b"\n")
            sample = b"\n".join(line for line in lines if not line.isascii())
            decoded = charset.decode(sample[:SAMPLE])
            return decoded.used if decoded else None
        except BROKEN:  # the readable part is UTF-8
            pass
    return "utf-8"


def _open(path: Path) -> BinaryIO:
    with path.open("rb") as file:
        zipped = file.read(2) == b"\x1f\x8b"
    return cast(BinaryIO, gzip.open(path, "rb") if zipped else path.open("rb"))
