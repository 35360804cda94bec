"""Shards on disk: written atomically, reused after an interruption.

A stage writes its tables under a state folder, `<table>/<shard>.parquet`, and marks a shard
as done by a small JSON file that is written last.  When all shards are done the state is
published: the stage's folder appears in one rename.  State is keyed by the run's id, so shards
of other parameters, inputs or code are never reused.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from lineage.storage import disk
from lineage.storage.object_store import ObjectStore

ROW_GROUP_ROWS = 122_880


def write_file(root: Path, file: str, content: bytes) -> dict[str, Any]:
    """Write a file that is not a table below `root`; return its description."""
    disk.write_bytes(root / file, content)
    digest = hashlib.sha256(content).hexdigest()
    return {"file": file, "rows": None, "bytes": len(content), "sha256": digest}


def parquet_bytes(table: pa.Table, level: int = 1) -> bytes:
    """Encode a table as a Parquet file; the same table gives the same bytes."""
    sink = pa.BufferOutputStream()
    pq.write_table(
        table,
        sink,
        compression="zstd",
        compression_level=level,
        row_group_size=ROW_GROUP_ROWS,
        store_schema=False,
    )
    content: bytes = sink.getvalue().to_pybytes()
    return content


def write_batches(path: Path, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> None:
    """Write a Parquet file atomically, with a row group for each batch; only one is in memory."""
    with (
        disk.atomic_file(path) as file,
        pq.ParquetWriter(file, schema, compression="zstd", store_schema=False) as writer,
    ):
        for batch in batches:
            writer.write_batch(batch)


def write_groups(path: Path, groups: Sequence[pl.DataFrame], schema: pa.Schema) -> None:
    """Write a Parquet file with a row group for each of `groups`; see `read_group`."""
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(sink, schema, compression="zstd", store_schema=False) as writer:
        for group in groups:
            rows = group.to_arrow().cast(schema)
            writer.write_table(rows, row_group_size=max(1, rows.num_rows))
    disk.write_bytes(path, sink.getvalue().to_pybytes())


def read_group(path: Path, number: int) -> pl.DataFrame:
    """Read one row group of a file that `write_groups` wrote."""
    with pq.ParquetFile(path) as file:
        frame = pl.from_arrow(file.read_row_group(number))
    assert isinstance(frame, pl.DataFrame)
    return frame


@dataclass(frozen=True)
class State:
    """A stage's unfinished work; a plain value that travels to workers."""

    root: str

    @property
    def store(self) -> ObjectStore:
        """The store of its files."""
        return disk.LocalDisk(Path(self.root))

    def path(self, table: str, shard: str) -> Path:
        return Path(self.root) / table / f"{shard}.parquet"

    def write(self, table: str, shard: str, data: pa.Table, level: int = 1) -> dict[str, Any]:
        """Write one table of a shard; return the file's description."""
        content, file = parquet_bytes(data, level), f"{table}/{shard}.parquet"
        self.store.put(file, content)
        return {
            "file": file,
            "rows": data.num_rows,
            "bytes": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
        }

    def finish(self, shard: str, files: Iterable[Mapping[str, Any]], **figures: Any) -> None:
        """Mark a shard as done, with its files and its figures."""
        marker = {"shard": shard, "files": list(files), "figures": figures}
        self.store.put(f"done/{shard}.json", disk.json_bytes(marker))

    def finished(self, shard: str) -> dict[str, Any] | None:
        """Return a shard's marker, or None if it is not done."""
        key = f"done/{shard}.json"
        return self._marker(key) if self.store.exists(key) else None

    def count(self) -> int:
        """Return how many shards are done, for the progress display."""
        return len(self.store.list_keys("done/"))

    def all_finished(self) -> list[dict[str, Any]]:
        """Return the markers of all done shards, sorted by shard name."""
        return [self._marker(key) for key in self.store.list_keys("done/")]

    def _marker(self, key: str) -> dict[str, Any]:
        with self.store.open(key) as file:
            marker: dict[str, Any] = json.load(file)
        return marker


def publish(state: State, files: Iterable[str], extra: Mapping[str, Any], folder: Path) -> None:
    """Publish a finished state as `folder`, in one rename.

    Args:
      state: holds the files.
      files: paths relative to the state's root.
      extra: file name -> JSON value, written beside them.
      folder: the new folder; an older one is replaced.
    """
    with disk.atomic_folder(folder) as fresh:
        for name in files:
            disk.hard_link_or_copy(Path(state.root) / name, fresh / name)
        for name, value in extra.items():
            disk.write_json(fresh / name, value)
