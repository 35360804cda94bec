"""Numbers as they are written: runs of digits, joined by what may stand inside a number.

One walk over the code points of a batch gives the candidates of every length at once;
`fragments.digits` says the same as a pattern per length, and the two are held against each other
in the tests.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

MOST_DIGITS: Final = 20
#: Runs of a number, all but the last of two digits or more.
_MOST_RUNS: Final = MOST_DIGITS // 2
_PAD: Final = 4
_BLANK, _BREAKS, _JOINTS = ord(" "), (ord("|"), ord("\n")), (ord(" "), ord("."), ord("-"))
_FRACTION: Final = (ord("."), ord(","), ord("-"))

Codes = NDArray[np.uint32]


class Numbers(NamedTuple):
    """How many digits, where the first stands and where the last ends; sorted by start."""

    digits: NDArray[np.int64]
    start: NDArray[np.int64]
    end: NDArray[np.int64]


def digit_runs(plain: Codes) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where runs of digits begin and end."""
    edges = np.diff(plain - np.uint32(48) < 10, prepend=False, append=False)
    at = np.flatnonzero(edges)
    return at[::2], at[1::2]


def find_numbers(plain: Codes, shortest: int = 1) -> Numbers:
    """The numbers of `shortest` to 20 digits in a plain view.

    A number begins and ends with runs of digits; before each further run stand two digits and one
    separator, or one break of a line or cell.  It is no tail or head of a decimal fraction.
    """
    codes = np.pad(plain, _PAD)  # so that what stands around a run can be asked for
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
    found = []
    for more in range(min(_MOST_RUNS, len(start))):
        first = np.arange(len(start) - more)
        last = first + more
        digits = before[last + 1] - before[first]
        good = (chain[first] == chain[last]) & (digits >= shortest) & (digits <= MOST_DIGITS)
        good &= begins[first] & ends[last]
        found.append((digits[good], start[first[good]] - _PAD, end[last[good]] - _PAD))
    whole = Numbers(*map(np.concatenate, zip(*found, strict=True)))
    order = np.argsort(whole.start, kind="stable")
    return Numbers(*(column[order] for column in whole))


def _is_digit(codes: Codes) -> NDArray[np.bool_]:
    return codes - np.uint32(48) < 10


def _continues(codes: Codes, start: NDArray[np.int64], end: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether each run but the first continues the one before it."""
    gap, at = start[1:] - end[:-1], end[:-1]
    one, two, three = codes[at], codes[at + 1], codes[at + 2]
    single = np.isin(one, _JOINTS) | np.isin(one, _BREAKS)
    double = ((one == _BLANK) & np.isin(two, _BREAKS)) | (np.isin(one, _BREAKS) & (two == _BLANK))
    triple = (one == _BLANK) & np.isin(two, _BREAKS) & (three == _BLANK)
    fits = ((gap == 1) & single) | ((gap == 2) & double) | ((gap == 3) & triple)
    joined: NDArray[np.bool_] = fits & (end[:-1] - start[:-1] > 1)
    return joined
