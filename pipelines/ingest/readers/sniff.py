"""Detect the format of a file: by its first bytes, else by its name."""

from __future__ import annotations

import codecs
import re
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import orjson

from lineage.storage import streams
from pipelines.ingest.readers import arc
from pipelines.ingest.readers.registry import FORMATS

UNKNOWN = "unknown"
HEAD = 1 << 16
_PACKED = re.compile(r"\.(?:gz|gzip|zst|zstd|lz4)$")
_ZIP = re.compile(rb"PK\x03\x04|PK\x05\x06")
_CONTROL = re.compile(rb"[\0-\x08\x0e-\x1a\x1c-\x1f]")
_HTML = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*(?:<!--.{0,2000}?-->\s*)*<(?:!doctype html|html|head)\b", re.I | re.S
)
_FEED = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*<\?xml.{0,2000}?<(?:\w+:)?(?:rss|feed|rdf)\b", re.I | re.S
)


def _begins(pattern: bytes) -> Callable[[bytes], bool]:
    compiled = re.compile(pattern)
    return lambda head: compiled.match(head) is not None


def _is_jsonl(head: bytes) -> bool:
    """Whether the first line is a JSON object, or its visible beginning looks like one."""
    line, end, _ = head.removeprefix(b"\xef\xbb\xbf").lstrip().partition(b"\n")
    if not line.startswith(b"{"):
        return False
    try:
        return isinstance(orjson.loads(line), dict)
    except ValueError:
        return not end and len(head) >= HEAD and re.match(rb'\{\s*"', line) is not None


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of file, and how to recognise it.

    Attributes:
      format: the format that reads it.
      matches: whether the first bytes show it.
      entry: a pattern for the name of an entry, if it is a ZIP file.
      names: file endings, used if the bytes decide nothing.
      packed: whether its reader also undoes gzip, zstd and lz4.
    """

    format: str
    matches: Callable[[bytes], bool] | None = None
    entry: str | None = None
    names: tuple[str, ...] = ()
    packed: bool = False


#: In the order of the tests. A kind whose format has no reader is skipped.
KINDS = (
    Kind("warc", _begins(rb"WARC/"), names=(".warc", ".wet", ".wat"), packed=True),
    Kind("arc", lambda h: arc.ARC.starts.match(h) is not None, names=(".arc",), packed=True),
    Kind("wacz", entry=r"(?i)(?:.*/)?archive/.*\.warc(?:\.\w+)?", names=(".wacz",)),
    Kind("parquet", _begins(rb"PAR1"), names=(".parquet",)),
    Kind("pdf", _begins(rb"\s{0,64}%PDF-"), names=(".pdf",)),
    Kind("rtf", _begins(rb"\{\\rtf"), names=(".rtf",)),
    Kind("docx", entry=r"word/document\d*\.xml", names=(".docx",)),
    Kind("odt", entry=r"content\.xml", names=(".odt",)),
    Kind("epub", entry=r"META-INF/container\.xml", names=(".epub",)),
    Kind("jsonl", _is_jsonl, names=(".jsonl", ".ndjson"), packed=True),
    Kind("html", lambda h: _HTML.match(h) is not None, names=(".html", ".htm", ".xhtml")),
    Kind("feed", lambda h: _FEED.match(h) is not None, names=(".rss", ".atom")),
    Kind("csv", names=(".csv", ".tsv"), packed=True),
    Kind("text", names=(".txt", ".text", ".md")),
)


def detect_format(path: Path) -> str:
    """Return the format of a file; `unknown` if no reader knows it or it cannot be opened."""
    try:
        packed = streams.compression_of(path) is not None
        head = _read_head(path)
        inside = _zip_names(path) if _ZIP.match(head) and not packed else None
    except OSError:
        return UNKNOWN
    possible = [k for k in KINDS if k.format in FORMATS and (k.packed or not packed)]
    for kind in possible:
        if kind.matches and kind.matches(head):
            return kind.format
        if kind.entry and inside and any(re.fullmatch(kind.entry, name) for name in inside):
            return kind.format
    name = path.name.lower()
    for kind in possible:
        if (_PACKED.sub("", name) if kind.packed else name).endswith(kind.names):
            return kind.format
    return "text" if not packed and not path.suffix and _is_text(head) else UNKNOWN


def _read_head(path: Path) -> bytes:
    """Return the first `HEAD` bytes of a file, unpacked; fewer if the file is truncated."""
    head = bytearray()
    with streams.open_decompressed(path) as file:
        try:
            while len(head) < HEAD and (part := file.read1(HEAD - len(head))):
                head += part
        except streams.BROKEN:
            pass
    return bytes(head)


def _zip_names(path: Path) -> list[str]:
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return []


def _is_text(head: bytes) -> bool:
    """Whether a head is UTF-8 without control characters; it may end inside a character."""
    if not head or _CONTROL.search(head):
        return False
    try:
        return bool(codecs.getincrementaldecoder("utf-8")().decode(head))
    except UnicodeDecodeError:
        return False
