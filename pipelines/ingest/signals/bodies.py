"""Store the bodies of captures in files. Captures travel with the location of their body only."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from lineage.storage import disk
from pipelines.ingest.signals.observed import BodyLocation, Capture

#: Writes a body to the open file and returns its location. Equal bodies are written once.
StoreBody = Callable[[bytes], BodyLocation]


@contextmanager
def write_bodies(path: Path) -> Iterator[StoreBody]:
    """Write a file of bodies. The file appears atomically at the end of the block.

    Args:
      path: the file.

    Yields:
      The function that stores a body.
    """
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
    """Return a capture with its body. If the body cannot be read, the capture is unanswered (0)."""
    location = capture.body_location
    if location is None:
        return capture
    try:
        with Path(location.path).open("rb") as file:
            file.seek(location.offset)
            body = file.read(location.length)
    except OSError:
        body = b""
    if len(body) != location.length:
        return replace(capture, status=0, body=b"", body_location=None)
    return replace(capture, body=body, body_location=None)
