"""Language and script of texts, with the shipped model."""

from __future__ import annotations

import base64
import random
import time
from itertools import pairwise
from pathlib import Path

import fasttext
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.language.identifier import Identifier, main_scripts, model_path, spread_sample
from pipelines.language.voters import ModelMissing
from pipelines.quality.fit import fit
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


def identify(identifier: Identifier, *texts: str | None) -> pl.DataFrame:
    return identifier.identify(
        pl.DataFrame(
            {"doc_id": [str(n) for n in range(len(texts))], "text": texts},
            schema={"doc_id": pl.String, "text": pl.String},
        )
    )


def test_languages(identifier):
    labels = identify(identifier, *(text for text, _ in TEXTS.values()))
    assert labels["lang"].to_list() == list(TEXTS)
    assert labels["langs"].to_list() == [[{"lang": k, "share": 1.0}] for k in TEXTS]
    assert labels["script"].to_list() == [s for _, s in TEXTS.values()]
    assert labels.columns == LANGUAGE.names
    assert labels["doc_id"].to_list() == [str(n) for n in range(len(TEXTS))]
    assert labels["score"].is_between(0, 1).all() and labels["score"].dtype == pl.Float32
    assert labels["n_bytes"].to_list() == [len(t.encode()) for t, _ in TEXTS.values()]


def test_uzbek_in_either_alphabet(identifier):
    latin = "Ertaga ertalab kuchli yomg{0}ir yog{0}adi, kechqurun esa havo ochiq bo{0}ladi."
    marks = [latin.format(mark) for mark in "\u02bb'\u2018\u2019`"]
    labels = identify(identifier, UZBEK, *marks)
    assert set(labels["lang"]) == {"uz"}
    assert labels["script"].to_list() == ["Cyrl"] + ["Latn"] * 5
    assert labels["score"][1:].n_unique() == 1  # each mark is the same letter


def test_other_languages_are_not_labelled_uzbek(identifier):
    belarusian = "Ён прыйшоў дадому позна ўвечары, калі ўсе ўжо спалі, і ціха зачыніў дзверы."
    assert identify(identifier, belarusian, TEXTS["tg"][0])["lang"].to_list() == ["be", "tg"]


def test_texts_without_letters(identifier):
    labels = identify(identifier, "", " \n ", "12 345 + 6.7", "!?…", None, "\0")
    assert labels["lang"].null_count() == 6 and labels["script"].null_count() == 6
    assert labels["score"].null_count() == 0


def test_no_texts(identifier):
    labels = identify(identifier)
    assert labels.height == 0 and labels.columns == LANGUAGE.names


def test_all_of_a_text_counts(identifier):
    menu = "Home News Contact About Search Login " * 10
    labels = identify(identifier, menu + TEXTS["kk"][0] * 40)
    assert labels["lang"].to_list() == ["kk"]


def test_long_texts_with_and_without_spaces(identifier):
    labels = identify(identifier, TEXTS["ru"][0] * 30_000, "я" * 1_000_000, "漢" * 5000)
    assert labels["lang"][0] == "ru" and labels["script"].to_list() == ["Cyrl", "Cyrl", "Hani"]


def test_a_language_is_not_named_in_a_foreign_script(identifier):
    translit = "Zavtra utrom v gorode ozhidaetsya silnyj dozhd, a k vecheru obeschayut proyasnenie"
    spelt = "Мэри хэд э литл лэм, итс флис уоз уайт эз сноу, энд эвриуэр зэт Мэри уэнт"
    labels = identify(identifier, translit, spelt)
    assert labels["lang"][0] != "ru" and labels["lang"][1] != "en"
    assert labels["script"].to_list() == ["Latn", "Cyrl"]


@pytest.mark.parametrize(
    "text",
    [
        base64.b64encode(random.Random(1).randbytes(900)).decode(),
        "asdf jkl qwer uiop zxcv bnm " * 20,
        " ".join("йцукенгшщзхъфыва"[i % 13 :] for i in range(60)),
    ],
    ids=["base64", "latin keys", "cyrillic keys"],
)
def test_gibberish_scores_low(identifier, text):
    assert identify(identifier, text)["score"][0] < 0.2


def test_emoji_and_tables_have_no_language(identifier):
    table = "\n".join(f"{n}\t{n * n}\t{n / 7:.3f}" for n in range(400))
    labels = identify(identifier, "\U0001f600\u2764\ufe0f" * 5000, table)
    assert labels["lang"].null_count() == 2 and labels["langs"].to_list() == [[], []]


def test_program_code_scores_low(identifier):
    code = "\n".join(
        f"    for (int i{n} = 0; i{n} < x[{n}].sz; ++i{n}) {{ p{n} ^= q[i{n} & 0x{n:02x}]; }}"
        for n in range(60)
    )
    labels = identify(identifier, code, "{" * 3000, "".join(f"0x{n:04x}," for n in range(900)))
    assert labels["score"].max() < 0.5


def test_a_language_that_no_voter_knows(identifier):
    """N'Ko and Tifinagh have no alphabet here, and no label of CLD2 or of the model."""
    nko, tifinagh = "ߒߞߏ ߦߋ߫ ߛߓߍߛߎ߲ ߘߏ߫ ߟߋ߬ ߘߌ߫ " * 30, "ⵜⴰⵎⴰⵣⵉⵖⵜ ⴷ ⵢⴰⵏ ⵓⵎⵙⴰⵡⴰⵍ " * 30
    labels = identify(identifier, nko, tifinagh)
    assert labels["script"].drop_nulls().is_in(["Zyyy"]).all()
    assert (labels["lang"].is_null() | (labels["score"] < 0.25)).all()  # far below each floor


def test_a_word_scores_lower_than_a_sentence(identifier):
    word, sentence = identify(identifier, "Москва", TEXTS["ru"][0])["score"]
    assert word < sentence > 0.95


def test_each_paragraph_of_a_mixed_document(identifier):
    kinds = ["ru", "kk", "ru", "uk", "az", "ru"]
    text = "\n".join(TEXTS[kind][0] for kind in kinds)
    assert [name for _, _, name in identifier.label_spans(text)] == kinds
    start, end, _ = identifier.label_spans(text)[1]
    assert text[start:end] == TEXTS["kk"][0]
    labels = identify(identifier, text)
    assert labels["lang"].to_list() == ["ru"] and labels["script"].to_list() == ["Cyrl"]
    langs = {entry["lang"]: entry["share"] for entry in labels["langs"][0]}
    assert next(iter(langs)) == "ru" and set(langs) == set(kinds)
    assert sum(langs.values()) == pytest.approx(1, abs=1e-3) and 0.4 < langs["ru"] < 0.6


def test_a_document_of_one_language_has_one_share(identifier):
    text = "\n".join([TEXTS["kk"][0], "12", "", "Kazakhstan", TEXTS["kk"][0]])
    assert identify(identifier, text)["langs"].to_list() == [[{"lang": "kk", "share": 1.0}]]


def test_homoglyphs_do_not_mislead(identifier):
    serbian = "Сутра ујутру у граду се очекује јака киша, а према вечери најављују разведравање."
    careless = serbian.translate(str.maketrans("аеоркј", "aeopkj"))
    labels = identify(identifier, serbian, careless, TEXTS["kk"][0].replace("і", "i"))
    assert labels["lang"].to_list() == ["sr", "sr", "kk"]
    assert labels["script"].to_list() == ["Cyrl"] * 3


def test_capitals(identifier):
    labels = identify(identifier, *(text.upper() for text, _ in TEXTS.values()))
    assert labels["lang"].to_list() == list(TEXTS)


def test_a_huge_document_takes_bounded_time(identifier):
    huge = TEXTS["ru"][0] * 250_000 + ("\n" + TEXTS["kk"][0]) * 250_000
    started = time.process_time()
    labels = identify(identifier, huge)
    assert time.process_time() - started < 10  # seconds; it takes about 0.25
    assert {entry["lang"] for entry in labels["langs"][0]} == {"ru", "kk"}


def test_a_model_with_its_own_labels(identifier, tmp_path):
    lines = [f"__label__kaz_Cyrl {TEXTS['kk'][0]}", f"__label__x1 {TEXTS['hy'][0]}"]
    (tmp_path / "train.txt").write_text("\n".join(lines * 20), "utf-8")
    fit({"input": str(tmp_path / "train.txt"), "dim": 4, "verbose": 0}, str(tmp_path / "own.bin"))
    own = Identifier(model_path("own.bin", tmp_path), mapping={"__label__x1": "hy-Armn"})
    labels = identify(own, TEXTS["kk"][0], TEXTS["hy"][0])
    assert labels["lang"].to_list() == ["kk", "hy"]


def test_a_model_that_knows_another_script(identifier, tmp_path):
    nko = "ߒߞߏ ߦߋ߫ ߛߓߍߛߎ߲ ߘߏ߫ ߟߋ߬ ߘߌ߫"
    lines = [f"__label__kaz_Cyrl {TEXTS['kk'][0]}", f"__label__nqo_Nkoo {nko}"]
    (tmp_path / "train.txt").write_text("\n".join(lines * 20), "utf-8")
    options = {"input": str(tmp_path / "train.txt"), "dim": 4, "epoch": 60, "lr": 1.0, "verbose": 0}
    fit(options, str(tmp_path / "own.bin"))
    own = Identifier(model_path("own.bin", tmp_path))
    assert identify(own, nko, "ไทย" * 9)["lang"].to_list()[0] == "nqo"
    assert identify(identifier, "กรุงเทพมหานครเป็นเมืองหลวงของประเทศไทย")["lang"].to_list() == ["th"]


def test_results_do_not_depend_on_the_batch(identifier):
    alone = [identify(identifier, t).drop("doc_id").row(0) for t, _ in TEXTS.values()]
    together = identify(identifier, *(t for t, _ in TEXTS.values())).drop("doc_id").rows()
    assert alone == together


@given(st.lists(st.text("abв", min_size=1, max_size=12), min_size=200, max_size=220))
def test_a_sample_holds_only_whole_words(words):
    sample = spread_sample("\n".join(words), 200)
    assert set(sample.split()) <= set(words)


def test_a_sample_is_spread_and_bounded():
    text = " ".join(f"word{n:05}" for n in range(10_000))
    sample = spread_sample(text, 800)
    words = [int(w[4:]) for w in sample.split()]
    assert len(sample) <= 810 and words == sorted(words)
    assert words[0] == 0 and words[-1] > 9_900
    assert max(b - a for a, b in pairwise(words)) < 2_000
    assert spread_sample("a  b\nc", 800) == "a  b\nc" and spread_sample("", 800) == ""
    assert len(spread_sample("x" * 5000, 50)) <= 100


def test_scripts():
    texts = ["abc", "абв", "אבג", "ab абвг", "aбא漢字ა", "123", "", "ԱԲ", "ᠮᠣᠩ", "あい"]
    assert main_scripts(pl.Series(texts)).to_list() == [
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


def test_a_missing_model(tmp_path):
    with pytest.raises(ModelMissing, match=r"none\.ftz"):
        model_path("none.ftz", tmp_path)


MAGIC = b"\xba\x16\x4f\x2f\x0c\0\0\0"


@pytest.mark.parametrize(
    "content",
    [b"not a model", b"", MAGIC, MAGIC + b"\xff" * 200, MAGIC + b"\0" * 200, MAGIC + b"\1" * 200],
    ids=["text", "empty", "magic", "ones", "zeros", "sizes"],
)
def test_files_that_are_not_models(tmp_path, content):
    (tmp_path / "bad.ftz").write_bytes(content)
    broken = Identifier(model_path("bad.ftz", tmp_path))
    with pytest.raises(ModelMissing, match=r"bad\.ftz is (not a|a broken) fastText model"):
        identify(broken, "text")
    assert len(broken.sha256) == 64


@pytest.mark.parametrize("size", [50, 100, 1_000, 3_000])
def test_a_truncated_model(identifier, tmp_path, size):
    (tmp_path / "truncated.ftz").write_bytes(identifier.path.read_bytes()[:size])
    with pytest.raises(ModelMissing, match=r"truncated\.ftz is"):
        identify(Identifier(model_path("truncated.ftz", tmp_path)), "text")


def test_a_model_of_words_has_no_labels(tmp_path):
    (tmp_path / "words.txt").write_text("one two three\n" * 50)
    model = fasttext.train_unsupervised(str(tmp_path / "words.txt"), dim=4, verbose=0, epoch=0)
    model.save_model(str(tmp_path / "words.bin"))
    with pytest.raises(ModelMissing, match="not a fastText model of labels"):
        identify(Identifier(model_path("words.bin", tmp_path)), "text")
