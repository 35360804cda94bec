"""Join the lines of a PDF's pages to paragraphs.

A PDF holds glyphs and their positions, but no paragraphs. Two lines belong together under three
conditions: the first reaches the right edge of its column, the second is not indented, and it is at
line spacing. A hyphen at the edge joins two halves of a word. Lines that repeat at the head or foot
of pages are left out.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

#: The share of a page's height, above and below, that holds running heads and page numbers.
MARGIN = 0.12
#: The least characters of a column of running text. Lists and tables are narrower.
MIN_COLUMN = 30
_NUMBER = re.compile(
    r"\W*(?:(?:стр|page|бет|стор|с)\.?\s*)?\d{1,4}(?:\s*(?:/|of|из|з)\s*\d{1,4})?\W*", re.I
)
_DIGITS = re.compile(r"\d+")
_ITEM = re.compile(r"(?:\(?\d{1,3}(?:\.\d{1,3})*[.)]|\[\d{1,3}\]|[a-zа-яё][.)]|[-–—•·▪*○])\s")
_LEADERS = re.compile(r"(?:\.{4,}|…{2,})\s*\d*$")
_CLOSING = ",.;:)!?"
_SOFT = ("\u00ad", "\ufffe", "\x02")
_HYPHENS = ("-", "\u2010", *_SOFT)


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a page. Coordinates are points from the page's lower left corner.

    The two bottoms differ if PDFium joined two lines at a hyphen.

    Attributes:
      text: the text.
      left: where the first letter begins.
      right: where the last letter ends.
      bottom: the bottom of the first letter.
      end: the bottom of the last letter.
      size: the height of the letters.
    """

    text: str
    left: float
    right: float
    bottom: float
    end: float
    size: float


@dataclass(frozen=True, slots=True)
class Page:
    """The lines of a page in the order of the file, and its height in points."""

    lines: Sequence[Line]
    height: float


def join_paragraphs(pages: Sequence[Page]) -> str:
    """Return the text of pages, with a blank line between paragraphs."""
    out: list[str] = []
    last: Line | None = None
    for lines in _without_margins(pages):
        right = _column_edges(lines)
        for number, line in enumerate(lines):
            before = lines[number - 1] if number else None
            if before is None:
                joined = last is not None and _continues_over_page(last, line)
            else:
                joined = _continues(before, line, right[number - 1])
            if joined and out:
                out[-1] = _join(out[-1], line.text)
            else:
                out.append(line.text)
        last = lines[-1] if lines else last
    return "\n\n".join(_clean(p) for p in out)


def _without_margins(pages: Sequence[Page]) -> Iterable[list[Line]]:
    """Yield the lines of each page, without page numbers and repeated lines in the margins.

    A line repeats if it is on a third of the pages, and on three at least.
    """
    occurrences = Counter(
        key
        for page in pages
        for key in {_repetition_key(line) for line in page.lines if _is_in_margin(line, page)}
    )
    often = max(3, len(pages) / 3)
    for page in pages:
        yield [
            line
            for line in page.lines
            if not _is_in_margin(line, page)
            or (
                occurrences[_repetition_key(line)] < often
                and not (len(pages) > 1 and _NUMBER.fullmatch(line.text))
            )
        ]


def _is_in_margin(line: Line, page: Page) -> bool:
    foot, head = page.height * MARGIN, page.height * (1 - MARGIN)
    return line.end > head or line.bottom + line.size < foot


def _repetition_key(line: Line) -> str:
    return _DIGITS.sub("0", line.text.strip().casefold())


def _column_edges(lines: Sequence[Line]) -> list[float]:
    """Return the right edge of each line's column.

    It is the furthest point at which two of the ten lines around it end, or else the furthest end.
    Only lines that begin left of the line's middle count.
    """
    edges = []
    for number, line in enumerate(lines):
        middle = (line.left + line.right) / 2
        near = [other for other in lines[max(0, number - 5) : number + 6] if other.left <= middle]
        ends = sorted((other.right for other in near or [line]), reverse=True)
        shared = (a for a, b in pairwise(ends) if a - b < line.size)
        edges.append(next(shared, ends[0]))
    return edges


def _continues(first: Line, second: Line, edge: float) -> bool:
    """Whether the second line continues the paragraph of the first; `edge` as `_column_edges`."""
    size, drop = first.size, first.end - second.bottom
    beside = abs(drop) < 0.5 * size  # a table cell, or another piece of the same line
    if second.text[0] in _CLOSING and -0.5 * size < drop < 2.1 * size:
        return True
    if not 0.7 < second.size / size < 1.4 and not _is_hyphenated(first.text, second.text):
        return False
    if beside:
        return second.left - first.right < 2 * size and second.left >= first.left
    if not 0 < drop < 2.1 * size:
        return False
    if _is_hyphenated(first.text, second.text):
        return True
    if _ITEM.match(second.text) or _LEADERS.search(first.text):
        return False
    if second.left > first.left + 1.2 * size and not (
        first.bottom > first.end + size / 2 or _ITEM.match(first.text)
    ):
        return False
    width = edge - second.left
    room = edge - first.right
    word = size * 0.5 * len(second.text.split()[0])
    if len(first.text) >= MIN_COLUMN and room < max(0.06 * width, 1.3 * word):
        return second.left > first.left - 6 * size
    return second.text[:1].islower() and room < 0.4 * width


def _continues_over_page(first: Line, second: Line) -> bool:
    """Whether the first line of a page continues the sentence of the page before."""
    if _is_hyphenated(first.text, second.text):
        return True
    return second.text[:1].islower() and first.text.rstrip()[-1:] not in ".!?:;"


def _is_hyphenated(first: str, second: str) -> bool:
    first = first.rstrip()
    return first[-1:] in _HYPHENS and first[-2:-1].isalpha() and second[:1].islower()


def _join(first: str, second: str) -> str:
    first = first.rstrip()
    if _is_hyphenated(first, second):
        return first[:-1] + second
    return first + second if second[0] in _CLOSING else f"{first} {second}"


def _clean(text: str) -> str:
    for mark in _SOFT:
        text = text.replace(mark, "")
    return text.strip()
