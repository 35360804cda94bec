"""Inflate gzip members one by one, each within a limit."""

from __future__ import annotations

import re
import zlib
from mmap import mmap

MAGIC = b"\x1f\x8b\x08"
CHUNK = 1 << 16
#: The end of a member over the limit is searched up to this many times the limit. After that, the
#: next member is searched.
PATIENCE = 16
_ZEROS = re.compile(rb"\0+")


def inflate(
    view: memoryview, start: int, bound: int, patience: int = PATIENCE
) -> tuple[bytes, int, str]:
    """Inflate one member of a container.

    Args:
      view: the bytes of the container.
      start: where the member begins.
      bound: the most bytes of content to return.
      patience: how many times `bound` to inflate in search of the member's end.

    Returns:
      The content (only the beginning if it is longer than `bound`), where the member ends, and a
      state: `whole`, `too-large`, `endless` (the end was not reached), or the error.
    """
    inflater, content, total, position = zlib.decompressobj(31), bytearray(), 0, start
    pending = b""
    try:
        while not inflater.eof:
            if not pending:
                if position >= len(view):
                    return bytes(content), len(view), "torn gzip member"
                pending = bytes(view[position : position + CHUNK])
                position += len(pending)
            part = inflater.decompress(pending, 1 << 20)
            pending = inflater.unconsumed_tail
            total += len(part)
            if total <= bound:
                content += part
            elif len(content) < CHUNK:
                content += part[:CHUNK]
            if total > bound * patience:
                return bytes(content), position - len(pending), "endless"
    except zlib.error as error:
        return bytes(content), position, str(error)
    end = position - len(inflater.unused_data)
    return bytes(content), end, "too-large" if total > bound else "whole"


def member_begins(data: mmap | bytes, position: int, beginning: re.Pattern[bytes]) -> bool:
    """Whether a member starts at `position` whose first 8 bytes match `beginning`."""
    try:
        head = zlib.decompressobj(31).decompress(data[position : position + 512], 8)
    except zlib.error:
        return False
    return beginning.match(head) is not None


def next_member(data: mmap | bytes, start: int, beginning: re.Pattern[bytes]) -> int:
    """Return where the next member begins that matches `beginning`, or the end of the file."""
    position = data.find(MAGIC, start)
    while position != -1 and not member_begins(data, position, beginning):
        position = data.find(MAGIC, position + 1)
    return len(data) if position == -1 else position


def skip_zeros(data: mmap, position: int) -> int:
    """Return the position after the zeros that tapes and disks leave between members."""
    zeros = _ZEROS.match(data, position)
    return zeros.end() if zeros else position
