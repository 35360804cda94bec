"""Judges score a candidate by its check digits, its form, and the words around it.

A judge takes a rule, the views of a text, and the candidate's start and end.  It returns a score in
0-1; 0 refuses the candidate.  The key `judge` of a rule file names a function of this module.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Final

from pipelines.personal_data import checksums, fragments
from pipelines.personal_data.identifier_rule import STREET_DISTANCE, Rule, label_stems
from pipelines.personal_data.nearby_words import (
    GLUED,
    Words,
    compile_stems,
    is_isolated,
    is_other_kind,
    is_sum,
    nearness,
)
from pipelines.personal_data.pattern_views import View

#: The search for a bank's БИК reaches this far from an account, in characters.
_BIK_DISTANCE: Final = 300
_BIK: Final = re.compile(r"(?<![0-9])04[0-9]{7}(?![0-9])")
_ADDRESS: Final = re.compile(fragments.ADDRESS)


def identifier(rule: Rule, view: View, start: int, end: int) -> float:
    """Score a number: 0 if its check digits fail or it is a sum; at least 0.8 beside a word."""
    folded = view.folded
    own, shared = rule.words(view)
    if own is None and shared is None and not rule.alone:
        return 0.0
    if not rule.check(view.plain[start:end]):  # cheap, and refuses most candidates
        return 0.0
    near = nearness(folded, start, end, own)
    if near < GLUED and start and folded[start - 1].isalpha():
        return 0.0
    if not near and not shared and not rule.alone:
        return 0.0
    if rule.certain:
        return rule.alone
    if is_sum(folded, end):
        return 0.0
    if near:
        return 0.8 + 0.15 * near + (0.04 if rule.alone else 0.0)
    return _score_without_own_word(rule, view, start, end, shared)


def _score_without_own_word(
    rule: Rule, view: View, start: int, end: int, shared: Words | None
) -> float:
    """Score a number without a word of its own: by a word that rules share, or by its form."""
    if near := nearness(view.folded, start, end, shared):
        return max(rule.alone, 0.3 + 0.09 * near)
    value = view.plain[start:end]
    if (
        rule.alone
        and rule.form.fullmatch(value)
        and rule.plausible(value)
        and is_isolated(view.plain, start, end)
        and not is_other_kind(view.folded, start)
        and not has_other_label(view.folded, start)
    ):
        return rule.alone
    return 0.0


@cache
def _label_pattern() -> re.Pattern[str]:
    return re.compile(rf"(?:{compile_stems(label_stems()).pattern})[^\w+]{{0,3}}\Z")


def has_other_label(folded: str, start: int) -> bool:
    """Whether the word for an identifier stands right before a number.

    Called for candidates without a word of their own: the number is then another identifier, or a
    wrong one.
    """
    return bool(_label_pattern().search(folded, max(0, start - 40), start))


def beside(rule: Rule, view: View, start: int, end: int) -> float:
    """Score a value with a common shape and no check (a date, a name with @): needs a very near word."""
    near = nearness(view.folded, start, end, rule.words(view)[0])
    return 0.6 + 0.3 * near if near > 0.5 and rule.check(view.plain[start:end]) else 0.0


def account(rule: Rule, view: View, start: int, end: int) -> float:
    """Score a Russian account: a БИК nearby must confirm its key; without a БИК it needs a word."""
    value = re.sub("[^0-9]", "", view.plain[start:end])
    biks = _BIK.findall(view.plain, max(0, start - _BIK_DISTANCE), end + _BIK_DISTANCE)
    if biks:
        return 0.95 if any(checksums.ru_account(value, bik) for bik in biks) else 0.0
    return identifier(rule, view, start, end)


def post_code(rule: Rule, view: View, start: int, end: int) -> float:
    """Score a post code: digits before a street and a house."""
    if not is_isolated(view.plain, start, end) or is_other_kind(view.folded, start):
        return 0.0
    return 0.7 if _ADDRESS.search(view.plain, end, end + STREET_DISTANCE) else 0.0


def phone(rule: Rule, view: View, start: int, end: int) -> float:
    """Score a telephone number: see `phones.score_phone`."""
    from pipelines.personal_data import phones

    near = nearness(view.folded, start, end, rule.words(view)[0])
    alone = view.plain[start] == "+" or (
        view.plain.startswith("00", start) and not has_other_label(view.folded, start)
    )
    if not near and not alone:
        return 0.0
    return phones.score_phone(view, start, end, near)


def street(rule: Rule, view: View, start: int, end: int) -> float:
    """Score a street and a house: the pattern is sufficient."""
    return rule.alone


def certain(rule: Rule, view: View, start: int, end: int) -> float:
    """Score a value whose pattern is sufficient."""
    return rule.alone


def mail(rule: Rule, view: View, start: int, end: int) -> float:
    """Score an e-mail address: 0 for the name of a file (`logo@2x.png`)."""
    return 0.0 if _FILE_NAME.search(view.plain, start, end) else rule.alone


def host(rule: Rule, view: View, start: int, end: int) -> float:
    """Score an IP address: it must be public, and have six digits or a word (versions are shorter)."""
    value = view.plain[start:end]
    if not checksums.is_public_ip(value):
        return 0.0
    if near := nearness(view.folded, start, end, rule.words(view)[0]):
        return 0.84 + 0.15 * near
    if not rule.form.fullmatch(value) or is_other_kind(view.folded, start):
        return 0.0
    return rule.alone


def birth(rule: Rule, view: View, start: int, end: int) -> float:
    """Score a date of birth: a plausible date close to a word for birth."""
    score = beside(rule, view, start, end)
    return score if score and is_birth(view.plain[start:end]) else 0.0


def is_birth(plain: str) -> bool:
    """Whether the numbers in a string can be the parts of a date of birth."""
    numbers = [int(n) for n in _NUMBER.findall(plain)]
    year = max(numbers, default=0)
    rest = [n for n in numbers if n != year]
    if not checksums.OLDEST <= year <= checksums.NEWEST or any(n > 31 for n in rest):
        return False
    return not (len(rest) == 2 and min(rest) > 12)


_FILE_NAME: Final = re.compile(r"\.(?:png|jpe?g|gif|svg|webp|css|js|ico|avif|mp[34])$", re.I)
_NUMBER: Final = re.compile("[0-9]+")
