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

from pipelines.personal_data.contexts import GLUED, is_other, is_sum
from pipelines.personal_data.fragments import PHONE_CODES
from pipelines.personal_data.views import View

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
_OWN: Final = ["fixed_line", "mobile", "personal_number", "voip", "pager", "voicemail"]
#: Numbers that firms publish: taken only right beside a word.
_SERVICES: Final = ["toll_free", "premium_rate", "shared_cost", "uan"]
_DATE: Final = re.compile(
    r"[0-3]?[0-9][.-][01]?[0-9][.-](?:19|20)[0-9]{2}"
    r"|(?:19|20)[0-9]{2}[.-][01]?[0-9][.-][0-3]?[0-9]"
    r"|(?:1[0-9]|20)[0-9]{2} ?- ?(?:1[0-9]|20)[0-9]{2}"
)
_LOCAL: Final = re.compile(r"[0-9]{1,3}-[0-9]{2}-[0-9]{2}")
#: Digits and a blank before a candidate: it is the tail of a longer number.
_TAIL: Final = re.compile(r"[0-9][ -]\Z")
_GROUPED: Final = re.compile(r"[0-9]{1,3}(?:[ .][0-9]{3})+")


class _Plan(NamedTuple):
    """A country's code, what may precede a national number, its numbers and its services'."""

    code: str
    trunk: re.Pattern[str]
    own: re.Pattern[str]
    services: re.Pattern[str]


@cache
def _plan(country: str) -> _Plan:
    data = phonenumbers.PhoneMetadata.metadata_for_region(country)
    assert data is not None

    def of(kinds: list[str]) -> re.Pattern[str]:
        told = {k.national_number_pattern for kind in kinds if (k := getattr(data, kind))}
        return re.compile("|".join(sorted(filter(None, told))) or "(?!)")

    trunk = data.national_prefix_for_parsing or data.national_prefix or "(?!)"
    return _Plan(str(data.country_code), re.compile(f"(?:{trunk})?"), of(_OWN), of(_SERVICES))


def _matches(number: str, plan: _Plan, valid: re.Pattern[str]) -> bool:
    if valid.fullmatch(number):
        return True
    prefix = plan.trunk.match(number)
    return bool(prefix and valid.fullmatch(number, prefix.end()))


@lru_cache(maxsize=65536)
def _international(number: str) -> bool:
    """Whether digits after a plus sign are a valid number of any country."""
    for plan in map(_plan, COUNTRIES):
        if number.startswith(plan.code):
            rest = number[len(plan.code) :]
            if _matches(rest, plan, plan.own) or _matches(rest, plan, plan.services):
                return True
    try:
        return phonenumbers.is_valid_number(phonenumbers.parse("+" + number))
    except phonenumbers.NumberParseException:
        return False


@lru_cache(maxsize=65536)
def _national(number: str) -> float:
    """How near a word must stand to digits that one of the 15 countries dials (over 1: none)."""
    plans = [_plan(country) for country in COUNTRIES]
    if any(_matches(number, plan, plan.own) for plan in plans):
        return 0.01
    return 0.95 if any(_matches(number, plan, plan.services) for plan in plans) else 2.0


def _known(number: str) -> bool:
    """Whether it has the length of one of the 15 countries' international numbers."""
    return any(number.startswith(c) and len(number) == len(c) + n for c, n in PHONE_CODES.items())


def judge(view: View, start: int, end: int, near: float) -> float:
    """The score of a candidate; `near` is how near a word for telephone stands (0: none)."""
    value, folded = view.plain[start:end], view.folded
    if _DATE.fullmatch(value) or is_sum(folded, end):
        return 0.0
    plus = value[0] == "+"
    if start and folded[start - 1].isalpha() and near < GLUED and not plus:
        return 0.0
    if not plus and (
        (is_other(folded, start) and near < 0.8) or (_GROUPED.fullmatch(value) and near < 0.6)
    ):
        return 0.0
    if not near and (
        view.plain[end : end + 1].isalnum() or _TAIL.search(view.plain, max(0, start - 2), start)
    ):
        return 0.0
    return _score(value, near)


def _score(value: str, near: float) -> float:
    number = re.sub("[^0-9]", "", value)
    if value[0] == "+" or value.startswith("00"):
        number = number.removeprefix("00")
        if _international(number):
            return 0.85 + 0.15 * near
        if not 8 <= len(number) <= 15:
            return 0.0
        return 0.8 + 0.1 * near if near else (0.5 if _known(number) else 0.0)
    if not near:
        return 0.0
    if len(number) >= 11 and _international(number):
        return 0.8 + 0.15 * near
    if near > 0.6 and _LOCAL.fullmatch(value):
        return 0.6
    return 0.7 + 0.15 * near if near >= _national(number) else 0.0
