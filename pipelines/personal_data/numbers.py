"""Numbers as they are written: runs of digits, joined by what may stand inside a number.

One walk over a text gives the candidates of every length at once; `fragments.digits` says the
same as a pattern per length, and the two are held against each other in the tests.
"""

from __future__ import annotations

import itertools
import re
from collections import defaultdict
from typing import Final

LONGEST: Final = 20
_RUN: Final = re.compile("[0-9]+")
_JOINT: Final = re.compile(r"[ .-]| ?[|\n] ?")
_CENTS: Final = re.compile(r"[.,][0-9]{2}(?![0-9])")


def numbers(plain: str) -> dict[int, list[tuple[int, int]]]:
    """Number of digits to the spans of such numbers in a plain view, sorted by start.

    A number begins and ends with runs of digits; before each further run stand two digits and one
    separator, or one break of a line or cell.  It is no tail or head of a decimal fraction.
    """
    runs = [m.span() for m in _RUN.finditer(plain)]
    # whether a run continues the one before it, may begin a number, may end one
    joined = [False] + [
        b - a > 1 and 1 <= c - b <= 3 and bool(_JOINT.fullmatch(plain, b, c))
        for (a, b), (c, _) in itertools.pairwise(runs)
    ]
    found: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for first, (start, _) in enumerate(runs):
        if start > 1 and plain[start - 1] in ".,-" and "0" <= plain[start - 2] <= "9":
            continue
        total = 0
        for at in range(first, len(runs)):
            if at > first and not joined[at]:
                break
            low, end = runs[at]
            total += end - low
            if total > LONGEST:
                break
            if not _CENTS.match(plain, end):
                found[total].append((start, end))
    return found
