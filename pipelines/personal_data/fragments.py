"""Build the parts of patterns that rules share, and the parts that are too long to write by hand.

Patterns search plain views.  Each pattern begins with a set of characters and then looks behind it:
such a search is five times faster than one that begins with look-around.  All repeats are bounded,
and a separator never matches what it separates.  Therefore the time is linear in the text.
"""

from __future__ import annotations

import re
from typing import Final

#: After at least two digits: at most one separator, or one break of a line or of a table's cell.
#: Separated single digits are not an identifier, and would cost the most time.
GAP: Final = r"(?:(?<=[0-9][0-9])(?:[ .-]| ?[|\n] ?))?"
RIGHT: Final = r"(?![0-9])(?![.,][0-9]{2}(?![0-9]))"

#: Lengths of IBANs (ISO 13616 registry) of the region and of the countries its banks deal with.
_IBAN_LENGTHS: Final = (
    "KZ20 UA29 BY28 GE22 AZ28 MD24 EE20 LV21 LT20 RU33 AT20 BE16 BG22 CH21 CY28 CZ24 DE22 DK18 "
    "ES24 FI18 FR27 GB22 GR27 HR21 HU28 IE22 IL23 IS26 IT27 LI21 LU20 MC27 ME22 MK19 MN20 MT31 "
    "NL18 NO15 PL28 PT25 RO24 RS22 SE24 SI19 SK24 TR26 AE23 SA24 QA29 KW30 PK24"
)
_IBAN: Final = "|".join(
    rf"(?<={c[0]}){c[1]}[0-9]{{2}}(?:[ -]?[0-9A-Z]){{{int(c[2:]) - 4}}}"
    for c in _IBAN_LENGTHS.split()
)

#: Country code -> number of digits after it, for the 15 countries.  Source: `phonenumbers`.
PHONE_CODES: Final = {
    "7": 10, "375": 9, "380": 9, "998": 9, "996": 9, "992": 9, "993": 8, "374": 8, "994": 9,
    "995": 9, "373": 8, "371": 8, "370": 8, "372": 8,
}  # fmt: skip
_PHONE_GAP: Final = r"(?:(?<=[0-9][0-9])[ ().-]{1,3})?"
_PHONE_START: Final = r"[ ().-]{0,3}"
_PHONE_RIGHT: Final = r"(?![0-9])"
_PHONE_FIRST: Final = "[+(0-9]"
_PLUS: Final = r"(?:(?<=\+)|(?<=0)0) ?\(?"
_PHONE_KNOWN: Final = "|".join(
    rf"{c}{_PHONE_START}[0-9](?:{_PHONE_GAP}[0-9]){{{n - 1}}}" for c, n in PHONE_CODES.items()
)
_PHONE: Final = (
    rf"{_PHONE_FIRST}(?<![0-9]{_PHONE_FIRST})(?<![0-9][.,:/-]{_PHONE_FIRST})"
    rf"(?:{_PLUS}(?:{_PHONE_KNOWN}){_PHONE_RIGHT}|{_PLUS}[1-9]{_PHONE_START}[0-9](?:{_PHONE_GAP}[0-9]){{6,13}}{_PHONE_RIGHT}"
    rf"|(?:(?<=\()[0-9]|(?<=[0-9])){_PHONE_START}[0-9](?:{_PHONE_GAP}[0-9]){{5,10}}{_PHONE_RIGHT}"
    rf"|(?<=[0-9])[0-9]{{0,2}}-[0-9]{{2}}-[0-9]{{2}}{_PHONE_RIGHT})"
)

_LOWER: Final = "".join(c for c in map(chr, range(0x80, 0x588)) if c.islower())
_CAPITAL: Final = rf"[^\W\d_a-z{_LOWER}]"
_WORD: Final = rf"{_CAPITAL}[\w'.-]{{0,24}}"
_NAME: Final = (
    rf"[«\"]?(?:{_WORD}|[0-9]{{1,3}}(?:-\w{{1,3}})?(?: лет)?(?= [«]?{_CAPITAL}))"
    rf"(?: {_WORD}){{0,3}}[»\"]?"
)
_STREET_BEFORE: Final = (
    r"(?:[Уу]л\.|[Уу]лиц[аыеу]|[Пп]р-к?т|[Пп]росп\.?|[Пп]роспект[аеу]?|[Пп]ер\.?|[Пп]ереулк?[а-я]{1,3}"
    r"|[Бб]-р|[Бб]ул\.?|[Бб]ульвар[аеу]?|[Шш]оссе|[Нн]аб\.?|[Нн]абережн[а-я]{2,3}|[Пп]л\.|[Пп]лощад[ьи]"
    r"|[Мм]крн?\.?|M[к]рн?\.?|[Мм]икрорайон[аеу]?|Mикрорайон|[Пп]роезд[ау]?|[ВBв]ул\.?|[ВBв]улиц[яіею]"
    r"|[ВBв]уліц[аыеу]|[Зз]авул[а-я.]{1,4}|[Пп]ров\.?|[Пп]ровул[а-яі]{2,4}|[КKк]ӯчаи|[Хх]иёбони|Xиёбони"
    r"|[Ss]tr\.?|[Ss]trada|[Ss]tr[aă]zii|[Bb]d\.?|[Bb]ulevardul|[Șș]os\.?|[Aa]leea)"
)
_STREET_AFTER: Final = (
    r"(?:көшесі(?:нде|нің)?|к-сі|даңғылы|көчөсү(?:ндө)?|проспектиси?|ko'chasi(?:da)?|кўчаси|küçəsi|küç\."
    r"|prospekti|prospekt|köçesi|şaýoly|փող\.?|փողոց|պող\.?|պողոտա|ქუჩა|ქ\.|გამზ\.?|გამზირი"
    r"|улица|переулок|проспект|шоссе|tn\.?|tänav|mnt\.?|maantee|pst\.?|puiestee|iela|ielā|bulvāris"
    r"|g\.|gatvė|gatvėje|pr\.|урамы)"
)
_HOUSE: Final = (
    r",? ?(?:(?:[Дд]ом|д\.|буд\.?|будинок|үй|уй|uy|ev|bina|бина|хонаи|nr\.?|№|տուն|შენობა|jaý|к\.) ?№? ?[0-9]{1,4}"
    r"|[0-9]{1,3}(?![0-9]))(?: ?/ ?[0-9]{1,3}|-[0-9]{1,3})?(?:[а-яa-zABEKMHOPCTX](?!\w))?"
    r"(?:-(?:үй|уй|uy|ev|jaý|дом|нчы|нче)\w{0,3})?"
)
_FLAT: Final = (
    r"(?:,? ?(?:[Кк]в(?:артира)?\.?|кв-ра|оф(?:ис)?\.?|корп(?:ус)?\.?|к\.|стр(?:оение)?\.?|пәтер|батир(?:и)?"
    r"|хонаи|хонадон|xonadon|mənzil|m\.|bt\.?|ap(?:t|art)?\.?|dz\.?|bl\.|sc\.|et\.|kv\.?|krt\.?|բն\.?"
    r"|ბინა|öý|kor\.|фатир|подъезд|под'езд|під'їзд|эт(?:аж)?\.?|кор\.) ?№?[0-9]{1,4}[а-яa-z]?(?!\w)"
    r"|,? [0-9]{1,4}-(?:пәтер|кв|xonadon|хонадон|mənzil|öý|батир|фатир)\w{0,5})"
)
#: A street, a house, and the flat if the text gives it.
ADDRESS: Final = (
    rf"(?<!\w)(?:{_STREET_BEFORE}(?:(?<=\.)|(?!\w)) ?{_NAME}|{_WORD}(?: {_WORD})? {_STREET_AFTER}(?!\w))"
    rf"{_HOUSE}{_FLAT}{{0,3}}(?!\w)"
)

_FRAGMENTS: Final = {"iban": _IBAN, "phone": _PHONE, "right": RIGHT, "address": ADDRESS}
_FRAGMENT_NAME: Final = re.compile(r"<<(\w+)>>")


def bounded_pattern(first: str, rest: str) -> str:
    """Return a regex for `first` (one character) and `rest` that does not match inside a longer number."""
    left = rf"(?<![0-9]{first})(?<![0-9][.,-]{first})"
    return rf"{first}{left}(?:{rest}){RIGHT}"


def digits_pattern(n: int) -> str:
    """Return a regex for `n` digits with at most one separator between two digits."""
    return bounded_pattern("[0-9]", rf"(?:{GAP}[0-9]){{{n - 1}}}")


def expand_fragments(pattern: str) -> str:
    """Replace each `<<name>>` in `pattern` by its fragment.  Raises KeyError for an unknown name."""
    return _FRAGMENT_NAME.sub(lambda m: _FRAGMENTS[m[1]], pattern)
