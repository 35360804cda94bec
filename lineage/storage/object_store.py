"""The storage interface of this project, for local disks and object stores."""

from __future__ import annotations

from typing import BinaryIO, Final, Protocol

#: A longer key is refused by S3 and by Google Cloud Storage; both count bytes.
MAX_KEY_BYTES: Final = 1024
#: A segment leaves room for the temporary names of `lineage.storage.disk` (255 bytes on most disks).
MAX_SEGMENT_BYTES: Final = 200

#: What is written: bytes, or an open file, read from its current position to its end.
Content = bytes | BinaryIO


class ObjectStore(Protocol):
    """Objects by key.  A key is relative, with slashes: `ingest/records/part-0001.parquet`.

    A key must not be the folder of another key: a local disk cannot hold both.

    Raises:
      ValueError: in all methods, if a key is not valid (see `is_key`).
      OSError: in all methods, if the store fails.
    """

    def open(self, key: str) -> BinaryIO:
        """Open an object to read; the file can be sought.

        Raises:
          FileNotFoundError: if there is no such object.
        """
        ...

    def put(self, key: str, content: Content) -> None:
        """Write an object.  A reader sees the old object or the new one, whole."""
        ...

    def create(self, key: str, content: Content) -> bool:
        """Write an object unless one exists.

        Returns:
          Whether this call wrote it.  If several callers try at once, exactly one succeeds, and the
          others see its whole object.
        """
        ...

    def exists(self, key: str) -> bool:
        """Whether there is such an object."""
        ...

    def list_keys(self, prefix: str = "") -> list[str]:
        """The keys that begin with a prefix, sorted."""
        ...

    def delete(self, key: str) -> None:
        """Remove an object.  A missing object is ignored."""
        ...


def is_key(key: str) -> bool:
    """Whether a key is valid in all stores: UTF-8 of at most `MAX_KEY_BYTES`, no empty segment,
    no `.` or `..`, no NUL, and no segment that looks like a temporary name (`.….part`)."""
    try:
        total = len(key.encode())
    except UnicodeEncodeError:
        return False
    return total <= MAX_KEY_BYTES and "\0" not in key and all(map(_is_segment, key.split("/")))


def _is_segment(segment: str) -> bool:
    if segment in ("", ".", "..") or len(segment.encode()) > MAX_SEGMENT_BYTES:
        return False
    return not (segment.startswith(".") and segment.endswith(".part"))
