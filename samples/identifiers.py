"""Invented identifiers with valid check digits, for the texts of the sample corpus.

`make(kind, seed)` returns the same value for the same arguments on any machine.  A kind is an entity
type, with a colon and the country if several countries have it (`IBAN_CODE:KZ`).

Formulas: INN, RNOKPP, Estonian and Lithuanian codes as in python-stdnum; SNILS, annex to the rules
at consultant.ru LAW_124607; IIN, the OECD's TIN sheet for Kazakhstan; Belarusian, Uzbek and
Moldovan numbers, the 7-3-1 check of ICAO Doc 9303; cards, ISO/IEC 7812 (Luhn); accounts,
ISO 13616 (mod 97).
"""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Callable, Sequence

Maker = Callable[[random.Random], str]
DIGITS = "0123456789"


def weighted(digits: str, weights: Sequence[int]) -> int:
    """Return the sum of each digit times its weight."""
    return sum(int(d) * w for d, w in zip(digits, weights, strict=True))


def seven_three_one(text: str) -> int:
    """Return the ICAO 9303 check digit: weights 7, 3, 1 repeating; letters count A=10 to Z=35."""
    return sum(int(c, 36) * (7, 3, 1)[i % 3] for i, c in enumerate(text)) % 10


def _digits(rng: random.Random, n: int) -> str:
    return "".join(rng.choice(DIGITS) for _ in range(n))


def _birth(rng: random.Random) -> tuple[dt.date, str]:
    """Return a date of birth and the digit for century and sex (3, 4: the 1900s; 5, 6: the 2000s)."""
    day = dt.date(rng.randint(1950, 2004), rng.randint(1, 12), rng.randint(1, 28))
    return day, rng.choice("34" if day.year < 2000 else "56")


def ru_inn(rng: random.Random) -> str:
    d = f"{rng.randint(1, 79):02d}" + _digits(rng, 8)
    d += str(weighted(d, (7, 2, 4, 10, 3, 5, 9, 4, 6, 8)) % 11 % 10)
    return d + str(weighted(d, (3, 7, 2, 4, 10, 3, 5, 9, 4, 6, 8)) % 11 % 10)


def ru_snils(rng: random.Random) -> str:
    d = str(rng.randint(2, 9)) + _digits(rng, 8)  # numbers up to 001-001-998 have no check digit
    check = weighted(d, range(9, 0, -1)) % 101 % 100
    return f"{d[:3]}-{d[3:6]}-{d[6:]} {check:02d}"


def ru_passport(rng: random.Random) -> str:
    return f"{rng.randint(1, 99):02d}{rng.randint(0, 24):02d} {rng.randint(100000, 999999)}"


def kz_iin(rng: random.Random) -> str:
    while True:
        day, century = _birth(rng)
        d = f"{day:%y%m%d}{century}{_digits(rng, 4)}"
        check = weighted(d, range(1, 12)) % 11
        if check == 10:
            check = weighted(d, (3, 4, 5, 6, 7, 8, 9, 10, 11, 1, 2)) % 11
        if check < 10:  # a second 10 is never issued
            return d + str(check)


def ua_rnokpp(rng: random.Random) -> str:
    d = f"{(_birth(rng)[0] - dt.date(1899, 12, 31)).days:05d}" + _digits(rng, 4)
    return d + str(weighted(d, (-1, 5, 7, 9, 4, 6, 10, 5, 7)) % 11 % 10)


def by_personal_number(rng: random.Random) -> str:
    day, century = _birth(rng)
    body = f"{century}{day:%d%m%y}{rng.choice('ABCHKEM')}{_digits(rng, 3)}"
    body += rng.choice(("PB", "BA", "BI"))
    return body + str(seven_three_one(body))


def uz_pinfl(rng: random.Random) -> str:
    day, century = _birth(rng)
    d = f"{century}{day:%d%m%y}{_digits(rng, 6)}"
    return d + str(seven_three_one(d))


def baltic_code(rng: random.Random) -> str:
    """Return an Estonian isikukood or Lithuanian asmens kodas: they share a formula."""
    day, century = _birth(rng)
    d = f"{century}{day:%y%m%d}{_digits(rng, 3)}"
    check = weighted(d, (1, 2, 3, 4, 5, 6, 7, 8, 9, 1)) % 11
    if check == 10:
        check = weighted(d, (3, 4, 5, 6, 7, 8, 9, 1, 2, 3)) % 11 % 10
    return d + str(check)


def md_idnp(rng: random.Random) -> str:
    d = "2" + _digits(rng, 11)
    return d + str(seven_three_one(d))


def card(rng: random.Random) -> str:
    d = rng.choice(("2202", "4276", "5536", "8600", "9860")) + _digits(rng, 11)
    doubled = [n if i % 2 else n * 2 - 9 * (n > 4) for i, n in enumerate(map(int, d))]
    d += str(-sum(doubled) % 10)
    return " ".join(d[i : i + 4] for i in range(0, 16, 4))


def iban(country: str, length: int, letters: int = 0) -> Maker:
    """Return a maker of accounts of `length` characters, with a bank code of `letters` letters."""

    def maker(rng: random.Random) -> str:
        bank = "".join(rng.choice("ABCDEFGHKLMNPRT") for _ in range(letters))
        bban = bank + _digits(rng, length - 4 - letters)
        number = int("".join(str(int(c, 36)) for c in f"{bban}{country}00"))
        return f"{country}{98 - number % 97:02d}{bban}"

    return maker


def phone(prefix: str, *groups: int) -> Maker:
    return lambda rng: " ".join([prefix, *(_digits(rng, n) for n in groups)])


def email(rng: random.Random) -> str:
    name = rng.choice(
        ("a.sadykova", "kuanysh-b", "o_hrytsenko", "n.rahimov", "l.harutyan", "m.saar")
    )
    host = rng.choice(("mail.example.org", "pochta.example.ru", "post.example.kz"))
    return f"{name}{rng.randint(2, 99)}@{host}"


def ip_address(rng: random.Random) -> str:
    return ".".join(str(rng.randint(low, high)) for low, high in [(80, 95)] + [(1, 254)] * 3)


MAKERS: dict[str, Maker] = {
    "RU_INN": ru_inn,
    "RU_SNILS": ru_snils,
    "RU_PASSPORT": ru_passport,
    "KZ_IIN": kz_iin,
    "UA_RNOKPP": ua_rnokpp,
    "BY_PERSONAL_NUMBER": by_personal_number,
    "UZ_PINFL": uz_pinfl,
    "EE_ISIKUKOOD": baltic_code,
    "LT_ASMENS_KODAS": baltic_code,
    "MD_IDNP": md_idnp,
    "CREDIT_CARD": card,
    "IBAN_CODE:KZ": iban("KZ", 20),
    "IBAN_CODE:UA": iban("UA", 29),
    "IBAN_CODE:GE": iban("GE", 22, 2),
    "PHONE_NUMBER:RU": phone("+7 915", 3, 2, 2),
    "PHONE_NUMBER:KZ": phone("+7 701", 3, 2, 2),
    "PHONE_NUMBER:UA": phone("+380 67", 3, 2, 2),
    "PHONE_NUMBER:UZ": phone("+998 90", 3, 2, 2),
    "PHONE_NUMBER:KG": phone("+996 700", 3, 3),
    "PHONE_NUMBER:AZ": phone("+994 50", 3, 2, 2),
    "PHONE_NUMBER:AM": phone("+374 91", 2, 2, 2),
    "PHONE_NUMBER:GE": phone("+995 599", 2, 2, 2),
    "EMAIL_ADDRESS": email,
    "IP_ADDRESS": ip_address,
}


def make(kind: str, seed: str) -> str:
    """Return the value of this kind for this seed; KeyError if the kind is unknown."""
    return MAKERS[kind](random.Random(f"{seed}/{kind}"))
