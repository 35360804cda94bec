"""Fingerprints of released texts: what a passage, or a near copy, is found by again.

The five-word shingles of a text (`pipelines.text.shingles`) stand in its order.  Of every window of
`WINDOW` of them the least is kept (winnowing: Schleimer, Wilkerson, Aiken 2003), and the `LEAST`
least of the whole text (a bottom-k sketch: Broder 1997).

* A passage of `PASSAGE` = `WINDOW` + 4 words that two texts share, by the key view of words, is one
  whole window of each: its least shingle is a fingerprint of both.  So it is found, always.
* Two texts whose shingles have the Jaccard similarity s share one of their `LEAST` least with a
  probability of about 1 - (1 - s)**LEAST: 0.99998 at 0.75.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl

from pipelines.text import shingles
from pipelines.text.ragged import I64
from pipelines.text.shingles import U64, Shingles

WIDTH: Final = 5
WINDOW: Final = 46
PASSAGE: Final = WINDOW + WIDTH - 1
LEAST: Final = 8
ALGORITHM: Final = f"winnow-{WINDOW}-least-{LEAST}/{shingles.ALGORITHM}"


def text_fingerprints(texts: pl.Series) -> Shingles:
    """The fingerprints of each text: ascending and distinct; none of a text without words."""
    hashes, offsets = shingles.shingle_sequence(texts, WIDTH)
    return select(hashes, offsets)


def select(hashes: U64, offsets: I64) -> Shingles:
    """The fingerprints among shingles that stand in the order of their texts: of document i,
    hashes[offsets[i]:offsets[i + 1]]."""
    owner = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    chosen = [_least(owner, hashes)]
    if len(hashes) >= WINDOW:
        last = len(hashes) - WINDOW + 1
        inside = owner[:last] == owner[WINDOW - 1 :]
        chosen.append(
            pl.DataFrame(
                {"row": owner[:last][inside], "key": window_minima(hashes, WINDOW)[inside]}
            )
        )
    found = pl.concat(chosen).unique().sort("row", "key")
    sizes = np.bincount(found["row"].to_numpy(), minlength=len(offsets) - 1)
    return Shingles(found["key"].to_numpy(), np.concatenate([[0], np.cumsum(sizes)]))


def document_fingerprints(texts: pl.DataFrame) -> pl.DataFrame:
    """doc_id, text -> a row of doc_id and `key` (u64) per fingerprint."""
    found = text_fingerprints(texts["text"])
    rows = np.repeat(np.arange(len(found)), found.sizes)
    return texts.select(pl.col("doc_id").gather(rows)).with_columns(key=pl.Series(found.hashes))


def _least(owner: I64, hashes: U64) -> pl.DataFrame:
    """The least distinct hashes of each document."""
    pairs = pl.DataFrame({"row": owner, "key": hashes}, {"row": pl.Int64, "key": pl.UInt64})
    ordered = pairs.unique().sort("row", "key")
    return ordered.filter(pl.int_range(pl.len()).over("row") < LEAST)


def window_minima(values: U64, width: int) -> U64:
    """The least value of each window, by doubling."""
    least, size = values, 1
    while size * 2 <= width:
        least, size = np.minimum(least[:-size], least[size:]), size * 2
    rest = width - size
    return np.minimum(least[:-rest], least[rest:]) if rest else least


def common_run(left: U64, right: U64) -> tuple[int, int, int]:
    """The longest run of shingles that two texts share in the same order.

    Returns:
      its length in shingles (0: none), and where it starts in each.
    """
    a, b = (
        pl.DataFrame({"key": side, "at": np.arange(len(side))}, {"key": pl.UInt64, "at": pl.Int64})
        # a shingle that stands in a text hundreds of times would be paired with itself too often
        .filter(pl.int_range(pl.len()).over("key") < 64)
        for side in (left, right)
    )
    met = a.join(b, on="key").select("at", "at_right", shift=pl.col("at_right") - pl.col("at"))
    if met.is_empty():
        return 0, 0, 0
    runs = met.sort("shift", "at").with_columns(
        run=(pl.col("at") - pl.int_range(pl.len())).over("shift")
    )
    longest = (
        runs.group_by("shift", "run")
        .agg(pl.len(), pl.col("at").min(), pl.col("at_right").min())
        .sort("len", "at", "at_right", descending=[True, False, False])
        .row(0, named=True)
    )
    return longest["len"], longest["at"], longest["at_right"]
