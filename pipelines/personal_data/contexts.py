"""The words around a number that say what it is, or that it is a sum.

Presidio's own enhancer compares lemmas and is dead without a language model.  Here a stem must
begin a word (inflections are suffixes in the region's languages; a plain substring would find
`инн` in "старинный").  Everything is read in folded views (`views`), so that a spoofed "ИHH" is
still the word.

A stem is written as data: `*` stands for the rest of a word, `$` for its end.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

from pipelines.personal_data.pattern_views import fold

BEFORE: Final = 60
AFTER: Final = 25
#: A word nearer than this may be glued to the number (`ИНН500100732259`).
GLUED: Final = 0.75

_UNITS: Final = (
    r"руб|₽|\$|€|₴|₸|₾|₼|֏|usd|eur[aou]|euro|eur\b|долл|евро\b|євро\b|еўра|теңге|тенге|tenge|тг\b"
    r"|грив|грн|грыў|so[^a-z\s]?m(?:\b|ni|da|ga|lik)|sum\b|сўм|сум\b|сом(?:\b|он|ов|ду|го)"
    r"|манат|manat|դրամ|ლარ|lei\b|leu|лей\b|лея|dollar|тыс|млн|млрд|тис\b|мың|миң|mln|mlrd|ming\b"
    r"|tūkst|tuhat|шт\b|штук|кг\b|тонн|км\b|кв\b|м²|га\b|чел|%|°"
)
_SUM_AFTER: Final = re.compile(rf"[\s\u00a0]{{0,3}}\(?(?:{fold(_UNITS)})")
_OTHER_KINDS: Final = (
    r"isbn|issn|doi\b|ean\b|udk\b|удк\b|гост\b|штрих|barcode|barkod|арт[иы]ку|art[iy][kc]|արտիկ|არტიკ|sku\b|imei"
    r"|заказ|замовл|фармоиш|sargyt|тапсырыс|буюртма|buyurtma|sifariş|պատվեր|შეკვეთ|comand|tellimus"
    r"|pasūtīj|užsakym|накладн|order\b|invoice|трек|track|посылк"
    r"|бюдж|budget|budjet|byudjet|buget|büdc|eelarve|biudžet|budžet|ბიუჯეტ|բյուջե|буҷет"
    r"|постанов|пастанов|бұйрық|буйрук|приказ|наказ|загад|qaror|қарор|hotărâr|nutarim|lēmum|otsus"
    r"|распоряж|рашэнн|рішенн|решени|kərar|qərar|դադգ|որոշ|დადგენ|верс|version|серийн\w+ ном"
    r"|reģ\.|reg\.? ?n[ro]|registrikood|регистрационн\w+ ном|координат|широт|долгот|coord|арт\.|кадастр|инв\."
)
_OTHER_KIND: Final = re.compile(rf"(?<!\w)(?:{fold(_OTHER_KINDS)})")
_SIGN: Final = re.compile(r"[№$€₽₸₴#]\s?$")
#: A word after a number belongs to it up to the end of the sentence, line or cell, or a digit.
_STOP: Final = re.compile(r"[.;!?](?:\s|$)|[\n|0-9]")


@cache  # the stems of the rules are few, and asked for again with each set of languages and words
def _stem_pattern(written: str) -> str:
    found = re.escape(fold(written)).replace(r"\*", r"\w*").replace(r"\$", r"(?!\w)")
    return found.replace(r"\ ", r"[\s.:-]{1,3}")


@dataclass(frozen=True)
class Words:
    """A search for stems; `at`, where it is known, holds where one may begin, sorted."""

    pattern: re.Pattern[str]
    at: Sequence[int] | None = None

    def last_end(self, folded: str, low: int, high: int) -> int:
        """Where the last one in `folded[low:high]` ends; -1: there is none."""
        end = -1
        for match in self._within(folded, low, high):
            end = match.end()
        return end

    def first_start(self, folded: str, low: int, high: int) -> int:
        """Where the first one in `folded[low:high]` begins; -1: there is none."""
        return next((m.start() for m in self._within(folded, low, high)), -1)

    def _within(self, folded: str, low: int, high: int) -> Iterator[re.Match[str]]:
        if self.at is None:
            yield from self.pattern.finditer(folded, low, high)
            return
        for at in self.at[bisect_left(self.at, low) : bisect_left(self.at, high)]:
            if at >= low and (match := self.pattern.match(folded, at, high)):
                yield match
                low = match.end()


def compile_stems(written: Iterable[str]) -> re.Pattern[str]:
    """The compiled search for any of the stems, each beginning a word."""
    found = "|".join(map(_stem_pattern, written))
    return re.compile(rf"(?<!\w)(?:{found})" if found else r"(?!)")


@cache
def literal_prefix(written: str) -> str:
    """What a stem begins with in a folded text, at the beginning of a word."""
    return re.split(r"[*$ ]", fold(written), maxsplit=1)[0]


def is_exact_word(written: str) -> bool:
    """Whether a stem is one word that ends where its `literal` does."""
    return bool(re.fullmatch(r"[^*$ ]+\$", written))


def is_sum(folded: str, end: int) -> bool:
    """Whether what ends at `end` is a sum or a quantity: a currency or unit comes next."""
    return bool(_SUM_AFTER.match(folded, end, end + 16))


def nearness(folded: str, start: int, end: int, words: Words | None) -> float:
    """How near a stem stands to `folded[start:end]`: 1 beside it, 0 when there is none.

    Words before count over 60 characters, words after over 25 and less.  A word that names
    another kind of number (order, ISBN, budget) and stands nearer cancels it.
    """
    if words is None:
        return 0.0
    found = words.last_end(folded, max(0, start - BEFORE), start)
    near = 1 - (start - found) / (BEFORE + 5) if found >= 0 else 0.0
    if near and _OTHER_KIND.search(folded, found, start):
        near = 0.0
    if near < 0.6:
        stop = _STOP.search(folded, end, end + AFTER)
        after = words.first_start(folded, end, stop.start() if stop else end + AFTER)
        if after >= 0:
            near = max(near, 0.6 - (after - end) / (2 * AFTER))
    return near


def is_other_kind(folded: str, start: int) -> bool:
    """Whether the words before say that the number is an order, an ISBN, a budget."""
    before = max(0, start - 30)
    return bool(_OTHER_KIND.search(folded, before, start) or _SIGN.search(folded[before:start]))


def is_isolated(plain: str, start: int, end: int) -> bool:
    """Whether nothing but blanks and punctuation touches `plain[start:end]`."""
    left, right = plain[max(0, start - 1) : start], plain[end : end + 2]
    return not (
        left.isalnum()
        or left in tuple("_-/.#=+№")
        or right[:1].isalnum()
        or right[:1] == "_"
        or (right[:1] in tuple("-/.") and right[1:].isalnum())
    )
