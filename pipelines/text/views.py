"""The views of a text: stored, for language identification, and what duplicates are told by.

| | stored | language | duplicate key |
|---|---|---|---|
| Unicode | NFC | NFC | NFC |
| NUL, halves of surrogate pairs | removed | removed | removed |
| soft hyphens, zero-width marks, byte order marks | kept | removed | removed |
| white space | as ingest tidies it, each line break a line feed | single blanks | single blanks |
| Latin letters inside Cyrillic words (and the other way round) | kept | repaired | repaired |
| Uzbek o and g with any apostrophe | kept | U+02BB | no apostrophe |
| other apostrophes between letters | kept | U+2019 | none |
| Romanian s and t with cedilla or comma | kept | comma | cedilla |
| case, ё and е, dotless and dotted i | kept | kept | folded |
| punctuation at the edges of words | kept | kept | removed, but for % and a leading hyphen |
| digits, numbers, dates, marks inside numbers | kept | kept | kept |
| addresses of pages and mail | kept | removed | kept |

Stored is what is released: canonical composition alone, because a text must be found again in the
bytes it came from; never NFKC, which makes `m²` into `m2`.  Rules are by word or by letter and the
same for every language, since a view must not depend on a label that is still to be found: the
Uzbek mark is known by its letters, the Romanian s by a ţ in the same text, which Turkic alphabets
lack.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from functools import cache
from itertools import accumulate, pairwise

import numpy as np
import numpy.typing as npt
import polars as pl

U8 = npt.NDArray[np.uint8]
U32 = npt.NDArray[np.uint32]

#: Marks that nobody sees: soft hyphen, zero-width space and joiners, word joiner, byte order mark.
INVISIBLE = "[\u00ad\u200b-\u200f\u2060\ufeff]"
APOSTROPHES = "\u02bb\u02bc\u2018\u2019'`\u00b4\u02b9\u2032"
_OF_LANGUAGE = (
    (INVISIBLE, ""),
    (r"https?://\S+|www\.\S+|\S+@\S+\.\S+", " "),
    # runs of white space; a single blank is one already
    (r" *[[\p{Cc}\p{Z}\s]--\ ][\p{Cc}\p{Z}\s]*|  +", " "),
    (rf"([oOgG])[{APOSTROPHES}]", "${1}\u02bb"),
    (r"(\p{L})['`\u00b4\u02bc]", "${1}\u2019"),
)
#: Letters that look alike, Latin and Cyrillic; the second pair of strings stands for one letter of
#: a Cyrillic alphabet only (Ossetic, Chuvash, Kazakh).
_LATIN, _CYRILLIC = "aceikopxyhABCEHIKMOPTXYSsJj", "асеікорхуһАВСЕНІКМОРТХУЅѕЈј"
_ONLY_CYRILLIC = str.maketrans("æÆăĂĕĔçÇəƏöÖ", "ӕӔӑӐӗӖҫҪәӘөӨ")
_TO_CYRILLIC = str.maketrans(_LATIN, _CYRILLIC) | _ONLY_CYRILLIC
_TO_LATIN = str.maketrans(_CYRILLIC, _LATIN)
_MIXED = r"\p{Latin}\p{Cyrillic}|\p{Cyrillic}\p{Latin}"
_TO_COMMA = str.maketrans("şţŞŢ", "șțȘȚ")
_NO_LETTER = 0x10000
_IS_LATIN, _IS_CYRILLIC, _NOT_LATIN, _NOT_CYRILLIC = (np.uint8(1 << bit) for bit in range(4))
#: What letters become in the duplicate key: one i, one e, one cedilla.
_FOLDED = ["i\u0307", "ı", "ё", "ș", "ț"], ["i", "i", "е", "ş", "ţ"]
# what composes or decomposes; letters of the region that stand alone do not
_COMPOSABLE = r"[^\x00-\u{2FF}\u{400}-\u{482}\u{48A}-\u{58F}\u{10A0}-\u{10FF}\u{2010}-\u{2027}№]"
_EDGES = r"^[\p{P}--[%\-]]+|[\p{P}--%]+$"


def to_stored(text: str) -> str:
    """A text as it is stored: NFC, without NUL and what UTF-8 cannot hold."""
    if not text.isascii():
        text = unicodedata.normalize("NFC", text.encode("utf-8", "ignore").decode())
    return text.replace("\0", "")


def for_language(texts: pl.Series) -> pl.Series:
    """Strings -> what language models are shown; null counts as empty."""
    view = texts.cast(pl.String).fill_null("")
    for pattern, by in _OF_LANGUAGE:
        view = view.str.replace_all(pattern, by)
    return _commas(repair_homoglyphs(view)).str.strip_chars()


def repair_homoglyphs(texts: pl.Series) -> pl.Series:
    """Strings -> the same with the homoglyphs repaired, word by word."""
    return _some(texts, _MIXED, _repaired)


def fold_words(words: pl.Series) -> pl.Series:
    """Words -> the forms by which duplicates are told; null counts as empty, and a word of
    punctuation alone becomes it."""
    plain = words.cast(pl.String).fill_null("")
    plain = plain.str.replace_all(rf"{INVISIBLE}|[{APOSTROPHES}\x00]", "")
    unsure = plain.str.contains(_COMPOSABLE)
    plain = plain.scatter(unsure.arg_true(), plain.filter(unsure).str.normalize("NFC"))
    plain = repair_homoglyphs(plain).str.to_lowercase().str.replace_many(*_FOLDED)
    return plain.str.replace_all(_EDGES, "")


def _some(texts: pl.Series, pattern: str, change: Callable[[list[str]], list[str]]) -> pl.Series:
    """Change only the texts in which the pattern is found."""
    at = texts.str.contains(pattern).arg_true()
    if not len(at):
        return texts
    done = change(texts.gather(at).to_list())
    return texts.clone().scatter(at, pl.Series(done, dtype=pl.String))


def _commas(texts: pl.Series) -> pl.Series:
    """Romanian s and t with commas, in texts that have ţ, which Turkic alphabets lack."""
    return _some(texts, "[ţŢ]", lambda some: [t.translate(_TO_COMMA) for t in some])


def _repaired(texts: list[str]) -> list[str]:
    """Texts with every word of both scripts in the one that can hold all of it, first Cyrillic,
    because few Latin words consist of twins alone; as it is if neither can."""
    letters = np.frombuffer("\n".join(texts).encode("utf-32-le"), "<u4")
    places = np.minimum(letters, _NO_LETTER)
    cyrillic, latin, marks = (column.take(places) for column in _twins())
    inside = marks != 0
    starts = np.flatnonzero(inside & ~np.append(False, inside[:-1]))
    if not len(starts):
        return texts
    held = np.repeat(np.bitwise_or.reduceat(marks, starts), np.diff(starts, append=len(letters)))
    held = np.append(np.zeros(starts[0], np.uint8), held)
    both = _IS_LATIN | _IS_CYRILLIC
    mixed = inside & ((held & both) == both)
    forms = np.where(mixed & ((held & _NOT_LATIN) == 0), latin, letters)
    forms = np.where(mixed & ((held & _NOT_CYRILLIC) == 0), cyrillic, forms)
    done = forms.astype("<u4", copy=False).tobytes().decode("utf-32-le")
    ends = list(accumulate((len(t) + 1 for t in texts), initial=0))
    return [done[a : b - 1] for a, b in pairwise(ends)]


@cache
def _twins() -> tuple[U32, U32, U8]:
    """Of each letter below `_NO_LETTER` its Cyrillic and its Latin form, and what it and they are;
    last, what counts as no letter."""
    every = [chr(c) for c in range(_NO_LETTER)]
    forms = [[c.translate(table) for c in every] for table in (_TO_CYRILLIC, _TO_LATIN)]
    words = np.array([c.isalnum() and not c.isdecimal() for c in every])
    marks = np.zeros(len(every) + 1, np.uint8)
    for mark, letters, script, has in (
        (_IS_LATIN, every, "LATIN ", True),
        (_IS_CYRILLIC, every, "CYRILLIC ", True),
        (_NOT_CYRILLIC, forms[0], "CYRILLIC ", False),
        (_NOT_LATIN, forms[1], "LATIN ", False),
    ):
        named = np.array([unicodedata.name(c, "").startswith(script) for c in letters])
        marks[:-1] |= mark * (words & (named == has))
    cyrillic, latin = (np.array([*map(ord, form), 0], np.uint32) for form in forms)
    return cyrillic, latin, marks
