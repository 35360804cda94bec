"""The guard against one source swallowing another."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from pipelines.dedup import source_loss_guard
from pipelines.engine import shards
from schemas.sections import GuardParams
from schemas.tables import DUPLICATES

GUARD = GuardParams(max_source_loss=0.4, min_source_loss=10)
BEFORE = {"a": 100, "b": 20, "c": 1000}


def found(lost: dict[str, int], guard: GuardParams = GUARD) -> list[tuple[str, str]]:
    return [(one.loser, one.keeper) for one in source_loss_guard.losses(lost, BEFORE, guard)]


def test_share_and_least_count() -> None:
    assert found({"a > c": 41, "b > c": 9, "c > a": 400}) == [("a", "c")]
    assert found({"a > c": 40}) == []
    assert found({"a > c": 41, "b > a": 20}) == [("b", "a"), ("a", "c")]
    assert found({}) == []


def test_what_was_looked_at_may_go() -> None:
    meant = GuardParams(max_source_loss=0.4, min_source_loss=10, accept_source_loss=("a > c",))
    assert found({"a > c": 41, "b > c": 15}, meant) == [("b", "c")]


def test_counted() -> None:
    gone = pl.DataFrame({"source_id": ["a", "a", "b", "a"], "kept_source_id": ["c", "c", "b", "b"]})
    assert source_loss_guard.counted(gone).to_list() == ["a > c", "a > c", "a > b"]


def test_the_message_names_sources_counts_and_five_pairs(tmp_path: Path) -> None:
    rows = [(f"g{n}", "k", "k", "near", 0.7 + n / 100, "CC0-1.0", "a") for n in range(8)]
    rows += [("k", "k", "k", "exact", 1.0, "CC0-1.0", "c"), ("x", "y", "y", "near", 0.9, "", "a")]
    rows += [("y", "y", "y", "exact", 1.0, "", "b")]
    state = shards.State(str(tmp_path))
    table = pl.DataFrame(rows, DUPLICATES.names, orient="row").to_arrow().cast(DUPLICATES)
    state.write("duplicates", "s", table)
    losses = source_loss_guard.losses({"a > c": 41}, BEFORE, GUARD)
    told = source_loss_guard.message(state, losses, GUARD).split("\n")
    assert told[0].startswith("dedup: a loses 41 of 100 documents (41%) to c")
    assert told[1:6] == [f"  g{n} is like k: {0.7 + n / 100:.3f}" for n in range(5)]
    assert '"a > c"' in told[6] and len(told) == 7
