"""The losses of one source to another are counted for the guard."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from pipelines.dedup import source_losses
from pipelines.engine import shards
from pipelines.engine.guard import Count, Shortfall
from schemas.tables import DUPLICATES


def test_each_document_that_another_source_keeps_is_named() -> None:
    gone = pl.DataFrame({"source_id": ["a", "a", "b", "a"], "kept_source_id": ["c", "c", "b", "b"]})
    assert source_losses.loss_names(gone).to_list() == ["a > c", "a > c", "a > b"]


def test_counts_are_of_the_source_that_loses() -> None:
    totals = {"source lost": {"a > c": 41, "b > a": 20}, "source before": {"a": 100, "b": 20}}
    assert [*source_losses.loss_counts(totals)] == [
        Count("loss", "a > c", 100, 59),
        Count("loss", "b > a", 20, 0),
    ]
    assert [*source_losses.loss_counts({})] == []


def test_the_five_least_similar_documents_are_examples(tmp_path: Path) -> None:
    rows = [(f"g{n}", "k", "k", "near", 0.7 + n / 100, "CC0-1.0", "a") for n in range(8)]
    rows += [("k", "k", "k", "exact", 1.0, "CC0-1.0", "c"), ("x", "y", "y", "near", 0.9, "", "a")]
    rows += [("y", "y", "y", "exact", 1.0, "", "b")]
    state = shards.State(str(tmp_path))
    table = pl.DataFrame(rows, DUPLICATES.names, orient="row").to_arrow().cast(DUPLICATES)
    state.write("duplicates", "s", table)
    found = Shortfall(Count("loss", "a > c", 100, 59), "max_source_loss")
    assert source_losses.loss_examples(state, found) == [
        f"g{n} is like k: {0.7 + n / 100:.3f}" for n in range(5)
    ]
