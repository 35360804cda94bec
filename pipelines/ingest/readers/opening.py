"""How readers open containers: in one place. Each stream is read forwards once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader

from lineage.storage import streams
from pipelines.ingest.readers.records import ContainerSource, Cursor


def open_container(source: ContainerSource) -> BufferedReader:
    """A container's bytes as they are stored."""
    return source.path.open("rb")


@contextmanager
def open_stream(source: ContainerSource, entry: int | None = None) -> Iterator[BufferedReader]:
    """A container's content, or that of an entry of a ZIP, decompressed; kept open under the
    source's cursor, where it has one."""

    def open_() -> BufferedReader:
        if entry is not None:
            return streams.open_zip_entry(source.path, entry)
        return streams.decompressed(open_container(source))

    cursor = source.cursor or Cursor()
    try:
        yield cursor.take((source.path, entry), open_)
    except Exception:  # a reader that was given up (GeneratorExit) may be followed by the next
        cursor.close()
        raise
    finally:
        if source.cursor is None:
            cursor.close()
