"""Read files that are one record each: text, HTML, office documents."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pipelines.ingest.readers.records import ContainerSource, Content, Envelope


@dataclass(frozen=True, slots=True)
class File:
    """The reader of files with one media type."""

    media_type: str

    def scan(self, source: ContainerSource) -> Iterator[Envelope]:
        """Yield one envelope. Its URI is the file's path relative to the params file."""
        size = source.path.stat().st_size
        envelope = Envelope("bytes", 0, size, uri=source.uri, media_type=self.media_type)
        if size > source.max_record_bytes:
            envelope.error, envelope.detail = "too-large", f"{size} bytes"
        with source.path.open("rb") as file:
            envelope.payload_sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        yield envelope

    def contents(
        self, source: ContainerSource, wanted: Sequence[tuple[int, int]]
    ) -> Iterator[Content]:
        """Yield the bytes of the file."""
        for _, length in wanted:
            with source.path.open("rb") as file:
                yield Content(payload=file.read(length), media_type=self.media_type)
