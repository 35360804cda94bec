"""Whether a candidate is a telephone number.

`phonenumbers`' own matcher walks a text once per region (238 documents a second for eight).
Here candidates come by shape; numbers of the 15 countries are judged by that library's own
patterns, compiled once, and it parses only what is written with another country's code.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import Final, NamedTuple

import phonenumbers

from pipelines.personal_data.contexts import GLUED, is_other_kind, is_sum
from pipelines.personal_data.fragments import PHONE_CODES
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
#: Numbers that firms publish: taken only right beside a word.
_SERVICE_KINDS: Final = ["toll_free", "premium_rate", "shared_cost", "uan"]
_DATE: Final = re.compile(
    r"[0-3]?[0-9][.-][01]?[0-9][.-](?:19|20)[0-9]{2}"
    r"|(?:19|20)[0-9]{2}[.-][01]?[0-9][.-][0-3]?[0-9]"
    r"|(?:1[0-9]|20)[0-9]{2} ?- ?(?:1[0-9]|20)[0-9]{2}"
)
_LOCAL: Final = re.compile(r"[0-9]{1,3}-[0-9]{2}-[0-9]{2}")
#: Digits and a blank before a candidate: it is the tail of a longer number.
_TAIL: Final = re.compile(r"[0-9][ -]\Z")
_GROUPED: Final = re.compile(r"[0-9]{1,3}(?:[ .][0-9]{3})+")


class _NumberingPlans(NamedTuple):
    """Digits as one of the 15 countries dials them, and as all do; numbers of services apart."""

    own: re.Pattern[str]
    services: re.Pattern[str]
    abroad: re.Pattern[str]


@cache
def _numbering_plans() -> _NumberingPlans:
    own, services, abroad = [], [], []
    for country in COUNTRIES:
        data = phonenumbers.PhoneMetadata.metadata_for_region(country)
        assert data is not None

        def of(kinds: list[str], of: phonenumbers.PhoneMetadata = data) -> str:
            told = {k.national_number_pattern for kind in kinds if (k := getattr(of, kind))}
            return "|".join(sorted(filter(None, told))) or "(?!)"

        trunk = data.national_prefix_for_parsing or data.national_prefix or "(?!)"
        own.append(f"(?:{trunk})?(?:{of(_SUBSCRIBER_KINDS)})")
        services.append(f"(?:{trunk})?(?:{of(_SERVICE_KINDS)})")
        abroad.append(
            f"{data.country_code}(?:{trunk})?(?:{of(_SUBSCRIBER_KINDS + _SERVICE_KINDS)})"
        )
    return _NumberingPlans(*(re.compile("|".join(written)) for written in (own, services, abroad)))


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
    """How near a word must stand to digits dialled at home (over 1: they are no number)."""
    if _numbering_plans().own.fullmatch(number):
        return 0.01
    return 0.95 if _numbering_plans().services.fullmatch(number) else 2.0


def _has_known_length(number: str) -> bool:
    """Whether it has the length of one of the 15 countries' international numbers."""
    return any(number.startswith(c) and len(number) == len(c) + n for c, n in PHONE_CODES.items())


def score_phone(view: View, start: int, end: int, near: float) -> float:
    """The score of a candidate; `near` is how near a word for telephone stands (0: none)."""
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
