"""Compressed files read from the front as one stream, told by their first bytes.

gzip, zstd and lz4 frames; several of them one behind the other are one stream.  What breaks off
raises EOFError and what is broken OSError, whichever library met it; memory is that of a window
(at most 128 MiB) however much comes out.
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
#: The dictionary of a `.warc.zst`: a skippable frame at its front.
DICTIONARY = b"\x5d\x2a\x4d\x18"
MAX_DICTIONARY = 1 << 24
BUFFER = 1 << 18
#: A place inside an entry of a ZIP: the entry's number, from 1, above this many bits; below them
#: the position in what the entry unpacks to.
ENTRY_BITS = 40
BROKEN = (OSError, EOFError)


def compression(head: bytes) -> str | None:
    """`gzip`, `zstd`, `lz4`, or None: how a file that begins like this is compressed."""
    # skippable frames are zstd's and lz4's alike; only zstd's stand at the front of an archive
    if head[1:4] == DICTIONARY[1:] and 0x50 <= head[0] <= 0x5F:
        return "zstd"
    return next((name for magic, name in MAGICS.items() if head.startswith(magic)), None)


def compression_of(path: Path) -> str | None:
    """The same of a file on disk; None also where it cannot be opened."""
    try:
        with path.open("rb") as file:
            return compression(file.read(4))
    except OSError:
        return None


def open_decompressed(path: Path) -> io.BufferedReader:
    """A file's content, decompressed where it is compressed; seeking backwards starts anew."""
    return decompressed(path.open("rb"))


def decompressed(file: io.BufferedReader) -> io.BufferedReader:
    """The same of an open file, which is closed with what comes back."""
    file.seek(0)
    kind = compression(file.read(4))
    file.seek(0)
    if kind is None:
        return file
    return io.BufferedReader(_DecompressedStream(file, _OPEN[kind]), BUFFER)


def open_zip_entry(path: Path, number: int) -> io.BufferedReader:
    """The content of the entry of a ZIP with that number (from 1, as its directory lists them),
    decompressed to the last.

    Raises:
      OSError: where there is none, or it cannot be read.
    """
    try:
        if number < 1:
            raise IndexError
        with zipfile.ZipFile(path) as archive:
            raw = archive.open(archive.infolist()[number - 1])
        return decompressed(io.BufferedReader(_DecompressedStream(raw, lambda same: same), BUFFER))
    except (zipfile.BadZipFile, RuntimeError, IndexError, ValueError, zlib.error) as error:
        raise OSError(f"{type(error).__name__}: no entry {number} that can be read") from None


class _DecompressedStream(io.RawIOBase):
    """A decompressing stream whose errors are of one kind."""

    def __init__(self, file: Any, open_: Callable[[Any], Any]) -> None:
        self._file = file
        self._stream = self._do(open_, file)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        part = self._do(self._stream.read1, len(buffer))  # what stands before a break is not lost
        buffer[: len(part)] = part
        return len(part)

    def seek(self, offset: int, whence: int = 0) -> int:
        return int(self._do(self._stream.seek, offset, whence))

    def tell(self) -> int:
        return int(self._stream.tell())

    def close(self) -> None:
        self._file.close()
        super().close()

    @staticmethod
    def _do(what: Callable[..., Any], *args: Any) -> Any:
        try:
            return what(*args)
        except BROKEN:
            raise
        except Exception as error:  # zlib.error, ZstdError, RuntimeError of lz4, BadZipFile
            raise OSError(f"{type(error).__name__}: broken stream") from None


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
            pass  # torn: what needs it cannot be read, and says so
    file.seek(0)
    return zstd.ZstdFile(file, zstd_dict=dictionary)


_OPEN: dict[str, Callable[[Any], Any]] = {"gzip": _gzip, "zstd": _zstd, "lz4": _lz4}
