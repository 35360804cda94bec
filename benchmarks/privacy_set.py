"""Generate a labelled set of personal data and decoys: all classes, 15 countries, 17 languages.

The sentences are in `privacy_set.yaml`.  Numbers are drawn until the check of their class passes (or
fails, for a decoy).  The same seed gives the same set.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from pipelines.personal_data import checksums

SENTENCES: dict[str, Any] = yaml.safe_load(
    Path(__file__).with_name("privacy_set.yaml").read_text("utf-8")
)


class Case(NamedTuple):
    """A sentence with a value of class `entity` at `start:end`, or without one (None)."""

    text: str
    lang: str
    jurisdiction: str
    entity: str | None
    start: int
    end: int


Draw = Callable[[random.Random], str]


def _fill(rng: random.Random, template: str) -> str:
    """Fill a template: # by a digit, @ by a capital, {d} {m} {y} {yyyy} by a date of birth."""
    day, month, year = rng.randint(1, 28), rng.randint(1, 12), rng.randint(1951, 2004)
    dated = template.format(d=f"{day:02}", m=f"{month:02}", y=f"{year % 100:02}", yyyy=year)
    return "".join(
        rng.choice("0123456789") if c == "#" else rng.choice("ABCEHKMPTX") if c == "@" else c
        for c in dated
    )


def maker(template: str, check: Callable[[str], bool] | None = None, good: bool = True) -> Draw:
    """Return a maker of strings of a form (alternatives separated by `~`).

    The check passes for each string, or fails for each if `good` is false.
    """

    def make(rng: random.Random) -> str:
        while True:
            value = _fill(rng, rng.choice(template.split("~")))
            bare = "".join(c for c in value if c.isalnum())
            if check is None or check(bare) == good:
                return value

    return make


def _iban(rng: random.Random) -> str:
    country, form = rng.choice(
        [("KZ", "###@############"), ("UA", "#" * 25), ("BY", "@@@@################@@@@"),
         ("GE", "@@################"), ("AZ", "@@@@####################"), ("MD", "@@##################"),
         ("EE", "#" * 16), ("LV", "@@@@#############"), ("LT", "#" * 16)]
    )  # fmt: skip
    bban = _fill(rng, form)
    rest = int("".join(str(int(c, 36)) for c in f"{bban}{country}00")) % 97
    compact = f"{country}{98 - rest:02}{bban}"
    grouped = " ".join(compact[i : i + 4] for i in range(0, len(compact), 4))
    return rng.choice((compact, grouped))


_CARDS = "~".join(
    f"{bin_}{rest}"
    for bin_ in ("2200", "2204", "4276", "5536", "2221", "8600", "5614", "9860", "9112", "6759")
    for rest in (" #### #### ####", "############")
)
#: Country -> international and national ways to write its numbers.
_PHONES = {
    "RU": "+7 9## ###-##-##~8 (9##) ###-##-##~+79#########~8-9##-###-##-##",
    "KZ": "+7 701 ### ## ##~8 (727) 2##-##-##~8 705 ### ## ##",
    "UA": "+380 67 ### ## ##~067 ### ## ##~(044) 2##-##-##",
    "BY": "+375 29 ###-##-##~8 (029) ###-##-##~8 017 2## ## ##",
    "UZ": "+998 90 ### ## ##~+998 (93) ###-##-##~90 ### ## ##",
    "KG": "+996 555 ### ###~0555 ### ###~+996 (700) ##-##-##",
    "TJ": "+992 93 ### ####~+992 918 ## ## ##~93 ### ## ##",
    "TM": "+993 65 ######~+993 61 ## ## ##~8 65 ## ## ##",
    "AM": "+374 91 ######~091 ######~+374 (99) ##-##-##",
    "AZ": "+994 50 ### ## ##~050 ### ## ##~+994 (55) ### ## ##",
    "GE": "+995 599 ## ## ##~599 ## ## ##~+995 577 ######",
    "MD": "+373 69 ### ###~069 ### ###~+373 (79) ##-##-##",
    "EE": "+372 5### ####~5### ####~+372 53## ###",
    "LV": "+371 2### ####~2### ####~+371 29 ### ###",
    "LT": "+370 6## #####~+370 (6##) #####~8 6## #####",
}


def _phone_maker(home: str) -> Draw:
    import phonenumbers

    def make(rng: random.Random) -> str:
        while True:
            value = maker(_PHONES[home])(rng)
            if phonenumbers.is_valid_number(phonenumbers.parse(value, home)):
                return value

    return make


def _mail(rng: random.Random) -> str:
    name = rng.choice(("s.orlova", "a_kim", "timur", "n-berdi", "olena.p", "info.desk"))
    host = rng.choice(("bolnica.example.org", "mektep.example.kz", "kooli.example.ee"))
    return f"{name}{rng.randint(1, 99)}@{host}"


_STREETS = {
    "ru": "ул. Садовая, д. #1, кв. 4#~улица Мира, 1#~644099, г. Омск, пр-т Маркса, 2#",
    "uk": "вул. Шевченка, буд. 1#, кв. 3#~вулиця Лісова, 2#",
    "be": "вул. Садовая, д. 1#, кв. 3#~вуліца Лясная, 2#",
    "kk": "Абай көшесі, 1#-үй, 2#-пәтер~Достық даңғылы, 3#",
    "ky": "Ош көчөсү, 1#~Чүй проспектиси 2#",
    "uz": "Navoiy ko‘chasi, 1#-uy, 2#-xonadon~Amir Temur ko‘chasi 2#",
    "tg": "кӯчаи Рӯдакӣ, 1#~кӯчаи Айнӣ 2#, хонаи 3",
    "tk": "Garaşsyzlyk şaýoly, jaý 1#~Oguzhan köçesi 2#",
    "az": "Nizami küçəsi, 1#~Füzuli küçəsi, ev 2#, mənzil 3#",
    "ka": "რუსთაველის გამზ. 1#~აბაშიძის ქუჩა 2#",
    "ro": "str. Eminescu, nr. 1#, ap. 2#~bd. Unirii 3#",
    "et": "Pikk tn 1#~Narva mnt 2#-3#",
    "lv": "Brīvības iela 1#-2#~Lielā iela 3#",
    "lt": "Gedimino g. 1#~Vilniaus gatvė 2#-3#",
    "hy": "Աբովյան փողոց 1#~Տերյան փող. 2#",
    "tt": "Бауман урамы, 1#~Тукай урамы 2#",
    "ba": "Ленин урамы, 1#",
}


_PLATES = {
    "ru": "А#11ВС77~М #2# КХ 1#9", "tt": "К1#2МН16", "ba": "О#12ТТ102", "uk": "АА 1##2 ВС~КА####ЕВ",
    "be": "1##2 АВ-7", "kk": "1#2 ABC 0#", "uz": "01 A #2# BC",
}  # fmt: skip

#: Class -> country, form, name of its check, and language -> label.
IDENTIFIERS: dict[str, tuple[str, str, str, dict[str, str]]] = {
    "RU_INN": ("RU", "############~##########", "ru_inn", {"ru": "ИНН", "tt": "ИНН"}),
    "RU_SNILS": ("RU", "###-###-### ##~###########", "ru_snils", {"ru": "СНИЛС"}),
    "RU_PASSPORT": ("RU", "45 0# ######~450# ######~450# № ######", "ru_passport", {"ru": "паспорт"}),
    "RU_FOREIGN_PASSPORT": ("RU", "7# #######~7# № #######", "", {"ru": "загранпаспорт"}),
    "RU_DRIVER_LICENCE": ("RU", "99 ## ######~99## ######", "", {"ru": "водительское удостоверение"}),
    "RU_BANK_ACCOUNT": ("RU", "40817810############", "", {"ru": "расчётный счёт"}),
    "RU_OMS": ("RU", "################", "ru_oms", {"ru": "полис ОМС"}),
    "RU_OGRNIP": ("RU", "3##############", "ru_ogrnip", {"ru": "ОГРНИП"}),
    "UA_RNOKPP": ("UA", "3#########", "ua_rnokpp", {"uk": "РНОКПП", "ru": "ИПН"}),
    "UA_UNZR": ("UA", "{yyyy}{m}{d}-#####", "ua_unzr", {"uk": "УНЗР", "ru": "УНЗР"}),
    "UA_PASSPORT": ("UA", "МЮ######~СО ######~FE######", "", {"uk": "паспорт", "ru": "паспорт"}),
    "UA_ID_CARD": ("UA", "00#######", "", {"uk": "ID-картка", "ru": "ID-карта"}),
    "BY_PERSONAL_NUMBER": ("BY", "3{d}{m}{y}@###PB#", "by_personal_number",
                           {"be": "асабісты нумар", "ru": "личный номер"}),
    "BY_PASSPORT": ("BY", "MP#######~AB #######", "", {"be": "пашпарт", "ru": "паспорт"}),
    "BY_UNP": ("BY", "1########", "by_unp", {"be": "УНП", "ru": "УНП"}),
    "KZ_IIN": ("KZ", "{y}{m}{d}3#####", "kz_iin", {"kk": "ЖСН", "ru": "ИИН"}),
    "KZ_BIN": ("KZ", "{y}{m}40######", "kz_bin", {"kk": "БСН", "ru": "БИН"}),
    "KZ_ID_CARD": ("KZ", "0########", "", {"kk": "жеке куәлік", "ru": "удостоверение личности"}),
    "KZ_PASSPORT": ("KZ", "N########", "", {"kk": "төлқұжат", "ru": "паспорт"}),
    "KG_PIN": ("KG", "2{d}{m}{yyyy}#####", "kg_pin", {"ky": "ПИН", "ru": "ПИН"}),
    "KG_PASSPORT": ("KG", "ID#######~AN#######", "", {"ky": "паспорт", "ru": "паспорт"}),
    "UZ_PINFL": ("UZ", "3{d}{m}{y}#######", "uz_pinfl", {"uz": "JSHSHIR", "ru": "ПИНФЛ"}),
    "UZ_STIR": ("UZ", "3########", "uz_stir", {"uz": "STIR", "ru": "СТИР"}),
    "UZ_PASSPORT": ("UZ", "AA#######~AC #######", "", {"uz": "pasport", "ru": "паспорт"}),
    "TJ_RMA": ("TJ", "5########", "", {"tg": "РМА", "ru": "ИНН"}),
    "TJ_PASSPORT": ("TJ", "A########", "", {"tg": "шиноснома", "ru": "паспорт"}),
    "TM_PASSPORT": ("TM", "I-AŞ ######~I-MR № ######", "", {"tk": "pasport", "ru": "паспорт"}),
    "AM_PSN": ("AM", "{d}{m}{y}####", "am_psn", {"hy": "ՀԾՀ", "ru": "НЗОУ"}),
    "AM_PASSPORT": ("AM", "AN#######~AP #######", "", {"hy": "անձնագիր", "ru": "паспорт"}),
    "AZ_FIN": ("AZ", "#@@#@##~@##@#@@", "az_fin", {"az": "FİN", "ru": "ФИН"}),
    "AZ_VOEN": ("AZ", "#########1~#########2", "az_voen", {"az": "VÖEN", "ru": "ВОЕН"}),
    "AZ_ID_CARD": ("AZ", "AZE########~AA#######", "", {"az": "şəxsiyyət vəsiqəsi", "ru": "удостоверение"}),
    "GE_PERSONAL_NUMBER": ("GE", "0##########", "", {"ka": "პირადი ნომერი", "ru": "личный номер"}),
    "GE_PASSPORT": ("GE", "1#AB#####", "", {"ka": "პასპორტი", "ru": "паспорт"}),
    "MD_IDNP": ("MD", "2############", "md_idnp", {"ro": "IDNP", "ru": "персональный код"}),
    "EE_ISIKUKOOD": ("EE", "3{y}{m}{d}####", "ee_isikukood", {"et": "isikukood", "ru": "личный код"}),
    "LT_ASMENS_KODAS": ("LT", "3{y}{m}{d}####", "lt_asmens_kodas", {"lt": "asmens kodas", "ru": "личный код"}),
    "LV_PERSONAS_KODS": ("LV", "{d}{m}{y}-#####~32####-#####", "lv_personas_kods",
                         {"lv": "personas kods", "ru": "персональный код"}),
}  # fmt: skip


def _contact_maker(entity: str, lang: str, home: str) -> Draw | None:
    makers: dict[str, Draw | None] = {
        "EMAIL_ADDRESS": _mail,
        "CREDIT_CARD": maker(_CARDS, checksums.card),
        "IBAN_CODE": _iban,
        "IP_ADDRESS": maker("91.2#.1##.7#~85.1##.9#.2#"),
        "PHONE_NUMBER": _phone_maker(home),
        "TELEGRAM_HANDLE": lambda rng: maker("%asel_k#2#~t.me/timur##~https://t.me/olga_#n")(
            rng
        ).replace("%", "@"),
        "VK_HANDLE": maker("vk.com/id1######~https://vk.com/ivan_p##"),
        "LICENCE_PLATE": maker(_PLATES[lang]) if lang in _PLATES else None,
        "STREET_ADDRESS": maker(_STREETS[lang]),
        "DATE_OF_BIRTH": maker("{d}.{m}.{yyyy}~{yyyy}-{m}-{d}~{d}/{m}/{yyyy}"),
    }
    return makers[entity]


def _vary(rng: random.Random, value: str, entity: str) -> str:
    """Return `value`, or at random another way to write it."""
    if entity in ("EMAIL_ADDRESS", "TELEGRAM_HANDLE", "VK_HANDLE", "STREET_ADDRESS"):
        return value
    way = rng.random()
    if way < 0.15:
        return value.replace(" ", "\u00a0")
    if way < 0.25 and entity not in ("DATE_OF_BIRTH", "IP_ADDRESS"):
        return value.replace("-", "\u2013")
    if way < 0.3:
        return value.translate({48 + d: 0xFF10 + d for d in range(10)})
    if way < 0.35 and entity.endswith(("PASSPORT", "PERSONAL_NUMBER")):
        return value.translate(str.maketrans("ABCEHKMPTX", "АВСЕНКМРТХ"))
    return value


def _case(
    frame: str, *, label: str, value: str, lang: str, home: str, entity: str | None = None
) -> Case:
    """Put a label and a value into the sentence `frame`."""
    mark = "\0"
    scheme = "https://" if value.startswith("https://") else ""
    text = frame.format(l=label, v=scheme + mark)
    start, value = text.index(mark), value.removeprefix(scheme)
    return Case(text.replace(mark, value), lang, home, entity, start, start + len(value))


def _makers() -> Iterator[tuple[str, str, str, str, Draw, Draw | None]]:
    """Yield (class, language, country, label, maker, maker with wrong check digits or None)."""
    for lang, entry in SENTENCES.items():
        for entity, label in entry["labels"].items():
            if make := _contact_maker(entity, lang, entry["home"]):
                wrong = maker(_CARDS, checksums.card, False) if entity == "CREDIT_CARD" else None
                yield entity, lang, entry["home"], label, make, wrong
    for entity, (home, form, name, labels) in IDENTIFIERS.items():
        check = getattr(checksums, name) if name else None
        checked = name not in ("", "kg_pin", "am_psn", "az_fin", "uz_stir", "ru_passport")
        for lang, label in labels.items():
            wrong = maker(form, check, False) if checked else None
            yield entity, lang, home, label, maker(form, check), wrong


def _decoy(rng: random.Random, frame: str) -> str:
    amount = rng.randint(10**5, 10**10)
    return frame.format(
        order=maker("######~########~##########~############~А-#####~###-####-##~##############")(
            rng
        ),
        sum=rng.choice((str(amount), f"{amount:,}".replace(",", " "), f"{amount / 100:.2f}")),
        date=maker("{d}.{m}.2024~2024-{m}-{d}~{d}.{m}.2023 18:30")(rng),
        isbn=maker("978-5-###-#####-#~978##########~9965-##-###-#")(rng),
        place=maker("43.2#####, 76.9#####~5#.####° N 3#.####° E~N54 43 ##.# E25 16 ##.#")(rng),
        code=maker("8-915-###-##-##~495###-##-##~##-##-##~7#########~#### #### ####~AB-####-##")(
            rng
        ),
    )


def cases(each: int = 4, seed: int = 1) -> list[Case]:
    """Generate `each` values per class, language and sentence, and twice as many decoys.

    Half of the decoys are numbers of other kinds.  The other half are identifiers with wrong check
    digits after their own label.
    """
    rng = random.Random(seed)
    makers = list(_makers())
    planted = [
        _case(
            frame,
            label=label,
            value=_vary(rng, make(rng), entity),
            lang=lang,
            home=home,
            entity=entity,
        )
        for entity, lang, home, label, make, _ in makers
        for frame in SENTENCES[lang]["frames"]
        for _ in range(each)
    ]
    wrong = [(lang, home, label, make) for _, lang, home, label, _, make in makers if make]
    decoys = []
    while len(decoys) < 2 * len(planted):
        lang, home, label, make = rng.choice(wrong)
        frame = rng.choice(SENTENCES[lang]["frames"])
        decoys.append(_case(frame, label=label, value=make(rng), lang=lang, home=home))
        lang = rng.choice(list(SENTENCES))
        text = _decoy(rng, rng.choice(SENTENCES[lang]["decoys"]))
        decoys.append(Case(text, lang, SENTENCES[lang]["home"], None, 0, 0))
    return planted + decoys
