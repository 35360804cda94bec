"""Search the words around a number that name its kind, or show that it is a sum.

Presidio's own enhancer compares lemmas; without a language model it has no effect.  Here a stem
must stand at the beginning of a word.  The region's languages inflect by suffixes, and a plain
substring would find `инн` in "старинный".  All searches run on folded views (`pattern_views`), so
that a word with look-alike letters ("ИHH") is found too.

Syntax of a stem: `*` matches the rest of a word, `$` matches the end of a word.
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
#: A word with at least this nearness may touch the number (`ИНН500100732259`).
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
#: The search for a word after a number ends at the end of the sentence, line or cell, or at a digit.
_STOP: Final = re.compile(r"[.;!?](?:\s|$)|[\n|0-9]")


@cache  # few stems, used again for each set of languages and words
def _stem_pattern(written: str) -> str:
    pattern = re.escape(fold(written)).replace(r"\*", r"\w*").replace(r"\$", r"(?!\w)")
    return pattern.replace(r"\ ", r"[\s.:-]{1,3}")


@dataclass(frozen=True)
class Words:
    """A search for stems.

    Attributes:
      pattern: matches any of the stems.
      at: the sorted positions where a stem may begin; None: not known, the whole range is searched.
    """

    pattern: re.Pattern[str]
    at: Sequence[int] | None = None

    def last_end(self, folded: str, low: int, high: int) -> int:
        """Return the end of the last match in `folded[low:high]`, or -1 if there is no match."""
        end = -1
        for match in self._within(folded, low, high):
            end = match.end()
        return end

    def first_start(self, folded: str, low: int, high: int) -> int:
        """Return the start of the first match in `folded[low:high]`, or -1 if there is no match."""
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
    """Compile a search for any of the stems, each at the beginning of a word."""
    alternatives = "|".join(map(_stem_pattern, written))
    return re.compile(rf"(?<!\w)(?:{alternatives})" if alternatives else r"(?!)")


@cache
def literal_prefix(written: str) -> str:
    """Return the literal text that each match of a stem begins with in a folded view."""
    return re.split(r"[*$ ]", fold(written), maxsplit=1)[0]


def is_exact_word(written: str) -> bool:
    """Whether a stem is one word that ends where its `literal_prefix` ends."""
    return bool(re.fullmatch(r"[^*$ ]+\$", written))


def is_sum(folded: str, end: int) -> bool:
    """Whether the number that ends at `end` is a sum or a quantity: a currency or unit follows."""
    return bool(_SUM_AFTER.match(folded, end, end + 16))


def nearness(folded: str, start: int, end: int, words: Words | None) -> float:
    """Return how near a stem stands to `folded[start:end]`: 1 right before it, 0 if there is no stem.

    Words before the number count within 60 characters.  Words after it count within 25 characters
    and add at most 0.6.  A nearer word for another kind of number (order, ISBN, budget) cancels the
    stem before the number.
    """
    if words is None:
        return 0.0
    before = words.last_end(folded, max(0, start - BEFORE), start)
    near = 1 - (start - before) / (BEFORE + 5) if before >= 0 else 0.0
    if near and _OTHER_KIND.search(folded, before, start):
        near = 0.0
    if near < 0.6:
        stop = _STOP.search(folded, end, end + AFTER)
        after = words.first_start(folded, end, stop.start() if stop else end + AFTER)
        if after >= 0:
            near = max(near, 0.6 - (after - end) / (2 * AFTER))
    return near


def is_other_kind(folded: str, start: int) -> bool:
    """Whether a word or sign before the number names another kind: an order, an ISBN, a budget."""
    before = max(0, start - 30)
    return bool(_OTHER_KIND.search(folded, before, start) or _SIGN.search(folded[before:start]))


def is_isolated(plain: str, start: int, end: int) -> bool:
    """Whether only blanks and punctuation touch `plain[start:end]`."""
    before, after = plain[max(0, start - 1) : start], plain[end : end + 2]
    return not (
        before.isalnum()
        or before in tuple("_-/.#=+№")
        or after[:1].isalnum()
        or after[:1] == "_"
        or (after[:1] in tuple("-/.") and after[1:].isalnum())
    )
