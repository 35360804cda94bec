"""Scan released texts a second time, by patterns that share nothing with the rules.

The patterns are few and strict: a number with right check digits, right after its own label or in an
unmistakable form.  Such a value should have been replaced.  Therefore a hit stops the run.
"""

from __future__ import annotations

import hashlib
import heapq
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, NamedTuple

import phonenumbers

from pipelines.personal_data import checksums


class Hit(NamedTuple):
    """The position and class of missed personal data in a released text, without the value."""

    entity: str
    start: int
    end: int


def _phone(value: str) -> bool:
    try:
        return phonenumbers.is_valid_number(phonenumbers.parse(value))
    except phonenumbers.NumberParseException:
        return False


def _mail(value: str) -> bool:
    return not value.lower().endswith(
        (".png", ".jpg", ".jpeg", ".gif", ".svg", ".webp", ".invalid")
    )


def _number(digits: str) -> str:
    return rf"(?<![0-9])(?P<value>{digits})(?![0-9]|[.,][0-9])"


def _labelled(label: str, digits: str) -> str:
    return rf"(?<![^\W_])(?:{label})[:№ \u00a0-]{{1,4}}{_number(digits)}"


_MAIL: Final = r"(?P<value>[A-Za-z0-9][\w.+-]{0,63}@(?:[a-z0-9-]{1,63}\.){1,5}[a-z]{2,12})(?![\w@])"
_IBAN: Final = r"(?<!\w)(?P<value>(?:KZ|UA|BY|GE|AZ|MD|EE|LV|LT)[0-9]{2}[0-9A-Z]{12,25})(?!\w)"
_BY: Final = r"(?<!\w)(?P<value>[1-6][0-9]{6}[ABCHKEM][0-9]{3}(?:PB|BA|BI)[0-9])(?!\w)"
_CARD: Final = _labelled("[Кк]арт[аы]|[Кк]артка|[Cc]ard", "[2-9][0-9]{3}(?:[ -][0-9]{4}){3}")
_PHONE: Final = (
    r"(?<![^\W_])(?:[Тт]ел|[Tt]el|[Pp]hone|[Мм]об)[.: ]{1,3}"
    r"(?P<value>\+[0-9]{1,3}[ -][0-9 ()-]{7,14}[0-9])(?![0-9])"
)
_SNILS: Final = _labelled("СНИЛС", "[0-9]{3}-[0-9]{3}-[0-9]{3}[ -][0-9]{2}|[0-9]{11}")
_PINFL: Final = _labelled("ПИНФЛ|PINFL|JSHSHIR|JShShIR|ЖШШИР", "[0-9]{14}")

#: (class, pattern with the group `value`, check of the value without separators).
_PATTERNS: Final[Sequence[tuple[str, re.Pattern[str], Callable[[str], bool]]]] = [
    (entity, re.compile(pattern), check)
    for entity, pattern, check in (
        ("EMAIL_ADDRESS", _MAIL, _mail),
        ("KZ_IIN", _labelled("ЖСН|ИИН|IIN|жсн|иин", "[0-9]{12}"), checksums.kz_iin),
        ("RU_INN", _labelled("ИНН|INN", "[0-9]{12}|[0-9]{10}"), checksums.ru_inn),
        ("RU_SNILS", _SNILS, checksums.ru_snils),
        ("UA_RNOKPP", _labelled("РНОКПП|ІПН", "[0-9]{10}"), checksums.ua_rnokpp),
        ("UZ_PINFL", _PINFL, checksums.uz_pinfl),
        ("MD_IDNP", _labelled("IDNP", "[0-9]{13}"), checksums.md_idnp),
        ("EE_ISIKUKOOD", _labelled("[Ii]sikukood", "[0-9]{11}"), checksums.ee_isikukood),
        ("LT_ASMENS_KODAS", _labelled("[Aa]smens kodas", "[0-9]{11}"), checksums.lt_asmens_kodas),
        (
            "LV_PERSONAS_KODS",
            _labelled("[Pp]ersonas kods", "[0-9]{6}-[0-9]{5}"),
            checksums.lv_personas_kods,
        ),
        ("BY_PERSONAL_NUMBER", _BY, checksums.by_personal_number),
        ("IBAN_CODE", _IBAN, checksums.iban),
        ("CREDIT_CARD", _CARD, checksums.card),
        ("PHONE_NUMBER", _PHONE, _phone),
    )
]
_SEPARATORS: Final = re.compile(r"[ -]")


def sample_documents(doc_ids: Iterable[str], size: int) -> list[str]:
    """Return `size` of the ids, chosen by their SHA-256: the order of `doc_ids` has no effect."""
    return heapq.nsmallest(size, set(doc_ids), key=lambda i: hashlib.sha256(i.encode()).digest())


def find_missed(text: str, replaced: Iterable[tuple[int, int]] = ()) -> Iterator[Hit]:
    """Yield the personal data that a released text still contains, by class.

    Args:
      replaced: (start, end) of the replacements in the text; they are not scanned.
    """
    pieces, at = [], 0
    for start, end in sorted(replaced):
        pieces += [text[at:start], "\0" * (end - start)]
        at = end
    scanned = "".join([*pieces, text[at:]])
    for entity, pattern, check in _PATTERNS:
        for match in pattern.finditer(scanned):
            value = match["value"]
            as_written = entity in ("EMAIL_ADDRESS", "PHONE_NUMBER")
            if check(value if as_written else _SEPARATORS.sub("", value)):
                yield Hit(entity, *match.span("value"))
