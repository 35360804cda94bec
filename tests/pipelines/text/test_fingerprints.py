"""Fingerprints: a passage of 50 words is always found again."""

from __future__ import annotations

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from pipelines.text import fingerprints, shingles
from pipelines.text.fingerprints import LEAST, PASSAGE, WIDTH, WINDOW

_words = st.lists(st.text("абвгдеж", min_size=1, max_size=2), max_size=120)

_passage = st.lists(st.text("klmn", min_size=1, max_size=3), min_size=PASSAGE, max_size=90)


def fingerprint_set(words: list[str]) -> set[int]:
    return set(fingerprints.text_fingerprints(pl.Series([" ".join(words)])).hashes.tolist())


@given(_words, _words, _words, _words, _passage)
def test_a_common_passage_is_always_found(
    a: list[str], b: list[str], c: list[str], d: list[str], passage: list[str]
) -> None:
    left, right = a + passage + b, c + ["?"] + [w.upper() + "," for w in passage] + d
    assert fingerprint_set(left) & fingerprint_set(right)
    sides = [shingles.shingle_sequence(pl.Series([" ".join(w)]))[0] for w in (left, right)]
    assert fingerprints.common_run(*sides)[0] + WIDTH - 1 >= min(len(passage), 64)


@given(st.lists(_words, max_size=5))
def test_results_do_not_depend_on_the_batch(texts: list[list[str]]) -> None:
    prints = fingerprints.text_fingerprints(
        pl.Series([" ".join(t) for t in texts], dtype=pl.String)
    )
    alone = [fingerprint_set(t) for t in texts]
    rows = zip(prints.offsets[:-1], prints.offsets[1:], strict=True)
    assert [set(prints.hashes[a:b].tolist()) for a, b in rows] == alone


@given(st.lists(st.integers(0, 1 << 62), max_size=200))
def test_fingerprints_are_window_minima_and_least_shingles(values: list[int]) -> None:
    hashes = np.array(values, np.uint64)
    prints = fingerprints.select(hashes, np.array([0, len(values)]))
    windows = range(len(values) - WINDOW + 1)
    minima = {min(values[i : i + WINDOW]) for i in windows}
    assert prints.hashes.tolist() == sorted(minima | set(sorted(set(values))[:LEAST]))


def test_density() -> None:
    draw = np.random.default_rng(1)
    hashes = draw.integers(0, 1 << 62, 100_000, dtype=np.uint64)
    prints = fingerprints.select(hashes, np.array([0, len(hashes)]))
    expected = 2 / (WINDOW + 1)  # Schleimer, Wilkerson, Aiken 2003, section 3
    assert abs(len(prints.hashes) / len(hashes) - expected) < 0.05 * expected


def test_texts_with_similar_shingles_share_a_fingerprint() -> None:
    draw = np.random.default_rng(2)
    missed = 0
    for _ in range(300):
        shared, own = draw.integers(0, 1 << 62, 60), draw.integers(0, 1 << 62, (2, 10))
        sides = [draw.permutation(np.concatenate([shared, side])) for side in own]  # s = 0.75
        prints = [
            set(fingerprints.select(s.astype(np.uint64), np.array([0, 70])).hashes.tolist())
            for s in sides
        ]
        missed += not prints[0] & prints[1]
    assert missed == 0


def test_texts_without_words_have_no_fingerprints() -> None:
    prints = fingerprints.text_fingerprints(pl.Series(["", "…", None], dtype=pl.String))
    assert prints.sizes.tolist() == [0, 0, 0]
    empty = fingerprints.document_fingerprints(pl.DataFrame({"doc_id": [b"x"], "text": ["…"]}))
    assert empty.is_empty() and empty.columns == ["doc_id", "key"]


def test_the_common_run_of_a_repeated_word_is_bounded() -> None:
    repeated = shingles.shingle_sequence(pl.Series(["so " * 100_000]))[0]
    assert fingerprints.common_run(repeated, repeated)[0] == 64
    assert fingerprints.common_run(repeated, repeated[:0]) == (0, 0, 0)
