"""Read ARC 1 and 2, the format of web archives before WARC: a header line, then the response.

The layouts of containers are the same as for WARC. Header dates are converted to WARC's form.
`filedesc:` is the description of the container, not a record.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from mmap import mmap

from pipelines.ingest.readers import warc
from pipelines.ingest.readers.records import ContainerSource, Content, Envelope
from pipelines.ingest.readers.spans import Grammar, Header

_SCHEME = rb"[A-Za-z][A-Za-z0-9+.\-]{0,30}:"
#: URL (blanks allowed), IP address, date, media type, in version 2 five further fields, length.
_LINE = (
    _SCHEME + rb"[^\r\n]{0,8192}? (?:[0-9A-Fa-f.:]{1,45}|-) \d{8,20} [^ \r\n]{0,200}"
    rb"(?:;[^;\r\n]{0,200})?(?: \d{3} \S{1,200} \S{1,8192} \d{1,15} \S{1,1024})? \S{1,20}\r?\n"
)
_HEADER = re.compile(
    rb"(?P<uri>" + _SCHEME + rb"[^\r\n]{0,8192}?) (?:[0-9A-Fa-f.:]{1,45}|-) (?P<date>\d{8,20}) "
    rb"(?P<type>[^ \r\n]{0,200}(?:;[^;\r\n]{0,200}?)?)"
    rb"(?: \d{3} \S{1,200} \S{1,8192} \d{1,15} \S{1,1024})? (?P<length>\S{1,20})\r?\n"
)
_DIGITS = re.compile(rb"\d{1,15}")


def parse_header(data: bytes | mmap, start: int = 0) -> Header | None:
    """Return the header of the record at `start`, with WARC field names; None if there is none."""
    line = _HEADER.match(data, start)
    if line is None:
        return None
    uri = line["uri"].decode("utf-8", "replace")
    scheme = uri.partition(":")[0].lower()
    fields = {
        "warc-type": "warcinfo" if scheme == "filedesc" else "response",
        "warc-target-uri": uri,
        "warc-date": _to_iso_time(line["date"].decode()),
        "content-type": "application/http"
        if scheme in ("http", "https")
        else line["type"].decode("utf-8", "replace"),
    }
    length = int(line["length"]) if _DIGITS.fullmatch(line["length"]) else None
    return Header(line.end() - start, fields, length)


ARC = Grammar(
    re.compile(rb"[A-Za-z][A-Za-z0-9+.\-]{7}|[A-Za-z][A-Za-z0-9+.\-]{0,6}:"),
    re.compile(_LINE),
    re.compile(rb"\n(?=" + _LINE + rb")"),
    parse_header,
)


def scan(source: ContainerSource) -> Iterator[Envelope]:
    """Yield the envelopes of an ARC file."""
    return warc.scan(source, ARC)


def contents(source: ContainerSource, wanted: Sequence[tuple[int, int]]) -> Iterator[Content]:
    """Yield the bodies of records, read again from the container."""
    return warc.contents(source, wanted, ARC)


def _to_iso_time(digits: str) -> str:
    """Return `20140216050221` as `2014-02-16T05:02:21Z`; any other value unchanged."""
    if len(digits) != 14:
        return digits
    d = digits
    return f"{d[:4]}-{d[4:6]}-{d[6:8]}T{d[8:10]}:{d[10:12]}:{d[12:]}Z"
