"""The views of a text: stored, for language identification, and for duplicates.

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

The stored view is released.  It applies only canonical composition (NFC), because a text must be
found again in its original bytes.  It never applies NFKC, which changes `m²` to `m2`.  Rules work on
words or letters and are the same for all languages, because the language is not known yet.  The
Uzbek mark is recognised by its letters.  The Romanian s is recognised by a ţ in the same text, which
Turkic alphabets lack.
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

#: Invisible characters: soft hyphen, zero-width space and joiners, word joiner, byte order mark.
INVISIBLE = "[\u00ad\u200b-\u200f\u2060\ufeff]"
APOSTROPHES = "\u02bb\u02bc\u2018\u2019'`\u00b4\u02b9\u2032"
_LANGUAGE_RULES = (
    (INVISIBLE, ""),
    (r"https?://\S+|www\.\S+|\S+@\S+\.\S+", " "),
    # runs of white space other than a single space
    (r" *[[\p{Cc}\p{Z}\s]--\ ][\p{Cc}\p{Z}\s]*|  +", " "),
    (rf"([oOgG])[{APOSTROPHES}]", "${1}\u02bb"),
    (r"(\p{L})['`\u00b4\u02bc]", "${1}\u2019"),
)
#: Latin and Cyrillic letters that look alike.  The second table maps Latin letters to letters of one
#: Cyrillic alphabet only (Ossetic, Chuvash, Kazakh).
_LATIN, _CYRILLIC = "aceikopxyhABCEHIKMOPTXYSsJj", "асеікорхуһАВСЕНІКМОРТХУЅѕЈј"
_ONLY_CYRILLIC = str.maketrans("æÆăĂĕĔçÇəƏöÖ", "ӕӔӑӐӗӖҫҪәӘөӨ")
_TO_CYRILLIC = str.maketrans(_LATIN, _CYRILLIC) | _ONLY_CYRILLIC
_TO_LATIN = str.maketrans(_CYRILLIC, _LATIN)
_MIXED = r"\p{Latin}\p{Cyrillic}|\p{Cyrillic}\p{Latin}"
_TO_COMMA = str.maketrans("şţŞŢ", "șțȘȚ")
_NO_LETTER = 0x10000
_IS_LATIN, _IS_CYRILLIC, _NOT_LATIN, _NOT_CYRILLIC = (np.uint8(1 << bit) for bit in range(4))
#: Letters that are equal in the duplicate key: forms of i, of e, and of cedillas.
_FOLDED = ["i\u0307", "ı", "ё", "ș", "ț"], ["i", "i", "е", "ş", "ţ"]
# Characters that can compose or decompose; the single letters of the region cannot.
_COMPOSABLE = r"[^\x00-\u{2FF}\u{400}-\u{482}\u{48A}-\u{58F}\u{10A0}-\u{10FF}\u{2010}-\u{2027}№]"
_EDGES = r"^[\p{P}--[%\-]]+|[\p{P}--%]+$"


def to_stored(text: str) -> str:
    """Convert a text to the stored view: NFC, without NUL and without what UTF-8 cannot hold."""
    if not text.isascii():
        text = unicodedata.normalize("NFC", text.encode("utf-8", "ignore").decode())
    return text.replace("\0", "")


def for_language(texts: pl.Series) -> pl.Series:
    """Convert texts to the view for language identification; null counts as empty."""
    view = texts.cast(pl.String).fill_null("")
    for pattern, replacement in _LANGUAGE_RULES:
        view = view.str.replace_all(pattern, replacement)
    return _use_commas(repair_homoglyphs(view)).str.strip_chars()


def repair_homoglyphs(texts: pl.Series) -> pl.Series:
    """Replace letters of the wrong script, word by word."""
    return _change_matching(texts, _MIXED, _repair_words)


def fold_words(words: pl.Series) -> pl.Series:
    """Convert words to the view for duplicates.

    Null counts as empty.  A word of punctuation alone becomes empty.
    """
    plain = words.cast(pl.String).fill_null("")
    plain = plain.str.replace_all(rf"{INVISIBLE}|[{APOSTROPHES}\x00]", "")
    composable = plain.str.contains(_COMPOSABLE)
    plain = plain.scatter(composable.arg_true(), plain.filter(composable).str.normalize("NFC"))
    plain = repair_homoglyphs(plain).str.to_lowercase().str.replace_many(*_FOLDED)
    return plain.str.replace_all(_EDGES, "")


def _change_matching(
    texts: pl.Series, pattern: str, change: Callable[[list[str]], list[str]]
) -> pl.Series:
    """Change only the texts that match the pattern."""
    at = texts.str.contains(pattern).arg_true()
    if not len(at):
        return texts
    changed = change(texts.gather(at).to_list())
    return texts.clone().scatter(at, pl.Series(changed, dtype=pl.String))


def _use_commas(texts: pl.Series) -> pl.Series:
    """Write Romanian s and t with commas in texts that have ţ, which Turkic alphabets lack."""
    return _change_matching(
        texts, "[ţŢ]", lambda matching: [text.translate(_TO_COMMA) for text in matching]
    )


def _repair_words(texts: list[str]) -> list[str]:
    """Write each word of both scripts in the script that has all its letters.

    Cyrillic is tried first, because few Latin words consist only of look-alike letters.  A word that
    fits neither script stays.
    """
    letters = np.frombuffer("\n".join(texts).encode("utf-32-le"), "<u4")
    places = np.minimum(letters, _NO_LETTER)
    cyrillic, latin, marks = (column.take(places) for column in _twin_table())
    inside = marks != 0
    starts = np.flatnonzero(inside & ~np.append(False, inside[:-1]))
    if not len(starts):
        return texts
    word_marks = np.repeat(
        np.bitwise_or.reduceat(marks, starts), np.diff(starts, append=len(letters))
    )
    word_marks = np.append(np.zeros(starts[0], np.uint8), word_marks)
    both = _IS_LATIN | _IS_CYRILLIC
    mixed = inside & ((word_marks & both) == both)
    forms = np.where(mixed & ((word_marks & _NOT_LATIN) == 0), latin, letters)
    forms = np.where(mixed & ((word_marks & _NOT_CYRILLIC) == 0), cyrillic, forms)
    repaired = forms.astype("<u4", copy=False).tobytes().decode("utf-32-le")
    ends = list(accumulate((len(t) + 1 for t in texts), initial=0))
    return [repaired[a : b - 1] for a, b in pairwise(ends)]


@cache
def _twin_table() -> tuple[U32, U32, U8]:
    """Return the Cyrillic form, the Latin form, and the marks of each letter below `_NO_LETTER`.

    The last entry is for all other characters.
    """
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
