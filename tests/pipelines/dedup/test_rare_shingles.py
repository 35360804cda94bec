"""Similar documents of one template are found, and the cost is not quadratic."""

from __future__ import annotations

import itertools
import random
from pathlib import Path

import numpy as np
import polars as pl
from helpers import dedup_job
from hypothesis import given
from hypothesis import strategies as st

from pipelines.dedup import clusters, rare_shingles
from pipelines.text import shingles
from pipelines.text.ragged import offsets_of
from pipelines.text.shingles import Shingles, fmix64

SETS = st.lists(st.sets(st.integers(0, 40), max_size=20), min_size=2, max_size=12)


def sets_of(sets: list[set[int]]) -> Shingles:
    flat = np.array([h for one in sets for h in sorted(one)], np.uint64)
    return Shingles(flat, offsets_of(np.array([len(one) for one in sets], np.int64)))


@given(SETS, st.lists(st.sets(st.integers(0, 40)), max_size=5), st.sampled_from([0.5, 0.7, 0.9]))
def test_similar_sets_share_a_rare_shingle(
    sets: list[set[int]], sample: list[set[int]], threshold: float
) -> None:
    counted = rare_shingles.count_shingles(sets_of(sample).hashes)
    rare = rare_shingles.rarest_shingles(sets_of(sets), counted, threshold)
    parts = [set(p.tolist()) for p in np.split(rare.hashes, rare.offsets[1:-1])]
    for a, b in itertools.combinations(range(len(sets)), 2):
        either = len(sets[a] | sets[b])
        if either and len(sets[a] & sets[b]) / either >= threshold:
            assert parts[a] & parts[b]


def make_crowd(number: int) -> list[str]:
    """Return texts that share 69 of 100 words; each tenth is a copy with a few words changed."""
    draw = random.Random(7)
    template = [f"form{n}" for n in range(69)]
    texts: list[list[str]] = []
    for n in range(number):
        own = [f"o{draw.randrange(10**9)}" for _ in range(31)]
        if n % 10 == 9:
            own = texts[draw.randrange(n)][69:]
            for at in draw.sample(range(31), draw.randint(1, 3)):
                own[at] = f"o{draw.randrange(10**9)}"
        texts.append([*template, *own])
    return [" ".join(words) for words in texts]


def test_no_pair_of_a_template_is_lost(tmp_path: Path) -> None:
    texts = make_crowd(600)
    sets = shingles.shingle(pl.Series(texts))
    every = pl.DataFrame(
        list(itertools.combinations(range(len(texts)), 2)),
        {"left": pl.UInt64, "right": pl.UInt64},
        orient="row",
    )
    alike = clusters.jaccard(every, sets).filter(pl.col("similarity") >= 0.7)
    wanted = set(alike.select("left", "right").iter_rows())
    assert 50 < len(wanted) < 200
    counted = rare_shingles.count_shingles(sets.take(np.arange(200)).hashes)
    rare = rare_shingles.rarest_shingles(sets, counted.filter(pl.col("count") > 1), 0.7)
    docs = np.repeat(np.arange(len(texts), dtype=np.uint64), rare.sizes)
    pairs = clusters.candidate_pairs(pl.DataFrame({"key": rare.hashes, "doc": docs}))
    assert wanted <= set(pairs.iter_rows())
    assert pairs.height < 2 * len(wanted)
    # The job agrees: no two documents that stay are similar.
    named = {f"{n:032}": ("a", text) for n, text in enumerate(texts)}
    kept = {int(doc) for doc in dedup_job.run_dedup(tmp_path, named).kept}
    assert not {pair for pair in wanted if kept.issuperset(pair)}
    assert len(texts) - len(kept) <= 60


def test_keys_grow_with_the_documents_only() -> None:
    """Twenty thousand sets share 70 of 100 shingles."""
    number = 20_000
    own = fmix64(np.arange(number * 30, dtype=np.uint64)).reshape(number, 30) >> np.uint64(1)
    template = fmix64(np.arange(1 << 40, (1 << 40) + 70, dtype=np.uint64)) >> np.uint64(1)
    hashes = np.sort(np.hstack([own, np.tile(template, (number, 1))]), axis=1)
    sets = Shingles(hashes.ravel(), offsets_of(np.full(number, 100)))
    counted = rare_shingles.count_shingles(sets.take(np.arange(1000)).hashes).filter(
        pl.col("count") > 1
    )
    rare = rare_shingles.rarest_shingles(sets, counted, 0.7)
    assert len(rare.hashes) <= 31 * number
    docs = np.repeat(np.arange(number, dtype=np.uint64), rare.sizes)
    assert clusters.candidate_pairs(pl.DataFrame({"key": rare.hashes, "doc": docs})).height == 0
