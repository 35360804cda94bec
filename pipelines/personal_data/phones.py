"""Telephone numbers: candidates by shape, then `phonenumbers` for those alone.

`phonenumbers`' own matcher walks a text once per region (238 documents a second for eight);
a candidate's digits parsed once cost forty times less.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

import phonenumbers

from pipelines.personal_data.contexts import is_other, is_sum, nearness, stems

#: Digits after the country's code, by code, as `phonenumbers` has them for the 15 countries.
_NATIONAL: Final = {
    "7": 10,
    "375": 9,
    "380": 9,
    "998": 9,
    "996": 9,
    "992": 9,
    "993": 8,
    "374": 8,
    "994": 9,
    "995": 9,
    "373": 8,
    "371": 8,
    "370": 8,
    "372": 8,
}
_REGIONS: Final = (
    "RU",
    "UA",
    "BY",
    "KZ",
    "UZ",
    "KG",
    "TJ",
    "TM",
    "AM",
    "AZ",
    "GE",
    "MD",
    "EE",
    "LV",
    "LT",
)
_GAP: Final = r"[ \u00a0\u202f().\u2010-\u2015-]{0,3}"
_FIRST: Final = r"[+(0-9]"
_PLUS: Final = r"(?:(?<=\+)|(?<=0)0)[ \u00a0]?\(?"
_KNOWN: Final = "|".join(
    rf"{_GAP.join(code)}(?:{_GAP}[0-9]){{{n}}}" for code, n in _NATIONAL.items()
)
_KNOWN_DIGITS: Final = re.compile(
    r"\+(?:" + "|".join(rf"{code}[0-9]{{{n}}}" for code, n in _NATIONAL.items()) + ")"
)
_RIGHT: Final = r"(?![0-9A-Za-z_])"

REGEX: Final = (
    rf"{_FIRST}(?<![0-9A-Za-z_]{_FIRST})(?<![0-9][.,:/-]{_FIRST})"
    rf"(?:{_PLUS}(?:{_KNOWN}){_RIGHT}|{_PLUS}[1-9](?:{_GAP}[0-9]){{7,14}}{_RIGHT}"
    rf"|(?:(?<=\()[0-9]|(?<=[0-9]))(?:{_GAP}[0-9]){{6,11}}{_RIGHT}"
    rf"|(?<=[0-9])[0-9]{{0,2}}-[0-9]{{2}}-[0-9]{{2}}{_RIGHT})"
)
SHAPE: Final = (
    r"\+[ \u00a0]?\(?[0-9]|[0-9](?:[ \u00a0\u202f().\u2010-\u2015-]{0,3}[0-9]){6}"
    r"|[0-9]-[0-9]{2}-[0-9]{2}"
)
STEMS: Final = (
    r"тел(?:\b|еф)|т\.[\s:]{0,2}$|моб(?:\b|ил|іл)|сот(?:\b|ов)|факс|звон|позвон|дзвон|связ|зв.яз|тэл(?:\b|еф)"
    r"|байланыс|ұялы|телефун|whats|вотсап|ватсап|viber|вайбер|phone|mobil|tel(?:\b|ef)|aloqa"
    r"|əlaqə|habarla|հեռ|բջջ|ტელ(?:\b|ეფ)|მობ|დარეკ|tālr|mob\b|faks|fax|call\b|контакт|kontakt|contact"
    r"|номер тел|қоңырау|чалыңыз|чал(?:\b|гы)|занг|qo.ng.iroq|suna|zvan|skamb|helist"
)
_FIND: Final = re.compile(REGEX)
_MOBILE: Final = re.compile(
    r"8[ \u00a0(-]{0,2}9[0-9]{2}[) \u00a0-]{0,2}[0-9]{3}"
    r"[ \u00a0-]?[0-9]{2}[ \u00a0-]?[0-9]{2}"
)
_DATE: Final = re.compile(
    r"[0-3]?[0-9][.-][01]?[0-9][.-](?:19|20)[0-9]{2}"
    r"|(?:19|20)[0-9]{2}[.-][01]?[0-9][.-][0-3]?[0-9]"
    r"|(?:1[0-9]|20)[0-9]{2} ?[-\u2010-\u2015] ?(?:1[0-9]|20)[0-9]{2}"
)
_LOCAL: Final = re.compile(r"[0-9]{1,3}-[0-9]{2}-[0-9]{2}")
_GROUPED: Final = re.compile(r"[0-9]{1,3}(?:[ \u00a0\u202f.][0-9]{3})+")


@lru_cache(maxsize=4096)
def _valid(number: str, region: str | None) -> bool:
    try:
        return phonenumbers.is_valid_number(phonenumbers.parse(number, region))
    except phonenumbers.NumberParseException:
        return False


def _possible(number: str) -> bool:
    try:
        return phonenumbers.is_possible_number(phonenumbers.parse(number))
    except phonenumbers.NumberParseException:
        return False


def _score(value: str, near: float) -> float:
    """0 where `value` is no number; `near` is how near a word for telephone stands."""
    number = "".join(filter(str.isdigit, value))
    if value[0] == "+" or value.startswith("00"):
        number = "+" + number.removeprefix("00")
        if _valid(number, None):
            return 0.85 + 0.15 * near
        if not _possible(number):
            return 0.0
        return 0.8 + 0.1 * near if near else (0.5 if _KNOWN_DIGITS.fullmatch(number) else 0.0)
    if _MOBILE.fullmatch(value):
        return 0.8 + 0.15 * near if near else (0.35 if value.isdigit() else 0.6)
    if not near:
        return 0.0
    if len(number) >= 11 and _valid("+" + number, None):
        return 0.8 + 0.15 * near
    if near > 0.6 and _LOCAL.fullmatch(value):
        return 0.6
    if any(_valid(number, region) for region in _REGIONS):
        return 0.7 + 0.15 * near
    return 0.0


def find(text: str) -> Iterator[tuple[int, int, float]]:
    """(start, end, score) of each telephone number in `text`; local numbers need a word."""
    words = stems(STEMS)
    for match in _FIND.finditer(text):
        start, end = match.span()
        value = match[0]
        if value[0] == "(" and ")" not in value:
            start, value = start + 1, value[1:]
        if _DATE.fullmatch(value) or is_sum(text, start, end):
            continue
        near = nearness(text, start, end, words)
        plus = value[0] == "+"
        if not plus and (
            (is_other(text, start) and near < 0.8) or (_GROUPED.fullmatch(value) and near < 0.6)
        ):
            continue
        if score := _score(value, near):
            yield start, end, round(score, 3)
