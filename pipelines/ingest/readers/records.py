"""What readers receive and return: a container, a record's envelope, a record's content."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Protocol

#: The most bytes kept of a signal capture. RFC 9309 requires 500 KiB of robots.txt.
MAX_SIGNAL_BYTES = 512 * 1024
#: The same for JSON and XML, which cannot be cut: one byte more than any that is read.
MAX_DOCUMENT_BYTES = (4 << 20) + 1


@dataclass(slots=True)
class Envelope:
    """The description of a record, before its text is read.

    Attributes:
      locator: how `offset` and `length` delimit the record: `member`, `bytes`, `row` or `entry`.
      signal: the kind of a signal capture (`robots`, `tdmrep`, `ai-txt`, `rsl`); None for others.
      signal_body, signal_location, signal_marks, signal_refers: as in `observed.Capture`.
      revisit: JSON of the capture that a revisit repeats; None for other records.
      error: a reason of the ledger (`unreadable`, `too-large`); None for a readable record.
      detail: what was observed.
    """

    locator: str
    offset: int
    length: int
    uri: str | None = None
    payload_sha256: str | None = None
    captured_at: str | None = None
    media_type: str | None = None
    http_status: int | None = None
    headers: tuple[tuple[str, str], ...] = ()
    signal: str | None = None
    signal_body: bytes | None = None
    signal_location: str | None = None
    signal_marks: str | None = None
    signal_refers: str | None = None
    revisit: str | None = None
    error: str | None = None
    detail: str | None = None


@dataclass(slots=True)
class Content:
    """The body of a record: `text` if the format holds text, else `payload`.

    Media type and headers say how to decode the payload. `error` is as in `Envelope`.
    """

    text: str | None = None
    payload: bytes | None = None
    media_type: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    title: str | None = None
    error: str | None = None
    detail: str | None = None


class Cursor:
    """Keeps the last stream open.

    A caller that takes the same stream continues where the last one stopped. So a compressed
    container that is read in parts is decompressed once, not once per part.
    """

    def __init__(self) -> None:
        self._key: Hashable = None
        self._file: BufferedReader | None = None

    def take(self, key: Hashable, open_: Callable[[], BufferedReader]) -> BufferedReader:
        """Return the stream of a key; `open_` opens it if another one or none is open."""
        if self._file is None or self._key != key:
            self.close()
            self._file, self._key = open_(), key
        return self._file

    def close(self) -> None:
        """Close the stream."""
        if self._file is not None:
            self._file.close()
        self._file = None


@dataclass(frozen=True, slots=True)
class ContainerSource:
    """A container to read.

    Attributes:
      path: where the file is.
      uri: its path relative to the params file.
      fields: names of the container's fields by what they hold (`uri`, `text`, …).
      max_record_bytes: the most bytes of a record.
      cursor: keeps a compressed stream open from one call of `contents` to the next.
    """

    path: Path
    uri: str
    fields: Mapping[str, str]
    max_record_bytes: int
    cursor: Cursor | None = None


class Reader(Protocol):
    """The interface of a reader."""

    def scan(self, source: ContainerSource) -> Iterator[Envelope]:
        """Yield the envelopes of all records of a container, in its order."""

    def contents(
        self, source: ContainerSource, wanted: Sequence[tuple[int, int]]
    ) -> Iterator[Content]:
        """Yield one body for each `(offset, length)`, which ascend by offset."""
