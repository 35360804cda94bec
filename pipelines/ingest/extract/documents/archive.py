"""Zip files read in memory: entries by name, never past a bound on all that comes out.

Nothing is unpacked to disk, so that an entry's name is a key and leads nowhere.
"""

from __future__ import annotations

import io
import lzma
import struct
import zipfile
import zlib

from pipelines.ingest.extract.documents.document_text import DocumentError

#: Entries; a file of many empty ones would cost more memory than its texts may.
MAX_ENTRIES = 20_000
_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    OSError,
    ValueError,
    KeyError,
    NotImplementedError,
)


class Archive:
    """A zip file.

    Args:
      payload: its bytes.
      limit: bytes that may be read out of it in all.

    Raises:
      Unread: `unreadable` where it is no zip file, or has more entries than a document can.
    """

    def __init__(self, payload: bytes, limit: int) -> None:
        self._left = self._limit = limit
        if payload.count(b"PK\x01\x02") > MAX_ENTRIES:
            raise DocumentError("unreadable", f"a zip file of more than {MAX_ENTRIES} entries")
        try:
            self._file = zipfile.ZipFile(io.BytesIO(payload))
        except _BROKEN as error:
            raise DocumentError("unreadable", f"no zip file: {type(error).__name__}") from None
        self.names = frozenset(self._file.namelist())

    def read(self, name: str) -> bytes:
        """An entry's bytes.

        Raises:
          Unread: `too-large` where the bound is passed, `unreadable` for an entry that is not
            there, encrypted or broken.
        """
        if name not in self.names:
            raise DocumentError("unreadable", f"no {name[:60]} in it")
        if self._file.getinfo(name).flag_bits & 1:
            raise DocumentError("unreadable", "encrypted")
        try:
            with self._file.open(name) as entry:
                found = entry.read(self._left + 1)
        except _BROKEN as error:
            raise DocumentError(
                "unreadable", f"a broken zip entry: {type(error).__name__}"
            ) from None
        self._left -= len(found)
        if self._left < 0:
            raise DocumentError("too-large", f"more than {self._limit} bytes decompressed")
        return found

    def optional(self, name: str) -> bytes | None:
        """An entry's bytes, or None where it is missing or broken."""
        try:
            return self.read(name) if name in self.names else None
        except DocumentError as error:
            if error.reason == "too-large":
                raise
            return None
