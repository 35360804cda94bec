"""Language and script of texts: on the shipped model, over the whole of a text."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import polars as pl
import pytest

from pipelines.identify import Identifier, model_path, script, spread
from pipelines.languages.voters import ModelMissing
from schemas.tables import LANGUAGE

TEXTS = {
    "ru": (
        "Завтра утром в городе ожидается сильный дождь, а к вечеру обещают прояснение и ветер.",
        "Cyrl",
    ),
    "uk": (
        "Завтра вранці в місті очікується сильний дощ, а надвечір обіцяють прояснення й вітер.",
        "Cyrl",
    ),
    "kk": (
        "Ертең таңертең қалада қатты жаңбыр жауады, ал кешке қарай ауа райы ашылады деп күтілуде.",
        "Cyrl",
    ),
    "ky": (
        "Эртең эртең менен шаарда катуу жамгыр жаайт, ал эми кечинде аба ырайы ачык болот.",
        "Cyrl",
    ),
    "tg": (
        "Пагоҳӣ дар шаҳр борони сахт меборад, аммо бегоҳӣ ҳаво соф мешавад ва шамол мевазад.",
        "Cyrl",
    ),
    "hy": ("Վաղն առավոտյան քաղաքում սպասվում է ուժեղ անձրև, իսկ երեկոյան եղանակը կպարզվի։", "Armn"),
    "ka": ("ხვალ დილით ქალაქში ძლიერი წვიმაა მოსალოდნელი, საღამოს კი ამინდი გამოიდარებს.", "Geor"),
    "az": ("Sabah səhər şəhərdə güclü yağış gözlənilir, axşama yaxın isə hava açılacaq.", "Latn"),
    "lt": ("Rytoj ryte mieste laukiama stipraus lietaus, o vakare žadama giedra ir vėjas.", "Latn"),
}
UZBEK = "Эртага эрталаб шаҳарда кучли ёмғир ёғади, кечқурун эса ҳаво очиқ бўлади деб кутилмоқда."


@pytest.fixture(scope="module")
def identifier() -> Identifier:
    try:
        return Identifier(model_path(None, Path()))
    except ModelMissing:
        pytest.skip("the model is not installed")


def identified(identifier: Identifier, *texts: str | None) -> pl.DataFrame:
    return identifier.identify(
        pl.DataFrame(
            {"doc_id": [str(n) for n in range(len(texts))], "text": texts},
            schema={"doc_id": pl.String, "text": pl.String},
        )
    )


def test_languages(identifier):
    found = identified(identifier, *(text for text, _ in TEXTS.values()))
    assert found["lang"].to_list() == list(TEXTS)
    assert found["script"].to_list() == [s for _, s in TEXTS.values()]
    assert found.columns == LANGUAGE.names
    assert found["doc_id"].to_list() == [str(n) for n in range(len(TEXTS))]
    assert found["score"].is_between(0, 1).all() and found["score"].dtype == pl.Float32
    assert found["n_bytes"].to_list() == [len(t.encode()) for t, _ in TEXTS.values()]


def test_uzbek_in_either_alphabet(identifier):
    latin = "Ertaga ertalab kuchli yomg{0}ir yog{0}adi, kechqurun esa havo ochiq bo{0}ladi."
    marks = [latin.format(mark) for mark in "\u02bb'\u2018\u2019`"]
    found = identified(identifier, UZBEK, *marks)
    assert set(found["lang"]) == {"uz"}
    assert found["script"].to_list() == ["Cyrl"] + ["Latn"] * 5
    assert found["score"][1:].n_unique() == 1  # the marks are one letter


def test_no_others_are_taken_for_uzbek(identifier):
    belarusian = "Ён прыйшоў дадому позна ўвечары, калі ўсе ўжо спалі, і ціха зачыніў дзверы."
    assert identified(identifier, belarusian, TEXTS["tg"][0])["lang"].to_list() == ["be", "tg"]


def test_texts_without_letters(identifier):
    found = identified(identifier, "", " \n ", "12 345 + 6.7", "!?…", None, "\0")
    assert found["lang"].null_count() == 6 and found["script"].null_count() == 6
    assert found["score"].null_count() == 0


def test_no_texts(identifier):
    found = identified(identifier)
    assert found.height == 0 and found.columns == LANGUAGE.names


def test_the_second_half_of_a_text_counts(identifier):
    menu = "Home News Contact About Search Login " * 10
    found = identified(identifier, menu + TEXTS["kk"][0] * 40)
    assert found["lang"].to_list() == ["kk"]


def test_a_long_text_and_one_without_blanks(identifier):
    found = identified(identifier, TEXTS["ru"][0] * 30_000, "я" * 1_000_000, "漢" * 5000)
    assert found["lang"][0] == "ru" and found["script"].to_list() == ["Cyrl", "Cyrl", "Hani"]


def test_results_do_not_depend_on_the_neighbours(identifier):
    alone = [identified(identifier, t).drop("doc_id").row(0) for t, _ in TEXTS.values()]
    together = identified(identifier, *(t for t, _ in TEXTS.values())).drop("doc_id").rows()
    assert alone == together


def test_a_sample_is_spread_and_bounded():
    text = " ".join(f"word{n:05}" for n in range(10_000))
    one = spread(text, 800)
    words = [int(w[4:]) for w in one.split()]
    assert len(one) <= 810 and words == sorted(words)
    assert words[0] == 0 and words[-1] > 9_900
    assert max(b - a for a, b in pairwise(words)) < 2_000
    assert spread("a  b\nc", 800) == "a  b\nc" and spread("", 800) == ""
    assert len(spread("x" * 5000, 50)) <= 100


def test_scripts():
    texts = ["abc", "абв", "אבג", "ab абвг", "aбא漢字ა", "123", "", "ԱԲ", "ᠮᠣᠩ", "あい"]
    assert script(pl.Series(texts)).to_list() == [
        "Latn",
        "Cyrl",
        "Hebr",
        "Cyrl",
        "Zyyy",
        None,
        None,
        "Armn",
        "Mong",
        "Zyyy",
    ]


def test_models_that_are_not_there(tmp_path):
    with pytest.raises(ModelMissing, match=r"none\.ftz"):
        model_path("none.ftz", tmp_path)
    (tmp_path / "bad.ftz").write_bytes(b"not a model")
    broken = Identifier(model_path("bad.ftz", tmp_path))
    with pytest.raises(ModelMissing, match="not a fastText model"):
        identified(broken, "text")
    assert len(broken.sha256) == 64
