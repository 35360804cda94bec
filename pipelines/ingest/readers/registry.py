"""The readers of raw containers: one module per format, with the interface `records.Reader`.

`scan` reads a container once and yields an `Envelope` for each raw record, damaged ones included.
It decodes no text. `contents` reads the bodies of the records that passed the gate. Neither raises
on bad input: the envelope or content holds the reason.
"""

from __future__ import annotations

from importlib import import_module
from typing import cast

from pipelines.ingest.readers.records import Reader

#: Formats whose files are one record each, with their media type.
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
    """Return the reader of a format that the parameters name."""
    if format in FILES:
        return cast(Reader, import_module("pipelines.ingest.readers.file").File(FILES[format]))
    return cast(Reader, import_module(f"pipelines.ingest.readers.{format}"))
