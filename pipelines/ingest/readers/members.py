"""Gzip members, each inflated by itself and never past a bound."""

from __future__ import annotations

import re
import zlib
from mmap import mmap

MAGIC = b"\x1f\x8b\x08"
CHUNK = 1 << 16
#: A bomb's end is searched for up to this many times the bound, then the next member is.
PATIENCE = 16
_ZEROS = re.compile(rb"\0+")


def inflate(
    view: memoryview, start: int, bound: int, patience: int = PATIENCE
) -> tuple[bytes, int, str]:
    """One member of a container.

    Returns:
      Its content (the first of it, where that is more than `bound` bytes), where it ends, and
      `whole`, `too-large`, `endless` (the end was not looked for), or what broke it.
    """
    inflater, held, total, position = zlib.decompressobj(31), bytearray(), 0, start
    pending = b""
    try:
        while not inflater.eof:
            if not pending:
                if position >= len(view):
                    return bytes(held), len(view), "torn gzip member"
                pending = bytes(view[position : position + CHUNK])
                position += len(pending)
            part = inflater.decompress(pending, 1 << 20)
            pending = inflater.unconsumed_tail
            total += len(part)
            if total <= bound:
                held += part
            elif len(held) < CHUNK:
                held += part[:CHUNK]
            if total > bound * patience:
                return bytes(held), position - len(pending), "endless"
    except zlib.error as error:
        return bytes(held), position, str(error)
    end = position - len(inflater.unused_data)
    return bytes(held), end, "too-large" if total > bound else "whole"


def member_begins(data: mmap | bytes, position: int, content: re.Pattern[bytes]) -> bool:
    """Whether a member starts here in whose first 8 bytes this is found."""
    try:
        found = zlib.decompressobj(31).decompress(data[position : position + 512], 8)
    except zlib.error:
        return False
    return content.match(found) is not None


def next_member(data: mmap | bytes, start: int, content: re.Pattern[bytes]) -> int:
    """Where the next member begins that holds `content` at its beginning, or the file's end."""
    position = data.find(MAGIC, start)
    while position != -1 and not member_begins(data, position, content):
        position = data.find(MAGIC, position + 1)
    return len(data) if position == -1 else position


def skip_zeros(data: mmap, position: int) -> int:
    """Past the padding that tapes and disks leave between members."""
    zeros = _ZEROS.match(data, position)
    return zeros.end() if zeros else position
