"""Find numbers: runs of digits, joined by the separators that a number may contain.

One pass over the code points of a batch finds the numbers of all lengths.
`fragments.digits_pattern` defines the same numbers by a pattern per length; the tests compare both.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

MOST_DIGITS: Final = 20
#: The most runs of a number: each run but the last has at least two digits.
_MOST_RUNS: Final = MOST_DIGITS // 2
_PAD: Final = 4
_BLANK, _BREAKS, _JOINTS = ord(" "), (ord("|"), ord("\n")), (ord(" "), ord("."), ord("-"))
_FRACTION: Final = (ord("."), ord(","), ord("-"))

Codes = NDArray[np.uint32]


class Numbers(NamedTuple):
    """Columns, sorted by start: number of digits, start of the first digit, end of the last digit."""

    digits: NDArray[np.int64]
    start: NDArray[np.int64]
    end: NDArray[np.int64]


def digit_runs(plain: Codes) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the starts and the ends of the runs of digits in a plain view."""
    edges = np.diff(plain - np.uint32(48) < 10, prepend=False, append=False)
    at = np.flatnonzero(edges)
    return at[::2], at[1::2]


def find_numbers(plain: Codes, shortest: int = 1) -> Numbers:
    """Return the numbers of `shortest` to 20 digits in a plain view.

    A number is one or more runs of digits.  Before each further run stand at least two digits, then
    one separator or one break of a line or cell.  A number is not the head or tail of a decimal
    fraction.
    """
    codes = np.pad(plain, _PAD)  # so that the neighbours of each run can be read
    start, end = (places + _PAD for places in digit_runs(plain))
    if not len(start):
        return Numbers(start, start, start)
    joined = np.concatenate(([False], _continues(codes, start, end)))
    begins = ~(np.isin(codes[start - 1], _FRACTION) & _is_digit(codes[start - 2]))
    ends = ~(
        np.isin(codes[end], _FRACTION[:2])
        & _is_digit(codes[end + 1])
        & _is_digit(codes[end + 2])
        & ~_is_digit(codes[end + 3])
    )
    chain = np.cumsum(~joined)
    before = np.concatenate(([0], np.cumsum(end - start)))
    columns = []
    for more in range(min(_MOST_RUNS, len(start))):
        first = np.arange(len(start) - more)
        last = first + more
        digits = before[last + 1] - before[first]
        good = (chain[first] == chain[last]) & (digits >= shortest) & (digits <= MOST_DIGITS)
        good &= begins[first] & ends[last]
        columns.append((digits[good], start[first[good]] - _PAD, end[last[good]] - _PAD))
    unsorted = Numbers(*map(np.concatenate, zip(*columns, strict=True)))
    order = np.argsort(unsorted.start, kind="stable")
    return Numbers(*(column[order] for column in unsorted))


def _is_digit(codes: Codes) -> NDArray[np.bool_]:
    return codes - np.uint32(48) < 10


def _continues(codes: Codes, start: NDArray[np.int64], end: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return for each run but the first whether it continues the run before it."""
    gap, at = start[1:] - end[:-1], end[:-1]
    first, second, third = codes[at], codes[at + 1], codes[at + 2]
    single = np.isin(first, _JOINTS) | np.isin(first, _BREAKS)
    blank_break = (first == _BLANK) & np.isin(second, _BREAKS)
    break_blank = np.isin(first, _BREAKS) & (second == _BLANK)
    triple = blank_break & (third == _BLANK)
    fits = (
        ((gap == 1) & single) | ((gap == 2) & (blank_break | break_blank)) | ((gap == 3) & triple)
    )
    joined: NDArray[np.bool_] = fits & (end[:-1] - start[:-1] > 1)
    return joined
