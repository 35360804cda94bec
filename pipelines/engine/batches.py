"""The element that travels between Beam workers: an Arrow record batch, coded as Arrow IPC.

A pickled slice of a batch carries its whole parent; IPC writes the slice alone.  Import this
module before a pipeline is built, so that the coder is known for `pyarrow.RecordBatch`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from typing import Any, cast

import apache_beam as beam
import numpy as np
import polars as pl
import pyarrow as pa
from apache_beam.coders.typecoders import registry


class RecordBatchCoder(beam.coders.Coder):
    """Codes a record batch as an Arrow IPC stream of one batch."""

    def encode(self, value: pa.RecordBatch) -> bytes:
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, value.schema) as writer:
            writer.write_batch(value)
        encoded: bytes = sink.getvalue().to_pybytes()
        return encoded

    def decode(self, encoded: bytes) -> pa.RecordBatch:
        with pa.ipc.open_stream(encoded) as reader:
            return reader.read_next_batch()

    def is_deterministic(self) -> bool:
        return True

    def to_type_hint(self) -> Any:
        return pa.RecordBatch


registry.register_coder(pa.RecordBatch, RecordBatchCoder)


def split_rows(batch: pa.RecordBatch, size: int = 1) -> Iterator[pa.RecordBatch]:
    """Cut a batch into batches of at most `size` rows: how a plan is dealt out to workers."""
    for start in range(0, batch.num_rows, size):
        yield batch.slice(start, size)


def partition_count(rows: int) -> int:
    """How many parts serve for that many rows: a part per thousand, so that a small job is not
    mostly the cost of its parts, and between 16 and 256.  What is grouped does not depend on it."""
    return min(256, max(16, rows >> 10))


def partition(
    batch: pa.RecordBatch, keys: np.ndarray, partitions: int
) -> Iterator[tuple[int, pa.RecordBatch]]:
    """Split a batch by `keys % partitions`, so that equal keys meet in one partition.

    Args:
      batch: n rows.
      keys: (n,) unsigned integers, well mixed in their low bits.
      partitions: how many parts, see `partitions`.

    Yields:
      `(partition number, the rows of it)`, empty parts left out.
    """
    number = (keys % np.uint64(partitions)).astype(np.int64)
    order = np.argsort(number, kind="stable")
    parts, starts = np.unique(number[order], return_index=True)
    taken = batch.take(pa.array(order))
    for part, (start, stop) in zip(parts, pairwise([*starts, len(order)]), strict=True):
        yield int(part), taken.slice(int(start), int(stop - start))


def frame(data: pa.Table | pa.RecordBatch | Iterable[pa.RecordBatch]) -> pl.DataFrame:
    """A table, a batch, or the batches of a group (at least one), as a Polars frame."""
    arrow = (
        data if isinstance(data, (pa.Table, pa.RecordBatch)) else pa.Table.from_batches(list(data))
    )
    return cast(pl.DataFrame, pl.from_arrow(arrow))


def union(parts: Iterable[pa.RecordBatch], columns: Mapping[str, Any]) -> pl.DataFrame:
    """The batches of a group in one frame of these columns (name -> Polars type), empty where
    there are none."""
    found = list(parts)
    return frame(found).select(list(columns)) if found else pl.DataFrame(schema=dict(columns))


def record_batches(table: pl.DataFrame) -> Iterator[pa.RecordBatch]:
    """A frame as one record batch, or none where it has no rows."""
    if table.height:
        yield table.to_arrow().combine_chunks().to_batches()[0]


def work_rows(**columns: list[Any]) -> pa.RecordBatch:
    """A batch of work to deal out: a row per unit of work."""
    return pa.RecordBatch.from_pydict(columns)
