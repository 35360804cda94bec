"""Statistics of documents."""

from __future__ import annotations

import base64
import random
import re
from collections import Counter

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.quality import statistics, stop_words
from pipelines.quality.statistics import STATISTICS, measure

PROSE = "Бүгін ауылда кітапхана ашылды. Оны көрші ауылдың балалары да күтіп жүр еді."


def measure_one(text: str | None, language: str | None = "ru") -> dict[str, float]:
    return measure(pl.Series([text], dtype=pl.String), [language]).row(0, named=True)


@pytest.mark.parametrize("text", ["", " \n\n ", "\x00\x01", "\ufffd", None])
def test_texts_without_a_word(text: str | None) -> None:
    measured = measure_one(text)
    assert measured["n_words"] == 0 and measured["mean_word_length"] is None
    assert measured["top_2gram_share"] == measured["duplicate_line_share"] == 0


def test_no_documents() -> None:
    assert measure(pl.Series([], dtype=pl.String), []).schema == STATISTICS


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("Привет, мир 2024", "n_words", 3),
        ("Привет, мир 2024", "mean_word_length", 4.5),
        ("Привет, мир 2024", "number_share", 1 / 3),
        ("Привет, мир 2024", "digit_share", 4 / 14),
        ("oʻzbek toʻgʻri e'lon", "n_words", 3),
        ("по\u00adезд", "n_words", 1),
        ("नमस्ते दुनिया", "n_words", 2),
        ("ሰላም፡ለዓለም", "n_words", 2),  # the wordspace of Ethiopic
        ("北京市政府", "n_words", 5),
        ("北京市政府", "mean_word_length", None),
        ("北京市 2024 abc", "n_words", 5),
        ("😀😂👍🏽 да", "emoji_share", 4 / 6),
        ("a\ufffdb\x07", "odd_share", 0.5),
        ("a={b}", "code_share", 3 / 5),
        ("Имя: ______ ====", "code_share", 0.0),
        ("a" * 61 + " bc", "long_run_share", 61 / 63),
        ("Раз.\n\nДва\nТри!", "closed_line_share", 2 / 3),
        ("Раз.\n\nДва\nТри!", "short_line_share", 1 / 3),
        ("• раз\n• два.\nтри", "bullet_line_share", 1 / 3),
        ("раз…\nдва...\nтри.\nчетыре..", "ellipsis_line_share", 0.5),
        ("раз два\nраз два\nиной", "duplicate_line_share", 7 / 18),
        ("раз\nдва\n\nраз\nдва\n\n\nтри", "duplicate_paragraph_share", 7 / 17),
        ("а б а б а б", "top_2gram_share", 1.0),
        ("а б в г д", "top_2gram_share", 0.0),
        ("раз два три раз два три", "top_3gram_share", 1.0),
        ("Включите JavaScript", "marker_rate", 50.0),
        ("lorem ipsum Lorem Ipsum", "marker_rate", 50.0),
    ],
)
def test_what_the_statistics_mean(text: str, name: str, value: float | None) -> None:
    assert measure_one(text)[name] == (value if value is None else pytest.approx(value, abs=1e-6))


def test_function_words_depend_on_the_language() -> None:
    text = "Он не был в доме, но она была."
    assert measure_one(text, "ru")["stop_word_share"] > 0.3
    assert (
        measure_one(text.upper(), "ru")["stop_word_share"]
        == measure_one(text, "ru")["stop_word_share"]
    )
    assert measure_one(text, "kk")["stop_word_share"] == 0
    assert measure_one(text, "nivkh")["stop_word_share"] is None
    assert measure_one(text, None)["stop_word_share"] is None


def test_lists_of_function_words() -> None:
    lists = stop_words.word_lists()
    assert {"ru", "kk", "uz", "ka", "hy", "tg", "ba", "tt", "mn"} <= set(lists)
    for language, words in lists.items():
        assert len(words) == len(set(words)) >= 15, language
        hashes = np.array([stop_words.word_hash(w) for w in words], np.uint64)
        owner = np.zeros(len(words), np.int64)
        assert stop_words.count_stop_words(hashes, owner, [language]).tolist() == [len(words)]


def test_a_result_does_not_depend_on_the_batch() -> None:
    texts = [PROSE, "", "x", PROSE, "北京 " * 30, "\n\n", base64.b64encode(bytes(99)).decode()] * 5
    alone = pl.concat([measure(pl.Series([t]), ["kk"]) for t in texts])
    assert measure(pl.Series(texts), ["kk"] * len(texts)).equals(alone)


def test_results_do_not_depend_on_the_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = random.Random(5)
    words = [*PROSE.split(), "北京", "2024", "\n", "\n\n"]
    texts = pl.Series([" ".join(draw.choices(words, k=draw.randint(0, 90))) for _ in range(50)])
    expected = measure(texts, ["kk"] * 50)
    monkeypatch.setattr(statistics, "CHUNK", 300)
    assert measure(texts, ["kk"] * 50).equals(expected)
    monkeypatch.setattr(statistics.repeats, "DOCUMENTS", 3)
    assert measure(texts, ["kk"] * 50).equals(expected)


def test_a_long_text_is_measured_by_windows() -> None:
    text = "\n".join(f"{i} {PROSE}" for i in range(40_000))
    measured = measure_one(text, "kk")
    assert measured["n_chars"] == len(text) > 2 * statistics.LIMIT
    assert measured["n_words"] == pytest.approx(len(re.findall(r"\w+", text)), rel=0.01)
    assert measured["mean_word_length"] == pytest.approx(
        measure_one(PROSE, "kk")["mean_word_length"], 0.01
    )
    assert measured["duplicate_line_share"] < 0.01 < measured["duplicate_5gram_share"]


plain = st.lists(
    st.sampled_from(["а", "б", "в", "где", "же\nи\n\nк", "12", "北京", "."]), max_size=40
)


@given(plain)
def test_ngrams_agree_with_a_plain_count(parts: list[str]) -> None:
    text = " ".join(parts)
    words = re.findall(r"[北京]|[а-я0-9]+", text)
    measured = measure_one(text)
    assert measured["n_words"] == len(words)
    for n in (2, 3, 4, 5, 10):
        grams = [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]
        most = max(Counter(grams).values(), default=0)
        if n < 5:
            expected = min(most * n / len(words), 1) if most > 1 else 0
            assert measured[f"top_{n}gram_share"] == pytest.approx(expected, abs=1e-6)
        else:
            expected = 1 - len(set(grams)) / len(grams) if grams else 0
            assert measured[f"duplicate_{n}gram_share"] == pytest.approx(expected, abs=1e-6)


@given(st.lists(st.text(max_size=60), max_size=6))
def test_any_text_has_shares_between_0_and_1(texts: list[str]) -> None:
    clean = [t.encode("utf-8", "replace").decode() for t in texts]
    measured = measure(pl.Series(clean, dtype=pl.String), ["ru"] * len(clean))
    assert measured.schema == STATISTICS and measured.height == len(clean)
    shares = measured.select(pl.col("^.*_share$"))
    assert all(0 <= v <= 1 for row in shares.iter_rows() for v in row if v is not None)
    assert measured["n_chars"].to_list() == [len(t) for t in clean]
