"""Batches between workers: a slice is encoded alone, each row goes to one partition."""

from __future__ import annotations

import pickle

import apache_beam as beam
import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from pipelines.engine import batches

BATCH = pa.RecordBatch.from_pydict({"n": range(100_000), "s": ["text"] * 100_000})


def test_a_slice_is_encoded_without_its_parent():
    coder = beam.coders.registry.get_coder(pa.RecordBatch)
    assert isinstance(coder, batches.RecordBatchCoder) and coder.is_deterministic()
    part = BATCH.slice(500, 10)
    coded = coder.encode(part)
    assert len(coded) < 2000 < len(pickle.dumps(part))
    assert coder.decode(coded) == part
    assert coder.decode(coder.encode(BATCH.slice(0, 0))).num_rows == 0
    assert pickle.loads(pickle.dumps(coder)).decode(coded) == part


def test_split_rows():
    parts = list(batches.split_rows(BATCH.slice(0, 10), 4))
    assert [p.num_rows for p in parts] == [4, 4, 2]
    assert pa.Table.from_batches(parts) == pa.Table.from_batches([BATCH.slice(0, 10)])
    assert list(batches.split_rows(BATCH.slice(0, 0))) == []


@given(st.lists(st.integers(0, 2**64 - 1), max_size=60), st.integers(1, 9))
def test_a_partition_covers_all_rows_once(keys, partitions):
    batch = pa.RecordBatch.from_pydict({"row": pa.array(range(len(keys)), pa.int64())})
    rows: dict[int, list[int]] = {}
    for number, part in batches.partition(batch, np.array(keys, np.uint64), partitions):
        assert number not in rows and part.num_rows
        rows[number] = part.column("row").to_pylist()
    assert sorted(row for part in rows.values() for row in part) == list(range(len(keys)))
    assert all(keys[row] % partitions == number for number, part in rows.items() for row in part)
    assert all(part == sorted(part) for part in rows.values())


def test_frames_and_work_rows():
    work = batches.work_rows(shard=["a", "b"], start=[0, 5])
    assert work.to_pylist() == [{"shard": "a", "start": 0}, {"shard": "b", "start": 5}]
    assert batches.frame(batches.split_rows(work)).to_dicts() == work.to_pylist()
    assert [b.to_pylist() for b in batches.record_batches(batches.frame(work))] == [
        work.to_pylist()
    ]
    assert not list(batches.record_batches(batches.frame(work).clear()))
