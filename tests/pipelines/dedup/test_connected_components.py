"""Components by rounds of stars equal those of one worker, for any rounds and partitions."""

from __future__ import annotations

import apache_beam as beam
import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.testing.util import assert_that
from hypothesis import given
from hypothesis import strategies as st

from pipelines.dedup import clusters
from pipelines.dedup.connected_components import (
    ConnectedComponents,
    attach_leaves,
    in_both_directions,
    large_star,
    peel_leaves,
    rounds_needed,
    scramble,
    small_star,
    unscramble,
)
from pipelines.engine import batches

EDGES = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), max_size=60)


def scramble_edges(left: np.ndarray, right: np.ndarray) -> pl.DataFrame:
    return in_both_directions(pl.DataFrame({"doc": scramble(left), "other": scramble(right)}))


def split(edges: pl.DataFrame, partitions: int) -> list[pl.DataFrame]:
    part = pl.Series(edges["doc"].to_numpy() % np.uint64(partitions))
    return [edges.filter(part == p) for p in range(partitions)]


def run_round(edges: pl.DataFrame, partitions: int) -> pl.DataFrame:
    """Compute a round; each worker knows only its own documents."""
    large = pl.concat([large_star(part) for part in split(edges, partitions)])
    return in_both_directions(pl.concat([small_star(part) for part in split(large, partitions)]))


def solve(edges: pl.DataFrame, partitions: int) -> tuple[pl.DataFrame, int]:
    """Return the labels after the rounds, and the size of the core."""
    peeled = [peel_leaves(part) for part in split(edges, partitions)]
    leaves, core = (pl.concat(parts) for parts in zip(*peeled, strict=True))
    solved = clusters.label_components(core.rename({"doc": "left", "other": "right"}))
    return attach_leaves(leaves, solved), core.height


def groups(found: pl.DataFrame) -> set[frozenset[int]]:
    assert found["doc"].is_unique().all()
    return {frozenset(g["doc"]) for _, g in found.group_by("component")}


@given(EDGES, st.integers(0, 4), st.integers(1, 5), st.randoms(use_true_random=False))
def test_any_number_of_rounds_gives_the_components(rows, rounds, partitions, random) -> None:
    some = [(a, b) for a, b in rows if a != b]
    frame = pl.DataFrame(some, {"left": pl.UInt64, "right": pl.UInt64}, orient="row")
    edges = scramble_edges(frame["left"].to_numpy(), frame["right"].to_numpy())
    for _ in range(rounds):
        edges = run_round(edges, partitions)
    found, _ = solve(edges, partitions)
    plain = found.select(doc=pl.Series(unscramble(found["doc"])), component="component")
    assert groups(plain) == groups(clusters.label_components(frame))
    shuffled = frame.sample(fraction=1, shuffle=True, seed=random.randrange(99))
    again = scramble_edges(shuffled["right"].to_numpy(), shuffled["left"].to_numpy())
    for _ in range(rounds):
        again = run_round(again, 1)
    if rounds:  # the identity too does not depend on order or workers
        assert solve(again, 3)[0].sort("doc").equals(found.sort("doc"))


@pytest.mark.parametrize("shape", ["chain", "star"])
def test_a_million_links(shape: str) -> None:
    right = np.arange(1, 1_000_001, dtype=np.uint64)
    left = np.zeros_like(right) if shape == "star" else right - np.uint64(1)
    edges = scramble_edges(left, right)
    for _ in range(rounds_needed(1_000_001, core=100_000)):
        edges = run_round(edges, 2)
    found, core = solve(edges, 2)
    assert core < 100_000
    assert len(found) == 1_000_001 and found["component"].n_unique() == 1


def test_how_many_rounds_are_needed() -> None:
    assert rounds_needed(1) == rounds_needed(4_000_000) == 0
    assert rounds_needed(10**9) == 8 and rounds_needed(10**10) == 12


def test_scrambling_is_undone() -> None:
    docs = np.array([0, 1, (1 << 64) - 1, 1 << 32], np.uint64)
    assert unscramble(scramble(docs)).tolist() == docs.tolist()


@pytest.mark.parametrize(("partitions", "rounds"), [(1, 0), (4, 0), (3, 1), (4, 3)])
def test_as_beam(partitions: int, rounds: int) -> None:
    draw = np.random.default_rng(3)
    frame = pl.DataFrame({"left": draw.integers(0, 300, 200), "right": draw.integers(0, 300, 200)})
    frame = frame.cast(pl.UInt64).filter(pl.col("left") != pl.col("right"))
    wanted = groups(clusters.label_components(frame))

    def same(found: list[tuple[int, pa.RecordBatch]]) -> None:
        assert groups(batches.frame(batch for _, batch in found)) == wanted

    with beam.Pipeline(FnApiRunner()) as pipeline:
        edges = [batch for some in frame.iter_slices(50) for batch in batches.record_batches(some)]
        found = (
            pipeline
            | beam.Create(edges).with_output_types(pa.RecordBatch)
            | ConnectedComponents(partitions, rounds)
        )
        assert_that(found, same)


def test_no_edges() -> None:
    nothing = scramble_edges(np.array([], np.uint64), np.array([], np.uint64))
    assert solve(run_round(nothing, 2), 2)[0].is_empty()
