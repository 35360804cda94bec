"""MinHash signatures and their bands.

Two documents agree in one value of their signatures with a probability that equals the Jaccard
similarity s of their shingles (Broder 1997), in a band of r values with s**r, and in at least
one of b bands with 1 - (1 - s**r)**b: the S-curve, a step of adjustable place and steepness
(Leskovec, Rajaraman, Ullman: Mining of Massive Datasets, section 3.4).
"""

from __future__ import annotations

import math
import sys
from functools import cache
from importlib import import_module
from importlib.util import find_spec, module_from_spec
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from pipelines.text.shingles import U64, Shingles, fmix64

if TYPE_CHECKING:
    from datasketch import LeanMinHash

U32 = npt.NDArray[np.uint32]

ALGORITHM = "minhash-affine32-1"
"""Names signatures and band keys in whatever is stored.

Signatures are those of datasketch 2 (`SCHEME`) for the low 32 bits of the shingle hashes:
MurmurHash3's fmix32 once, then per permutation a h + b mod 2**32 with a odd.
"""

SCHEME = "affine32"
"""What datasketch calls this way to permute."""

EMPTY = np.uint32(0xFFFFFFFF)
"""Every value in the signature of a document without shingles."""

_BLOCK = 1 << 17  # hashes at a time: with the scratch row they stay in the second-level cache


def probability(similarity: float, bands: int, rows: int) -> float:
    """Chance that documents of this Jaccard similarity share at least one band."""
    return -math.expm1(bands * math.log1p(-(similarity**rows))) if similarity < 1 else 1.0


def fewest_bands(candidate: float, recall: float, rows: int) -> int:
    """The fewest bands of `rows` values that find pairs of similarity `candidate` with `recall`.

    Raises ValueError unless 0 < candidate <= 1, 0 < recall < 1 and rows >= 1.
    """
    if not (0 < candidate <= 1 and 0 < recall < 1 and rows >= 1):
        raise ValueError("allowed: 0 < candidate <= 1, 0 < recall < 1, rows >= 1")
    if candidate == 1:
        return 1
    number = max(1, math.floor(math.log1p(-recall) / math.log1p(-(candidate**rows))))
    while probability(candidate, number, rows) < recall:
        number += 1
    return number


@cache
def _sketches() -> ModuleType:
    """The module `datasketch.minhash`, without the package's `__init__`: that imports all indexes,
    and with them half of scipy, which takes longer than to sign a small corpus."""
    if "datasketch" in sys.modules:
        return import_module("datasketch.minhash")
    spec = find_spec("datasketch")
    assert spec is not None
    sys.modules["datasketch"] = module_from_spec(spec)  # knows its folder, and has run nothing
    try:
        return import_module("datasketch.minhash")
    finally:
        del sys.modules["datasketch"]  # a later import of the package runs all of it


def permutations(number: int, seed: int) -> tuple[U32, U32]:
    """The multipliers (odd) and addends that datasketch draws for `SCHEME`."""
    multipliers, addends = _sketches().MinHash(number, seed=seed, scheme=SCHEME).permutations
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
    """MinHash signatures of n documents, shape (n, number).

    `number` is that of the permutations, drawn from `seed`.  A document without shingles gets
    `EMPTY` throughout: leave it out of the bands, or all such documents meet.
    """
    _fmix = _sketches()._fmix  # private: pyproject.toml bounds the version
    filled = np.flatnonzero(shingles.sizes)
    starts = shingles.offsets[filled]
    hashes = _fmix(shingles.hashes.astype(np.uint32), 32)
    least = np.full((number, len(filled)), EMPTY)
    pairs = list(zip(*permutations(number, seed), strict=True))
    scratch = np.empty(min(_BLOCK, len(hashes)), np.uint32)
    # Blocks are cut anywhere, so that one document of millions of shingles costs no more memory.
    for low in range(0, len(hashes), _BLOCK):
        block = hashes[low : low + _BLOCK]
        first = np.searchsorted(starts, low, side="right") - 1
        last = np.searchsorted(starts, low + len(block))
        cuts = np.maximum(starts[first:last] - low, 0)
        values = scratch[: len(block)]
        for row, (a, b) in zip(least, pairs, strict=True):
            np.multiply(block, a, out=values)
            np.add(values, b, out=values)
            part = row[first:last]
            np.minimum(part, np.minimum.reduceat(values, cuts), out=part)
    result = np.full((len(shingles), number), EMPTY)
    result[filled] = least.T
    return result


def band_keys(signature: U32, bands: int, rows: int) -> U64:
    """Signatures (n, at least bands * rows) -> one 64-bit digest per band, shape (n, bands).

    The band's number is mixed in, so that equal values in different bands do not meet.
    Raises ValueError when the signatures are too short.
    """
    documents, width = signature.shape
    if width < bands * rows:
        raise ValueError(f"{bands} bands of {rows} need {bands * rows} values, not {width}")
    values = signature[:, : bands * rows].reshape(documents, bands, rows)
    key = np.tile(fmix64(np.arange(1, bands + 1, dtype=np.uint64)), (documents, 1))
    for row in range(rows):
        key = fmix64(key + values[:, :, row])
    return key
