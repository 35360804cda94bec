"""Key views, exact keys and shingles."""

from __future__ import annotations

import unicodedata
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
import xxhash
from hypothesis import given
from hypothesis import strategies as st

from pipelines.text.shingles import Shingles, exact_keys, key_views, shingle, words
from pipelines.text.views import _COMPOSABLE

MASK = (1 << 64) - 1
WORDS = st.lists(st.sampled_from(["ерік", "Ёлка", "№", "12-п", "«сөз»", "—", "o‘zbek", "й"]))
TEXTS = st.lists(st.one_of(WORDS.map(" ".join), st.text(max_size=40)), max_size=12)


def key_view(texts: pl.Series) -> pl.Series:
    return key_views(words(texts))


def exact_key(texts: pl.Series) -> pl.Series:
    return exact_keys(words(texts), texts)


def view(text: str) -> str:
    return key_view(pl.Series([text], dtype=pl.String))[0]


def rows(shingles: Shingles) -> list[list[int]]:
    bounds = shingles.offsets.tolist()
    flat = shingles.hashes.tolist()
    return [flat[a:b] for a, b in pairwise(bounds)]


def reference(text: str, width: int) -> list[int]:
    """The documented formula, in plain Python."""
    words = view(text).split(" ") if view(text) else []
    k = 0x9E3779B97F4A7C15
    result = set()
    for start in range(max(len(words) - width + 1, min(len(words), 1))):
        gram, total = words[start : start + width], 0
        for word in gram:
            total = (total * k + xxhash.xxh3_64_intdigest(word.encode())) & MASK
        total = (total + len(gram) * k) & MASK
        for factor in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):
            total = ((total ^ total >> 33) * factor) & MASK
        result.add((total ^ total >> 33) >> 1)
    return sorted(result)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Ещё  ОДНА\n\tёлка", "еще одна елка"),
        ("O‘zbekiston oʻzbek o'zbek o`zbek", "ozbekiston ozbek ozbek ozbek"),
        ("қа\u00adзақ", "қазақ"),
        ("и\u0306 у\u0306 е\u0308", "й ў е"),
        ("Приказ № 34-п от 12.05.2024, дело 7/215; 12,5 %", "приказ № 34-п от 12.05.2024 дело 7/215 12,5 %"),
        ("«Сөз», (сөз) — сөз…", "сөз сөз сөз"),
        ("-5 и −7, но - нет", "-5 и −7 но нет"),
        ("a\u00a0b\u2009c\u3000d\u0085e", "a b c d e"),
        ("İSTANBUL İstanbul I\u0307stanbul istanbul", "istanbul istanbul istanbul istanbul"),
        ("  ... — ", ""),
        ("", ""),
    ],
)  # fmt: skip
def test_key_view(text: str, expected: str) -> None:
    assert view(text) == expected


@pytest.mark.parametrize(
    ("left", "right"),
    [("№ 15", "№ 16"), ("1,5", "15"), ("-5", "5"), ("5 %", "5"), ("қар", "кар"), ("май", "маи")],
)
def test_different_content_has_different_keys(left: str, right: str) -> None:
    assert exact_key(pl.Series([left, right])).n_unique() == 2


def test_exact_key_of_copies() -> None:
    keys = exact_key(pl.Series(["Ёлка, 5 шт.", "елка 5\nшт", None, ""]))
    assert keys[0] == keys[1] and keys[2] == keys[3] and keys.n_unique() == 2
    assert all(len(key) == 16 for key in keys)


def test_texts_without_words_are_compared_as_they_are() -> None:
    keys = exact_key(pl.Series(["...", "?!", "...", "", None, "\0?!"], dtype=pl.String))
    assert keys[0] == keys[2] and keys[3] == keys[4] and keys.n_unique() == 4


@given(TEXTS)
def test_key_view_is_canonical(texts: list[str]) -> None:
    for text in key_view(pl.Series(texts, dtype=pl.String)):
        assert text == " ".join(text.split(" ")).strip(" ")
        assert "ё" not in unicodedata.normalize("NFC", text)


def test_letters_that_are_not_normalised_are_stable() -> None:
    letters = pl.Series([chr(c) for c in range(0x3000)])
    exempt = letters.filter(~letters.str.contains(_COMPOSABLE)).to_list()
    assert {"a", "ё", "ұ", "ә", "հ", "ქ", "é", "№", "—"} <= set(exempt)
    for letter in exempt:
        assert unicodedata.is_normalized("NFC", letter) and not unicodedata.combining(letter)
        assert not letter.isspace() or letter in "\t\n\r\x0b\x0c\x1c\x1d\x1e\x1f \x85\xa0"


@given(st.text(st.characters(max_codepoint=0x11FF), max_size=30))
def test_equivalent_spellings_have_equal_keys(text: str) -> None:
    forms = [unicodedata.normalize(form, text) for form in ("NFC", "NFD")]
    assert exact_key(pl.Series(forms, dtype=pl.String)).n_unique() == 1


@given(TEXTS, st.integers(1, 7))
def test_shingles_follow_the_formula(texts: list[str], width: int) -> None:
    shingles = shingle(pl.Series(texts, dtype=pl.String), width)
    assert len(shingles) == len(texts)
    assert shingles.hashes.dtype == np.uint64 and shingles.offsets.dtype == np.int64
    assert rows(shingles) == [reference(text, width) for text in texts]


@given(TEXTS, st.randoms(use_true_random=False))
def test_a_document_does_not_depend_on_its_batch(texts: list[str], random: object) -> None:
    batch = rows(shingle(pl.Series(texts, dtype=pl.String)))
    assert batch == [rows(shingle(pl.Series([text])))[0] for text in texts]


def test_short_and_empty_texts() -> None:
    shingles = shingle(
        pl.Series(["", None, "үш сөз ғана", "a a a a a a a a", "—"], dtype=pl.String)
    )
    assert shingles.sizes.tolist() == [0, 0, 1, 1, 0]
    assert len(shingle(pl.Series([], dtype=pl.String))) == 0


@given(TEXTS)
def test_words_can_be_split_once_for_all_uses(texts: list[str]) -> None:
    series = pl.Series(texts, dtype=pl.String)
    split = words(series)
    for unit in ("word", "character"):
        assert rows(shingle(split, 3, unit)) == rows(shingle(series, 3, unit))
    assert shingle(split, 2).sizes[split.offsets[1:] == split.offsets[:-1]].sum() == 0


def test_hashes_are_pinned() -> None:
    """If these hashes change, ALGORITHM must change."""
    shingles = shingle(pl.Series(["Бір екі үш төрт бес алты", "екі"]))
    assert shingles.hashes.tolist() == [
        4076761697647349146,
        5321992171926296196,
        890365429864947610,
    ]


def test_characters() -> None:
    shingles = shingle(pl.Series(["Сәлем әлем", "ab", ""]), 5, "character")
    assert shingles.sizes.tolist() == [6, 1, 0]


def test_take() -> None:
    shingles = shingle(pl.Series(["a b c d e f", "", "g h", "i j k l m n o"]))
    chosen = np.array([3, 1, 0, 3])
    assert rows(shingles.take(chosen)) == [rows(shingles)[i] for i in chosen]


def test_width_is_checked() -> None:
    with pytest.raises(ValueError, match="width"):
        shingle(pl.Series(["a"]), 0)
