"""How far a candidate is believed: its check digits, its form, and the words around it.

A judge takes a rule, a text's views and a candidate's span, and returns a score in 0-1; 0 refuses.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Final

from pipelines.personal_data import checksums, fragments
from pipelines.personal_data.contexts import (
    GLUED,
    Words,
    compile_stems,
    is_isolated,
    is_other_kind,
    is_sum,
    nearness,
)
from pipelines.personal_data.identifier_rule import STREET_DISTANCE, Rule, label_stems
from pipelines.personal_data.pattern_views import View

#: A bank's БИК is looked for this far from an account.
_BIK_DISTANCE: Final = 300
_BIK: Final = re.compile(r"(?<![0-9])04[0-9]{7}(?![0-9])")
_ADDRESS: Final = re.compile(fragments.ADDRESS)


def identifier(rule: Rule, view: View, start: int, end: int) -> float:
    """A number: refused where its check digits fail or it is a sum; 0.8 and more beside a word."""
    folded = view.folded
    own, shared = rule.words(view)
    if own is None and shared is None and not rule.alone:
        return 0.0
    if not rule.check(view.plain[start:end]):  # most are refused here, and it is cheap
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
    """The score without a word of its own: by a word that others share, or by its form."""
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
    """Whether the word for some identifier stands right before a number: where it is not the
    candidate's own, the number is another, and perhaps a wrong one."""
    return bool(_label_pattern().search(folded, max(0, start - 40), start))


def beside(rule: Rule, view: View, start: int, end: int) -> float:
    """What has no check and common shapes (a date, a name with @): a word within a few letters."""
    near = nearness(view.folded, start, end, rule.words(view)[0])
    return 0.6 + 0.3 * near if near > 0.5 and rule.check(view.plain[start:end]) else 0.0


def account(rule: Rule, view: View, start: int, end: int) -> float:
    """A Russian account: by a БИК nearby, whose key it must hold; else beside a word."""
    value = re.sub("[^0-9]", "", view.plain[start:end])
    biks = _BIK.findall(view.plain, max(0, start - _BIK_DISTANCE), end + _BIK_DISTANCE)
    if biks:
        return 0.95 if any(checksums.ru_account(value, bik) for bik in biks) else 0.0
    return identifier(rule, view, start, end)


def post_code(rule: Rule, view: View, start: int, end: int) -> float:
    """A post code: digits before a street and a house."""
    if not is_isolated(view.plain, start, end) or is_other_kind(view.folded, start):
        return 0.0
    return 0.7 if _ADDRESS.search(view.plain, end, end + STREET_DISTANCE) else 0.0


def phone(rule: Rule, view: View, start: int, end: int) -> float:
    """A telephone number: see `phones.judge`."""
    from pipelines.personal_data import phones

    near = nearness(view.folded, start, end, rule.words(view)[0])
    alone = view.plain[start] == "+" or (
        view.plain.startswith("00", start) and not has_other_label(view.folded, start)
    )
    if not near and not alone:
        return 0.0
    return phones.score_phone(view, start, end, near)


def street(rule: Rule, view: View, start: int, end: int) -> float:
    """A street and a house, which its pattern settles."""
    return rule.alone


def certain(rule: Rule, view: View, start: int, end: int) -> float:
    """What its pattern alone settles."""
    return rule.alone


def mail(rule: Rule, view: View, start: int, end: int) -> float:
    """An e-mail address: not the name of a file (`logo@2x.png`)."""
    return 0.0 if _FILE_NAME.search(view.plain, start, end) else rule.alone


def host(rule: Rule, view: View, start: int, end: int) -> float:
    """An IP address: public, and with six digits or a word (a version is shorter)."""
    value = view.plain[start:end]
    if not checksums.is_public_ip(value):
        return 0.0
    if near := nearness(view.folded, start, end, rule.words(view)[0]):
        return 0.84 + 0.15 * near
    if not rule.form.fullmatch(value) or is_other_kind(view.folded, start):
        return 0.0
    return rule.alone


def birth(rule: Rule, view: View, start: int, end: int) -> float:
    """A date of birth: a date that may be one, close to a word that says so."""
    score = beside(rule, view, start, end)
    return score if score and is_birth(view.plain[start:end]) else 0.0


def is_birth(plain: str) -> bool:
    """Whether the numbers in a string may be the parts of a date of birth."""
    numbers = [int(n) for n in _NUMBER.findall(plain)]
    year = max(numbers, default=0)
    rest = [n for n in numbers if n != year]
    if not checksums.OLDEST <= year <= checksums.NEWEST or any(n > 31 for n in rest):
        return False
    return not (len(rest) == 2 and min(rest) > 12)


_FILE_NAME: Final = re.compile(r"\.(?:png|jpe?g|gif|svg|webp|css|js|ico|avif|mp[34])$", re.I)
_NUMBER: Final = re.compile("[0-9]+")
