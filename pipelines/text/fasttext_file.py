"""Check that a file is a fastText model of labels, before fastText itself reads it.

fastText trusts the sizes in a file.  In a broken file it reads past the end and never stops.  The
check covers all that precedes the matrices: magic number, version, 12 arguments, the dictionary's
sizes, and each of its entries.  Source: `FastText::loadModel`, `Args::load`, `Dictionary::load` of
fastText 0.9.2.
"""

from __future__ import annotations

import mmap
import struct
from pathlib import Path

_HEADER = struct.Struct("<ii12id3iqq")
_MAGIC, _VERSIONS, _SUPERVISED = 793712314, (11, 12), 3
#: Bytes after a word's NUL: its count and its kind.
_TAIL = 9


def find_defect(path: Path) -> str | None:
    """Return what is wrong with the file, as the end of a sentence; None for a model of labels."""
    if path.stat().st_size < _HEADER.size:
        return "is not a fastText model"
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        magic, version, *rest = _HEADER.unpack(data[: _HEADER.size])
        arguments, size, labels = rest[:12], rest[13], rest[15]
        if magic != _MAGIC or version not in _VERSIONS:
            return "is not a fastText model"
        if arguments[7] != _SUPERVISED:
            return "is not a fastText model of labels"
        if not 0 < labels <= size or size * (_TAIL + 1) > len(data):
            return "is not a fastText model, or a broken one"
        at = _HEADER.size
        for _ in range(size):
            end = data.find(b"\0", at)
            if end < 0:
                return "is a broken fastText model"
            at = end + 1 + _TAIL
        return None if at < len(data) else "is a broken fastText model"
