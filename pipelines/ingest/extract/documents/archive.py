"""Read ZIP files in memory, with a limit on the sum of all unpacked bytes.

Nothing is unpacked to disk. An entry's name is only a key, so path traversal is not possible.
"""

from __future__ import annotations

import io
import lzma
import struct
import zipfile
import zlib

from pipelines.ingest.extract.documents.document_text import DocumentError

#: The most entries a file may have: many empty entries would take more memory than the text limit.
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
    """A ZIP file in memory.

    Args:
      payload: the bytes of the file.
      limit: the most bytes that may be unpacked in all.

    Raises:
      DocumentError: `unreadable` if it is not a ZIP file or has more than `MAX_ENTRIES` entries.
    """

    def __init__(self, payload: bytes, limit: int) -> None:
        self._remaining = self._limit = limit
        if payload.count(b"PK\x01\x02") > MAX_ENTRIES:
            raise DocumentError("unreadable", f"a zip file of more than {MAX_ENTRIES} entries")
        try:
            self._file = zipfile.ZipFile(io.BytesIO(payload))
        except _BROKEN as error:
            raise DocumentError("unreadable", f"no zip file: {type(error).__name__}") from None
        self.names = frozenset(self._file.namelist())

    def read(self, name: str) -> bytes:
        """Return the bytes of an entry.

        Raises:
          DocumentError: `too-large` if the limit is passed; `unreadable` if the entry is missing,
            encrypted or broken.
        """
        if name not in self.names:
            raise DocumentError("unreadable", f"no {name[:60]} in it")
        if self._file.getinfo(name).flag_bits & 1:
            raise DocumentError("unreadable", "encrypted")
        try:
            with self._file.open(name) as entry:
                content = entry.read(self._remaining + 1)
        except _BROKEN as error:
            raise DocumentError(
                "unreadable", f"a broken zip entry: {type(error).__name__}"
            ) from None
        self._remaining -= len(content)
        if self._remaining < 0:
            raise DocumentError("too-large", f"more than {self._limit} bytes decompressed")
        return content

    def read_optional(self, name: str) -> bytes | None:
        """Return the bytes of an entry; None if it is missing or broken.

        Raises:
          DocumentError: `too-large` if the limit is passed.
        """
        try:
            return self.read(name) if name in self.names else None
        except DocumentError as error:
            if error.reason == "too-large":
                raise
            return None
