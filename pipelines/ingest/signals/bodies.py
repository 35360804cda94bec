"""Bodies of captures in a file: what travels, and is held for every host, is where they lie."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from lineage.storage import disk
from pipelines.ingest.signals.observed import BodyLocation, Capture

#: Puts a body into the file that is being written, once however often it comes.
StoreBody = Callable[[bytes], BodyLocation]


@contextmanager
def write_bodies(path: Path) -> Iterator[StoreBody]:
    """Write a file of bodies; it is there, whole, when this ends."""
    places: dict[bytes, BodyLocation] = {}
    with disk.atomic_file(path) as file:

        def store(body: bytes) -> BodyLocation:
            name = hashlib.sha256(body).digest()
            if name not in places:
                places[name] = BodyLocation(str(path), file.tell(), len(body))
                file.write(body)
            return places[name]

        yield store


@lru_cache(64)
def load_body(capture: Capture) -> Capture:
    """A capture with its body.  One that can no longer be read counts as unanswered (status 0)."""
    at = capture.body_location
    if at is None:
        return capture
    try:
        with Path(at.path).open("rb") as file:
            file.seek(at.offset)
            body = file.read(at.length)
    except OSError:
        body = b""
    if len(body) != at.length:
        return replace(capture, status=0, body=b"", body_location=None)
    return replace(capture, body=body, body_location=None)
