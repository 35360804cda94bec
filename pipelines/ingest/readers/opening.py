"""Open containers for all readers. Each stream is read forwards once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader

from lineage.storage import streams
from pipelines.ingest.readers.records import ContainerSource, Cursor


def open_container(source: ContainerSource) -> BufferedReader:
    """Open a container; the bytes are as stored."""
    return source.path.open("rb")


@contextmanager
def open_stream(source: ContainerSource, entry: int | None = None) -> Iterator[BufferedReader]:
    """Open the decompressed content of a container.

    The stream stays open after the block if the source has a cursor.

    Args:
      source: the container.
      entry: the number of an entry, if the container is a ZIP file.
    """

    def open_() -> BufferedReader:
        if entry is not None:
            return streams.open_zip_entry(source.path, entry)
        return streams.decompressed(open_container(source))

    cursor = source.cursor or Cursor()
    try:
        yield cursor.take((source.path, entry), open_)
    except Exception:  # not GeneratorExit: the next reader may continue with the stream
        cursor.close()
        raise
    finally:
        if source.cursor is None:
            cursor.close()
