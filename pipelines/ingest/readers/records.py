"""What readers take and give: a container, a record's envelope, a record's content."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Protocol

#: A signal capture is kept whole up to this size: RFC 9309 asks for 500 KiB of robots.txt.
MAX_SIGNAL_BYTES = 512 * 1024
#: One that means nothing when it is cut (JSON, XML): longer than any that is read.
MAX_DOCUMENT_BYTES = (4 << 20) + 1


@dataclass(slots=True)
class Envelope:
    """What is known of a record before its text is read.

    `offset` and `length` delimit its bytes as `locator` says (`member`, `bytes`, `row`, `entry`).
    `error` is a reason of the ledger (`unreadable`, `too-large`); `detail` says what was seen.
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
    revisit: str | None = None  # JSON: what the record repeats, and by whose word
    error: str | None = None
    detail: str | None = None


@dataclass(slots=True)
class Content:
    """A record's body: text where the format holds text, else bytes with what says how to
    read them.  `error` as in `Envelope`."""

    text: str | None = None
    payload: bytes | None = None
    media_type: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    title: str | None = None
    error: str | None = None
    detail: str | None = None


class Cursor:
    """Keeps the stream that was read last open.

    A caller that asks for the same stream reads on where the last one stopped. So a compressed
    container that is read in parts is decompressed once, not once per part.
    """

    def __init__(self) -> None:
        self._key: Hashable = None
        self._file: BufferedReader | None = None

    def take(self, key: Hashable, open_: Callable[[], BufferedReader]) -> BufferedReader:
        """The stream of that name; `open_` opens it unless it is the one at hand."""
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
    """A container to read: where it lies, the fields that hold what, the bound on a record, and
    what keeps a compressed stream open from one call of `contents` to the next."""

    path: Path
    uri: str
    fields: Mapping[str, str]
    max_record_bytes: int
    cursor: Cursor | None = None


class Reader(Protocol):
    """A format."""

    def scan(self, source: ContainerSource) -> Iterator[Envelope]:
        """All records of a container, in its order."""

    def contents(
        self, source: ContainerSource, wanted: Sequence[tuple[int, int]]
    ) -> Iterator[Content]:
        """The bodies at `(offset, length)`, ascending by offset, one for each."""
