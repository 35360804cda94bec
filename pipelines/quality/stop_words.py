"""Count function words by their hashes.

`benchmarks/stop_words.py` makes the lists, `stop_words.tsv`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.resources import files

import numpy as np
import numpy.typing as npt

from pipelines.quality.characters import hashes

U64 = npt.NDArray[np.uint64]
I64 = npt.NDArray[np.int64]

_BASE = 0x9E3779B97F4A7C15
_BUCKETS = 1 << 16


@cache
def word_lists() -> dict[str, tuple[str, ...]]:
    """Return language -> its function words."""
    text = files("pipelines.quality").joinpath("stop_words.tsv").read_text("utf-8")
    lines = [line.split("\t") for line in text.splitlines() if not line.startswith("#")]
    return {name: tuple(words.split(" ")) for name, words in lines}


def powers(count: int, inverse: bool = False) -> U64:
    """Return 1, K, K², …: the weights of a word's letters in its hash.

    Args:
      count: how many powers.
      inverse: return the powers of the inverse of K mod 2**64.
    """
    base = pow(_BASE, -1, 1 << 64) if inverse else _BASE
    steps = np.full(count, base, np.uint64)
    steps[:1] = 1
    return np.multiply.accumulate(steps)


def word_hash(word: str) -> int:
    """Return the hash of a word (Horner's rule, mod 2**64); both cases have the same hash."""
    codes = np.frombuffer(word.encode("utf-32-le"), np.uint32)
    return int((hashes(codes) * powers(len(codes))).sum())


def count_stop_words(words: U64, owner: I64, documents: Sequence[str | None]) -> I64:
    """Count the words of each document that are in its language's list; 0 without a list.

    Args:
      words: the hash of each word.
      owner: the document of each word.
      documents: the language of each document.
    """
    table, present, numbers = _table()
    language = np.array([numbers.get(d or "", -1) for d in documents], np.int64)
    keys = words ^ _salt(language)[owner]
    likely = np.flatnonzero(present[(keys >> np.uint64(48)).astype(np.int64)])
    candidates = keys[likely]
    places = np.minimum(np.searchsorted(table, candidates), max(len(table) - 1, 0))
    hits = likely[table[places] == candidates]
    counts = np.bincount(owner[hits], minlength=len(documents))
    return np.where(language < 0, 0, counts)


@cache
def _table() -> tuple[U64, npt.NDArray[np.bool_], dict[str, int]]:
    """Return the sorted keys of all lists, which upper 16 bits occur in them, and language ->
    number."""
    numbers = {name: i for i, name in enumerate(word_lists())}
    rows = [(word_hash(w), numbers[name]) for name, ws in word_lists().items() for w in ws]
    keys = np.array([r[0] for r in rows], np.uint64)
    keys ^= _salt(np.array([r[1] for r in rows], np.int64))
    present = np.zeros(_BUCKETS, bool)
    present[(keys >> np.uint64(48)).astype(np.int64)] = True
    return np.sort(keys), present, numbers


def _salt(language: I64) -> U64:
    """Return a number per language that separates the keys of different lists."""
    return (language.astype(np.uint64) + np.uint64(1)) * np.uint64(0xC4CEB9FE1A85EC53)
