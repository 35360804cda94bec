"""Text files: a file is a record."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

from pipelines.readers import Content, Envelope, Source


def scan(source: Source) -> Iterator[Envelope]:
    """One envelope; a file has no URI of its own but its path relative to the params file."""
    size = source.path.stat().st_size
    found = Envelope("bytes", 0, size, uri=source.uri, media_type="text/plain")
    if size > source.max_record_bytes:
        found.error, found.detail = "too-large", f"{size} bytes"
    with source.path.open("rb") as file:
        found.payload_sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    yield found


def contents(source: Source, wanted: Sequence[tuple[int, int]]) -> Iterator[Content]:
    """The file's bytes."""
    for _ in wanted:
        yield Content(payload=source.path.read_bytes(), media_type="text/plain")
