"""Yields by source, language and stage, from a few numbers."""

from __future__ import annotations

import polars as pl

from pipelines.corpus import yields
from pipelines.corpus.yields import Yields


def make_yields(*cells: tuple[str, str | None, int, int, int], **stages: tuple[int, int]) -> Yields:
    """Cells (source, language, barred, seen, kept) and stages (seen, kept)."""
    names = ("source_id", "lang", *yields.COUNTS)
    schema = dict(zip(names, (pl.String, pl.String, *[pl.Int64] * 3), strict=True))
    return Yields(pl.DataFrame(list(cells), schema, orient="row"), stages)
