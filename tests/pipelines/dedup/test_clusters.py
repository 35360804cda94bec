from __future__ import annotations

import itertools
import random as stdlib_random

import numpy as np
import polars as pl
import pytest
from helpers.commands import SHARED
from hypothesis import given
from hypothesis import strategies as st

from pipelines.dedup.clusters import (
    anchor_pairs,
    candidate_pairs,
    choose_survivors,
    jaccard,
    label_components,
)
from pipelines.text.minhash import band_keys, signatures
from pipelines.text.shingles import Shingles, shingle

NEAR_DUPLICATES = SHARED / "data/near-duplicates"
EDGES = st.lists(
    st.tuples(st.integers(0, 15), st.integers(0, 15), st.integers(70, 100)), max_size=40
)


def make_keys(buckets: dict[int, list[int]]) -> pl.DataFrame:
    rows = [(key, doc) for key, docs in buckets.items() for doc in docs]
    return pl.DataFrame(rows, {"key": pl.UInt64, "doc": pl.UInt64}, orient="row")


def make_edges(rows: list[tuple[int, int, int]]) -> pl.DataFrame:
    schema = {"left": pl.UInt64, "right": pl.UInt64, "similarity": pl.Float64}
    return pl.DataFrame([(a, b, s / 100) for a, b, s in rows if a != b], schema, orient="row")


def make_ranks(ranks: list[int]) -> pl.DataFrame:
    return pl.DataFrame(
        {"doc": range(len(ranks)), "rank": ranks}, {"doc": pl.UInt64, "rank": pl.Int64}
    )


def make_texts(number: int) -> list[str]:
    """Return families of texts that share much or little."""
    random = stdlib_random.Random(5)
    result: list[str] = []
    while len(result) < number:
        words = [f"w{random.randrange(3000)}" for _ in range(random.randrange(3, 90))]
        for _ in range(random.randrange(1, 6)):
            changed = list(words)
            for _ in range(random.randrange(0, 5)):
                changed[random.randrange(len(words))] = f"w{random.randrange(3000)}"
            result.append(" ".join(changed))
    return result[:number]


def make_bands(shingles: Shingles, bands: int, rows: int) -> pl.DataFrame:
    keys = band_keys(signatures(shingles, bands * rows), bands, rows)
    docs = np.repeat(np.arange(len(shingles), dtype=np.uint64), bands)
    return pl.DataFrame({"key": keys.ravel(), "doc": docs})


def as_sets(shingles: Shingles) -> list[set[int]]:
    parts = np.split(shingles.hashes, shingles.offsets[1:-1])
    return [set(part.tolist()) for part in parts]


# Pairs


@given(
    st.dictionaries(st.integers(0, 9), st.lists(st.integers(0, 30), max_size=25)),
    st.integers(0, 40),
)
def test_small_buckets_give_all_pairs(buckets: dict[int, list[int]], hot: int) -> None:
    expected = {
        p for docs in buckets.values() for p in itertools.combinations(sorted(set(docs)), 2)
    }
    assert candidate_pairs(make_keys(buckets), hot=31).rows() == sorted(expected)
    fewer = candidate_pairs(make_keys(buckets), hot=hot)
    assert set(fewer.rows()) <= expected
    joined = label_components(candidate_pairs(make_keys(buckets)))
    assert label_components(fewer).equals(joined), "hot buckets stay connected"


def test_a_million_keys_of_identical_documents() -> None:
    documents = np.tile(np.arange(100_000, dtype=np.uint64), 10)
    keys = pl.DataFrame(
        {"key": np.repeat(np.arange(10, dtype=np.uint64), 100_000), "doc": documents}
    )
    pairs = candidate_pairs(keys)
    assert len(pairs) == 2 * 99_999 - 1
    found = label_components(pairs)
    assert len(found) == 100_000 and found["component"].unique().to_list() == [0]
    decided = choose_survivors(pairs.with_columns(similarity=1.0), make_ranks([0] * 100_000))
    assert decided["kept"].unique().to_list() == [0]


@pytest.mark.parametrize("shape", ["star", "chain"])
def test_long_chains_and_stars(shape: str) -> None:
    right = np.arange(1, 100_000, dtype=np.uint64)
    left = np.zeros_like(right) if shape == "star" else right - np.uint64(1)
    edges = pl.DataFrame({"left": left, "right": right, "similarity": np.full(99_999, 0.9)})
    assert label_components(edges)["component"].unique().to_list() == [0]
    kept = choose_survivors(edges, make_ranks([0] * 100_000))["kept"].n_unique()
    assert kept == (1 if shape == "star" else 50_000)


# Measure


def test_edges_equal_brute_force() -> None:
    shingles = shingle(pl.Series(make_texts(500)))
    sets = as_sets(shingles)
    expected = {
        (i, j): len(a & b) / len(a | b)
        for (i, a), (j, b) in itertools.combinations(enumerate(sets), 2)
        if len(a & b) / len(a | b) >= 0.7
    }
    keys = make_bands(shingles, 40, 4)
    found = jaccard(candidate_pairs(keys), shingles).filter(pl.col("similarity") >= 0.7)
    assert len(expected) > 100
    assert {(a, b): s for a, b, s, _ in found.rows()} == expected


@given(
    st.lists(
        st.sets(st.integers(0, (1 << 63) - 1) | st.integers(0, 12), max_size=12),
        min_size=1,
        max_size=8,
    ),
    st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=20),
    st.integers(1, 30),
)
def test_jaccard_equals_python_sets(
    sets: list[set[int]], wanted: list[tuple[int, int]], chunk: int
) -> None:
    offsets = np.cumsum([0, *map(len, sets)], dtype=np.int64)
    shingles = Shingles(np.array([h for s in sets for h in sorted(s)], np.uint64), offsets)
    docs = np.arange(len(sets), dtype=np.uint64) * np.uint64(1 << 40)
    rows = [(a % len(sets), b % len(sets)) for a, b in wanted]
    schema = {"left": pl.UInt64, "right": pl.UInt64}
    pairs = pl.DataFrame([(a << 40, b << 40) for a, b in rows], schema, orient="row")
    found = jaccard(pairs, shingles, docs, chunk)
    for (a, b), (_, _, similarity, containment) in zip(rows, found.rows(), strict=True):
        shared = len(sets[a] & sets[b])
        assert similarity == (shared / len(sets[a] | sets[b]) if shared else 0)
        assert containment == (shared / min(len(sets[a]), len(sets[b])) if shared else 0)


def test_unknown_documents_are_refused() -> None:
    pairs = pl.DataFrame({"left": [1], "right": [5]}, {"left": pl.UInt64, "right": pl.UInt64})
    with pytest.raises(KeyError):
        jaccard(pairs, shingle(pl.Series(["a", "b"])), np.array([1, 2], np.uint64))


@pytest.mark.skipif(not NEAR_DUPLICATES.is_dir(), reason="needs the planted pairs")
@pytest.mark.parametrize("number", [100, 1000])
def test_planted_pairs_and_nothing_else(number: int) -> None:
    lines = (NEAR_DUPLICATES / f"articles_{number}.train").read_text("utf-8").splitlines()
    names, articles = zip(*(line.split(" ", 1) for line in lines), strict=True)
    planted = (NEAR_DUPLICATES / f"articles_{number}.truth").read_text("utf-8").splitlines()
    shingles = shingle(pl.Series(articles))
    keys = make_bands(shingles, 26, 5)
    found = jaccard(candidate_pairs(keys), shingles).filter(pl.col("similarity") >= 0.7)
    pairs = {frozenset((names[a], names[b])) for a, b in found.select("left", "right").rows()}
    assert pairs == {frozenset(line.split()) for line in planted if line.strip()}


# Clusters


def reference_survivors(edges: pl.DataFrame, ranks: list[int]) -> dict[int, int]:
    """Keep the best document, remove its neighbours, repeat on the rest."""
    rest = {tuple(sorted(e)) for e in edges.select("left", "right").rows()}
    nodes, kept = {n for e in rest for n in e}, set()
    removed: dict[int, set[int]] = {}
    while nodes:
        best = min(nodes, key=lambda n: (ranks[n], n))
        kept.add(best)
        near = {n for e in rest if best in e for n in e} & nodes - {best}
        for n in near:
            removed.setdefault(n, set()).add(best)
        nodes -= near | {best}
    every = {n: {k for e in rest if n in e for k in e if k in kept} for n in removed}
    best_of = {n: min(ks, key=lambda k: (ranks[k], k)) for n, ks in every.items()}
    return best_of | {k: k for k in kept}


@given(
    EDGES, st.lists(st.integers(0, 5), min_size=16, max_size=16), st.randoms(use_true_random=False)
)
def test_survivors_equal_the_reference(
    rows: list[tuple[int, int, int]], ranks: list[int], random: stdlib_random.Random
) -> None:
    edges, rank = make_edges(rows), make_ranks(ranks)
    decided = choose_survivors(edges, rank)
    assert dict(decided.select("doc", "kept").rows()) == reference_survivors(edges, ranks)
    measured: dict[tuple[int, int], float] = {}
    for a, b, s in edges.rows():
        measured[min(a, b), max(a, b)] = max(s, measured.get((min(a, b), max(a, b)), 0))
    for doc, kept, similarity in decided.rows():
        expected = None if doc == kept else measured[min(doc, kept), max(doc, kept)]
        assert similarity == expected
    mixed = [(b, a, s) if random.random() < 0.5 else (a, b, s) for a, b, s in rows]
    random.shuffle(mixed)
    assert choose_survivors(make_edges(mixed), rank.sample(fraction=1, shuffle=True)).equals(
        decided
    )
    assert label_components(make_edges(mixed)).equals(label_components(edges))


@given(EDGES)
def test_components_equal_the_reference(rows: list[tuple[int, int, int]]) -> None:
    label = {n: n for a, b, _ in rows if a != b for n in (a, b)}
    for _ in label:
        for a, b, _ in rows:
            if a != b:
                label[a] = label[b] = min(label[a], label[b])
    assert label_components(make_edges(rows)).rows() == sorted(label.items())


def test_anchors_let_the_best_ranked_keep_a_hot_bucket() -> None:
    pairs = candidate_pairs(make_keys({1: list(range(100))}))
    rank = make_ranks([*range(100, 1, -1), 0])  # the last is best, the star's centre is the first
    assert choose_survivors(pairs.with_columns(similarity=1.0), rank)["kept"].n_unique() > 1
    texts = rank.select("rank", text="doc", component=pl.lit(7, pl.UInt64))
    more = anchor_pairs(pairs, texts)
    assert len(more) <= 99 and more["right"].unique().to_list() == [99]
    every = pl.concat([pairs, more.drop("component")]).with_columns(similarity=1.0)
    assert choose_survivors(every, rank)["kept"].unique().to_list() == [99]


def test_survivors_need_ranks() -> None:
    with pytest.raises(KeyError, match="1 documents"):
        choose_survivors(make_edges([(0, 1, 90)]), make_ranks([0]))
