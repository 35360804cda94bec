"""Decide whether a candidate is a telephone number.

The matcher of `phonenumbers` searches a text once per region (238 documents a second for eight
regions).  Here the rules find candidates by their shape.  The library's own patterns, compiled once,
check the numbers of the 15 countries.  The library parses only numbers with another country's code.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import Final, NamedTuple

import phonenumbers

from pipelines.personal_data.fragments import PHONE_CODES
from pipelines.personal_data.nearby_words import GLUED, is_other_kind, is_sum
from pipelines.personal_data.pattern_views import View

COUNTRIES: Final = (
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
_SUBSCRIBER_KINDS: Final = ["fixed_line", "mobile", "personal_number", "voip", "pager", "voicemail"]
#: Numbers that firms publish: accepted only right beside a word.
_SERVICE_KINDS: Final = ["toll_free", "premium_rate", "shared_cost", "uan"]
_DATE: Final = re.compile(
    r"[0-3]?[0-9][.-][01]?[0-9][.-](?:19|20)[0-9]{2}"
    r"|(?:19|20)[0-9]{2}[.-][01]?[0-9][.-][0-3]?[0-9]"
    r"|(?:1[0-9]|20)[0-9]{2} ?- ?(?:1[0-9]|20)[0-9]{2}"
)
_LOCAL: Final = re.compile(r"[0-9]{1,3}-[0-9]{2}-[0-9]{2}")
#: Digits and a blank before a candidate: the candidate is the tail of a longer number.
_TAIL: Final = re.compile(r"[0-9][ -]\Z")
_GROUPED: Final = re.compile(r"[0-9]{1,3}(?:[ .][0-9]{3})+")


class _NumberingPlans(NamedTuple):
    """Patterns for digits: national numbers of the 15 countries, service numbers, international form."""

    own: re.Pattern[str]
    services: re.Pattern[str]
    abroad: re.Pattern[str]


@cache
def _numbering_plans() -> _NumberingPlans:
    own, services, abroad = [], [], []
    for country in COUNTRIES:
        data = phonenumbers.PhoneMetadata.metadata_for_region(country)
        assert data is not None

        trunk = data.national_prefix_for_parsing or data.national_prefix or "(?!)"
        own.append(f"(?:{trunk})?(?:{_pattern_of(data, _SUBSCRIBER_KINDS)})")
        services.append(f"(?:{trunk})?(?:{_pattern_of(data, _SERVICE_KINDS)})")
        abroad.append(
            f"{data.country_code}(?:{trunk})?"
            f"(?:{_pattern_of(data, _SUBSCRIBER_KINDS + _SERVICE_KINDS)})"
        )
    return _NumberingPlans(
        *(re.compile("|".join(patterns)) for patterns in (own, services, abroad))
    )


def _pattern_of(country: phonenumbers.PhoneMetadata, kinds: list[str]) -> str:
    """Return a pattern for the national numbers of some kinds in one country."""
    described = (getattr(country, kind) for kind in kinds)
    patterns = {kind.national_number_pattern for kind in described if kind}
    return "|".join(sorted(filter(None, patterns))) or "(?!)"


@lru_cache(maxsize=65536)
def _is_international(number: str) -> bool:
    """Whether digits after a plus sign are a valid number of any country."""
    if _numbering_plans().abroad.fullmatch(number):
        return True
    try:
        return phonenumbers.is_valid_number(phonenumbers.parse("+" + number))
    except phonenumbers.NumberParseException:
        return False


def _required_nearness(number: str) -> float:
    """Return the nearness that a word must have for a national number; above 1: not a number."""
    if _numbering_plans().own.fullmatch(number):
        return 0.01
    return 0.95 if _numbering_plans().services.fullmatch(number) else 2.0


def _has_known_length(number: str) -> bool:
    """Whether the digits have the length of an international number of the 15 countries."""
    return any(
        number.startswith(code) and len(number) == len(code) + length
        for code, length in PHONE_CODES.items()
    )


def score_phone(view: View, start: int, end: int, near: float) -> float:
    """Return the score of a candidate; `near`: the nearness of a word for telephone (0: no word)."""
    value, folded = view.plain[start:end], view.folded
    if _DATE.fullmatch(value) or is_sum(folded, end):
        return 0.0
    plus = value[0] == "+"
    if start and folded[start - 1].isalpha() and near < GLUED and not plus:
        return 0.0
    if not plus and (
        (is_other_kind(folded, start) and near < 0.8) or (_GROUPED.fullmatch(value) and near < 0.6)
    ):
        return 0.0
    if not near and (
        view.plain[end : end + 1].isalnum() or _TAIL.search(view.plain, max(0, start - 2), start)
    ):
        return 0.0
    return _score_value(value, near)


def _score_value(value: str, near: float) -> float:
    number = re.sub("[^0-9]", "", value)
    if value[0] == "+" or value.startswith("00"):
        number = number.removeprefix("00")
        if _is_international(number):
            return 0.85 + 0.15 * near
        if not 8 <= len(number) <= 15:
            return 0.0
        return 0.8 + 0.1 * near if near else (0.5 if _has_known_length(number) else 0.0)
    if not near:
        return 0.0
    if len(number) >= 11 and _is_international(number):
        return 0.8 + 0.15 * near
    if near > 0.6 and _LOCAL.fullmatch(value):
        return 0.6
    return 0.7 + 0.15 * near if near >= _required_nearness(number) else 0.0
