"""How readers open containers: in one place, and streams that are only read forwards once."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from io import BufferedReader
from typing import TYPE_CHECKING

from lineage.storage import streams

if TYPE_CHECKING:
    from pipelines.ingest.readers.records import Source


class Cursor:
    """Keeps the stream that was read last open: who asks for the same one reads on where the last
    one stopped, so that a compressed container read unit by unit is unpacked once, not per unit."""

    def __init__(self) -> None:
        self._key: Hashable = None
        self._file: BufferedReader | None = None

    def take(self, key: Hashable, open_: Callable[[], BufferedReader]) -> BufferedReader:
        """The stream of that name, opened where it is not the one at hand."""
        if self._file is None or self._key != key:
            self.close()
            self._file, self._key = open_(), key
        return self._file

    def close(self) -> None:
        """Let the stream go."""
        if self._file is not None:
            self._file.close()
        self._file = None


def open_container(source: Source) -> BufferedReader:
    """A container's bytes as they are stored."""
    return source.path.open("rb")


@contextmanager
def stream(source: Source, entry: int | None = None) -> Iterator[BufferedReader]:
    """A container's content, or that of an entry of a ZIP, decompressed; kept open under the
    source's cursor, where it has one."""

    def open_() -> BufferedReader:
        if entry is not None:
            return streams.entry(source.path, entry)
        return streams.unpacked(open_container(source))

    cursor = source.cursor or Cursor()
    try:
        yield cursor.take((source.path, entry), open_)
    except Exception:  # a reader that was given up (GeneratorExit) may be followed by the next
        cursor.close()
        raise
    finally:
        if source.cursor is None:
            cursor.close()
