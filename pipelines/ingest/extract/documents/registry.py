"""Extract text from office documents and feeds, with a module per format.

Each module offers `extract_text(payload, limit) -> DocumentText`. It raises `DocumentError` on bad
input, writes nothing to disk, and unpacks at most `limit` bytes.
"""

from __future__ import annotations

import io
import re
import zipfile
from importlib import import_module
from typing import Final

from pipelines.ingest.extract.documents.document_text import DocumentError, DocumentText

_OPEN: Final = "application/vnd.oasis.opendocument.text"
_WORD: Final = "application/vnd.openxmlformats-officedocument.wordprocessingml."

#: Media types, each with the module that reads it.
MODULES: Final = {
    "application/pdf": "pdf",
    "application/x-pdf": "pdf",
    _WORD + "document": "docx",
    _WORD + "template": "docx",
    "application/vnd.ms-word.document.macroenabled.12": "docx",
    _OPEN: "odt",
    _OPEN + "-template": "odt",
    "application/rtf": "rtf",
    "application/x-rtf": "rtf",
    "text/rtf": "rtf",
    "application/epub+zip": "epub",
    "application/rss+xml": "feed",
    "application/atom+xml": "feed",
    "application/rdf+xml": "feed",
}
#: Media types that say too little, so that the bytes decide. Many files of `application/msword`
#: are RTF, some are DOCX.
GENERIC: Final = frozenset(
    {
        "application/octet-stream",
        "binary/octet-stream",
        "application/zip",
        "application/x-zip-compressed",
        "application/msword",
        "application/xml",
        "text/xml",
    }
)
_OLE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ROOT = re.compile(rb"\s*(?:<\?.*?\?>\s*|<!--.*?-->\s*|<!DOCTYPE[^\[>]*>\s*)*<([\w.:-]+)", re.S)


def is_supported(media_type: str) -> bool:
    """Whether bodies of this type can be read, or their bytes must decide."""
    return media_type in MODULES or media_type in GENERIC


def sniff_media_type(payload: bytes) -> str | None:
    """Return the media type that the bytes show; None if it is neither a document nor XHTML."""
    if payload[:1024].lstrip().startswith(b"{\\rt"):
        return "text/rtf"
    if payload[:1024].lstrip().startswith(b"%PDF-"):
        return "application/pdf"
    if payload.startswith(b"PK\x03\x04"):
        return _sniff_zip(payload)
    if payload.startswith(_OLE):
        return "application/msword"
    root = _ROOT.match(payload[:4096].removeprefix(b"\xef\xbb\xbf"))
    name = root[1].rpartition(b":")[2].lower() if root else b""
    feeds = {
        b"rss": "application/rss+xml",
        b"feed": "application/atom+xml",
        b"rdf": "application/rdf+xml",
    }
    return "application/xhtml+xml" if name == b"html" else feeds.get(name)


def effective_media_type(media_type: str | None, payload: bytes) -> str | None:
    """Return the media type to read a body as.

    The bytes decide if the declared type is missing, generic, or that of a document. PDF and RTF
    are also recognised under `text/plain`. Otherwise the declared type is used.
    """
    if media_type is not None and media_type not in GENERIC and media_type not in MODULES:
        if media_type == "text/plain" and payload[:1024].lstrip()[:5] in (b"%PDF-", b"{\\rtf"):
            return sniff_media_type(payload) or media_type
        return media_type
    sniffed = sniff_media_type(payload)
    if sniffed == "application/xhtml+xml" and MODULES.get(media_type or "", "feed") != "feed":
        return media_type  # a page that was served in place of a document
    return sniffed or media_type


def _sniff_zip(payload: bytes) -> str | None:
    """Return the media type of a document in a ZIP file; None if it is not one.

    The first entry of an EPUB or ODT holds the media type, uncompressed.
    """
    declared = re.match(rb"mimetype(application/[a-z.+-]+)", payload[30:140])
    if declared:
        # The bytes of the next entry may follow the name directly.
        value = declared[1].decode()
        return next(
            (name for name in sorted(MODULES, key=len)[::-1] if value.startswith(name)), None
        )
    if b"word/document" in payload:
        return _WORD + "document"
    try:
        with zipfile.ZipFile(io.BytesIO(payload[-(1 << 22) :])) as file:
            names = set(file.namelist()[:100])
    except Exception:
        names = set()
    if "META-INF/container.xml" in names:
        return "application/epub+zip"
    return _OPEN if "content.xml" in names else None


def extract_text(payload: bytes, media_type: str, limit: int) -> DocumentText:
    """Extract the text of a document. Bad input gives a result with `error`, never an exception.

    Args:
      payload: the bytes of the document.
      media_type: one of `MODULES`, or `application/msword`.
      limit: the most bytes that may be unpacked.
    """
    if payload.startswith(_OLE):
        if "EncryptedPackage".encode("utf-16-le") in payload:
            return DocumentText(error="unreadable", detail="encrypted")
        return DocumentText(
            error="unsupported-media-type", detail="a binary document of old Office"
        )
    if media_type not in MODULES:
        return DocumentText(error="unsupported-media-type", detail=media_type)
    module = import_module(f"pipelines.ingest.extract.documents.{MODULES[media_type]}")
    try:
        document: DocumentText = module.extract_text(payload, limit)
    except DocumentError as error:
        return DocumentText(error=error.reason, detail=error.detail)
    except Exception as error:  # damage that no check covers
        return DocumentText(error="unreadable", detail=type(error).__name__)
    return document
