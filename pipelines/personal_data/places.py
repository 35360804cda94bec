"""Find the places in a batch of texts where a rule may match: marks, groups of digits, words.

Each kind of place is found in one pass over the code points of the batch.  Each match of a rule
contains one of its marks.  A mark is a character, or one of

  ::   a colon, with another colon within five characters after it
  ...  a point between digits, the first of three that are near each other
  00   a run of digits that begins with 00
  A111 a Latin capital beside three digits, at most one character apart
  AA11 two Latin capitals right before two digits
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipelines.personal_data.numbers import digit_runs, find_numbers
from pipelines.personal_data.pattern_views import BatchView, Codes

#: Digits at most this far apart belong to one group (`12 | 34`).
_GAP: Final = 4

Positions = NDArray[np.int64]


class PlaceRows:
    """Places in a batch with further columns, sorted by start, readable by document.

    `bounds`: the rows of document `i` are `bounds[i] : bounds[i + 1]`.
    """

    def __init__(self, batch: BatchView, at: Positions, *columns: NDArray[Any]) -> None:
        document, self._start = batch.locate(at)
        self._columns = [column.tolist() for column in columns]
        self.bounds = np.searchsorted(document, np.arange(len(batch) + 1))

    def in_document(self, document: int) -> Iterator[tuple[Any, ...]]:
        """Yield (start in the document, *columns) of each row of a document."""
        rows = slice(*self.bounds[document : document + 2].tolist())
        return zip(self._start[rows].tolist(), *(c[rows] for c in self._columns), strict=True)


def find_digit_groups(batch: BatchView, least: int) -> PlaceRows:
    """Return (start, length, number of digits) of each group of at least `least` digits."""
    if not len(at := np.flatnonzero(_is_digit(batch.codes))):
        return PlaceRows(batch, at, at, at)
    cut = np.flatnonzero(np.diff(at) > _GAP)
    first = np.concatenate(([0], cut + 1))
    last = np.concatenate((cut, [len(at) - 1]))
    enough = np.flatnonzero(last - first + 1 >= least)
    first, last = first[enough], last[enough]
    return PlaceRows(batch, at[first], at[last] + 1 - at[first], last - first + 1)


def find_marks(batch: BatchView, mark: str) -> PlaceRows:
    """Return (start,) of each place where a mark stands."""
    find = _MARKS.get(mark)
    return PlaceRows(
        batch, np.flatnonzero(batch.codes == ord(mark)) if find is None else find(batch.codes)
    )


def find_numbers_of(batch: BatchView, lengths: Sequence[int]) -> PlaceRows:
    """Return (start, length, digits) of the numbers whose digits are as many as one of `lengths`."""
    numbers = find_numbers(batch.codes, min(lengths, default=1))
    good = np.isin(numbers.digits, lengths)
    return PlaceRows(
        batch, numbers.start[good], (numbers.end - numbers.start)[good], numbers.digits[good]
    )


def find_word_starts(batch: BatchView, words: list[str], before: int, after: int) -> PlaceRows:
    """Return (start, word, whether it ends there) of each word that begins with one of `words`.

    The search runs on the folded views.  Digits or an @ may follow a word directly.

    Args:
      before, after: a word counts only with a digit or an @ in this range around its start.
    """
    if not words:
        return PlaceRows(batch, np.array([], dtype=np.int64), *np.empty((2, 0)))
    codes = batch.folded_codes
    text = codes.tobytes().decode("utf-32-le", "surrogatepass")
    series = pl.Series([text], dtype=pl.String).str
    matches = series.extract_many(words, overlapping=True).explode(empty_as_null=False)
    offsets = series.find_many(words, overlapping=True).explode(empty_as_null=False).to_numpy()
    first_bytes = np.frombuffer(text.encode(), dtype=np.uint8) & 0xC0 != 0x80
    at = np.cumsum(first_bytes)[offsets].astype(np.int64) - 1
    digits_so_far = np.concatenate(([0], np.cumsum(_is_digit(codes) | (codes == ord("@")))))
    low, high = np.maximum(at - before, 0), np.minimum(at + after, len(codes))
    good = digits_so_far[high] > digits_so_far[low]
    good[good] = ~_are_of_kind(codes[at[good] - 1], _is_word_character)  # -1 is the last: no letter
    chosen = np.flatnonzero(good)
    chosen = chosen[np.argsort(at[chosen], kind="stable")]
    matched = matches.gather(chosen)
    ends = at[chosen] + matched.str.len_chars().to_numpy()
    return PlaceRows(batch, at[chosen], matched.to_numpy(), ~_are_of_kind(codes[ends], str.isalpha))


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


def _capitals_by_digits(codes: Codes) -> Positions:
    """Return the starts of the three digits beside a capital."""
    digit, capital = _is_digit(codes), _is_capital(codes)
    three = np.flatnonzero(digit[:-2] & digit[1:-1] & digit[2:])
    return three[capital[three - 1] | capital[three - 2] | capital[three + 3] | capital[three + 4]]


def _capital_pairs(codes: Codes) -> Positions:
    """Return the positions of the first capital."""
    digit, capital = _is_digit(codes), _is_capital(codes)
    return np.flatnonzero(capital[:-3] & capital[1:-2] & digit[2:-1] & digit[3:])


_MARKS: Final[Mapping[str, Callable[[Codes], Positions]]] = {
    "::": _colons,
    "...": _points,
    "00": _zeros,
    "A111": _capitals_by_digits,
    "AA11": _capital_pairs,
}
