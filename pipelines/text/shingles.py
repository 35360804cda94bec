"""What two texts are compared by: the key view of a text, its shingles, its exact key.

The *key view* lets copies of one text meet and keeps apart what differs in substance: case,
ё/е, dots of i, cedillas, letters of another script that look alike, apostrophes, invisible
characters, white space and the punctuation around words do not count (`views.fold_words`); every
number, date, docket mark, percent sign and the marks of й, ў, қ do.

The view is a function of single words, so a batch is split once, its words are numbered by a
dictionary, and all text work happens on the distinct words only.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import xxhash

from pipelines.text import word_folding
from pipelines.text.ragged import I64, offsets_of, ranges

U64 = npt.NDArray[np.uint64]

ALGORITHM = "shingles-xxh3-horner-3"
"""Names the key view and the hash below in whatever is stored; either changes: so does this.

A token's hash w is the XXH3-64 of its UTF-8.  A shingle of L tokens is a polynomial in the odd
constant K = 0x9E3779B97F4A7C15 (Horner's rule), finished by MurmurHash3's fmix64, mod 2**64:

    h = fmix64(w[0] K^(L-1) + ... + w[L-1] + L K) >> 1

The last shift leaves 63 bits, so that a hash is also a valid signed integer wherever it goes.
"""

_K = np.uint64(0x9E3779B97F4A7C15)
_BLOCK = 1 << 15  # tokens at a time


class Words(NamedTuple):
    """The words of the key views of n texts, as `words` makes them."""

    codes: I64  # into vocabulary, all documents one after another
    offsets: I64  # n + 1
    vocabulary: pl.Series  # distinct words, none empty


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
        return Shingles(self.hashes[ranges(self.offsets[rows], sizes)], offsets_of(sizes))


def words(texts: pl.Series) -> Words:
    """Strings -> the words of their key views; null counts as empty.

    Words are `views.fold_words` one by one; punctuation inside them stays (12.05.2024, 34-п, 7/215).
    """
    # The other spaces, which are rare, part words of the vocabulary.
    ended = (texts.cast(pl.String).fill_null("") + " ").str.replace_all(r"[\t-\r]", " ")
    same, offsets, pieces = _equal(ended.str.split(" ", inclusive=True))
    chosen = _chosen(same)
    found, each = word_folding.fold_vocabulary(pieces.gather(chosen))
    filled = (found != "").to_numpy()
    upto = offsets_of(filled)[offsets_of(each)]
    kept = upto[1:] - upto[:-1]  # of each distinct piece
    vocabulary = found.filter(pl.Series(filled))
    codes = _spread(chosen, np.where(kept > 0, upto[:-1], -1), same)
    if kept.max(initial=0) <= 1:
        gone = np.flatnonzero(codes < 0)
        return Words(codes[codes >= 0], offsets - np.searchsorted(gone, offsets), vocabulary)
    sizes = _spread(chosen, kept, same)
    return Words(ranges(codes, sizes), offsets_of(sizes)[offsets], vocabulary)


def key_views(words: Words) -> pl.Series:
    """The key views themselves: words as they count, joined by single spaces."""
    blanked = (words.vocabulary + " ").to_arrow(compat_level=pl.CompatLevel.oldest())
    # One word after another as they lie in memory: a text is a longer piece of it.
    _, ends, data = blanked.take(pa.array(words.codes)).buffers()
    bounds = np.frombuffer(ends, np.int64)[words.offsets]
    flat = pa.LargeStringArray.from_buffers(len(bounds) - 1, pa.py_buffer(bounds), data)
    return pl.Series("key_view", flat).str.strip_suffix(" ")


def exact_keys(words: Words, texts: pl.Series) -> pl.Series:
    """16-byte digests (SHA-256, truncated) of key views, as Binary: equal for exact duplicates.

    A cryptographic hash, as exact duplicates are not compared again.  Of a text without a word
    the text itself is digested, or all such texts would be one.
    """
    bare = np.diff(words.offsets) == 0
    whole = pl.lit(" ") + texts.cast(pl.String).fill_null("")
    compared = (
        key_views(words)
        .to_frame()
        .select(pl.when(pl.Series(bare)).then(whole).otherwise("key_view"))
    )
    digests = [hashlib.sha256(one).digest()[:16] for one in compared.to_series().cast(pl.Binary)]
    return pl.Series("exact_key", digests, dtype=pl.Binary)


def shingle(
    texts: pl.Series | Words, width: int = 5, unit: Literal["word", "character"] = "word"
) -> Shingles:
    """Texts -> the distinct n-grams of the words or characters of their key views, hashed
    (`ALGORITHM`).

    A text of fewer tokens than `width` is one shingle, the whole of it, and so is like nothing
    but its copies; one without any has none.  Raises ValueError for a width below 1.
    """
    hashes, tokens = _hashed(texts, width, unit)
    parts = [_distinct(*_grams(hashes, some, width)) for some in _blocks(tokens)]
    sizes = np.concatenate([part.sizes for part in parts])
    return Shingles(np.concatenate([part.hashes for part in parts]), offsets_of(sizes))


def shingle_sequence(
    texts: pl.Series | Words, width: int = 5, unit: Literal["word", "character"] = "word"
) -> tuple[U64, I64]:
    """The same n-grams in the order of the text, with repetitions: those of document i are
    hashes[offsets[i]:offsets[i + 1]]."""
    return _grams(*_hashed(texts, width, unit), width)


def _hashed(
    texts: pl.Series | Words, width: int, unit: Literal["word", "character"]
) -> tuple[U64, Words]:
    """The tokens of texts, and the hashes of their vocabulary."""
    if width < 1:
        raise ValueError(f"width must be at least 1, not {width}")
    read = texts if isinstance(texts, Words) else words(texts)
    tokens = read if unit == "word" else _encode(key_views(read).str.split(""))
    return hash_words(tokens.vocabulary), tokens


def _blocks(tokens: Words) -> Iterator[Words]:
    """Whole texts, as many at a time as stay in the second-level cache while they are worked on;
    at least one block."""
    codes, offsets, vocabulary = tokens
    last, texts = 0, len(offsets) - 1
    while True:
        first = last
        last = int(np.searchsorted(offsets, offsets[first] + _BLOCK, "right")) - 1
        last = min(max(last, first + 1), texts)
        inside = slice(offsets[first], offsets[last])
        yield Words(codes[inside], offsets[first : last + 1] - offsets[first], vocabulary)
        if last == texts:
            return


def _grams(hashes: U64, tokens: Words, width: int) -> tuple[U64, I64]:
    """Tokens and the hashes of their vocabulary -> hashed n-grams, in their order."""
    hashes, bounds = hashes.take(tokens.codes), tokens.offsets
    starts, counts = bounds[:-1], np.diff(bounds)
    full = counts >= width
    offsets = offsets_of(np.where(full, counts - width + 1, counts > 0))
    grams = np.empty(offsets[-1], np.uint64)
    if full.any():
        last = len(hashes) - width + 1
        inside = np.ones(len(hashes), bool)  # a window starts here and ends in the same text
        for step in range(1, width):
            ends = bounds[1:] - step
            inside[ends[ends >= 0]] = False
        windows = _combine([hashes[i : last + i] for i in range(width)])
        whole = windows[inside[:last]]
        if full.all():
            return whole, offsets
        grams[np.repeat(full, np.diff(offsets))] = whole
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
    return Shingles(flat[new], offsets_of(new)[offsets])


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


def _encode(lists: pl.Series) -> Words:
    """Lists of strings -> numbers into a dictionary of the batch."""
    same, offsets, flat = _equal(lists)
    chosen = _chosen(same)
    codes = _spread(chosen, np.arange(len(chosen)), same)
    return Words(codes, offsets, flat.gather(chosen))


def _equal(lists: pl.Series) -> tuple[I64, I64, pl.Series]:
    """Lists of strings -> of each string the place of one that equals it, the lists' offsets, and
    the strings."""
    flat = lists.list.explode(empty_as_null=False)
    return _equals(flat.hash().to_numpy()), offsets_of(lists.list.len().to_numpy()), flat


def _chosen(same: I64) -> I64:
    """The places that stand for what equals them."""
    return np.flatnonzero(same == np.arange(len(same)))


def _spread(chosen: I64, values: I64, same: I64) -> I64:
    """What is known of the chosen places, of all of them."""
    table = np.empty(len(same), np.int64)
    table[chosen] = values
    return table.take(same)


def _equals(hashes: U64) -> I64:
    """The place of one and the same hash for all that are equal.

    Each writes its place into a slot of a table by its upper bits; those that then do not find
    their own hash there try again with other bits.  Strings of one 64-bit hash count as equal; the
    hashes live no longer than a batch.  Several times as fast as a hash table of strings.
    """
    bits = max(10, len(hashes).bit_length())
    slots = (hashes >> np.uint64(64 - bits)).view(np.int64)
    table = np.empty(1 << bits, np.int32)
    table[slots] = np.arange(len(hashes), dtype=np.int32)
    same = table.take(slots).astype(np.int64)
    others = np.flatnonzero(hashes.take(same) != hashes)
    if len(others):
        same[others] = others.take(_equals(fmix64(hashes[others])))
    return same


def hash_words(vocabulary: pl.Series) -> U64:
    """XXH3-64 of each word's UTF-8."""
    encoded = vocabulary.cast(pl.Binary).to_list()
    return np.fromiter(map(xxhash.xxh3_64_intdigest, encoded), np.uint64, len(encoded))
