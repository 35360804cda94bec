"""Count repetitions inside documents: runs of equal keys after one sort of a whole batch.

A key holds the document in its upper bits and a hash in its lower bits.  Sorting brings the equal
n-grams of each document together without a loop over documents.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

U64 = npt.NDArray[np.uint64]
I64 = npt.NDArray[np.int64]
F64 = npt.NDArray[np.float64]

#: Bits of a key that hold the document, and the most documents in a batch.
DOCUMENT_BITS: Final = 12
DOCUMENTS: Final = 1 << DOCUMENT_BITS
_SHIFT = np.uint64(64 - DOCUMENT_BITS)
_BASE = np.uint64(0x9E3779B97F4A7C15)


class Repeats(NamedTuple):
    """For each document: its n-grams, its distinct n-grams, the count of the most frequent one."""

    total: I64
    distinct: I64
    most: I64


def ngrams(words: U64, owner: I64, documents: int, orders: tuple[int, ...]) -> dict[int, Repeats]:
    """Count the n-grams of several lengths.

    Args:
      words: hashes of the words of all documents, one after another.
      owner: the document of each word, ascending, below `documents` (at most `DOCUMENTS`).
      orders: the lengths n, ascending.

    Returns:
      n -> the counts.
    """
    counts, rolling = {}, words
    length = 1
    for n in orders:
        while length < n:
            rolling = rolling[:-1] * _BASE + words[length:]
            length += 1
        inside = owner[: len(rolling)] == owner[n - 1 :]
        keys = _keys(rolling[inside], owner[: len(rolling)][inside])
        keys.sort()
        counts[n] = _count_runs(keys, documents)
    return counts


def repeated_share(parts: U64, sizes: I64, owner: I64, documents: int) -> F64:
    """Return the share of repeated lines or paragraphs in each document, by size.

    Args:
      parts, sizes, owner: hash, size and document of each line or paragraph.

    Returns:
      A share per document; 0 for a document without any.
    """
    keys = _keys(parts, owner)
    order = np.argsort(keys)
    keys = keys[order]
    repeated = order[1:][keys[1:] == keys[:-1]]
    total = np.bincount(owner, sizes, documents)
    return np.bincount(owner[repeated], sizes[repeated], documents) / np.maximum(total, 1)


def _keys(hashes: U64, owner: I64) -> U64:
    """Combine documents and hashes to keys."""
    mixed = hashes ^ (hashes >> np.uint64(31))
    mixed *= _BASE
    mixed >>= np.uint64(DOCUMENT_BITS)
    mixed |= owner.astype(np.uint64) << _SHIFT
    return mixed


def _count_runs(keys: U64, documents: int) -> Repeats:
    """Count the runs of equal keys of each document; `keys` is sorted."""
    if not len(keys):
        zeros = np.zeros(documents, np.int64)
        return Repeats(zeros, zeros, zeros)
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
