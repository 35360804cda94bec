"""Validate check digits and birth dates of the region's identifiers.

Each validator takes the identifier without separators and returns whether its check digits hold.
No validator raises.  Separate functions check the birth dates of some identifiers
(`kz_iin_has_birth_date`).  The rule decides whether a date is required, because some registries no
longer guarantee it.
"""

from __future__ import annotations

import datetime
import ipaddress
from collections.abc import Iterable
from operator import mul
from typing import Final

from stdnum import iban as _iban
from stdnum import luhn as _luhn
from stdnum.az import voen as _voen
from stdnum.by import unp as _unp
from stdnum.ee import ik as _ik
from stdnum.lt import asmens as _asmens
from stdnum.lv import pvn as _pvn
from stdnum.ru import ogrn as _ogrn

OLDEST: Final = 1900
#: A year after all births.  It is fixed, so that the same input gives the same output.
NEWEST: Final = 2035

_IBAN_LONGEST: Final = 34
_INN: Final = (3, 7, 2, 4, 10, 3, 5, 9, 4, 6, 8)
_RNOKPP: Final = (-1, 5, 7, 9, 4, 6, 10, 5, 7)
_BALTIC: Final = (1, 2, 3, 4, 5, 6, 7, 8, 9, 1)
_BALTIC_SECOND: Final = (3, 4, 5, 6, 7, 8, 9, 1, 2, 3)
_LATVIAN: Final = (10, 5, 8, 4, 2, 1, 6, 3, 7, 9)
_KZ_SECOND: Final = (3, 4, 5, 6, 7, 8, 9, 10, 11, 1, 2)


def _weighted_sum(digits: str, weights: Iterable[int]) -> int:
    return sum(map(mul, map(int, digits), weights))


def _are_digits(value: str, length: int) -> bool:
    return len(value) == length and value.isascii() and value.isdigit()


def mrz_check_digit(value: str) -> int:
    """Return the 7-3-1 check digit of `value` (A=10 … Z=35): ICAO Doc 9303, part 3, 4.9."""
    return sum(int(ch, 36) * (7, 3, 1)[i % 3] for i, ch in enumerate(value)) % 10


def is_birth_date(year: int, month: int, day: int) -> bool:
    """Whether the date exists and its year lies between `OLDEST` and `NEWEST`."""
    try:
        return OLDEST <= datetime.date(year, month, day).year <= NEWEST
    except ValueError:
        return False


def ru_inn(value: str) -> bool:
    """Validate a Russian ИНН: 10 digits (firms, one check digit) or 12 (persons, two check digits).

    Weighted sums mod 11 mod 10.  Source of the weights: python-stdnum `ru.inn`; the tests compare
    both.
    """
    if _are_digits(value, 10):
        return _weighted_sum(value[:9], _INN[2:]) % 11 % 10 == int(value[9])
    return (
        _are_digits(value, 12)
        and _weighted_sum(value[:10], _INN[1:]) % 11 % 10 == int(value[10])
        and _weighted_sum(value[:11], _INN) % 11 % 10 == int(value[11])
    )


def ru_snils(value: str) -> bool:
    """Validate a Russian СНИЛС, 11 digits: sum of d·(9…1) mod 101, where 100 is written 00.

    Source: law 27-FZ and the Pension Fund's rules.  Numbers up to 001-001-998 have no check digits;
    this function refuses them.
    """
    return (
        _are_digits(value, 11)
        and value[:9] > "001001998"
        and int(value[9:]) == _weighted_sum(value, range(9, 0, -1)) % 101 % 100
    )


def ru_passport(value: str) -> bool:
    """Validate a Russian passport number, 10 digits: region 01-99 and year of print; no check digit.

    Source: Microsoft Purview's definition of the number.  Unverified [U]: digits 3-4 are the year
    of the form (97-99 or 00-35).
    """
    return (
        _are_digits(value, 10) and value[:2] != "00" and (value[2:4] >= "97" or value[2:4] <= "35")
    )


def kz_iin(value: str) -> bool:
    """Validate a Kazakhstani ИИН/ЖСН, 12 digits: weights 1…11 mod 11; if that is 10, weights 3…11,1,2.

    Source: OECD, Kazakhstan's TIN sheet.  The function does not check the date of birth, because
    order 853 of 26.08.2013 dropped it from the rules (see `kz_iin_has_birth_date`).
    """
    if not _are_digits(value, 12):
        return False
    check = _weighted_sum(value[:11], range(1, 12)) % 11
    if check == 10:
        check = _weighted_sum(value[:11], _KZ_SECOND) % 11
    return check == int(value[11])


def kz_iin_has_birth_date(value: str) -> bool:
    """Whether an IIN's first seven digits are a birth date (yymmdd) and century with sex (1-6)."""
    if not _are_digits(value, 12) or value[6] not in "123456":
        return False
    century = 1800 + (int(value[6]) - 1) // 2 * 100
    return is_birth_date(century + int(value[:2]), int(value[2:4]), int(value[4:6]))


def ua_rnokpp(value: str) -> bool:
    """Validate a Ukrainian РНОКПП, 10 digits: a weighted sum mod 11 mod 10.

    Source of the weights: python-stdnum `ua.rntrc`; the tests compare both.
    """
    return _are_digits(value, 10) and _weighted_sum(value[:9], _RNOKPP) % 11 % 10 == int(value[9])


def _has_day_first_birth_date(value: str) -> bool:
    """Whether a BY or UZ number begins with century and sex (1-6), then a birth date (ddmmyy)."""
    if not value[:7].isdigit() or value[0] not in "123456":
        return False
    century = 1800 + (int(value[0]) - 1) // 2 * 100
    return is_birth_date(century + int(value[5:7]), int(value[3:5]), int(value[1:3]))


def by_personal_number(value: str) -> bool:
    """Validate a Belarusian личный номер, 14 characters: a birth date and a 7-3-1 check digit.

    Source: a public validator and its published values.  Unverified [U]: the letters of the region
    and of the citizenship (PB, BA, BI).  Therefore any region letter passes.
    """
    return (
        len(value) == 14
        and value.isascii()
        and value.isalnum()
        and _has_day_first_birth_date(value)
        and value[7].isalpha()
        and value[8:11].isdigit()
        and value[11:13] in ("PB", "BA", "BI")
        and str(mrz_check_digit(value[:13])) == value[13]
    )


def uz_pinfl(value: str) -> bool:
    """Validate an Uzbekistani ПИНФЛ/JSHSHIR, 14 digits: 7-3-1 over 13; the date is not checked.

    Source: public parsers that refer to ICAO (secondary); the act itself was not read.
    """
    return (
        _are_digits(value, 14)
        and value[0] in "123456"
        and str(mrz_check_digit(value[:13])) == value[13]
    )


def uz_pinfl_has_birth_date(value: str) -> bool:
    """Whether a PINFL's first seven digits are century with sex (1-6) and a birth date (ddmmyy)."""
    return _are_digits(value, 14) and _has_day_first_birth_date(value)


def md_idnp(value: str) -> bool:
    """Validate a Moldovan IDNP, 13 digits that begin with 0 or 2: 7-3-1 over 12.

    Source: the formula of the firms' IDNO.  Unverified [U]: that it holds for IDNP, and that
    persons' numbers begin with 2 (0: temporary).
    """
    return (
        _are_digits(value, 13)
        and value[0] in "02"
        and str(mrz_check_digit(value[:12])) == value[12]
    )


def _has_baltic_check_digit(value: str) -> bool:
    """Whether the check digit that Estonia and Lithuania share is right.

    Called before stdnum, whose date check is slower: nine of ten random numbers fail here.
    """
    check = _weighted_sum(value[:10], _BALTIC) % 11
    if check == 10:
        check = _weighted_sum(value[:10], _BALTIC_SECOND) % 11 % 10
    return check == int(value[10])


def ee_isikukood(value: str) -> bool:
    """Validate an Estonian isikukood, 11 digits with a birth date.  Source: python-stdnum `ee.ik`."""
    return (
        _are_digits(value, 11)
        and value[0] in "123456"
        and _has_baltic_check_digit(value)
        and _ik.is_valid(value)
    )


def lt_asmens_kodas(value: str) -> bool:
    """Validate a Lithuanian asmens kodas, 11 digits with a birth date.

    Source: python-stdnum `lt.asmens`.  Numbers that begin with 9 contain no date.
    """
    return (
        _are_digits(value, 11)
        and value[0] in "1234569"
        and _has_baltic_check_digit(value)
        and _asmens.is_valid(value)
    )


def lv_personas_kods(value: str) -> bool:
    """Validate a Latvian personas kods, 11 digits: ddmmyy and five digits, or 32… without a date.

    Source: python-stdnum `lv.pvn`, which notes that the formula has no independent source.
    """
    return (
        _are_digits(value, 11)
        and value[0] <= "3"
        and (1 + _weighted_sum(value[:10], _LATVIAN)) % 11 % 10 == int(value[10])  # most fail here
        and _pvn.is_valid(value)
    )


def card(value: str) -> bool:
    """Validate a payment card number of 15 or 16 digits: Luhn (ISO/IEC 7812-1, annex B)."""
    return (
        len(value) in (15, 16)
        and value.isascii()
        and value.isdigit()
        and len(set(value)) > 1
        and _luhn.is_valid(value)
    )


def iban(value: str) -> bool:
    """Validate an IBAN (ISO 13616): structure of the country and mod 97.  Source: python-stdnum `iban`."""
    if not (value.isascii() and value.isalnum() and len(value) <= _IBAN_LONGEST):
        return False
    rest = int("".join(str(int(ch, 36)) for ch in value[4:] + value[:4]) or "0") % 97
    return rest == 1 and _iban.is_valid(value, check_country=False)


def kg_pin(value: str) -> bool:
    """Validate a Kyrgyz ПИН, 14 digits: sex 1-2, ddmmyyyy, five digits; no check digit is known [U]."""
    return (
        _are_digits(value, 14)
        and value[0] in "12"
        and is_birth_date(int(value[5:9]), int(value[3:5]), int(value[1:3]))
    )


def am_psn(value: str) -> bool:
    """Validate an Armenian ՀԾՀ, 10 digits: day with sex, month, year; the check formula is not public [U]."""
    return _are_digits(value, 10) and 1 <= int(value[2:4]) <= 12 and value[:2] != "00"


def ru_ogrnip(value: str) -> bool:
    """Validate a Russian ОГРНИП of an entrepreneur, 15 digits.  Source: python-stdnum `ru.ogrn`."""
    return _are_digits(value, 15) and _ogrn.is_valid(value)


def ru_account(account: str, bik: str) -> bool:
    """Whether the key (check digit) of a Russian account is right for a bank's БИК.

    Source: order 515 of the Central Bank, 8.09.1997.  The key covers the last three digits of the
    БИК (of a correspondent account: 0 and digits 5-6) and the account, with weights 7, 1, 3.
    """
    if not (_are_digits(account, 20) and _are_digits(bik, 9)):
        return False
    bank = f"0{bik[4:6]}" if account.startswith("30101") else bik[6:]
    return _weighted_sum(bank + account, (7, 1, 3) * 8) % 10 == 0


def ru_oms(value: str) -> bool:
    """Validate a Russian ОМС policy (ЕНП), 16 digits: Luhn over all; the rule is unverified [U]."""
    return _are_digits(value, 16) and len(set(value)) > 1 and _luhn.is_valid(value)


def kz_bin(value: str) -> bool:
    """Validate a Kazakhstani БИН: yymm, kind 4-6, sign 0-3, check digit of the IIN.  Source: OECD sheet."""
    return kz_iin(value) and 1 <= int(value[2:4]) <= 12 and value[4] in "456" and value[5] in "0123"


def ua_unzr(value: str) -> bool:
    """Validate a Ukrainian УНЗР, 13 digits: yyyymmdd, four digits, 7-3-1.

    Source: Ministry of Internal Affairs of Ukraine.
    """
    return (
        _are_digits(value, 13)
        and is_birth_date(int(value[:4]), int(value[4:6]), int(value[6:8]))
        and str(mrz_check_digit(value[:12])) == value[12]
    )


def by_unp(value: str) -> bool:
    """Validate a Belarusian УНП, nine characters.  Source: python-stdnum `by.unp`."""
    return len(value) == 9 and value.isascii() and value.isalnum() and _unp.is_valid(value)


def uz_stir(value: str) -> bool:
    """Validate an Uzbekistani СТИР, 9 digits: firms begin with 2-3, persons with 4-7; no public check."""
    return _are_digits(value, 9) and value[0] in "234567"


def az_voen(value: str) -> bool:
    """Validate an Azerbaijani VÖEN, 10 digits, the last 1 or 2.  Source: python-stdnum `az.voen`."""
    return _are_digits(value, 10) and value[9] in "12" and _voen.is_valid(value)


def az_fin(value: str) -> bool:
    """Validate an Azerbaijani FİN: 7 digits and capitals without O; no public check.

    Source: OECD, read on a secondary page.  A value of digits only, or of letters only, is refused.
    """
    return (
        len(value) == 7
        and value.isascii()
        and "O" not in value
        and not value.isdigit()
        and any(map(str.isdigit, value))
    )


def is_public_ip(value: str) -> bool:
    """Whether `value` is a host's IP address: not private, loopback, link-local, multicast, unspecified.

    Documentation ranges count as public, because texts other than manuals use them too.
    """
    try:
        ip = ipaddress.ip_address(value)
    except ValueError:
        return False
    return not (
        any(ip.version == net.version and ip in net for net in _PRIVATE_NETWORKS)
        or ip.is_loopback
        or ip.is_link_local
        or ip.is_multicast
        or ip.is_unspecified
        or ip == ipaddress.ip_address("255.255.255.255")
    )


_PRIVATE_NETWORKS: Final = [
    ipaddress.ip_network(n)
    for n in ("0.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")
]
