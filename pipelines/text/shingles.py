"""The key view of a text, its shingles, and its exact key: the forms in which texts are compared.

The *key view* is equal for copies of a text and differs where the content differs.  It ignores case,
ё/е, dots of i, cedillas, look-alike letters of another script, apostrophes, invisible characters,
white space, and punctuation around words (`views.fold_words`).  It keeps each number, date, docket
mark, percent sign, and the marks of й, ў, қ.

The view is a function of single words.  So a batch is split once, a dictionary numbers its words,
and only distinct words are processed.
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
"""The version of the key view and of the hash below, stored with them.  If one changes, this does.

A token's hash w is the XXH3-64 of its UTF-8.  A shingle of L tokens is a polynomial in the odd
constant K = 0x9E3779B97F4A7C15 (Horner's rule), finished by MurmurHash3's fmix64, mod 2**64:

    h = fmix64(w[0] K^(L-1) + ... + w[L-1] + L K) >> 1

The last shift leaves 63 bits, so a hash is also a valid signed integer.
"""

_K = np.uint64(0x9E3779B97F4A7C15)
_BLOCK = 1 << 15  # tokens at a time


class Words(NamedTuple):
    """The words of the key views of n texts, as `words` makes them."""

    codes: I64  # indexes into vocabulary, of all documents one after another
    offsets: I64  # n + 1
    vocabulary: pl.Series  # distinct words, none of them empty


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
        """The number of distinct shingles of each document; 0 for a text without words."""
        return np.diff(self.offsets)

    def take(self, rows: I64) -> Shingles:
        """Return the sets of the given rows, in the order of `rows`."""
        sizes = self.sizes[rows]
        return Shingles(self.hashes[ranges(self.offsets[rows], sizes)], offsets_of(sizes))


def words(texts: pl.Series) -> Words:
    """Return the words of the key views of texts; null counts as empty.

    Words are folded one by one (`views.fold_words`).  Punctuation inside words stays (12.05.2024,
    34-п, 7/215).
    """
    # Other spaces are rare; they separate words of the vocabulary below.
    ended = (texts.cast(pl.String).fill_null("") + " ").str.replace_all(r"[\t-\r]", " ")
    same, offsets, pieces = _first_equal_strings(ended.str.split(" ", inclusive=True))
    firsts = _firsts(same)
    folded, each = word_folding.fold_vocabulary(pieces.gather(firsts))
    filled = (folded != "").to_numpy()
    upto = offsets_of(filled)[offsets_of(each)]
    counts = upto[1:] - upto[:-1]  # words of each distinct piece
    vocabulary = folded.filter(pl.Series(filled))
    codes = _copy_to_equals(firsts, np.where(counts > 0, upto[:-1], -1), same)
    if counts.max(initial=0) <= 1:
        empty = np.flatnonzero(codes < 0)
        return Words(codes[codes >= 0], offsets - np.searchsorted(empty, offsets), vocabulary)
    sizes = _copy_to_equals(firsts, counts, same)
    return Words(ranges(codes, sizes), offsets_of(sizes)[offsets], vocabulary)


def key_views(words: Words) -> pl.Series:
    """Return the key views as strings: the folded words, joined by single spaces."""
    blanked = (words.vocabulary + " ").to_arrow(compat_level=pl.CompatLevel.oldest())
    # The words are contiguous in memory, so a text is a longer slice of the same memory.
    _, ends, data = blanked.take(pa.array(words.codes)).buffers()
    bounds = np.frombuffer(ends, np.int64)[words.offsets]
    flat = pa.LargeStringArray.from_buffers(len(bounds) - 1, pa.py_buffer(bounds), data)
    return pl.Series("key_view", flat).str.strip_suffix(" ")


def exact_keys(words: Words, texts: pl.Series) -> pl.Series:
    """Return 16-byte digests (SHA-256, truncated) of key views, as Binary.

    Exact duplicates have equal digests.  The hash is cryptographic, because exact duplicates are not
    compared again.  For a text without words the digest is of the text itself; otherwise all such
    texts would be duplicates.
    """
    wordless = np.diff(words.offsets) == 0
    originals = pl.lit(" ") + texts.cast(pl.String).fill_null("")
    compared = (
        key_views(words)
        .to_frame()
        .select(pl.when(pl.Series(wordless)).then(originals).otherwise("key_view"))
    )
    digests = [hashlib.sha256(text).digest()[:16] for text in compared.to_series().cast(pl.Binary)]
    return pl.Series("exact_key", digests, dtype=pl.Binary)


def shingle(
    texts: pl.Series | Words, width: int = 5, unit: Literal["word", "character"] = "word"
) -> Shingles:
    """Return the distinct n-grams of the words or characters of key views, hashed (`ALGORITHM`).

    A text of fewer tokens than `width` is one shingle, so it is similar only to its copies.  A text
    without tokens has no shingle.

    Args:
      texts: the texts, or their words.
      width: the tokens in a shingle.
      unit: what a token is.

    Raises:
      ValueError: the width is below 1.
    """
    hashes, tokens = _hash_tokens(texts, width, unit)
    blocks = [_distinct(*_grams(hashes, block, width)) for block in _blocks(tokens)]
    sizes = np.concatenate([block.sizes for block in blocks])
    return Shingles(np.concatenate([block.hashes for block in blocks]), offsets_of(sizes))


def shingle_sequence(
    texts: pl.Series | Words, width: int = 5, unit: Literal["word", "character"] = "word"
) -> tuple[U64, I64]:
    """Return the n-grams of `shingle` in the order of the text, with repetitions.

    Returns:
      hashes and offsets; document i has hashes[offsets[i]:offsets[i + 1]].
    """
    return _grams(*_hash_tokens(texts, width, unit), width)


def _hash_tokens(
    texts: pl.Series | Words, width: int, unit: Literal["word", "character"]
) -> tuple[U64, Words]:
    """Return the hashes of the vocabulary of texts, and their tokens."""
    if width < 1:
        raise ValueError(f"width must be at least 1, not {width}")
    split = texts if isinstance(texts, Words) else words(texts)
    tokens = split if unit == "word" else _encode(key_views(split).str.split(""))
    return hash_words(tokens.vocabulary), tokens


def _blocks(tokens: Words) -> Iterator[Words]:
    """Yield blocks of whole texts that fit the second-level cache; at least one block."""
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
    """Return the hashed n-grams of tokens in their order, and the offsets of the texts.

    Args:
      hashes: the hashes of the vocabulary.
      tokens: the tokens.
      width: n.
    """
    hashes, bounds = hashes.take(tokens.codes), tokens.offsets
    starts, counts = bounds[:-1], np.diff(bounds)
    full = counts >= width
    offsets = offsets_of(np.where(full, counts - width + 1, counts > 0))
    grams = np.empty(offsets[-1], np.uint64)
    if full.any():
        last = len(hashes) - width + 1
        inside = np.ones(
            len(hashes), bool
        )  # whether the window that starts here ends in the same text
        for step in range(1, width):
            ends = bounds[1:] - step
            inside[ends[ends >= 0]] = False
        windows = _combine([hashes[i : last + i] for i in range(width)])
        complete = windows[inside[:last]]
        if full.all():
            return complete, offsets
        grams[np.repeat(full, np.diff(offsets))] = complete
    for length in range(1, min(width, int(counts.max(initial=0)) + 1)):
        if len(rows := np.flatnonzero(counts == length)):
            columns = [hashes[starts[rows] + i] for i in range(length)]
            grams[offsets[rows]] = _combine(columns)
    return grams, offsets


def fmix64(values: U64) -> U64:
    """Apply MurmurHash3's 64-bit finaliser: a bijection in which each bit affects all others."""
    mixed = values ^ (values >> np.uint64(33))
    mixed *= np.uint64(0xFF51AFD7ED558CCD)
    mixed ^= mixed >> np.uint64(33)
    mixed *= np.uint64(0xC4CEB9FE1A85EC53)
    mixed ^= mixed >> np.uint64(33)
    return mixed


def _combine(columns: Sequence[U64]) -> U64:
    """Return a hash per row of the columns, see `ALGORITHM`."""
    total = columns[0].copy()
    for column in columns[1:]:
        total *= _K
        total += column
    with np.errstate(over="ignore"):
        total += np.uint64(len(columns)) * _K
    return fmix64(total) >> np.uint64(1)


def _distinct(hashes: U64, offsets: I64) -> Shingles:
    """Sort the hashes of each document and remove repetitions."""
    flat = _sort_runs(hashes, offsets)
    new = np.ones(len(flat), bool)
    new[1:] = flat[1:] != flat[:-1]
    new[offsets[:-1][np.diff(offsets) > 0]] = True
    return Shingles(flat[new], offsets_of(new)[offsets])


def _sort_runs(hashes: U64, offsets: I64) -> U64:
    """Sort the hashes of each document: documents of similar size are the rows of one matrix.

    Each doubling of size has four classes, so padding costs at most a fifth.
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
    """Encode lists of strings as numbers into a dictionary of the batch."""
    same, offsets, flat = _first_equal_strings(lists)
    firsts = _firsts(same)
    codes = _copy_to_equals(firsts, np.arange(len(firsts)), same)
    return Words(codes, offsets, flat.gather(firsts))


def _first_equal_strings(lists: pl.Series) -> tuple[I64, I64, pl.Series]:
    """Find equal strings.

    Returns:
      For each string the index of one representative that equals it; the offsets of the lists; and
      the strings.
    """
    flat = lists.list.explode(empty_as_null=False)
    return _first_equal(flat.hash().to_numpy()), offsets_of(lists.list.len().to_numpy()), flat


def _firsts(same: I64) -> I64:
    """Return the indexes of the representatives."""
    return np.flatnonzero(same == np.arange(len(same)))


def _copy_to_equals(firsts: I64, values: I64, same: I64) -> I64:
    """Copy the values of representatives to all strings that equal them."""
    table = np.empty(len(same), np.int64)
    table[firsts] = values
    return table.take(same)


def _first_equal(hashes: U64) -> I64:
    """Return for each hash the index of one representative that equals it.

    Each hash writes its index into a slot that its upper bits choose.  Hashes that find another hash
    in their slot try again with other bits.  Strings with equal 64-bit hashes count as equal; the
    hashes are used only inside a batch.  This is several times as fast as a hash table of strings.
    """
    bits = max(10, len(hashes).bit_length())
    slots = (hashes >> np.uint64(64 - bits)).view(np.int64)
    table = np.empty(1 << bits, np.int32)
    table[slots] = np.arange(len(hashes), dtype=np.int32)
    same = table.take(slots).astype(np.int64)
    others = np.flatnonzero(hashes.take(same) != hashes)
    if len(others):
        same[others] = others.take(_first_equal(fmix64(hashes[others])))
    return same


def hash_words(vocabulary: pl.Series) -> U64:
    """Return the XXH3-64 of each word's UTF-8."""
    encoded = vocabulary.cast(pl.Binary).to_list()
    return np.fromiter(map(xxhash.xxh3_64_intdigest, encoded), np.uint64, len(encoded))
