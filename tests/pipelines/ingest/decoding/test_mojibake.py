"""Mojibake is repaired, and sound text is never changed."""

from __future__ import annotations

import pytest
from helpers.language_texts import AZ, BA, BE, ET, KK, KY, LT, LV, RO, RU, TG, TR, TT, UK
from hypothesis import given
from hypothesis import strategies as st

from pipelines.ingest.decoding.mojibake import repair

HY = "Գրադարանը կբացվի հաջորդ երկուշաբթի օրը, և ընթերցողները կկարողանան վերցնել նոր գրքեր։ "
KA = "ბიბლიოთეკა გაიხსნება მომავალ ორშაბათს და მკითხველები შეძლებენ ახალი წიგნების გატანას. "
UZ = "Kutubxona kelgusi dushanba kuni yana ochiladi va oʻquvchilar yangi kitoblarni oʻqiy oladi. "
EN = "The reading room opens again on Monday — “bring your own chair”, says the café’s owner. "
TEXTS = (RU, UK, BE, KK, KY, TT, BA, TG, AZ, TR, ET, LV, LT, RO, HY, KA, UZ, EN)
SAMPLES = [text.strip() for text in TEXTS]


def read_as(text: str, right: str, wrong: str) -> str:
    """Return a text with its bytes read as another charset.

    A byte without a character there becomes the same code point.
    """
    chars = []
    for byte in text.encode(right):
        char = bytes([byte]).decode(wrong, "replace")
        chars.append(chr(byte) if char == "\ufffd" else char)
    return "".join(chars)


@pytest.mark.parametrize("text", TEXTS)
def test_a_sound_text_is_unchanged(text):
    assert repair(text * 3) == (text * 3, ())
    assert repair(text.upper()) == (text.upper(), ())


@pytest.mark.parametrize(
    "text, right, wrong",
    [
        (UK, "koi8-u", "koi8-r"),
        (KK, "kz1048", "cp1251"),
        (KY, "ptcp154", "cp1251"),
        (TT, "ptcp154", "cp1251"),
        (BA, "ptcp154", "cp1251"),
        (TG, "koi8-t", "koi8-r"),
        (UK, "cp1125", "cp866"),
        (RU, "cp1251", "cp1252"),
        (RU, "cp1251", "koi8-r"),
        (RU, "koi8-r", "cp1251"),
        (RU, "cp866", "cp1251"),
        (RU, "cp1251", "cp866"),
        (TR, "cp1254", "cp1252"),
        (LT, "cp1257", "cp1252"),
        (RO, "cp1250", "cp1252"),
    ],
)
def test_one_charset_read_as_another(text, right, wrong):
    broken = read_as(text * 2, right, wrong)
    repaired, (fix,) = repair(broken)
    assert repaired == text * 2
    assert str(fix) == f"{right} read as {wrong}"
    assert fix.characters == sum(a != b for a, b in zip(broken, repaired, strict=True))


@pytest.mark.parametrize(
    "wrong", ["cp1251", "cp1252", "koi8-r", "cp866", "mac-cyrillic", "iso8859-1"]
)
@pytest.mark.parametrize("text", [t for t in TEXTS if t is not EN])
def test_utf8_read_as_another(text, wrong):
    repaired, (fix,) = repair(read_as(text * 2, "utf-8", wrong))
    assert repaired == text * 2
    assert str(fix).startswith("utf-8 read as ") and fix.characters > 0


def test_text_misread_twice():
    twice = read_as(read_as(RU, "utf-8", "cp1251"), "utf-8", "cp1251")
    repaired, fixes = repair(twice)
    assert repaired == RU and len(fixes) == 2


def test_only_the_broken_paragraph_is_repaired():
    broken = read_as(KK.strip(), "utf-8", "cp1251")
    repaired, (fix,) = repair(f"{RU}\n{broken}\n{UK}")
    assert repaired == f"{RU}\n{KK.strip()}\n{UK}"
    assert fix.characters == sum(not c.isascii() for c in KK)


def test_a_repair_applies_to_another_text():
    _, (fix,) = repair(read_as(UK * 2, "koi8-u", "koi8-r"))
    assert fix.apply(read_as("Її ґанок", "koi8-u", "koi8-r")) == "Її ґанок"
    _, (fix,) = repair(read_as(UK * 2, "utf-8", "cp1251"))
    assert fix.apply(read_as("Є", "utf-8", "cp1251")) == "Є"


@pytest.mark.parametrize(
    "text",
    [
        "«ДОСТОЯНИЕ» и «НАСЛЕДИЕ», «РОССИЯ», «США», «СССР»; В\xa0доме № 5°, «УРОЖАЙ» — 3 ½ ц",
        "║ Имя ║ Год ║\n╠═════╬═════╣\n║ Мир ║ 1990 ║\n╚═════╩═════╝\n" * 3,
        "“Quoted” — and ‘quoted again’… £5 ½ © ® ™ " * 5,
        "TÜRKÇE “BÜYÜK” “KÖY” “GÖLÜ” ÇÖĞÜŞİÖÇ " * 4,
        "Señor Muñoz comió jamón en São Tomé, où l’été fut très agréable à l’œil. " * 4,
        "图书馆将于下周一重新开放,届时读者可以借阅新到的书籍。" * 4,
        "",
        "а",
    ],
)
def test_unusual_but_sound_texts(text):
    assert repair(text) == (text, ())


words = st.sampled_from([word for text in SAMPLES for word in text.split()])


@given(st.sampled_from(SAMPLES), st.integers(0, 300), st.integers(0, 300), st.booleans())
def test_no_piece_of_a_sound_text_is_changed(text, start, length, capitals):
    piece = text[start : start + length]
    piece = piece.upper() if capitals else piece
    assert repair(piece) == (piece, ())


@given(st.lists(words, max_size=60), st.sampled_from([" ", "\n", "\xa0", ", ", "» «"]))
def test_no_mixture_of_languages_is_changed(parts, between):
    text = between.join(parts)
    assert repair(text) == (text, ())


@given(st.text(max_size=300))
def test_any_text(text):
    repaired, fixes = repair(text)
    assert bool(fixes) == (repaired != text)
