"""Function words by language, of `stop_words.tsv` (made by benchmarks/stop_words.py), as hashes."""

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
    """Language -> its function words."""
    text = files("pipelines.quality").joinpath("stop_words.tsv").read_text("utf-8")
    lines = [line.split("\t") for line in text.splitlines() if not line.startswith("#")]
    return {name: tuple(words.split(" ")) for name, words in lines}


def powers(count: int, inverse: bool = False) -> U64:
    """1, K, K², …: the places of a word's letters in its hash (Horner's rule, mod 2**64)."""
    base = pow(_BASE, -1, 1 << 64) if inverse else _BASE
    steps = np.full(count, base, np.uint64)
    steps[:1] = 1
    return np.multiply.accumulate(steps)


def word_hash(word: str) -> int:
    """The hash that a word of a text has, in either case."""
    codes = np.frombuffer(word.encode("utf-32-le"), np.uint32)
    return int((hashes(codes) * powers(len(codes))).sum())


def count_stop_words(words: U64, owner: I64, documents: Sequence[str | None]) -> I64:
    """How many words of each document stand in the list of its language; 0 without a list."""
    table, present, numbers = _table()
    language = np.array([numbers.get(d or "", -1) for d in documents], np.int64)
    keys = words ^ _salt(language)[owner]
    likely = np.flatnonzero(present[(keys >> np.uint64(48)).astype(np.int64)])
    some = keys[likely]
    places = np.minimum(np.searchsorted(table, some), max(len(table) - 1, 0))
    hits = likely[table[places] == some]
    found = np.bincount(owner[hits], minlength=len(documents))
    return np.where(language < 0, 0, found)


@cache
def _table() -> tuple[U64, npt.NDArray[np.bool_], dict[str, int]]:
    numbers = {name: i for i, name in enumerate(word_lists())}
    rows = [(word_hash(w), numbers[name]) for name, ws in word_lists().items() for w in ws]
    keys = np.array([r[0] for r in rows], np.uint64)
    keys ^= _salt(np.array([r[1] for r in rows], np.int64))
    present = np.zeros(_BUCKETS, bool)
    present[(keys >> np.uint64(48)).astype(np.int64)] = True
    return np.sort(keys), present, numbers


def _salt(language: I64) -> U64:
    return (language.astype(np.uint64) + np.uint64(1)) * np.uint64(0xC4CEB9FE1A85EC53)
