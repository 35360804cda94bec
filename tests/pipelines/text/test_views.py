"""The views of a text: stored, for language identification, for duplicates."""

from __future__ import annotations

import unicodedata

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.text import shingles, views


def language(text: str | None) -> str:
    (view,) = views.for_language(pl.Series([text], dtype=pl.String))
    return str(view)


def key(text: str | None) -> str:
    (view,) = keys([text])
    return str(view)


def keys(texts: list[str | None]) -> pl.Series:
    return shingles.key_views(shingles.words(pl.Series(texts, dtype=pl.String)))


def test_the_stored_view_is_only_composed():
    assert views.to_stored("и\u0306 m² ﬁ №") == "й m² ﬁ №"  # never NFKC
    assert views.to_stored("a\0b\ud800c") == "abc"
    assert views.to_stored("сло\u00adво‘ o'g'il Kириллица şi ţară") == (
        "сло\u00adво‘ o'g'il Kириллица şi ţară"
    )


@given(st.text())
def test_the_stored_view_is_a_fixed_point(text):
    once = views.to_stored(text)
    assert views.to_stored(once) == once == unicodedata.normalize("NFC", once)


@pytest.mark.parametrize("mark", "\u02bb\u02bc\u2018\u2019'`\u00b4")
def test_uzbek_marks_are_one_letter(mark):
    assert language(f"o{mark}zbek G{mark}alaba") == "o\u02bbzbek G\u02bbalaba"
    assert key(f"O{mark}zbek") == "ozbek"


@given(st.text(" \t\n\r\u00a0\u2003ab"))
def test_white_space_becomes_single_spaces(text):
    assert language(text) == " ".join(text.split())


def test_the_language_view():
    assert language(None) == language(" \n\t ") == ""
    assert language("пе\u00adре\u200bнос\r\nстроки\u0007") == "перенос строки"
    assert language("см. https://example.org/путь и me@example.org тут") == "см. и тут"
    assert language("зв'язок зв\u02bcязок") == "зв\u2019язок зв\u2019язок"
    assert language("Timişoara şi ţară") == "Timișoara și țară"
    assert language("şekerli çay") == "şekerli çay"  # Turkish keeps its ş
    assert language("12.05.2024, № 34-п, 50 % и 1/2") == "12.05.2024, № 34-п, 50 % и 1/2"


@pytest.mark.parametrize(
    ("word", "repaired"),
    [
        ("тepмин", "термин"),  # Latin e and p
        ("кeлдi", "келді"),
        ("æмæ Ирыстон", "ӕмӕ Ирыстон"),
        ("Адæм", "Адӕм"),
        ("чăваш", "чӑваш"),
        ("оpen", "open"),  # Cyrillic o in a Latin word
        ("iPhoneом", "iPhoneом"),  # neither script can hold it
        ("COVID-ом", "COVID-ом"),
        ("3D", "3D"),
    ],
)
def test_homoglyphs_are_repaired_in_each_word(word, repaired):
    assert views.repair_homoglyphs(pl.Series([word])).to_list() == [repaired]


def test_the_duplicate_key():
    assert key("«Ёлка», (СЛОВО) — м'ята!") == "елка слово мята"
    assert key("İstanbul ISPARTA Iğdır") == key("istanbul ısparta ığdır")
    assert key("ţară şi") == key("țară și")
    assert key("Закон № 34-п от 12.05.2024, 7/215, -5 и 50%.") == (
        "закон № 34-п от 12.05.2024 7/215 -5 и 50%"
    )
    assert key("m² и m2") == "m² и m2"
    assert key("й и") == "й и" and key("и\u0306") == "й"
    assert key(None) == key("… !") == ""


@given(st.lists(st.text(max_size=30), max_size=5))
def test_keys_do_not_depend_on_the_batch(texts):
    batch = keys(texts)
    assert batch.to_list() == [key(t) for t in texts]
    assert len(batch) == len(texts) and batch.null_count() == 0
