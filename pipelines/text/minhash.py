"""MinHash signatures and their bands.

Let s be the Jaccard similarity of the shingles of two documents.  The documents agree in a value of
their signatures with the probability s (Broder 1997).  They agree in a band of r values with s**r,
and in at least one of b bands with 1 - (1 - s**r)**b.  This is the S-curve, a step with adjustable
threshold and steepness (Leskovec, Rajaraman, Ullman: Mining of Massive Datasets, section 3.4).
"""

from __future__ import annotations

import math
import sys
from importlib import import_module
from importlib.machinery import ModuleSpec
from importlib.util import find_spec, module_from_spec
from threading import RLock
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from pipelines.text.shingles import U64, Shingles, fmix64

if TYPE_CHECKING:
    from datasketch import LeanMinHash

U32 = npt.NDArray[np.uint32]

ALGORITHM = "minhash-affine32-1"
"""The version of signatures and band keys, stored with them.

Signatures are those of datasketch 2 (`SCHEME`) for the low 32 bits of the shingle hashes:
MurmurHash3's fmix32 once, then per permutation a h + b mod 2**32 with a odd.
"""

SCHEME = "affine32"
"""datasketch's name of this kind of permutation."""

EMPTY = np.uint32(0xFFFFFFFF)
"""Each value in the signature of a document without shingles."""

_BLOCK = 1 << 17  # hashes at a time; with the scratch row they stay in the second-level cache


def probability(similarity: float, bands: int, rows: int) -> float:
    """Return the probability that documents of this Jaccard similarity share at least one band."""
    return -math.expm1(bands * math.log1p(-(similarity**rows))) if similarity < 1 else 1.0


def fewest_bands(candidate: float, recall: float, rows: int) -> int:
    """Return the fewest bands that find pairs of a similarity with a given probability.

    Args:
      candidate: the Jaccard similarity of the pairs, above 0.
      recall: the probability to find such a pair, between 0 and 1.
      rows: the values in a band.

    Raises:
      ValueError: an argument is out of its range.
    """
    if not (0 < candidate <= 1 and 0 < recall < 1 and rows >= 1):
        raise ValueError("allowed: 0 < candidate <= 1, 0 < recall < 1, rows >= 1")
    if candidate == 1:
        return 1
    number = max(1, math.floor(math.log1p(-recall) / math.log1p(-(candidate**rows))))
    while probability(candidate, number, rows) < recall:
        number += 1
    return number


class _LazyPackage(ModuleType):
    """A package whose `__init__` is executed when an attribute is missing, not at its import.

    It stays in `sys.modules` as the package itself, so threads and later imports share one module.
    After an error the next access tries again.
    """

    def __init__(self, spec: ModuleSpec) -> None:
        super().__init__(spec.name)
        self.__dict__.update(vars(module_from_spec(spec)))  # `__path__`, by which submodules load
        self.__dict__.update(_lazy_lock=RLock(), _lazy_started=False)

    def __getattr__(self, name: str) -> object:
        state = self.__dict__
        with state["_lazy_lock"]:  # reentrant: `__init__` may look at its own package
            if not state["_lazy_started"]:
                state["_lazy_started"] = True
                try:
                    state["__spec__"].loader.exec_module(self)
                except BaseException:
                    state["_lazy_started"] = False
                    raise
        return super().__getattribute__(name)


def _minhash_module() -> ModuleType:
    """Import `datasketch.minhash` without the indexes and scipy, which take 0.5 s to import."""
    if "datasketch" not in sys.modules:
        spec = find_spec("datasketch")
        assert spec is not None
        sys.modules.setdefault("datasketch", _LazyPackage(spec))
    return import_module("datasketch.minhash")


def permutations(number: int, seed: int) -> tuple[U32, U32]:
    """Return the multipliers (odd) and addends that datasketch draws for `SCHEME`."""
    multipliers, addends = _minhash_module().MinHash(number, seed=seed, scheme=SCHEME).permutations
    return multipliers, addends


def to_datasketch(signature: U32, seed: int = 1) -> LeanMinHash:
    """Convert one row of `signatures` to datasketch's object.

    Args:
      signature: the row.
      seed: the seed of the permutations that the row was computed with.

    Returns:
      A frozen sketch. `jaccard` compares it; datasketch's indexes take it as a key's value.
    """
    from datasketch import LeanMinHash

    return LeanMinHash(seed=seed, hashvalues=signature, scheme=SCHEME)


def signatures(shingles: Shingles, number: int, seed: int = 1) -> U32:
    """Return the MinHash signatures of n documents, shape (n, number).

    All values of a document without shingles are `EMPTY`.  Leave such documents out of the bands, or
    they all become candidates of each other.

    Args:
      shingles: the shingles of n documents.
      number: the number of permutations.
      seed: the seed of the permutations.
    """
    _fmix = _minhash_module()._fmix  # private: pyproject.toml bounds the version
    filled = np.flatnonzero(shingles.sizes)
    starts = shingles.offsets[filled]
    hashes = _fmix(shingles.hashes.astype(np.uint32), 32)
    least = np.full((number, len(filled)), EMPTY)
    pairs = list(zip(*permutations(number, seed), strict=True))
    scratch = np.empty(min(_BLOCK, len(hashes)), np.uint32)
    # Blocks can end inside a document, so a document of millions of shingles needs no more memory.
    for low in range(0, len(hashes), _BLOCK):
        block = hashes[low : low + _BLOCK]
        first = np.searchsorted(starts, low, side="right") - 1
        last = np.searchsorted(starts, low + len(block))
        cuts = np.maximum(starts[first:last] - low, 0)
        values = scratch[: len(block)]
        for row, (a, b) in zip(least, pairs, strict=True):
            np.multiply(block, a, out=values)
            np.add(values, b, out=values)
            minima = row[first:last]
            np.minimum(minima, np.minimum.reduceat(values, cuts), out=minima)
    result = np.full((len(shingles), number), EMPTY)
    result[filled] = least.T
    return result


def band_keys(signature: U32, bands: int, rows: int) -> U64:
    """Return a 64-bit digest of each band, shape (n, bands).

    The digest covers the band's number, so equal values in different bands have different digests.

    Args:
      signature: signatures of shape (n, at least bands * rows).
      bands: how many bands.
      rows: the values in a band.

    Raises:
      ValueError: the signatures are too short.
    """
    documents, width = signature.shape
    if width < bands * rows:
        raise ValueError(
            f"signatures have {width} values; {bands} bands of {rows} need {bands * rows}"
        )
    values = signature[:, : bands * rows].reshape(documents, bands, rows)
    key = np.tile(fmix64(np.arange(1, bands + 1, dtype=np.uint64)), (documents, 1))
    for row in range(rows):
        key = fmix64(key + values[:, :, row])
    return key
