"""A fast form of `views.fold_words` for vocabularies: most letters are looked up in a table.

The table is made with `views.fold_words`, so the rules exist only once.  `views.fold_words` also
folds each word in which a letter's form can depend on its neighbours: marks that compose, a final
sigma, Latin beside Cyrillic letters, and characters beyond the table.
"""

from __future__ import annotations

import unicodedata
from functools import cache

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from pipelines.text.ragged import I64, ranges
from pipelines.text.views import U8, fold_words

U16 = npt.NDArray[np.uint16]

SPACES = frozenset(map(chr, (*range(0x9, 0xE), 0x20, 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B),
                             0x2028, 0x2029, 0x202F, 0x205F, 0x3000)))  # fmt: skip
"""The characters that separate words."""

_LETTERS = (
    0x3001  # the table covers smaller code points: the scripts of the region, general punctuation
)
_SPACE, _DROPPED, _LEADING, _TRAILING, _LATIN, _CYRILLIC, _BY_RULE = (
    np.uint8(1 << bit) for bit in range(7)
)
_BOTH = _LATIN | _CYRILLIC


def fold_vocabulary(pieces: pl.Series) -> tuple[pl.Series, I64]:
    """Split pieces of text into words, and fold these.

    Args:
      pieces: strings that end with a space (U+0020) and hold no other U+0020; they can hold other
        spaces.

    Returns:
      The folded words, one after another, which can be empty; and the number of words of each piece.
    """
    letters = _letters(pieces)
    if not len(letters):
        return pl.Series(dtype=pl.String), np.zeros(0, np.int64)
    places = np.minimum(letters, np.uint16(_LETTERS))
    becomes, marks = (column.take(places) for column in _table())
    space = (marks & _SPACE) != 0
    ends = np.flatnonzero(space)
    starts = np.append(0, ends[:-1] + 1)
    kept = (marks & _DROPPED) == 0
    edges = np.flatnonzero((marks & _TRAILING) != 0)
    kept[_at_edge(edges[(marks[edges] & _LEADING) != 0], space, left=True)] = False
    kept[_at_edge(edges, space, left=False)] = False
    folded = _split(becomes[kept])
    word_marks = np.bitwise_or.reduceat(marks, starts)
    by_rule = ((word_marks & _BY_RULE) != 0) | ((word_marks & _BOTH) == _BOTH)
    if by_rule.any():
        at = np.flatnonzero(by_rule)
        sizes = ends[at] + 1 - starts[at]
        originals = letters[ranges(starts[at], sizes)]
        originals[np.cumsum(sizes) - 1] = 0x20
        folded = folded.scatter(at, fold_words(_split(originals)))
    if len(folded) == len(pieces):
        return folded, np.ones(len(pieces), np.int64)
    last = np.flatnonzero(letters[ends] == 0x20)
    return folded, np.diff(last, prepend=-1)


def _letters(texts: pl.Series) -> U16:
    """Return all texts, one after another, in UTF-16."""
    flat = texts.to_arrow(compat_level=pl.CompatLevel.oldest()).buffers()[2]
    text = flat.to_pybytes().decode() if flat else ""
    return np.frombuffer(text.encode("utf-16-le"), "<u2")


def _split(letters: U16) -> pl.Series:
    """Split UTF-16 after each space, and remove the spaces."""
    text = letters.astype("<u2", copy=False).tobytes().decode("utf-16-le").encode()
    blanks = np.flatnonzero(np.frombuffer(text, np.uint8) == 0x20)
    offsets = np.append(0, blanks - np.arange(len(blanks)))
    flat = pa.LargeStringArray.from_buffers(
        len(blanks), pa.py_buffer(offsets), pa.py_buffer(text.translate(None, b" "))
    )
    return pl.Series(flat)


def _at_edge(at: I64, space: npt.NDArray[np.bool_], *, left: bool) -> I64:
    """Return the marked letters that are in a run at the edge of a word.

    Args:
      at: ascending indexes of marked letters.
      space: whether each letter is a space.
      left: look for runs after a space; the first letter follows the last one.  Else look for runs
        before a space.
    """
    new = np.flatnonzero(np.diff(at, prepend=-2) != 1)
    sizes = np.diff(np.append(new, len(at)))
    runs = space[at[new] - 1] if left else space[at[new + sizes - 1] + 1]
    return at[np.repeat(runs, sizes)]


@cache
def _table() -> tuple[U16, U8]:
    """Return the folded form and the marks of each letter below `_LETTERS`.

    The last entry is for all other characters.
    """
    letters = [chr(c) for c in range(_LETTERS)]
    column = pl.Series(letters)
    # Between digits a letter has no neighbour of its own script and is not at the edge of a word.
    alone = fold_words("0" + column + "0").str.strip_prefix("0").str.strip_suffix("0").to_list()
    becomes = [ord(form) if len(form) == 1 else 0 for form in alone]
    spaces = [c in SPACES for c in letters]
    has = {
        _SPACE: spaces,
        _DROPPED: [form == "" for form in alone],
        _LEADING: fold_words(column + "0") == "0",
        _TRAILING: fold_words("0" + column) == "0",
        _LATIN: column.str.contains(r"\p{Latin}"),
        _CYRILLIC: column.str.contains(r"\p{Cyrillic}"),
        _BY_RULE: [len(f) > 1 or _depends(c) for c, f in zip(letters, alone, strict=True)],
    }
    marks = sum(mark * np.asarray(flags, np.uint8) for mark, flags in has.items())
    forms = np.where(spaces, 0x20, becomes)
    return np.append(forms, 0).astype(np.uint16), np.append(marks, _BY_RULE).astype(np.uint8)


def _depends(letter: str) -> bool:
    """Whether a letter can compose with its neighbours, or its lower case depends on them."""
    return (
        letter == "Σ"
        or unicodedata.category(letter).startswith("M")
        or "\u1100" <= letter <= "\u11ff"  # Hangul, which composes by rule
        or not unicodedata.is_normalized("NFC", letter)
    )
