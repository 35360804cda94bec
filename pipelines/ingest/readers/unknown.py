"""Read files of an unknown kind: each is one damaged record."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pipelines.ingest.readers.records import ContainerSource, Content, Envelope

DETAIL = "no reader knows this kind of file"


def scan(source: ContainerSource) -> Iterator[Envelope]:
    """Yield one envelope with an error."""
    size = source.path.stat().st_size
    yield Envelope("bytes", 0, size, uri=source.uri, error="unsupported-media-type", detail=DETAIL)


def contents(source: ContainerSource, wanted: Sequence[tuple[int, int]]) -> Iterator[Content]:
    """Yield an error for each wanted body."""
    for _ in wanted:
        yield Content(error="unsupported-media-type", detail=DETAIL)
