"""The batch finder: bad input, decoys, and the same findings as Presidio on the complete text."""

from __future__ import annotations

import random

import pytest

from pipelines.personal_data.finder import Finder
from pipelines.personal_data.findings import Span, resolve

FINDER = Finder()
LINES = (
    "Извещение № 45/12 от 12.05.2024, лот 12: 15 000 шт. по 120,50 руб.",
    "ИНН 500100732259, КПП 770701001, р/с 40702810900000012345, БИК 044525225.",
    "Тел. +7 915 123 45 67, факс (495) 123-45-67, почта n.petrov@pochta.example.ru",
    "Паспорт 45 08 123456, СНИЛС 112-233-445 95; карта 2202 2011 2345 6788",
    "г. Омск, ул. Садовая, д. 5, кв. 12; автомобиль А123ВС77",
    "ЖСН 900101300017тіркелген; Абай көшесі, 12-үй; туған күні 12.05.1985",
    "JSHSHIR 31205850000017, Navoiy ko‘chasi, 5-uy, telegram @asel_k228",
    "IDNP 2000000000008, str. Eminescu, nr. 5, KZ86 125K ZT50 0410 0100",
    "Заказ № 2202201123456786 оплачен; 978-5-12345-678-1; 43.238949, 76.889709",
    "https://t.me/olga_n?inn=500100732259 91.10.20.30 2001:db8::1 vk.com/id1234567",
    "С\u00adНИЛС 112-233\u200b-445 95, моб. +7\u200b 916 123-45-67; УНП100582333 ул.Мира,д.5",
    "Это обычное предложение о погоде в городе, и в нём 3 числа: 2019, 15 и 20.",
)


def find_values(
    text: str, lang: str | None = None, home: str | None = None
) -> list[tuple[str, str]]:
    spans = next((s for _, s in FINDER.find([text])), [])
    return [(s.entity, text[s.start : s.end]) for s in resolve(spans, lang, home)]


@pytest.mark.parametrize(
    ("text", "entity", "value"),
    [
        ("ИНН500100732259", "RU_INN", "500100732259"),
        ("ЖСН900101300017тіркелген", "KZ_IIN", "900101300017"),
        ("тел.+79151234567,факс", "PHONE_NUMBER", "+79151234567"),
        ("ИНН 5001\n00732259", "RU_INN", "5001\n00732259"),
        ("| ИНН | 5001 | 00732259 |", "RU_INN", "5001 | 00732259"),
        ("СНИЛС\t112-233-445\t95", "RU_SNILS", "112-233-445\t95"),
        ("ＩＮＮ ５００１００７３２２５９", "RU_INN", "５００１００７３２２５９"),
        ("ЖСН ٩٠٠١٠١٣٠٠٠١٧", "KZ_IIN", "٩٠٠١٠١٣٠٠٠١٧"),
        ("https://x.example/?inn=500100732259&p=1", "RU_INN", "500100732259"),
        ("https://x.example/snils/112-233-445-95/", "RU_SNILS", "112-233-445-95"),
        ("2024 2202 2011 2345 6788 карта", "CREDIT_CARD", "2202 2011 2345 6788"),
        ("личный номер 3120585А001РВ9", "BY_PERSONAL_NUMBER", "3120585А001РВ9"),
        ("р/с 40817810899910004312, БИК 044525225", "RU_BANK_ACCOUNT", "40817810899910004312"),
        ("л/с 40817 810 8 9991 0004312", "RU_BANK_ACCOUNT", "40817 810 8 9991 0004312"),
        ("И\u00adНН 500100\u200b732259", "RU_INN", "500100\u200b732259"),
        ("ЖСН:\u200f 900101300017\u200e.", "KZ_IIN", "900101300017"),
        ("ivan\u00ad.petrov@mail.example.kz", "EMAIL_ADDRESS", "ivan\u00ad.petrov@mail.example.kz"),
        ("паспорт 45-09 654321", "RU_PASSPORT", "45-09 654321"),
        ("УНП100582333", "BY_UNP", "100582333"),
        ("პირადი №: 01024012345", "GE_PERSONAL_NUMBER", "01024012345"),
        ("живёт: ул.Мира,д.5,кв.12", "STREET_ADDRESS", "ул.Мира,д.5,кв.12"),
    ],
)
def test_identifiers_are_found_in_bad_input(text: str, entity: str, value: str) -> None:
    assert (entity, value) in find_values(text)


@pytest.mark.parametrize(
    "text",
    [
        "commit a5001007322594e3 и 0500100732259f",
        "БИН: 770740746073",
        "Заказ № 4276123412341238 собран",
        "ул Би-Би-Си 4 радиосы",
        "улица Ленина в 2019 году",
        "версия 1.2.3.4 и время 10:20:30",
        "широта 43.238949, долгота 76.889709",
        "встреча 12.05.1985 в клубе",
        "@someone написал в сеть",
        "std::max(a::b, C::D())",
        "перед 12 и первый 5, проверены 7",
        "vk.com/wall-123_45 и t.me/joinchat/AbCdEf",
        "расчётный счёт 40817810899910004313, БИК 044525225",
    ],
)
def test_decoys_are_not_found(text: str) -> None:
    assert find_values(text, "ru", "RU") == []


def test_many_findings_and_long_digit_strings() -> None:
    text = "ИНН 500100732259, почта a.b@c.example; " * 3000
    assert len(find_values(text)) == 6000
    assert find_values("7" * 100_000) == []
    (spans,) = [s for _, s in FINDER.find(["n.petrov@mail.example.kz " * 100_000])]
    assert len(resolve(spans, None, None)) == 100_000


def make_texts(count: int) -> list[str]:
    rng = random.Random(3)
    return [
        rng.choice((" ", "\n", " | ")).join(rng.choices(LINES, k=rng.randint(1, 12)))
        for _ in range(count)
    ]


def test_findings_equal_those_of_presidio_on_the_complete_text() -> None:
    """Presidio's recognisers search each text; the finder searches a batch."""
    from pipelines.personal_data.recognisers import ANY, analyzer

    engine, texts = analyzer((ANY,), threshold=0.0), make_texts(200)
    ours = dict(FINDER.find(texts))
    for i, text in enumerate(texts):
        theirs = [
            Span(r.start, r.end, r.entity_type, r.score, r.recognition_metadata["recognizer_name"])
            for r in engine.analyze(text, ANY)
        ]
        assert [s[:4] for s in resolve(ours.get(i, ()), "ru", "RU")] == [
            s[:4] for s in resolve(theirs, "ru", "RU")
        ]


def test_findings_of_a_text_do_not_depend_on_its_batch() -> None:
    texts: list[str | None] = [*make_texts(40), None, "", "нет чисел"]
    together = dict(FINDER.find(texts))
    backwards = {len(texts) - 1 - i: s for i, s in FINDER.find(texts[::-1])}
    alone = {i: s for i, t in enumerate(texts) for _, s in FINDER.find([t])}
    assert together == backwards == alone


def test_the_classes_can_be_limited() -> None:
    few = Finder(["RU_INN"])
    assert {s.entity for _, spans in few.find(make_texts(20)) for s in spans} == {"RU_INN"}
    with pytest.raises(ValueError, match="NOPE"):
        Finder(["NOPE"])
