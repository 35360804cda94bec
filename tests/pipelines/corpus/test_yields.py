"""Yields are written into a release's manifest and read back."""

from __future__ import annotations

import json

import polars as pl
import pytest
from helpers.yield_counts import make_yields

from pipelines.corpus import yields


def test_yields_are_read_back() -> None:
    one = make_yields(("a", "kk", 1, 2, 3), ("a", None, 0, 1, 0), dedup=(4, 2))
    back = yields.from_json(json.loads(json.dumps(one.as_json())))
    assert back is not None and back.stages == one.stages
    assert back.cells.sort(pl.all()).equals(one.cells.sort(pl.all()))


@pytest.mark.parametrize("value", [None, {}, [], {"stages": 1, "sources": []}, {"sources": "x"}])
def test_values_that_are_not_yields_are_none(value: object) -> None:
    assert yields.from_json(value) is None
