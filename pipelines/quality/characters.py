"""The kinds of characters that quality statistics count: one small number per code point.

A kind is a union of Unicode's general categories (UAX #44) and the sets below.
"""

from __future__ import annotations

import unicodedata
from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt

KINDS: Final = (
    "newline",
    "space",
    "letter",  # and marks, joiners, soft hyphens: the characters of words
    "apostrophe",
    "unspaced",  # a letter of a script that puts no space between words
    "digit",
    "terminal",  # ends a sentence
    "closing",  # can follow a terminal
    "ellipsis",
    "bullet",
    "code",  # frequent in programs and markup, rare in prose
    "punctuation",
    "symbol",
    "emoji",
    "odd",  # replacement, control, private and unassigned characters
)
KIND: Final = {name: np.uint8(number) for number, name in enumerate(KINDS)}
#: The end of the table.  Ideographs, variation selectors and private planes are beyond it.
_END: Final = 0x20000
_SETS: Final = {
    "apostrophe": "'\u2018\u2019\u02bb\u02bc`\u00b4\u05f3\u05f4\ua78b\ua78c",
    "terminal": ".!?\u0589\u055c\u055e\u061f\u06d4\u0964\u0965\u1362\u1367\u1368\u203c\u203d"
    "\u2047\u2048\u2049\u3002\uff01\uff0e\uff1f\uff61\u104b\u17d4\u0f0d",
    "closing": ')]\u00bb\u201d"\u203a\u300d\u300f',
    "ellipsis": "\u2026",
    "bullet": "\u2022\u2023\u2043\u2219\u25a0\u25a1\u25aa\u25ab\u25b6\u25b8\u25ba\u25cb\u25cf"
    "\u25e6\u2605\u2713\u2714\u27a2\u27a4\u00b7",
    "code": "{}=<>_\\^",
    "symbol": "#@&*",
}
#: Blocks whose languages are written without spaces between words.
_UNSPACED: Final = (
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x0F40, 0x0FBC),  # Tibetan
    (0x1000, 0x109F),  # Myanmar
    (0x1780, 0x17D3),  # Khmer
    (0x3005, 0x3007),
    (0x3041, 0x30FF),  # kana
    (0x31F0, 0x31FF),
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF),
)
#: Pictographs (the blocks of UTS #51), and the components of their sequences.
_EMOJI: Final = ((0x2600, 0x27BF), (0x1F000, 0x1FAFF), (0x2B00, 0x2BFF), (0x20E3, 0x20E3))
_NEWLINES: Final = (0x0A, 0x0B, 0x0C, 0x0D, 0x85, 0x2028, 0x2029)
_BLANKS: Final = (0x09, 0x1361, 0xFEFF, 0x200B)
_JOINERS: Final = (0x00AD, 0x200C, 0x200D, 0x2060)


def kinds(codes: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint8]:
    """Return the kind of each code point, as an index into `KINDS`."""
    return _kind_table().take(codes)


def hashes(codes: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint64]:
    """Return a 64-bit hash of each code point; upper and lower case have the same hash."""
    return _hash_table().take(codes, mode="clip")


@cache
def _kind_table() -> npt.NDArray[np.uint8]:
    """Code point -> index into `KINDS`."""
    table = np.full(0x110000, KIND["odd"], np.uint8)
    categories = list(map(unicodedata.category, map(chr, range(_END))))
    kind_of = {category: KIND[_general_kind(category)] for category in {*categories}}
    table[:_END] = list(map(kind_of.__getitem__, categories))
    table[[*_NEWLINES]], table[[*_BLANKS]] = KIND["newline"], KIND["space"]
    table[0xFFFD] = KIND["odd"]
    table[_END:0x40000] = KIND["unspaced"]
    table[0xE0000:0xE01F0] = KIND["letter"]  # variation selectors and tags
    for name, blocks in (("unspaced", _UNSPACED), ("emoji", _EMOJI)):
        for first, last in blocks:
            block = table[first : last + 1]
            replaced = KIND["letter"] if name == "unspaced" else KIND["symbol"]
            block[block == replaced] = KIND[name]
    for name, characters in _SETS.items():
        table[[ord(c) for c in characters]] = KIND[name]
    table[[*_JOINERS]] = KIND["letter"]
    table[0xFE0F] = KIND["emoji"]
    return table


def _general_kind(category: str) -> str:
    """Return the kind of most characters of a general category."""
    if category == "Zs":
        return "space"
    names = {"L": "letter", "M": "letter", "N": "digit", "P": "punctuation", "S": "symbol"}
    return names.get(category[0], "odd")


@cache
def _hash_table() -> npt.NDArray[np.uint64]:
    """Code point -> hash; the last entry is for all code points beyond the table."""
    from pipelines.text.shingles import fmix64

    lower = list(map(str.lower, map(chr, range(_END))))
    small = np.array([ord(s) if len(s) == 1 else c for c, s in enumerate(lower)], np.uint64)
    return fmix64(np.append(small, np.uint64(_END)) + np.uint64(1))
