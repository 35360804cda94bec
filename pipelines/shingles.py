"""What two texts are compared by: the key view of a text, its shingles, its exact key.

The *key view* lets copies of one text meet and keeps apart what differs in substance: case,
ё/е, apostrophes, invisible characters, white space and the punctuation around words do not
count; every number, date, docket mark, percent sign and the marks of й, ў, қ do.

The view is a function of single words, so a batch is split once, its words are numbered by a
dictionary, and all text work happens on the distinct words only.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, cast

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import xxhash

U64 = npt.NDArray[np.uint64]
I64 = npt.NDArray[np.int64]

ALGORITHM = "shingles-xxh3-horner-1"
"""Names the key view and the hash below in whatever is stored; either changes: so does this.

A token's hash w is the XXH3-64 of its UTF-8.  A shingle of L tokens is a polynomial in the odd
constant K = 0x9E3779B97F4A7C15 (Horner's rule), finished by MurmurHash3's fmix64, mod 2**64:

    h = fmix64(w[0] K^(L-1) + ... + w[L-1] + L K) >> 1

The last shift leaves 63 bits, so that a hash is also a valid signed integer wherever it goes.
"""

_K = np.uint64(0x9E3779B97F4A7C15)
_SPACES = [chr(c) for c in (*range(0x9, 0xE), 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B),
                            0x2028, 0x2029, 0x202F, 0x205F, 0x3000)]  # fmt: skip
_IGNORED = list("\u02bb\u02bc\u2018\u2019'`\u00b4\u00ad\u200b\u2060\ufeff")
# Latin, Cyrillic, Armenian and Georgian letters that no normalisation changes.
_STABLE = r"\x00-\u{2FF}\u{400}-\u{482}\u{48A}-\u{58F}\u{10A0}-\u{10FF}"
_COMPOSABLE = rf"[^{_STABLE}\u{{2010}}-\u{{2027}}№]"
# A hyphen in front of a word stays: it may be the sign of a number.
_EDGES = r"^[\p{P}--[%\-]]+|[\p{P}--%]+$"


class _Tokens(NamedTuple):
    codes: npt.NDArray[np.int32]  # into vocabulary, all documents one after another
    offsets: I64  # n + 1
    vocabulary: pl.Series  # distinct tokens, none empty


@dataclass(frozen=True)
class Shingles:
    """Sets of shingle hashes: document i has hashes[offsets[i]:offsets[i + 1]].

    hashes: uint64 below 2**63, ascending and distinct inside each document; offsets: n + 1.
    """

    hashes: U64
    offsets: I64

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def sizes(self) -> I64:
        """Distinct shingles of each document; 0 for a text without a word."""
        return np.diff(self.offsets)

    def take(self, rows: I64) -> Shingles:
        """The sets of the given rows, in their order."""
        sizes = self.sizes[rows]
        return Shingles(self.hashes[ranges(self.offsets[rows], sizes)], _offsets(sizes))


def key_view(texts: pl.Series) -> pl.Series:
    """Strings -> their key views: words as they count, joined by single spaces.

    Per word: ignored characters go (apostrophes, soft hyphens, zero-width spaces), lower case,
    NFC, ё becomes е, punctuation (Unicode P, except %) is stripped from both ends, except a
    leading hyphen; punctuation inside stays (12.05.2024, 34-п, 7/215).  Null counts as empty.
    """
    tokens = _words(texts)
    words = pa.DictionaryArray.from_arrays(tokens.codes, tokens.vocabulary.to_arrow())
    flat = words.dictionary_decode().cast(pa.large_string())
    return _lists(tokens.offsets, flat).list.join(" ").alias("key_view")


def exact_key(texts: pl.Series) -> pl.Series:
    """Strings -> 16-byte digests (SHA-256, truncated) of their key views, as Binary.

    A cryptographic hash, as exact duplicates are not compared again.
    """
    views = key_view(texts).cast(pl.Binary)
    digests = [hashlib.sha256(view).digest()[:16] for view in views]
    return pl.Series("exact_key", digests, dtype=pl.Binary)


def shingle(
    texts: pl.Series, width: int = 5, unit: Literal["word", "character"] = "word"
) -> Shingles:
    """Strings -> the distinct n-grams of the tokens of their key views, hashed (`ALGORITHM`).

    A text of fewer tokens than `width` is one shingle, one without any has none.
    Raises ValueError for a width below 1.
    """
    return _distinct(*sequence(texts, width, unit))


def sequence(
    texts: pl.Series, width: int = 5, unit: Literal["word", "character"] = "word"
) -> tuple[U64, I64]:
    """The same n-grams in the order of the text, with repetitions: those of document i are
    hashes[offsets[i]:offsets[i + 1]]."""
    if width < 1:
        raise ValueError(f"width must be at least 1, not {width}")
    tokens = _words(texts) if unit == "word" else _characters(texts)
    hashes = _token_hashes(tokens.vocabulary)[tokens.codes]
    starts, counts = tokens.offsets[:-1], np.diff(tokens.offsets)
    full = counts >= width
    offsets = _offsets(np.where(full, counts - width + 1, counts > 0))
    grams = np.empty(offsets[-1], np.uint64)
    if full.any():
        last = len(hashes) - width + 1
        owner = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
        inside = owner[:last] == owner[width - 1 :]
        windows = _combine([hashes[i : last + i] for i in range(width)])
        grams[np.repeat(full, np.diff(offsets))] = windows[inside]
    for length in range(1, min(width, int(counts.max(initial=0)) + 1)):
        if len(rows := np.flatnonzero(counts == length)):
            columns = [hashes[starts[rows] + i] for i in range(length)]
            grams[offsets[rows]] = _combine(columns)
    return grams, offsets


def fmix64(values: U64) -> U64:
    """MurmurHash3's 64-bit finaliser: a bijection in which each bit moves every other."""
    mixed = values ^ (values >> np.uint64(33))
    mixed *= np.uint64(0xFF51AFD7ED558CCD)
    mixed ^= mixed >> np.uint64(33)
    mixed *= np.uint64(0xC4CEB9FE1A85EC53)
    mixed ^= mixed >> np.uint64(33)
    return mixed


def ranges(starts: I64, sizes: I64) -> I64:
    """start, start + 1, ... of each run of the given size, one run after another."""
    ends = np.cumsum(sizes)
    return np.repeat(starts - ends + sizes, sizes) + np.arange(ends[-1] if len(ends) else 0)


def _combine(columns: Sequence[U64]) -> U64:
    """One hash per row of the columns, see `ALGORITHM`."""
    total = columns[0].copy()
    for column in columns[1:]:
        total *= _K
        total += column
    with np.errstate(over="ignore"):
        total += np.uint64(len(columns)) * _K
    return fmix64(total) >> np.uint64(1)


def _distinct(hashes: U64, offsets: I64) -> Shingles:
    """Sorted, and without repetitions, inside each document."""
    flat = _sort_runs(hashes, offsets)
    new = np.ones(len(flat), bool)
    new[1:] = flat[1:] != flat[:-1]
    new[offsets[:-1][np.diff(offsets) > 0]] = True
    return Shingles(flat[new], _offsets(new)[offsets])


def _sort_runs(hashes: U64, offsets: I64) -> U64:
    """Ascending inside each document: documents of like size are the rows of one matrix.

    There are four classes of size to the octave, so padding costs at most a fifth.
    """
    flat, sizes = hashes.copy(), np.diff(offsets)
    classes = np.ceil(4 * np.log2(np.maximum(sizes, 1))).astype(np.int64)
    for size_class in np.unique(classes[sizes > 1]):
        rows = np.flatnonzero(classes == size_class)
        filled = np.arange(sizes[rows].max()) < sizes[rows, None]
        at = ranges(offsets[rows], sizes[rows])
        matrix = np.full(filled.shape, np.iinfo(np.uint64).max, np.uint64)
        matrix[filled] = flat[at]
        matrix.sort(axis=1)
        flat[at] = matrix[filled]
    return flat


def _words(texts: pl.Series) -> _Tokens:
    spaced = texts.cast(pl.String).fill_null("").str.replace_many(_SPACES, [" "] * len(_SPACES))
    raw = _encode(spaced.str.split(" "))
    words = raw.vocabulary.str.replace_many(_IGNORED, [""] * len(_IGNORED))
    words = _nfc(words.str.to_lowercase()).str.replace_all("ё", "е", literal=True)
    words = words.str.replace_all(_EDGES, "")
    # Distinct words may have become one, and some nothing.
    empty = (words == "").to_numpy()
    keep = ~empty[raw.codes]
    renumbered = np.cumsum(~empty, dtype=np.int32) - np.int32(1)
    return _Tokens(
        renumbered[raw.codes[keep]], _offsets(keep)[raw.offsets], words.filter(words != "")
    )


def _characters(texts: pl.Series) -> _Tokens:
    return _encode(key_view(texts).str.split(""))


def _encode(lists: pl.Series) -> _Tokens:
    """Lists of strings -> numbers into a dictionary of the batch.

    Equal strings are brought together by sorting 64-bit hashes that live no longer than this
    call: three times as fast as a hash table, which a multilingual batch pushes out of cache.
    """
    flat = lists.list.explode(empty_as_null=False)
    hashes = flat.hash().to_numpy()
    order = np.argsort(hashes)
    ordered = hashes[order]
    first = np.ones(len(flat), bool)
    first[1:] = ordered[1:] != ordered[:-1]
    codes = np.empty(len(flat), np.int32)
    codes[order] = np.cumsum(first, dtype=np.int32) - np.int32(1)
    return _Tokens(codes, _offsets(lists.list.len().to_numpy()), flat.gather(order[first]))


def _nfc(words: pl.Series) -> pl.Series:
    unsure = words.str.contains(_COMPOSABLE)
    return words.scatter(unsure.arg_true(), words.filter(unsure).str.normalize("NFC"))


def _token_hashes(vocabulary: pl.Series) -> U64:
    encoded = vocabulary.cast(pl.Binary).to_list()
    return np.fromiter(map(xxhash.xxh3_64_intdigest, encoded), np.uint64, len(encoded))


def _lists(offsets: I64, flat: pa.Array) -> pl.Series:
    return cast(pl.Series, pl.from_arrow(pa.LargeListArray.from_arrays(offsets, flat)))


def _offsets(sizes: npt.NDArray[np.generic]) -> I64:
    offsets = np.zeros(len(sizes) + 1, np.int64)
    np.cumsum(sizes, out=offsets[1:])
    return offsets
