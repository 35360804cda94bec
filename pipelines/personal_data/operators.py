"""Operators make the replacement of a value: a placeholder, a mask, a surrogate or a pseudonym.

A surrogate has the value's shape and fails the check of each identifier, so that it cannot be
mistaken for a real one.  Digits and letters are drawn until all validators refuse the result.  Mail
addresses end in `.invalid` (RFC 2606).  Host addresses lie in the ranges for documentation (RFC
5737, RFC 3849).  With a key, the same value gets the same surrogate.  Without a key, the surrogate
depends on the document and the position.  It never depends on the value, because the value could
then be guessed from it.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import unicodedata
from collections.abc import Callable
from functools import cache
from typing import Final

import phonenumbers

from pipelines.personal_data import rules
from pipelines.personal_data.findings import Span
from pipelines.personal_data.judges import is_birth
from pipelines.personal_data.pattern_views import view
from pipelines.personal_data.phones import COUNTRIES
from schemas.privacy import PrivacyParams

#: Classes without a check: a surrogate could belong to a real person.
_NO_SURROGATE: Final = frozenset(
    {"PERSON", "STREET_ADDRESS", "TELEGRAM_HANDLE", "VK_HANDLE", "LICENCE_PLATE"}
)
_DRAWS: Final = 500
_ALPHABETS: Final = (
    "0123456789",
    "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "abcdefghijklmnopqrstuvwxyz",
    "АБВГДЕЖЗИКЛМНОПРСТУФХЦЧШЩЭЮЯ",
    "абвгдежзиклмнопрстуфхцчшщэюя",
)
_LAST_LABEL: Final = re.compile(r"[^.@]+\Z")


class Operators:
    """Applies the operators of a policy, with its key.

    Raises:
      ValueError: the policy has pseudonyms, but there is no key.
    """

    def __init__(self, policy: PrivacyParams, key: bytes | None = None) -> None:
        if policy.needs_key and key is None:
            raise ValueError("pseudonyms need a key")
        self._policy, self._key = policy, key
        self._seed = f"tamga surrogate {policy.seed}".encode()

    def apply(
        self, span: Span, value: str, *, doc_id: str, source: str | None, jurisdiction: str | None
    ) -> tuple[str, str] | None:
        """Return (operator, replacement) of a finding; None if the policy keeps the value.

        A class without surrogates gets a placeholder instead; the operator is then `replace`.
        """
        operator = self._policy.operator_for(span.entity, source, jurisdiction)
        if operator == "keep":
            return None
        replacement = None
        if operator == "mask":
            replacement = mask(value)
        elif operator == "pseudonym":
            assert self._key is not None
            replacement = f"<{span.entity}_{pseudonym(self._key, span.entity, value)}>"
        elif operator == "surrogate" and span.entity not in _NO_SURROGATE:
            replacement = surrogate(span.entity, value, self._secret(span, value, doc_id))
        if replacement is None:
            return "replace", f"<{span.entity}>"
        return operator, replacement

    def _secret(self, span: Span, value: str, doc_id: str) -> bytes:
        if self._key is None:
            return hmac.digest(self._seed, f"{doc_id}\0{span.start}".encode(), "sha256")
        same = f"surrogate\0{span.entity}\0{canonical_value(span.entity, value)}".encode()
        return hmac.digest(self._key, same, "sha256")


def mask(value: str) -> str:
    """Replace each letter and digit of `value` by `*`; keep the other characters."""
    return "".join("*" if ch.isalnum() else ch for ch in value)


def pseudonym(key: bytes, entity: str, value: str) -> str:
    """Return 16 hex digits of HMAC-SHA-256 over the class and the canonical value."""
    content = f"{entity}\0{canonical_value(entity, value)}".encode("utf-8", "surrogatepass")
    return hmac.digest(key, content, "sha256").hex()[:16]


def canonical_value(entity: str, value: str) -> str:
    """Return the canonical form of a value, equal for all ways to write it.

    Separators are removed and look-alike letters folded.  Names and addresses become lower case.  A
    telephone number with the trunk prefix 8 gets the country's code.
    """
    views = view(value)
    if entity == "PHONE_NUMBER":
        number = re.sub("[^0-9]", "", views.plain)
        if views.plain[:1] != "+":
            number = number.removeprefix("00")
            if len(number) == 11 and number[0] == "8":  # RU and KZ
                number = "7" + number[1:]
        return number
    if any(ch.isdigit() for ch in views.plain) and "@" not in views.plain:
        return rules.compact(views.plain).upper()
    return " ".join(views.folded.split())


def surrogate(entity: str, value: str, secret: bytes) -> str | None:
    """Draw from `secret` a string with the shape of `value` that fails all checks.

    Returns None after `_DRAWS` failed draws, for example if each string of this shape passes a check.
    """
    for attempt in range(_DRAWS):
        stream = hashlib.shake_256(secret + attempt.to_bytes(2, "big"))
        candidate = _draw(entity, value, stream.digest(4 * len(value) + 4))
        if candidate != value and not passes_any_check(candidate):
            return candidate
    return None


def _draw(entity: str, value: str, stream: bytes) -> str:
    """Return a string with the shape of `value`; `stream`: four bytes per character, and four."""
    numbers = [int.from_bytes(stream[i : i + 4], "big") for i in range(0, len(stream), 4)]
    if entity == "IP_ADDRESS":
        return (
            f"2001:db8::{numbers[0] % 65536:x}" if ":" in value else f"192.0.2.{numbers[0] % 256}"
        )
    substituted = "".join(map(_substitute, value, numbers[:-1]))
    return _LAST_LABEL.sub("invalid", substituted) if entity == "EMAIL_ADDRESS" else substituted


def _substitute(ch: str, number: int) -> str:
    """Return the letter or digit of the same kind that `number` selects; other characters stay."""
    for alphabet in _ALPHABETS:
        if ch in alphabet:
            return alphabet[number % len(alphabet)]
    if (digit := unicodedata.decimal(ch, None)) is not None:
        return chr(ord(ch) - digit + number % 10)
    if ch.isalpha():
        latin = _ALPHABETS[1] if ch.isupper() else _ALPHABETS[2]
        return latin[number % len(latin)]
    return ch


@cache
def _checks() -> tuple[Callable[[str], bool], ...]:
    return tuple({r.check_name: r.check for r in rules.load_rules() if r.check_name}.values())


def passes_any_check(value: str) -> bool:
    """Whether a string passes the check of an identifier, of a telephone or of a birth date."""
    plain = view(value).plain
    if any(check(plain) for check in _checks()):
        return True
    return is_birth(plain) or _may_be_phone(plain)


def _may_be_phone(plain: str) -> bool:
    number = re.sub("[^0-9]", "", plain)
    if not 7 <= len(number) <= 15 or re.search("[^0-9 ().+-]", plain):
        return False
    national = [(number, country) for country in COUNTRIES]
    readings = [("+" + number.removeprefix("00"), None), *national]
    return any(_is_valid_phone(digits, region) for digits, region in readings)


def _is_valid_phone(number: str, region: str | None) -> bool:
    try:
        return phonenumbers.is_valid_number(phonenumbers.parse(number, region))
    except phonenumbers.NumberParseException:
        return False
