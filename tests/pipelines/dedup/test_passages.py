"""Repeated passages, compared with a reference that examines each pair of occurrences."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.dedup import passages
from pipelines.text import ragged, shingles

Run = tuple[int, int, int, int]  # document, place, the document that keeps it, place there


def reference(texts: list[list[str]], least: int) -> tuple[set[Run], set[Run]]:
    """Return the repeated runs and the removed runs; the texts are sorted by right."""
    places = defaultdict(list)
    for doc, text in enumerate(texts):
        for at in range(len(text) - least + 1):
            places[tuple(text[at : at + least])].append((doc, at))
    repeated = {
        (doc, at, *first)
        for first, *others in places.values()
        for doc, at in others
        if doc != first[0] or at - first[1] >= least
    }
    lost = {(doc, at + n) for doc, at, _, _ in repeated for n in range(least)}
    gone = {r for r in repeated if not any((r[2], r[3] + n) in lost for n in range(least))}
    return repeated, gone


def stretches(texts: list[list[str]], least: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return runs by stretches, and seeds, as the job does; the texts are sorted by right."""
    words = shingles.words(pl.Series([" ".join(t) for t in texts], dtype=pl.String))
    found = passages.word_runs(words, least)
    docs = pl.Series(found.piece.astype(np.uint64))
    rows = {
        "key": found.key,
        "doc": docs,
        "start": found.at[found.first[:-1]] - words.offsets[found.piece],
        "runs": ragged.lists(found.hashes, found.first),
    }
    return pl.DataFrame(rows), passages.run_seeds(found, docs, least)


def matched(texts: list[list[str]], least: int, chunk: int = 1 << 22) -> pl.DataFrame:
    rows, seeds = stretches(texts, least)
    wanted = rows.join(passages.repeated_seeds(seeds), on=["key", "doc"], how="semi")
    about = wanted.with_columns(
        right=pl.col("doc").cast(pl.Int64),
        quality=pl.lit(None, pl.Float64),
        captured_at=pl.lit(None, pl.String),
        doc_id=pl.col("doc").cast(pl.String),
    )
    # Keys are spread over partitions like this.
    partitions = [
        passages.match_runs(about.filter(pl.col("key") % 2 == n), least, chunk) for n in (0, 1)
    ]
    return passages.merge_matches(pl.concat(partitions))


def each(found: pl.DataFrame) -> list[Run]:
    return [
        (doc, start + n, kept, kept_start + n)
        for doc, start, runs, kept, kept_start in found.iter_rows()
        for n in range(runs)
    ]


def words(alphabet: str, size: int = 40) -> st.SearchStrategy[list[list[str]]]:
    return st.lists(st.lists(st.sampled_from(alphabet), max_size=size), max_size=8)


@settings(max_examples=200)
@given(st.one_of(words("ab"), words("abcdefgh", 60)), st.integers(1, 9), st.integers(1, 99))
def test_the_same_runs_as_the_reference(texts: list[list[str]], least: int, chunk: int) -> None:
    found = matched(texts, least, chunk)
    repeated, gone = reference(texts, least)
    runs = each(found)
    assert len(runs) == len(set(runs)) and set(runs) == repeated
    left = each(passages.intact_matches(found, passages.repeated_spans(found, least), least))
    assert len(left) == len(set(left)) and set(left) == gone


@settings(max_examples=100)
@given(words("abc"), st.integers(2, 6))
def test_a_removed_passage_is_complete_in_its_keeper(texts: list[list[str]], least: int) -> None:
    found = matched(texts, least)
    left = passages.intact_matches(found, passages.repeated_spans(found, least), least)
    lost = {
        (doc, word)
        for doc, start, end in passages.repeated_spans(left, least).iter_rows()
        for word in range(start, end)
    }
    for doc, start, kept, kept_start in each(left):
        assert texts[doc][start : start + least] == texts[kept][kept_start : kept_start + least]
        assert not any((kept, kept_start + n) in lost for n in range(least))
        assert (kept, kept_start) < (doc, start)


@settings(max_examples=200)
@given(st.one_of(words("ab", 80), words("abc", 80)), st.integers(1, 9))
def test_fewer_matches_cover_the_same_words(texts: list[list[str]], least: int) -> None:
    repeated = matched(texts, least)
    found = passages.intact_matches(repeated, passages.repeated_spans(repeated, least), least)
    left = passages.thin_matches(found, least)
    assert set(each(left)) <= set(each(found))
    for pair in found.select("doc", "kept").unique().iter_rows():
        of_pair = (pl.col("doc") == pair[0]) & (pl.col("kept") == pair[1])
        both = [passages.repeated_spans(one.filter(of_pair), least) for one in (found, left)]
        assert both[0].rows() == both[1].rows()
        compared = left.filter(of_pair).select(pl.col("runs") + least - 1).sum().item()
        assert compared <= 3 * len(texts[pair[0]]) + 2 * least


@given(st.lists(st.integers(0, 2**64 - 1), max_size=50), st.integers(1, 12))
def test_equal_windows_have_equal_hashes(values: list[int], width: int) -> None:
    doubled = np.array(values + values, np.uint64)
    found = passages.rolling_hashes(doubled, width)
    assert len(found) == max(0, len(doubled) - width + 1)
    number = max(0, len(values) - width + 1)
    assert (found[:number] == found[len(values) : len(values) + number]).all()
    windows = {tuple(doubled[n : n + width].tolist()) for n in range(len(found))}
    assert len(windows) == len(set(found.tolist()))


def test_few_seeds_per_word() -> None:
    texts = [[f"w{(n * n + doc) % 99991}" for n in range(doc, doc + 500)] for doc in range(40)]
    found, seeds = stretches(texts, 50)
    assert seeds.height / sum(map(len, texts)) < 2.3 / (50 - 50 // 3 + 2)
    assert found["runs"].list.len().sum() == 40 * 451


@pytest.mark.parametrize("texts", [[], [[]], [["a", "b", "c"]], [["a"] * 3, ["a"] * 3]])
def test_too_short_for_a_run(texts: list[list[str]]) -> None:
    assert all(one.is_empty() for one in stretches(texts, 50))


def test_a_text_of_one_repeated_word_gives_few_rows() -> None:
    texts = [["a"] * 100_000]
    assert stretches(texts, 50)[1].height == 2
    found = matched(texts, 50)
    assert found.rows() == [(0, n, 1, 0, 0) for n in range(50, 99_951)]
    assert passages.thin_matches(found, 50).height <= 2 * 100_000 / 50


def test_a_passage_of_many_documents_gives_a_row_each() -> None:
    """Rows grow in proportion to the documents."""
    passage = [f"p{n}" for n in range(60)]
    texts = [[f"a{n}", *passage, f"b{n}"] for n in range(10_000)]
    found = matched(texts, 50)
    assert found.select("doc", "start", "runs", "kept", "kept_start").rows() == [
        (n, 1, 11, 0, 1) for n in range(1, 10_000)
    ]
