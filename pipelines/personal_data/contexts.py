"""The words around a number that say what it is, or that it is a sum.

Presidio's own enhancer compares lemmas and is dead without a language model.  Here a stem is a
regular expression that must begin a word (inflections are suffixes in the region's languages;
a plain substring would find `инн` in "старинный").  Cyrillic letters are folded to their Latin
twins on both sides, so that a spoofed "ИHH" is still the word.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

BEFORE: Final = 60
AFTER: Final = 25

_TWINS: Final = str.maketrans("авеікмнорстухһ", "abeikmhopctyxh")

_UNITS: Final = (
    r"руб|₽|\$|€|₴|₸|₾|₼|usd|eur[aou]|euro|eur\b|долл|евро\b|євро\b|еўра|теңге|тенге|tenge|тг\b"
    r"|грив|грн|грыў|so[^a-z\s]?m(?:\b|ni|da|ga|lik)|sum\b|сўм|сум\b|сом(?:\b|он|ов|ду)|манат|manat"
    r"|դրամ|ლარ|lei\b|leu|лей\b|лея|dollar|тыс|млн|млрд|тис\b|мың|миң|mln|mlrd|ming\b|tūkst|tuhat"
    r"|шт\b|штук|кг\b|тонн|км\b|кв\b|чел|%"
)
_SUM_AFTER: Final = re.compile(rf"[\s\u00a0]{{0,3}}\(?(?:{_UNITS})".translate(_TWINS))
_OTHER: Final = re.compile(
    r"(?<!\w)(?:isbn|issn|doi\b|ean\b|гост\b|заказ|замовл|накладн|артикул|бюдж|budget|budjet"
    r"|byudjet|buget|büdc|eelarve|biudžet|ბიუჯეტ|постанов|пастанов|бұйрық|приказ|наказ|qaror"
    r"|order\b|трек|track|верс|version|серийн\w+ ном|imei)".translate(_TWINS)
)
_SIGN: Final = re.compile(r"[№$€₽#]\s?$")


def fold(text: str) -> str:
    """`text` in lower case with Cyrillic letters replaced by the Latin ones they look like."""
    return text.lower().replace("i\u0307", "i").translate(_TWINS)


@lru_cache(maxsize=128)
def stems(pattern: str) -> re.Pattern[str]:
    """The compiled search for alternatives of stems (`a|b|c`), each beginning a word."""
    return re.compile(rf"(?<!\w)(?:{fold(pattern)})")


def is_sum(text: str, start: int, end: int) -> bool:
    """Whether `text[start:end]` is a sum or a quantity: a currency or unit comes next."""
    return bool(_SUM_AFTER.match(fold(text[end : end + 16])))


def nearness(text: str, start: int, end: int, words: re.Pattern[str]) -> float:
    """How near a stem stands to `text[start:end]`: 1 beside it, 0 when there is none.

    Words before count over 60 characters, words after over 25 and less.  A word that names
    another kind of number (order, ISBN, budget) and stands nearer cancels it.
    """
    before = fold(text[max(0, start - BEFORE) : start])
    found = max((m.end() for m in words.finditer(before)), default=-1)
    near = 1 - (len(before) - found) / (BEFORE + 5) if found >= 0 else 0.0
    if near and _OTHER.search(before, found):
        near = 0.0
    if near < 0.6 and (after := words.search(fold(text[end : end + AFTER]))):
        near = max(near, 0.6 - after.start() / (2 * AFTER))
    return near


def is_other(text: str, start: int) -> bool:
    """Whether the words before say that the number is an order, an ISBN, a budget."""
    before = fold(text[max(0, start - 30) : start])
    return bool(_OTHER.search(before) or _SIGN.search(before))
