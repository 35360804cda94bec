"""Which reader serves a file: what its first bytes are, else what it is called."""

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
    """Whether the first line is a JSON object, as far as it can be seen."""
    line, end, _ = head.removeprefix(b"\xef\xbb\xbf").lstrip().partition(b"\n")
    if not line.startswith(b"{"):
        return False
    try:
        return isinstance(orjson.loads(line), dict)
    except ValueError:
        return not end and len(head) >= HEAD and re.match(rb'\{\s*"', line) is not None


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of file.  `is_it` tells it by its first bytes; `entry` by a name inside of it, where it
    is a ZIP; `names` are endings, for what bytes do not tell.  `packed`: its reader undoes gzip,
    zstd and lz4."""

    format: str
    is_it: Callable[[bytes], bool] | None = None
    entry: str | None = None
    names: tuple[str, ...] = ()
    packed: bool = False


#: In the order in which they are tried.  A kind whose format has no reader is passed over.
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
    """The format that reads a file, or `unknown`; also where it cannot be opened."""
    try:
        packed = streams.compression_of(path) is not None
        head = _read_head(path)
        inside = _zip_names(path) if _ZIP.match(head) and not packed else None
    except OSError:
        return UNKNOWN
    possible = [k for k in KINDS if k.format in FORMATS and (k.packed or not packed)]
    for one in possible:
        if one.is_it and one.is_it(head):
            return one.format
        if one.entry and inside and any(re.fullmatch(one.entry, name) for name in inside):
            return one.format
    name = path.name.lower()
    for one in possible:
        if (_PACKED.sub("", name) if one.packed else name).endswith(one.names):
            return one.format
    return "text" if not packed and not path.suffix and _is_text(head) else UNKNOWN


def _read_head(path: Path) -> bytes:
    """The first bytes of a file, unpacked; as many as there are of one that is torn."""
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
    """UTF-8 without controls; the head may end inside a letter."""
    if not head or _CONTROL.search(head):
        return False
    try:
        return bool(codecs.getincrementaldecoder("utf-8")().decode(head))
    except UnicodeDecodeError:
        return False
