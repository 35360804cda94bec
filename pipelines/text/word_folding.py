"""`views.fold_words` for whole vocabularies: most letters fold alone, and those are looked up in a table.

The table is made from the rules themselves, so they stand in one place.  A word is left to the
rules, one by one, where a letter's form may depend on its neighbours: marks that compose, a final
sigma, Latin beside Cyrillic letters, whatever lies beyond the table.
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
"""What separates words."""

_LETTERS = 0x3001  # below: the scripts of the region and general punctuation
_SPACE, _DROPPED, _LEADING, _TRAILING, _LATIN, _CYRILLIC, _BY_RULE = (
    np.uint8(1 << bit) for bit in range(7)
)
_BOTH = _LATIN | _CYRILLIC


def fold_vocabulary(pieces: pl.Series) -> tuple[pl.Series, I64]:
    """The folded words of pieces of text, one after another, some empty, and how many of them each
    piece has.

    Args:
      pieces: strings that each end in a blank and hold no other; other spaces they may hold.
    """
    letters = _letters(pieces)
    if not len(letters):
        return pl.Series(dtype=pl.String), np.zeros(0, np.int64)
    places = np.minimum(letters, np.uint16(_LETTERS))
    becomes, marks = (column.take(places) for column in _table())
    space = (marks & _SPACE) != 0
    ends = np.flatnonzero(space)
    starts = np.append(0, ends[:-1] + 1)
    keep = (marks & _DROPPED) == 0
    edges = np.flatnonzero((marks & _TRAILING) != 0)
    keep[_beside(edges[(marks[edges] & _LEADING) != 0], space, left=True)] = False
    keep[_beside(edges, space, left=False)] = False
    found = _split(becomes[keep])
    held = np.bitwise_or.reduceat(marks, starts)
    hard = ((held & _BY_RULE) != 0) | ((held & _BOTH) == _BOTH)
    if hard.any():
        at = np.flatnonzero(hard)
        sizes = ends[at] + 1 - starts[at]
        whole = letters[ranges(starts[at], sizes)]
        whole[np.cumsum(sizes) - 1] = 0x20
        found = found.scatter(at, fold_words(_split(whole)))
    if len(found) == len(pieces):
        return found, np.ones(len(pieces), np.int64)
    last = np.flatnonzero(letters[ends] == 0x20)
    return found, np.diff(last, prepend=-1)


def _letters(texts: pl.Series) -> U16:
    """All texts one after another, in UTF-16."""
    flat = texts.to_arrow(compat_level=pl.CompatLevel.oldest()).buffers()[2]
    text = flat.to_pybytes().decode() if flat else ""
    return np.frombuffer(text.encode("utf-16-le"), "<u2")


def _split(letters: U16) -> pl.Series:
    """UTF-16 -> the strings that end in a blank, without it."""
    text = letters.astype("<u2", copy=False).tobytes().decode("utf-16-le").encode()
    blanks = np.flatnonzero(np.frombuffer(text, np.uint8) == 0x20)
    offsets = np.append(0, blanks - np.arange(len(blanks)))
    flat = pa.LargeStringArray.from_buffers(
        len(blanks), pa.py_buffer(offsets), pa.py_buffer(text.translate(None, b" "))
    )
    return pl.Series(flat)


def _beside(at: I64, space: npt.NDArray[np.bool_], *, left: bool) -> I64:
    """Of places of marked letters those in runs with a space on their left, where the last letter
    is the neighbour of the first, or on their right."""
    new = np.flatnonzero(np.diff(at, prepend=-2) != 1)
    sizes = np.diff(np.append(new, len(at)))
    runs = space[at[new] - 1] if left else space[at[new + sizes - 1] + 1]
    return at[np.repeat(runs, sizes)]


@cache
def _table() -> tuple[U16, U8]:
    """What each letter below `_LETTERS` becomes, and its marks; last, what stands for the rest."""
    letters = [chr(c) for c in range(_LETTERS)]
    column = pl.Series(letters)
    # Between digits no letter has neighbours of its own script, nor a word an edge.
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
    marks = sum(mark * np.asarray(of, np.uint8) for mark, of in has.items())
    forms = np.where(spaces, 0x20, becomes)
    return np.append(forms, 0).astype(np.uint16), np.append(marks, _BY_RULE).astype(np.uint8)


def _depends(letter: str) -> bool:
    """Whether a letter may compose with its neighbours, or its lower case depend on them."""
    return (
        letter == "Σ"
        or unicodedata.category(letter).startswith("M")
        or "\u1100" <= letter <= "\u11ff"  # Hangul, which composes by rule
        or not unicodedata.is_normalized("NFC", letter)
    )
