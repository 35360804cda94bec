"""The element that travels between Beam workers: an Arrow record batch, coded as Arrow IPC.

A pickled slice of a batch carries its whole parent; IPC writes the slice alone.  Import this
module before a pipeline is built: it registers the coder for `pyarrow.RecordBatch`.
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
    """Encode a record batch as an Arrow IPC stream of one batch."""

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
    """Cut a batch into batches of at most `size` rows, to distribute them over workers."""
    for start in range(0, batch.num_rows, size):
        yield batch.slice(start, size)


def partition_count(rows: int) -> int:
    """Return the number of partitions for that many rows: one per 1024, from 16 to 256.

    Fewer would not spread over workers; more would cost a small job more than its rows.  Groups
    are the same for each number.
    """
    return min(256, max(16, rows >> 10))


def partition(
    batch: pa.RecordBatch, keys: np.ndarray, partitions: int
) -> Iterator[tuple[int, pa.RecordBatch]]:
    """Split a batch by `keys % partitions`: rows with equal keys get the same partition.

    Args:
      batch: n rows.
      keys: (n,) unsigned integers, well mixed in their low bits.
      partitions: the number of partitions, see `partition_count`.

    Yields:
      `(partition number, its rows)`; empty partitions are left out.
    """
    row_numbers = (keys % np.uint64(partitions)).astype(np.int64)
    order = np.argsort(row_numbers, kind="stable")
    numbers, starts = np.unique(row_numbers[order], return_index=True)
    ordered = batch.take(pa.array(order))
    for number, (start, stop) in zip(numbers, pairwise([*starts, len(order)]), strict=True):
        yield int(number), ordered.slice(int(start), int(stop - start))


def frame(data: pa.Table | pa.RecordBatch | Iterable[pa.RecordBatch]) -> pl.DataFrame:
    """Convert a table, a batch, or the batches of a group (at least one) to a Polars frame."""
    arrow = (
        data if isinstance(data, (pa.Table, pa.RecordBatch)) else pa.Table.from_batches(list(data))
    )
    return cast(pl.DataFrame, pl.from_arrow(arrow))


def union(group: Iterable[pa.RecordBatch], columns: Mapping[str, Any]) -> pl.DataFrame:
    """Join the batches of a group to one frame.

    Args:
      group: the batches, possibly none.
      columns: name -> Polars type, of the columns to return.
    """
    batches = list(group)
    return frame(batches).select(list(columns)) if batches else pl.DataFrame(schema=dict(columns))


def record_batches(table: pl.DataFrame) -> Iterator[pa.RecordBatch]:
    """Yield a frame as one record batch; nothing if it has no rows."""
    if table.height:
        yield table.to_arrow().combine_chunks().to_batches()[0]


def work_rows(**columns: list[Any]) -> pa.RecordBatch:
    """Return a batch with a row for each unit of work."""
    return pa.RecordBatch.from_pydict(columns)
