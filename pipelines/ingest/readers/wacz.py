"""Read WACZ: a ZIP file with WARC files below `archive/`.

An uncompressed entry, as the format requires, is read in place: its records are `member` or `bytes`
of the outer file. Records of a deflated entry, or of an entry that is one compressed stream, are
`entry`: the offset holds the entry's number and the position in the unpacked entry
(`lineage.storage.streams.ENTRY_BITS`).
"""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from io import BufferedReader
from mmap import ACCESS_READ, mmap
from tempfile import TemporaryFile

from lineage.storage import streams
from pipelines.ingest.readers import warc
from pipelines.ingest.readers.opening import open_container, open_stream
from pipelines.ingest.readers.records import ContainerSource, Content, Envelope
from pipelines.ingest.readers.spans import (
    HEADER_ROOM,
    STREAM_RATIO,
    WARC,
    Span,
    detect_layout,
    split_spans,
    unpack_spans,
)

_NAME = re.compile(r"(?i)(?:.*/)?archive/.*\.warc(?:\.gz|\.zst|\.lz4)?")
_HEAD, _ENCRYPTED = 30, 1
#: The first bytes of an entry from which its layout is detected.
_LOOK = 1 << 23
_POSITION = (1 << streams.ENTRY_BITS) - 1


def scan(source: ContainerSource) -> Iterator[Envelope]:
    """Yield the envelopes of all WARC files inside, first of those that are read in place."""
    try:
        with open_container(source) as file, zipfile.ZipFile(file) as archive:
            inside = [
                (number, info)
                for number, info in enumerate(archive.infolist(), 1)
                if _NAME.fullmatch(info.filename)
            ]
            packed = []
            for number, info in sorted(inside, key=lambda entry: entry[1].header_offset):
                if _is_stored(info) and (envelopes := _read_in_place(source, file, info)):
                    yield from envelopes
                else:
                    packed.append((number, info))
            limit = source.path.stat().st_size * STREAM_RATIO
            for number, info in sorted(packed, key=lambda entry: entry[0]):
                for envelope in _packed_envelopes(source, info, number, limit):
                    yield envelope
                    limit -= envelope.length
            if not inside:
                yield Envelope("bytes", 0, 0, error="unreadable", detail="no WARC file in it")
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, zlib.error) as error:
        yield Envelope("bytes", 0, 0, error="unreadable", detail=f"{type(error).__name__}: no ZIP")


def contents(source: ContainerSource, wanted: Sequence[tuple[int, int]]) -> Iterator[Content]:
    """Yield the bodies of records, read from the outer file or from its unpacked entries."""
    bound = source.max_record_bytes + HEADER_ROOM
    with open_container(source) as file:
        for offset, length in wanted:
            if number := offset >> streams.ENTRY_BITS:
                try:
                    with open_stream(source, number) as inner:
                        raw = warc.read_range(inner, offset & _POSITION, length)
                except streams.BROKEN:
                    raw = b""
            else:
                raw = warc.read_range(file, offset, length)
            yield warc.parse_content(raw, bound)


def _is_stored(info: zipfile.ZipInfo) -> bool:
    return info.compress_type == zipfile.ZIP_STORED and not info.flag_bits & _ENCRYPTED


def _read_in_place(
    source: ContainerSource, file: BufferedReader, info: zipfile.ZipInfo
) -> Iterator[Envelope] | None:
    """Return the envelopes of an uncompressed entry; None if it must be unpacked."""
    start, bound = _find_content(file, info), source.max_record_bytes + HEADER_ROOM
    if start is None or not info.file_size:
        return None
    file.seek(start)
    layout = detect_layout(file.read(min(info.file_size, _LOOK)), bound, WARC)
    return (
        None
        if layout == "stream"
        else _stored_envelopes(source, file, start, info.file_size, layout)
    )


def _stored_envelopes(
    source: ContainerSource, file: BufferedReader, start: int, size: int, layout: str
) -> Iterator[Envelope]:
    """Yield the envelopes of an entry that is read in place, from its bytes in the outer file."""
    bound = source.max_record_bytes + HEADER_ROOM
    with TemporaryFile() as copy:
        file.seek(start)
        while size and (part := file.read(min(size, streams.BUFFER))):
            size -= copy.write(part)
        copy.flush()
        with (
            mmap(copy.fileno(), 0, access=ACCESS_READ) as data,
            closing(split_spans(data, layout, bound, WARC)) as entry_spans,
        ):
            locator = "member" if layout == "member" else "bytes"
            yield from _envelopes(entry_spans, locator, start, source)


def _packed_envelopes(
    source: ContainerSource, info: zipfile.ZipInfo, number: int, limit: int
) -> Iterator[Envelope]:
    """Yield the envelopes of an entry that must be unpacked, up to `limit` bytes of it."""
    shift, bound = number << streams.ENTRY_BITS, source.max_record_bytes + HEADER_ROOM
    if info.flag_bits & _ENCRYPTED:
        yield Envelope("entry", shift, 0, error="unreadable", detail="the entry is encrypted")
        return
    try:
        with streams.open_zip_entry(source.path, number) as inner:
            entry_spans = unpack_spans(inner, max(limit, 0) + bound, bound, WARC)
            yield from _envelopes(entry_spans, "entry", shift, source)
    except streams.BROKEN as error:
        detail = f"{type(error).__name__}: an entry that cannot be read"
        yield Envelope("entry", shift, 0, error="unreadable", detail=detail)


def _envelopes(
    entry_spans: Iterator[Span], locator: str, shift: int, source: ContainerSource
) -> Iterator[Envelope]:
    """Yield the envelopes of spans, with `shift` added to their offsets."""
    for span in entry_spans:
        envelope = warc.parse_envelope(
            replace(span, offset=span.offset + shift), locator, source.max_record_bytes
        )
        if envelope:
            yield envelope


def _find_content(file: BufferedReader, info: zipfile.ZipInfo) -> int | None:
    """Return where the bytes of an entry begin; None if its local header is missing."""
    file.seek(info.header_offset)
    head = file.read(_HEAD)
    if len(head) < _HEAD or head[:4] != b"PK\x03\x04":
        return None
    return (
        info.header_offset
        + _HEAD
        + sum(int.from_bytes(head[i : i + 2], "little") for i in (26, 28))
    )
