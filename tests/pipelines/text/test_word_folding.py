"""Folding by the table gives the same words as the rules."""

from __future__ import annotations

import re
import unicodedata

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.text import shingles, views, word_folding

LETTERS = (
    "aceopxyABEСаеорхуіІёЁșȘţŢıİiΣςσøßǅ\u0307\u0308\u0301\u0327\u00ad\u200b'’ʻ`-–—.,%«»\"()12٣²№"
    "\u00a0\u2009\u3000\u0085\x1c\x00가ᄀ\u1161漢ﬁ😀क्षि_"
)
PIECES = st.lists(
    st.one_of(st.text(LETTERS, max_size=12), st.text(max_size=8)).map(
        lambda text: text.replace(" ", "")
    ),
    max_size=20,
)


@given(PIECES)
def test_words_are_folded_by_the_rules(pieces: list[str]) -> None:
    folded, each = word_folding.fold_vocabulary(
        pl.Series([p + " " for p in pieces], dtype=pl.String)
    )
    split = [re.split("[" + "".join(word_folding.SPACES) + "]", piece) for piece in pieces]
    assert each.tolist() == [len(words) for words in split]
    raw = pl.Series([word for words in split for word in words], dtype=pl.String)
    assert folded.to_list() == views.fold_words(raw).to_list()


def test_each_letter_of_the_table() -> None:
    """The letter alone, and at both ends of a word."""
    letters = [chr(c) for c in range(0x3100) if chr(c) not in word_folding.SPACES]
    raw = pl.Series([form for c in letters for form in (c, f"{c}б{c}", f"b{c}{c}")])
    assert word_folding.fold_vocabulary(raw + " ")[0].to_list() == views.fold_words(raw).to_list()


def test_letters_that_compose_are_folded_by_the_rules() -> None:
    """Canonical compositions end in a letter that the table does not fold alone."""
    for code in range(0x110000):
        parts = unicodedata.decomposition(chr(code)).split()
        if len(parts) == 2 and not parts[0].startswith("<"):
            assert int(parts[1], 16) > 0x3000 or word_folding._depends(chr(int(parts[1], 16)))


def test_long_runs_of_punctuation() -> None:
    folded, _ = word_folding.fold_vocabulary(pl.Series(["-" * 10**6 + "а" + "—" * 10**6 + " "]))
    assert folded.to_list() == ["-" * 10**6 + "а"]


@pytest.mark.parametrize("block", [1, 7, 40])
def test_shingles_do_not_depend_on_blocks(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = pl.Series(["", " ".join(map(str, range(30))), "a b", "", "c", "d e f g h i j", ""])
    expected = shingles.shingle(texts)
    monkeypatch.setattr(shingles, "_BLOCK", block)
    blocked = shingles.shingle(texts)
    assert np.array_equal(blocked.hashes, expected.hashes)
    assert np.array_equal(blocked.offsets, expected.offsets)
