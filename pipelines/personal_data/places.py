"""Where in a batch of texts something may stand: marks, clusters of digits, words that back a rule.

All are found at once over the code points of the whole batch.  A mark is what every match of a
rule holds: a character, or one of

  ::   a colon that another follows within five characters
  ...  a point between digits, the first of three that are near each other
  00   a run of digits that begins so
  A111 a Latin capital beside three digits, at most one character apart
  AA11 two of them right before two digits
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipelines.personal_data.numbers import digit_runs, find_numbers
from pipelines.personal_data.pattern_views import BatchView, Codes

#: Digits this far apart or nearer belong to one cluster (`12 | 34`).
_GAP: Final = 4

Positions = NDArray[np.int64]


class PlaceRows:
    """Rows of a batch by where they begin in it (sorted), and so by document."""

    def __init__(self, batch: BatchView, at: Positions, *columns: NDArray[Any]) -> None:
        document, self._start = batch.locate(at)
        self._columns = [column.tolist() for column in columns]
        self.bounds = np.searchsorted(document, np.arange(len(batch) + 1))

    def in_document(self, document: int) -> Iterator[tuple[Any, ...]]:
        """(start in the document, *columns) of each row of a document."""
        rows = slice(*self.bounds[document : document + 2].tolist())
        return zip(self._start[rows].tolist(), *(c[rows] for c in self._columns), strict=True)


def find_digit_groups(batch: BatchView, least: int) -> PlaceRows:
    """(start, length, how many digits) of digits that stand together, `least` or more."""
    if not len(at := np.flatnonzero(_is_digit(batch.codes))):
        return PlaceRows(batch, at, at, at)
    cut = np.flatnonzero(np.diff(at) > _GAP)
    first = np.concatenate(([0], cut + 1))
    last = np.concatenate((cut, [len(at) - 1]))
    enough = np.flatnonzero(last - first + 1 >= least)
    first, last = first[enough], last[enough]
    return PlaceRows(batch, at[first], at[last] + 1 - at[first], last - first + 1)


def find_marks(batch: BatchView, mark: str) -> PlaceRows:
    """(start,) of each place where a mark stands."""
    find = _MARKS.get(mark)
    return PlaceRows(
        batch, np.flatnonzero(batch.codes == ord(mark)) if find is None else find(batch.codes)
    )


def find_numbers_of(batch: BatchView, lengths: Sequence[int]) -> PlaceRows:
    """(start, length, digits) of the numbers (`numbers`) with so many digits."""
    found = find_numbers(batch.codes, min(lengths, default=1))
    good = np.isin(found.digits, lengths)
    return PlaceRows(batch, found.start[good], (found.end - found.start)[good], found.digits[good])


def find_word_starts(batch: BatchView, words: list[str], before: int, after: int) -> PlaceRows:
    """(start, word, whether it ends there) of what begins with one of `words` in the folded views;
    digits and an @ may come right after.

    Left out is what has no digit and no @ from so far `before` it to so far `after`.
    """
    if not words:
        return PlaceRows(batch, np.array([], dtype=np.int64), *np.empty((2, 0)))
    codes = batch.folded_codes
    text = codes.tobytes().decode("utf-32-le", "surrogatepass")
    whole = pl.Series([text], dtype=pl.String).str
    found = whole.extract_many(words, overlapping=True).explode(empty_as_null=False)
    offsets = whole.find_many(words, overlapping=True).explode(empty_as_null=False).to_numpy()
    first_bytes = np.frombuffer(text.encode(), dtype=np.uint8) & 0xC0 != 0x80
    at = np.cumsum(first_bytes)[offsets].astype(np.int64) - 1
    something = np.concatenate(([0], np.cumsum(_is_digit(codes) | (codes == ord("@")))))
    low, high = np.maximum(at - before, 0), np.minimum(at + after, len(codes))
    good = something[high] > something[low]
    good[good] = ~_are_of_kind(
        codes[at[good] - 1], _is_word_character
    )  # before the first stands the last: no letter
    chosen = np.flatnonzero(good)
    chosen = chosen[np.argsort(at[chosen], kind="stable")]
    names = found.gather(chosen)
    ends = at[chosen] + names.str.len_chars().to_numpy()
    return PlaceRows(batch, at[chosen], names.to_numpy(), ~_are_of_kind(codes[ends], str.isalpha))


def _is_digit(codes: Codes) -> NDArray[np.bool_]:
    return codes - np.uint32(48) < 10


def _is_word_character(character: str) -> bool:
    return character.isalnum() or character == "_"


def _are_of_kind(codes: Codes, kind: Callable[[str], bool]) -> NDArray[np.bool_]:
    return np.isin(codes, [code for code in np.unique(codes).tolist() if kind(chr(code))])


def _colons(codes: Codes) -> Positions:
    at = np.flatnonzero(codes == ord(":"))
    return at[:-1][np.diff(at) <= 5]


def _points(codes: Codes) -> Positions:
    at = np.flatnonzero(codes[:-1] == ord("."))
    at = at[_is_digit(codes[at - 1]) & _is_digit(codes[at + 1])]
    near = np.diff(at) <= 4
    return at[:-2][near[:-1] & near[1:]]


def _zeros(codes: Codes) -> Positions:
    start, _ = digit_runs(codes)
    return start[(codes[start] == ord("0")) & (codes[start + 1] == ord("0"))]


def _is_capital(codes: Codes) -> NDArray[np.bool_]:
    return codes - np.uint32(65) < 26


def _borders(codes: Codes) -> Positions:
    """By the start of the three digits."""
    digit, capital = _is_digit(codes), _is_capital(codes)
    three = np.flatnonzero(digit[:-2] & digit[1:-1] & digit[2:])
    return three[capital[three - 1] | capital[three - 2] | capital[three + 3] | capital[three + 4]]


def _accounts(codes: Codes) -> Positions:
    """By the first capital."""
    digit, capital = _is_digit(codes), _is_capital(codes)
    return np.flatnonzero(capital[:-3] & capital[1:-2] & digit[2:-1] & digit[3:])


_MARKS: Final[Mapping[str, Callable[[Codes], Positions]]] = {
    "::": _colons,
    "...": _points,
    "00": _zeros,
    "A111": _borders,
    "AA11": _accounts,
}
