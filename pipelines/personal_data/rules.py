"""What each identifier of the region looks like, who issues it, and how far it may be trusted.

A rule is data.  `regex` finds candidates and is linear (bounded repeats between digit
boundaries); `shape` is the same without look-around, for a search over whole columns.  `check`
and `plain` judge the candidate as it is written.  `alone` is the score of a candidate that no word backs
and that `plain` accepts; a score below `THRESHOLD` needs the document's language or
jurisdiction to agree, and 0 never stands without a word.  Shares of random numbers that pass
each check, measured: ИНН-12 and СНИЛС 1 %, dated IIN, PINFL, EE, LT 0.2-0.3 %, others 10 %.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from pipelines.personal_data import checksums

THRESHOLD: Final = 0.4
#: What agreeing language and agreeing jurisdiction each add to a score.
NATIVE: Final = 0.1

SEPARATOR: Final = r"[ \u00a0\u202f.\u2010-\u2015-]"
_RIGHT: Final = r"(?![0-9A-Za-z_])(?![.,][0-9]{2}(?![0-9]))"
_TWINS: Final = str.maketrans("АВСЕНКМОРТХІ", "ABCEHKMOPTXI")
_JUNK: Final = re.compile(r"[^0-9A-Za-z]")

Check = Callable[[str], bool]


@dataclass(frozen=True)
class Rule:
    """An identifier.  `country` is ISO 3166-1, `languages` those in which it is native."""

    entity: str
    country: str | None
    languages: tuple[str, ...]
    regex: str
    shape: str
    stems: str
    check: Check
    alone: float = 0.0
    plain: Check = str.isalnum
    certain: bool = False  # no word is needed and no sum can look like it


def compact(value: str) -> str:
    """`value` without separators, Cyrillic capitals folded to their Latin twins."""
    return _JUNK.sub("", value.translate(_TWINS))


def bounded(first: str, rest: str) -> str:
    """A regex for `first` (one character) and `rest`, not inside a longer number or word.

    What may not stand before is asked after the first character: a pattern that begins with a
    set of characters is searched five times faster than one that begins with look-around.
    """
    return (
        rf"{first}(?<![0-9A-Za-z_]{first})(?<![0-9][.,]{first})(?<![0-9A-Za-z]-{first})"
        rf"(?:{rest}){_RIGHT}"
    )


def digits(n: int) -> tuple[str, str]:
    """(regex, shape) of `n` digits with at most one separator between two of them."""
    rest = rf"(?:{SEPARATOR}?[0-9]){{{n - 1}}}"
    return bounded("[0-9]", rest), rf"(?:^|[^0-9])[0-9]{rest}(?:[^0-9]|$)"


def _exact(first: str, rest: str) -> tuple[str, str]:
    return bounded(first, rest), rf"{first}(?:{rest})"


def _like(pattern: str) -> Check:
    compiled = re.compile(pattern)
    return lambda value: bool(compiled.fullmatch(value))


def _of(validator: Check) -> Check:
    """`validator` of the candidate without its separators."""
    return lambda value: validator(compact(value))


def _any(_: str) -> bool:
    return True


_BINS: Final = r"(?:220[0-4]|2[2-7]|4|5[1-5]|6[02]|35|37|34|8600|5614|9860|9112)[0-9 \u00a0-]*"
_GROUPS: Final = (
    r"[0-9]{14,15}|[0-9]{3}(?:[ \u00a0-][0-9]{4}){3}"
    r"|[47][0-9]{2}[ -][0-9]{6}[ -][0-9]{5}"
)
#: Lengths of IBANs, ISO 13616 registry: the region and those its banks deal with.
_IBAN_LENGTHS: Final = (
    "KZ20 UA29 BY28 GE22 AZ28 MD24 EE20 LV21 LT20 RU33 AT20 BE16 BG22 CH21 CY28 CZ24 DE22 DK18 "
    "ES24 FI18 FR27 GB22 GR27 HR21 HU28 IE22 IL23 IS26 IT27 LI21 LU20 MC27 ME22 MK19 MN20 MT31 "
    "NL18 NO15 PL28 PT25 RO24 RS22 SE24 SI19 SK24 TR26 AE23 SA24 QA29 KW30 PK24"
)
_IBAN: Final = "|".join(
    rf"(?<={c[0]}){c[1]}[0-9]{{2}}(?:[ \u00a0-]?[0-9A-Z]){{{int(c[2:]) - 4}}}"
    for c in _IBAN_LENGTHS.split()
)
_PASSPORT: Final = (
    r"[0-9][ \u00a0]?[0-9]{2}(?:[ \u00a0-]|[ \u00a0,]{0,2}"
    r"(?:№|N|номер|ном\.)[ \u00a0]?)?[0-9]{6}"
)
_ADDRESS = r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}"
_ADDRESS6 = r"[0-9A-Fa-f]{1,4}(?::[0-9A-Fa-f]{0,4}){2,7}"
#: Endings of file names that look like domains (`logo@2x.png`).
_FILES: Final = r"(?:png|jpe?g|gif|svg|webp|css|js|ico|avif|mp[34])"


def _address(value: str) -> bool:
    """A host's address: neither private, loopback, link-local, multicast nor unspecified.

    Ranges set aside for documentation do count: text that is not a manual misuses them.
    """
    try:
        ip = ipaddress.ip_address(value)
    except ValueError:
        return False
    inner = any(ip.version == net.version and ip in net for net in _INNER)
    return not (
        inner
        or ip.is_loopback
        or ip.is_link_local
        or ip.is_multicast
        or ip.is_unspecified
        or ip == ipaddress.ip_address("255.255.255.255")
    )


_INNER: Final = [
    ipaddress.ip_network(n)
    for n in ("0.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")
]

RULES: Final[tuple[Rule, ...]] = (
    Rule(
        "EMAIL_ADDRESS",
        None,
        (),
        r"(?<![\w%+'-])\w[\w.%+'-]{0,63}@(?:(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}"
        r"|(?:[\w-]{1,63}\.){1,8}[^\W\d_]{2,24})(?!\w)",
        "@",
        r"e-?mail|почт|пошт",
        _like(rf"(?!.*\.{_FILES}$).*"),
        1.0,
        _any,
        certain=True,
    ),
    Rule(
        "CREDIT_CARD",
        None,
        (),
        *_exact("[0-9]", _GROUPS),
        r"карт(?!ин|оф|огр)|card|kart(?!ul|in)|kort|visa|виза\b|master|мир\b|ბარათ|քարտ|uzcard|humo",
        _of(checksums.card),
        0.55,
        _like(_BINS),
    ),
    Rule(
        "IBAN_CODE",
        None,
        (),
        bounded("[A-Z]", _IBAN),
        "[A-Z]{2}[0-9]{2}[ \u00a0-]?[0-9A-Z]",
        r"iban|сч[её]т|счет|шот|рахун|ანგარიშ|hisob|cont\b|konto|sąskait|р/с",
        _of(checksums.iban),
        0.95,
        _any,
        certain=True,
    ),
    Rule(
        "IP_ADDRESS",
        None,
        (),
        rf"(?<![0-9A-Za-z_.:])(?:{_ADDRESS}(?!\.?[0-9A-Za-z_])|{_ADDRESS6}(?![0-9A-Za-z_.:]))",
        rf"{_ADDRESS}|[0-9A-Fa-f]{{0,4}}:[0-9A-Fa-f]{{0,4}}:",
        r"ip\b|ip-|адрес|вход",
        _address,
        0.6,
        _like(r"(?:[^0-9]*[0-9]){6}.*|.*:.*"),
    ),
    Rule(
        "RU_INN",
        "RU",
        ("ru",),
        *digits(12),
        r"инн\b|inn\b|идентификационн\w+ ном\w+ налог",
        _of(checksums.ru_inn),
        0.35,
    ),
    Rule("RU_INN", "RU", ("ru",), *digits(10), r"инн\b|inn\b|инн/", _of(checksums.ru_inn)),
    Rule(
        "RU_SNILS",
        "RU",
        ("ru",),
        *digits(11),
        r"снилс|snils|страхов\w+ (?:ном|свид)|пенсионн",
        _of(checksums.ru_snils),
        0.7,
        _like(r"[0-9]{3}[-\u2010-\u2015 ][0-9]{3}[-\u2010-\u2015 ][0-9]{3}[ \u00a0-][0-9]{2}"),
    ),
    Rule(
        "RU_PASSPORT",
        "RU",
        ("ru",),
        *_exact("[0-9]", _PASSPORT),
        r"паспорт|passport|сери[яиюей]|выдан",
        _of(checksums.ru_passport),
    ),
    Rule(
        "KZ_IIN",
        "KZ",
        ("kk",),
        *digits(12),
        r"жсн|иин\b|iin\b|жеке с[әа]йкестендіру|индивидуальн\w+ идентиф|zhsn",
        _of(checksums.kz_iin),
        0.6,
        checksums.kz_born,
    ),
    Rule(
        "UA_RNOKPP",
        "UA",
        ("uk",),
        *digits(10),
        r"рнокпп|іпн\b|ідентифікаційн|податк|rnokpp|ипн\b|реєстраційн|инн\b|ідн\b",
        _of(checksums.ua_rnokpp),
    ),
    Rule(
        "BY_PERSONAL_NUMBER",
        "BY",
        ("be",),
        *_exact("[1-6]", r"[0-9]{6}[A-ZАВСЕНКМ][0-9]{3}(?:[PР][BВ]|[BВ][AАIІ])[0-9]"),
        r"ідэнтыфікацыйн|асабіст|личн\w+ ном|идентификацион|пашпарт|паспорт",
        _of(checksums.by_personal_number),
        0.85,
        certain=True,
    ),
    Rule(
        "UZ_PINFL",
        "UZ",
        ("uz",),
        *digits(14),
        r"jsh ?shir|pinfl|жш ?шир|пинфл|shaxsiy|шахсий|персональн\w+ идентиф",
        _of(checksums.uz_pinfl),
        0.6,
        checksums.uz_born,
    ),
    Rule(
        "MD_IDNP",
        "MD",
        ("ro",),
        *digits(13),
        r"idnp|cod\w* (?:personal|numeric)|număr\w* (?:personal|de identif)|персональн\w+ код",
        _of(checksums.md_idnp),
        0.25,
    ),
    Rule(
        "EE_ISIKUKOOD",
        "EE",
        ("et",),
        *digits(11),
        r"isikukood|isikukoodi|личн\w+ код|personal code|эстонск",
        _of(checksums.ee_isikukood),
        0.6,
    ),
    Rule(
        "LT_ASMENS_KODAS",
        "LT",
        ("lt",),
        *digits(11),
        r"asmens kod|a\. ?k\b|личн\w+ код|personal code|литовск",
        _of(checksums.lt_asmens_kodas),
        0.6,
    ),
    Rule(
        "LV_PERSONAS_KODS",
        "LV",
        ("lv",),
        *digits(11),
        r"personas kod|pers\. ?kod|p\. ?k\b|личн\w+ код|персональн\w+ код|personal code",
        _of(checksums.lv_personas_kods),
        0.6,
        _like(r"[0-9]{6}[-\u2010-\u2015][0-9]{5}"),
    ),
    Rule(
        "GE_PERSONAL_NUMBER",
        "GE",
        ("ka",),
        *_exact("[0-9]", "[0-9]{10}"),
        r"პირადი ნომ|პ/ნ|personal (?:no|num)",
        str.isdigit,
    ),
    Rule(
        "KG_PIN",
        "KG",
        ("ky",),
        *_exact("[0-9]", "[0-9]{13}"),
        r"пин\b|инн\b|жеке ном|персональн\w+ идентиф|идентификациялык",
        _of(checksums.kg_pin),
    ),
    Rule(
        "AM_PSN",
        "AM",
        ("hy",),
        *_exact("[0-9]", "[0-9]{9}"),
        r"հծհ|հանրային ծառայ|սոց",
        _of(checksums.am_psn),
    ),
    Rule(
        "AZ_FIN",
        "AZ",
        ("az",),
        *_exact("[0-9A-HJ-NP-Z]", "[0-9A-HJ-NP-Z]{6}"),
        r"fin\b|fin kod|fərdi identif|фин\b|фин-код",
        lambda v: any(map(str.isdigit, v)),
    ),
)
