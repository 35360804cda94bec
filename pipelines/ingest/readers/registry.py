"""Readers of raw containers, one module per format behind one small interface.

`scan` walks a container once and yields an `Envelope` for each raw record, damaged ones
included; it decodes no text.  `contents` goes back for the bodies of the records that the
gate let through.  Neither raises on bad input: an envelope or a content carries the reason.
"""

from __future__ import annotations

from importlib import import_module
from typing import cast

from pipelines.ingest.readers.records import Reader

#: Formats whose files are a record each, with the media type of their bytes.
FILES = {
    "text": "text/plain",
    "html": "text/html",
    "pdf": "application/pdf",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "odt": "application/vnd.oasis.opendocument.text",
    "rtf": "application/rtf",
    "epub": "application/epub+zip",
}
FORMATS = ("warc", "arc", "wacz", "jsonl", "parquet", "csv", "feed", *FILES)


def reader(format: str) -> Reader:
    """The reader of a format named in params."""
    if format in FILES:
        return cast(Reader, import_module("pipelines.ingest.readers.file").File(FILES[format]))
    return cast(Reader, import_module(f"pipelines.ingest.readers.{format}"))
