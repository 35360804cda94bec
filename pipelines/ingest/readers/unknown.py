"""Files that no reader knows: each is a record that says so."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pipelines.ingest.readers.records import ContainerSource, Content, Envelope

DETAIL = "no reader knows this kind of file"


def scan(source: ContainerSource) -> Iterator[Envelope]:
    """One envelope, damaged."""
    size = source.path.stat().st_size
    yield Envelope("bytes", 0, size, uri=source.uri, error="unsupported-media-type", detail=DETAIL)


def contents(source: ContainerSource, wanted: Sequence[tuple[int, int]]) -> Iterator[Content]:
    """Nothing."""
    for _ in wanted:
        yield Content(error="unsupported-media-type", detail=DETAIL)
