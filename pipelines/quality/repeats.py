"""How much of a document repeats itself: runs of equal keys after one sort of a whole batch.

A key carries the document in its upper bits and a hash below, so that sorting brings the equal
n-grams of each document together without a loop over documents.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

U64 = npt.NDArray[np.uint64]
I64 = npt.NDArray[np.int64]
F64 = npt.NDArray[np.float64]

#: Bits of a key that hold the document: a batch has at most so many documents.
DOCUMENT_BITS: Final = 12
DOCUMENTS: Final = 1 << DOCUMENT_BITS
_SHIFT = np.uint64(64 - DOCUMENT_BITS)
_BASE = np.uint64(0x9E3779B97F4A7C15)


class Repeats(NamedTuple):
    """Of each document: its n-grams, those that are distinct, how often the commonest occurs."""

    total: I64
    distinct: I64
    most: I64


def ngrams(words: U64, owner: I64, documents: int, orders: tuple[int, ...]) -> dict[int, Repeats]:
    """Count the n-grams of several orders.

    Args:
      words: hashes of the words of all documents, one after another.
      owner: the document of each word, ascending, below `documents` (at most `DOCUMENTS`).
      orders: the lengths n, ascending.
    """
    found, rolling = {}, words
    length = 1
    for n in orders:
        while length < n:
            rolling = rolling[:-1] * _BASE + words[length:]
            length += 1
        inside = owner[: len(rolling)] == owner[n - 1 :]
        keys = _keys(rolling[inside], owner[: len(rolling)][inside])
        keys.sort()
        found[n] = _runs(keys, documents)
    return found


def repeated_share(parts: U64, sizes: I64, owner: I64, documents: int) -> F64:
    """What share of each document's parts (lines, paragraphs), by size, has stood before in it.

    Args:
      parts, sizes, owner: hash, size and document of each part.

    Returns:
      A share per document; 0 where there are no parts.
    """
    keys = _keys(parts, owner)
    order = np.argsort(keys)
    keys = keys[order]
    again = order[1:][keys[1:] == keys[:-1]]
    whole = np.bincount(owner, sizes, documents)
    return np.bincount(owner[again], sizes[again], documents) / np.maximum(whole, 1)


def _keys(hashes: U64, owner: I64) -> U64:
    mixed = hashes ^ (hashes >> np.uint64(31))
    mixed *= _BASE
    mixed >>= np.uint64(DOCUMENT_BITS)
    mixed |= owner.astype(np.uint64) << _SHIFT
    return mixed


def _runs(keys: U64, documents: int) -> Repeats:
    if not len(keys):
        none = np.zeros(documents, np.int64)
        return Repeats(none, none, none)
    starts = np.flatnonzero(np.concatenate(([True], keys[1:] != keys[:-1])))
    sizes = np.diff(np.append(starts, len(keys)))
    owner = (keys[starts] >> _SHIFT).astype(np.int64)
    distinct = np.bincount(owner, minlength=documents)
    total = np.bincount(owner, sizes, documents).astype(np.int64)
    most = np.zeros(documents, np.int64)
    present = np.flatnonzero(distinct)
    first = np.concatenate(([0], np.cumsum(distinct[present])[:-1]))
    most[present] = np.maximum.reduceat(sizes, first)
    return Repeats(total, distinct, most)
