"""Compressed files read as one stream; their first bytes name the format.

The formats are gzip, zstd and lz4.  Several frames one after another are one stream.  A truncated
stream raises EOFError and a damaged one OSError, whichever library reads it.  Memory is bounded by
the window (at most 128 MiB), whatever the length of the output.
"""

from __future__ import annotations

import gzip
import io
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

MAGICS = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd", b"\x04\x22\x4d\x18": "lz4"}
#: A `.warc.zst` holds its dictionary in a skippable frame at its start; these bytes begin it.
DICTIONARY = b"\x5d\x2a\x4d\x18"
MAX_DICTIONARY = 1 << 24
BUFFER = 1 << 18
#: A place in an entry of a ZIP file: the bits above these hold the entry's number (from 1), these
#: bits hold the position in its decompressed content.
ENTRY_BITS = 40
BROKEN = (OSError, EOFError)


def compression(head: bytes) -> str | None:
    """The compression of a file that begins with these bytes: `gzip`, `zstd`, `lz4` or None."""
    # zstd and lz4 both have skippable frames; only those of zstd begin an archive
    if head[1:4] == DICTIONARY[1:] and 0x50 <= head[0] <= 0x5F:
        return "zstd"
    return next((name for magic, name in MAGICS.items() if head.startswith(magic)), None)


def compression_of(path: Path) -> str | None:
    """The compression of a file on disk; None also if it cannot be opened."""
    try:
        with path.open("rb") as file:
            return compression(file.read(4))
    except OSError:
        return None


def open_decompressed(path: Path) -> io.BufferedReader:
    """Open a file, and decompress it if it is compressed.

    A backward seek decompresses from the start again.
    """
    return decompressed(path.open("rb"))


def decompressed(file: io.BufferedReader) -> io.BufferedReader:
    """Decompress an open file if it is compressed.  Closing the result closes the file."""
    file.seek(0)
    kind = compression(file.read(4))
    file.seek(0)
    if kind is None:
        return file
    return io.BufferedReader(_DecompressedStream(file, _OPEN[kind]), BUFFER)


def open_zip_entry(path: Path, number: int) -> io.BufferedReader:
    """Open an entry of a ZIP file; an entry that is itself compressed is decompressed too.

    Args:
      path: the ZIP file.
      number: the entry's place in the central directory, from 1.

    Raises:
      OSError: if there is no such entry, or it cannot be read.
    """
    try:
        if number < 1:
            raise IndexError
        with zipfile.ZipFile(path) as archive:
            raw = archive.open(archive.infolist()[number - 1])
        return decompressed(io.BufferedReader(_DecompressedStream(raw, lambda same: same), BUFFER))
    except (zipfile.BadZipFile, RuntimeError, IndexError, ValueError, zlib.error) as error:
        raise OSError(f"{type(error).__name__}: entry {number} cannot be read") from None


class _DecompressedStream(io.RawIOBase):
    """A stream of decompressed bytes that turns the errors of all libraries into OSError."""

    def __init__(self, file: Any, open_: Callable[[Any], Any]) -> None:
        self._file = file
        self._stream = self._call(open_, file)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        part = self._call(self._stream.read1, len(buffer))  # keeps what precedes a damage
        buffer[: len(part)] = part
        return len(part)

    def seek(self, offset: int, whence: int = 0) -> int:
        return int(self._call(self._stream.seek, offset, whence))

    def tell(self) -> int:
        return int(self._stream.tell())

    def close(self) -> None:
        self._file.close()
        super().close()

    @staticmethod
    def _call(function: Callable[..., Any], *args: Any) -> Any:
        try:
            return function(*args)
        except BROKEN:
            raise
        except Exception as error:  # zlib.error, ZstdError, RuntimeError of lz4, BadZipFile
            raise OSError(f"{type(error).__name__}: damaged stream") from None


def _gzip(file: Any) -> Any:
    return gzip.GzipFile(fileobj=file)


def _lz4(file: Any) -> Any:
    import lz4.frame

    return lz4.frame.LZ4FrameFile(file)


def _zstd(file: Any) -> Any:
    from backports import zstd

    dictionary, head = None, file.read(8)
    if head[:4] == DICTIONARY:
        content = file.read(min(int.from_bytes(head[4:], "little"), MAX_DICTIONARY))
        try:
            if compression(content) == "zstd":
                content = zstd.ZstdDecompressor().decompress(content, MAX_DICTIONARY)
            dictionary = zstd.ZstdDict(content)
        except (ValueError, zstd.ZstdError):
            pass  # a damaged dictionary: frames that need it raise an error
    file.seek(0)
    return zstd.ZstdFile(file, zstd_dict=dictionary)


_OPEN: dict[str, Callable[[Any], Any]] = {"gzip": _gzip, "zstd": _zstd, "lz4": _lz4}
