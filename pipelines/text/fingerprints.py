"""Fingerprints of released texts, by which a passage or a near-duplicate is found again.

Fingerprints are chosen among the five-word shingles of a text (`pipelines.text.shingles`).  They are
the least shingle of each window of `WINDOW` shingles (winnowing: Schleimer, Wilkerson, Aiken 2003),
and the `LEAST` least shingles of the whole text (a bottom-k sketch: Broder 1997).

* A passage of `PASSAGE` = `WINDOW` + 4 words that two texts share, in the key view, is a whole
  window of each.  Its least shingle is a fingerprint of both, so it is always found.
* If the shingles of two texts have the Jaccard similarity s, the texts share one of their `LEAST`
  least shingles with a probability of about 1 - (1 - s)**LEAST: 0.99998 at 0.75.
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
    """Return the fingerprints of each text, ascending and distinct; none for a text without words."""
    hashes, offsets = shingles.shingle_sequence(texts, WIDTH)
    return select(hashes, offsets)


def select(hashes: U64, offsets: I64) -> Shingles:
    """Select the fingerprints among shingles.

    Args:
      hashes: shingles in the order of their texts.
      offsets: document i has hashes[offsets[i]:offsets[i + 1]].
    """
    owner = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    chosen = [_bottom_k(owner, hashes)]
    if len(hashes) >= WINDOW:
        last = len(hashes) - WINDOW + 1
        inside = owner[:last] == owner[WINDOW - 1 :]
        chosen.append(
            pl.DataFrame(
                {"row": owner[:last][inside], "key": window_minima(hashes, WINDOW)[inside]}
            )
        )
    selected = pl.concat(chosen).unique().sort("row", "key")
    sizes = np.bincount(selected["row"].to_numpy(), minlength=len(offsets) - 1)
    return Shingles(selected["key"].to_numpy(), np.concatenate([[0], np.cumsum(sizes)]))


def document_fingerprints(texts: pl.DataFrame) -> pl.DataFrame:
    """Return a row of doc_id and `key` (u64) per fingerprint.

    Args:
      texts: doc_id, text.
    """
    prints = text_fingerprints(texts["text"])
    rows = np.repeat(np.arange(len(prints)), prints.sizes)
    return texts.select(pl.col("doc_id").gather(rows)).with_columns(key=pl.Series(prints.hashes))


def _bottom_k(owner: I64, hashes: U64) -> pl.DataFrame:
    """Return the `LEAST` least distinct hashes of each document, as row and key."""
    pairs = pl.DataFrame({"row": owner, "key": hashes}, {"row": pl.Int64, "key": pl.UInt64})
    ordered = pairs.unique().sort("row", "key")
    return ordered.filter(pl.int_range(pl.len()).over("row") < LEAST)


def window_minima(values: U64, width: int) -> U64:
    """Return the least value of each window of `width` values, by doubling."""
    least, size = values, 1
    while size * 2 <= width:
        least, size = np.minimum(least[:-size], least[size:]), size * 2
    rest = width - size
    return np.minimum(least[:-rest], least[rest:]) if rest else least


def common_run(left: U64, right: U64) -> tuple[int, int, int]:
    """Find the longest run of shingles that two texts share in the same order.

    Returns:
      Its length in shingles (0: none), and its start in each text.
    """
    a, b = (
        pl.DataFrame({"key": side, "at": np.arange(len(side))}, {"key": pl.UInt64, "at": pl.Int64})
        # A shingle that occurs hundreds of times would give too many pairs with itself.
        .filter(pl.int_range(pl.len()).over("key") < 64)
        for side in (left, right)
    )
    pairs = a.join(b, on="key").select("at", "at_right", shift=pl.col("at_right") - pl.col("at"))
    if pairs.is_empty():
        return 0, 0, 0
    runs = pairs.sort("shift", "at").with_columns(
        run=(pl.col("at") - pl.int_range(pl.len())).over("shift")
    )
    longest = (
        runs.group_by("shift", "run")
        .agg(pl.len(), pl.col("at").min(), pl.col("at_right").min())
        .sort("len", "at", "at_right", descending=[True, False, False])
        .row(0, named=True)
    )
    return longest["len"], longest["at"], longest["at_right"]
