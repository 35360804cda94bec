"""Read feeds (RSS, RDF, Atom): each item is a record. `offset` is its number, from 0."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

from pipelines.ingest.extract.documents import feed
from pipelines.ingest.extract.documents.document_text import DocumentError
from pipelines.ingest.readers.records import ContainerSource, Content, Envelope

TYPE = "text/plain"


def scan(source: ContainerSource) -> Iterator[Envelope]:
    """Yield an envelope for each item; `length` is the length of its text in bytes.

    A feed that breaks off, or has no items, has one further envelope with the error.
    """
    try:
        content = _read_feed(source)
    except DocumentError as error:
        yield _error_envelope(0, source, error)
        return
    for number, item in enumerate(content.items):
        body = item.text.encode("utf-8", "replace")
        digest = hashlib.sha256("\0".join((item.title or "", item.text)).encode("utf-8", "replace"))
        uri = item.uri or f"{source.uri}#{number}"
        yield Envelope("entry", number, max(len(body), 1), uri, digest.hexdigest(), media_type=TYPE)
    if content.error:
        yield _error_envelope(len(content.items), source, content.error)
    elif not content.items:
        yield _error_envelope(0, source, DocumentError("unreadable", "a feed without items"))


def contents(source: ContainerSource, wanted: Sequence[tuple[int, int]]) -> Iterator[Content]:
    """Yield the texts of items."""
    try:
        items = _read_feed(source).items
    except DocumentError:
        items = []
    for number, _ in wanted:
        if number < len(items):
            yield Content(text=items[number].text, title=items[number].title, media_type=TYPE)
        else:
            yield Content(error="unreadable", detail="the feed changed since it was scanned")


def _error_envelope(number: int, source: ContainerSource, error: DocumentError) -> Envelope:
    return Envelope("entry", number, 1, source.uri, error=error.reason, detail=error.detail)


def _read_feed(source: ContainerSource) -> feed.Feed:
    with source.path.open("rb") as file:
        payload = file.read(source.max_record_bytes + 1)
    if len(payload) > source.max_record_bytes:
        raise DocumentError("too-large", f"more than {source.max_record_bytes} bytes")
    return feed.parse_feed(payload)
