"""Make the two views of a text that patterns search; a view has the length of the text.

The `plain` view keeps case.  Each decimal digit becomes ASCII, each horizontal blank a space, each
dash a hyphen, each tab or table rule `|`, and each Cyrillic capital the Latin capital that it looks
like.  The `folded` view, for words, is `plain` in lower case, with small look-alike letters folded
too.  A position in a view is the same position in the text.  The views of a batch take one look-up
per code point.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.uint32]
WordPositions = Mapping[str, tuple[Sequence[int], Sequence[int]]]

#: Separates two documents of a batch.  No identifier contains such a long gap.
_SEPARATOR: Final = "\n\0\0\0\0\0\0\n"
#: Invisible format characters that can stand inside words and numbers.
INVISIBLE: Final = (
    "".join(
        map(chr, (0xAD, *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2066, 0x206A)))
    )
    + "\u2060\ufeff"
)
_INVISIBLE_PATTERN: Final = re.compile(f"[{INVISIBLE}]")
_CAPITALS: Final = ("АВСЕНКМОРТУХІЈЅԌԚԜ", "ABCEHKMOPTYXIJSGQW")
_SMALL: Final = ("авеікмнорстухһјѕ", "abeikmhopctyxhjs")
_SUBSTITUTES: Final = {
    **dict.fromkeys("\u00a0\u1680\u202f\u205f\u3000\u00ad\u2060\ufeff\r\v\f", " "),
    **{chr(c): " " for c in range(0x2000, 0x2010)},
    **{chr(c): "-" for c in (*range(0x2010, 0x2016), 0x2212, 0xFE58, 0xFE63, 0xFF0D, 0x30FC)},
    **dict.fromkeys("\t\u2502\u2503\u00a6\uff5c", "|"),
    **dict.fromkeys("\uff0e\u2024\u06d4", "."),
    **dict.fromkeys("\u2044\u2215\uff0f", "/"),
    **dict.fromkeys("\u02bb\u02bc\u2018\u2019\u0060\u00b4", "'"),
    "\uff0b": "+",
    "\uff20": "@",
    "\uff1a": ":",
    "\uff08": "(",
    "\uff09": ")",
    "\u0130": "I",
}


@dataclass(frozen=True)
class View:
    """The two views of one text.

    Attributes:
      word_positions: rule name -> sorted positions where a word of its own may begin, and sorted
        positions of words that it shares with other rules; None: not known.
      searches: the searches that the rules built from these positions (a cache).
    """

    plain: str
    folded: str
    word_positions: WordPositions | None = None
    searches: dict[str, Any] = field(default_factory=dict)


@cache
def _tables() -> tuple[Codes, Codes]:
    plain = np.arange(sys.maxunicode + 1, dtype=np.uint32)
    for code in range(0x80, 0x1FC00):
        if (value := unicodedata.decimal(chr(code), None)) is not None:
            plain[code] = 48 + value
        elif 0xFF21 <= code <= 0xFF5A:  # full-width letters
            plain[code] = code - 0xFEE0
    for old, new in [*_SUBSTITUTES.items(), *zip(*_CAPITALS, strict=True)]:
        plain[ord(old)] = ord(new)
    small = np.arange(sys.maxunicode + 1, dtype=np.uint32)
    for code in range(0x1E944):
        if len(lower := chr(code).lower()) == 1:
            small[code] = ord(lower)
    twins = np.arange(sys.maxunicode + 1, dtype=np.uint32)
    for old, new in zip(*_SMALL, strict=True):
        twins[ord(old)] = ord(new)
    return plain, twins[small[plain]]


def _code_points(text: str) -> Codes:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)


def _decode(codes: Codes) -> str:
    return codes.tobytes().decode("utf-32-le", "surrogatepass")


def strip_invisible(text: str) -> tuple[str, NDArray[np.int64] | None]:
    """Remove invisible characters (soft hyphens, joiners, marks of direction) from `text`.

    Returns:
      The visible text, and the position in `text` of each of its characters and of its end.  The
      positions are None if nothing was removed.
    """
    if text.isascii() or not _INVISIBLE_PATTERN.search(text):
        return text, None
    codes = _code_points(text)
    where = np.flatnonzero(~np.isin(codes, [ord(c) for c in INVISIBLE]))
    return _INVISIBLE_PATTERN.sub("", text), np.append(where, len(text))


@lru_cache(maxsize=4)
def view(text: str) -> View:
    """Return the views of one text."""
    plain, folded = _tables()
    codes = _code_points(text)
    return View(_decode(plain[codes]), _decode(folded[codes]))


def fold(text: str) -> str:
    """Return the folded view of `text`."""
    return view(text).folded


class BatchView:
    """The views of many texts, computed together and read one by one.

    `codes` and `folded_codes` are the plain and folded views of all texts, as code points.  A
    separator follows each text.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        plain, folded = _tables()
        codes = _code_points(_SEPARATOR.join([*texts, ""]))
        self.codes, self.folded_codes = plain[codes], folded[codes]
        self._lengths = np.fromiter(map(len, texts), dtype=np.int64, count=len(texts))
        self._starts = np.cumsum(self._lengths + len(_SEPARATOR)) - self._lengths - len(_SEPARATOR)

    def __len__(self) -> int:
        return len(self._starts)

    def _slice(self, codes: Codes, document: int) -> str:
        start = self._starts[document]
        return _decode(codes[start : start + self._lengths[document]])

    def plain(self, document: int) -> str:
        """Return the plain view of one text."""
        return self._slice(self.codes, document)

    def folded(self, document: int) -> str:
        """Return the folded view of one text."""
        return self._slice(self.folded_codes, document)

    def locate(self, at: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the document of each position in the batch, and the position in that document."""
        document = np.searchsorted(self._starts, at, side="right") - 1
        return document, at - self._starts[document]
