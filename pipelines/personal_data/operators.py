"""What is put in a value's place: a placeholder, a mask, a surrogate or a pseudonym.

A surrogate has the value's shape and passes no check of any identifier, so that nobody takes it
for one: digits and letters are drawn until all validators refuse it, addresses of mail end in
`.invalid` (RFC 2606) and those of hosts lie in the ranges kept for documentation (RFC 5737, RFC
3849).  With a key it is the same for the same value; without one it hangs on the document and the
place, never on the value, which could else be guessed from it.
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

#: No check tells a made one from somebody's own.
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
    """The policy of the parameters, with its key: what stands in the place of what is found.

    Raises ValueError where the policy asks for pseudonyms and there is no key.
    """

    def __init__(self, policy: PrivacyParams, key: bytes | None = None) -> None:
        if policy.needs_key and key is None:
            raise ValueError("pseudonyms need a key")
        self._policy, self._key = policy, key
        self._seed = f"tamga surrogate {policy.seed}".encode()

    def apply(
        self, span: Span, value: str, doc_id: str, source: str | None, jurisdiction: str | None
    ) -> tuple[str, str] | None:
        """(operator, replacement) of a finding; None where the policy leaves it in the text."""
        operator = self._policy.operator_for(span.entity, source, jurisdiction)
        if operator == "keep":
            return None
        made = None
        if operator == "mask":
            made = mask(value)
        elif operator == "pseudonym":
            assert self._key is not None
            made = f"<{span.entity}_{pseudonym(self._key, span.entity, value)}>"
        elif operator == "surrogate" and span.entity not in _NO_SURROGATE:
            made = surrogate(span.entity, value, self._secret(span, value, doc_id))
        return ("replace", f"<{span.entity}>") if made is None else (operator, made)

    def _secret(self, span: Span, value: str, doc_id: str) -> bytes:
        if self._key is None:
            return hmac.digest(self._seed, f"{doc_id}\0{span.start}".encode(), "sha256")
        same = f"surrogate\0{span.entity}\0{canonical_value(span.entity, value)}".encode()
        return hmac.digest(self._key, same, "sha256")


def mask(value: str) -> str:
    """`value` with each letter and digit as `*`; what stands between them stays."""
    return "".join("*" if ch.isalnum() else ch for ch in value)


def pseudonym(key: bytes, entity: str, value: str) -> str:
    """16 hex digits of HMAC-SHA-256 over the class and the value in one way to write it."""
    content = f"{entity}\0{canonical_value(entity, value)}".encode("utf-8", "surrogatepass")
    return hmac.digest(key, content, "sha256").hex()[:16]


def canonical_value(entity: str, value: str) -> str:
    """One way to write a value: without separators, look-alikes folded, case of names and
    addresses aside; telephones with the country's code where they begin with a trunk 8."""
    seen = view(value)
    if entity == "PHONE_NUMBER":
        number = re.sub("[^0-9]", "", seen.plain)
        if seen.plain[:1] != "+":
            number = number.removeprefix("00")
            if len(number) == 11 and number[0] == "8":  # RU and KZ
                number = "7" + number[1:]
        return number
    if any(ch.isdigit() for ch in seen.plain) and "@" not in seen.plain:
        return rules.compact(seen.plain).upper()
    return " ".join(seen.folded.split())


def surrogate(entity: str, value: str, secret: bytes) -> str | None:
    """A string of the shape of `value`, drawn from `secret`, that passes no check; None where none
    was found (the shape itself is the check)."""
    for attempt in range(_DRAWS):
        stream = hashlib.shake_256(secret + attempt.to_bytes(2, "big"))
        made = _draw(entity, value, stream.digest(4 * len(value) + 4))
        if made != value and not passes_any_check(made):
            return made
    return None


def _draw(entity: str, value: str, drawn: bytes) -> str:
    numbers = [int.from_bytes(drawn[i : i + 4], "big") for i in range(0, len(drawn), 4)]
    if entity == "IP_ADDRESS":
        return (
            f"2001:db8::{numbers[0] % 65536:x}" if ":" in value else f"192.0.2.{numbers[0] % 256}"
        )
    made = "".join(map(_substitute, value, numbers[:-1]))
    return _LAST_LABEL.sub("invalid", made) if entity == "EMAIL_ADDRESS" else made


def _substitute(ch: str, number: int) -> str:
    """Another letter or digit of the same kind, by a number."""
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
    """Whether any check holds for a string: of any identifier, of a telephone, of a birth date."""
    plain = view(value).plain
    if any(check(plain) for check in _checks()):
        return True
    return is_birth(plain) or _may_be_phone(plain)


def _may_be_phone(plain: str) -> bool:
    number = re.sub("[^0-9]", "", plain)
    if not 7 <= len(number) <= 15 or re.search("[^0-9 ().+-]", plain):
        return False
    tried = [("+" + number.removeprefix("00"), None)] + [(number, c) for c in COUNTRIES]
    return any(_is_valid_phone(*one) for one in tried)


def _is_valid_phone(number: str, region: str | None) -> bool:
    try:
        return phonenumbers.is_valid_number(phonenumbers.parse(number, region))
    except phonenumbers.NumberParseException:
        return False
