"""Files that are a record each: text, HTML, office documents."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pipelines.ingest.readers.records import ContainerSource, Content, Envelope


@dataclass(frozen=True, slots=True)
class File:
    """The reader of a format whose files have this media type."""

    media_type: str

    def scan(self, source: ContainerSource) -> Iterator[Envelope]:
        """One envelope; a file has no URI of its own but its path relative to the params file."""
        size = source.path.stat().st_size
        found = Envelope("bytes", 0, size, uri=source.uri, media_type=self.media_type)
        if size > source.max_record_bytes:
            found.error, found.detail = "too-large", f"{size} bytes"
        with source.path.open("rb") as file:
            found.payload_sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        yield found

    def contents(
        self, source: ContainerSource, wanted: Sequence[tuple[int, int]]
    ) -> Iterator[Content]:
        """The file's bytes."""
        for _, length in wanted:
            with source.path.open("rb") as file:
                yield Content(payload=file.read(length), media_type=self.media_type)
