"""Ragged arrays: flat values in runs, where run i is values[offsets[i]:offsets[i + 1]]."""

from __future__ import annotations

from typing import cast

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

I64 = npt.NDArray[np.int64]


def ranges(starts: I64, sizes: I64) -> I64:
    """Return start, start + 1, … of each run of the given size, one run after another."""
    if sizes.max(initial=0) <= 1:
        return starts[sizes > 0]
    ends = np.cumsum(sizes)
    return np.repeat(starts - ends + sizes, sizes) + np.arange(ends[-1] if len(ends) else 0)


def offsets_of(sizes: npt.NDArray[np.generic]) -> I64:
    """Return the offsets of n runs of these sizes: n + 1 numbers."""
    offsets = np.zeros(len(sizes) + 1, np.int64)
    np.cumsum(sizes, out=offsets[1:])
    return offsets


def lists(flat: pa.Array | npt.NDArray[np.generic], offsets: I64) -> pl.Series:
    """Convert flat values to one list per run."""
    values = flat if isinstance(flat, pa.Array) else pa.array(flat)
    return cast(pl.Series, pl.from_arrow(pa.LargeListArray.from_arrays(offsets, values)))
