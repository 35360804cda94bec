"""Shards on disk: written whole or not at all, found again after an interruption.

A stage writes its tables under a state folder, `<table>/<shard>.parquet`, and marks a shard
as done by a small JSON file that is written last.  When all shards are done the state is
published: the stage's folder appears in one rename.  State is keyed by the run's id, so work
made under other parameters, inputs or code is never taken up.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.exchange import exchange

ROW_GROUP_ROWS = 122_880


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """A file to write, which is there whole when this ends, or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
    try:
        with part.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file so that it is there whole or not at all."""
    with whole_file(path) as file:
        file.write(content)


def written(root: Path, file: str, content: bytes) -> dict[str, Any]:
    """Write a file that is no table below `root`; what comes back describes it."""
    write_bytes(root / file, content)
    digest = hashlib.sha256(content).hexdigest()
    return {"file": file, "rows": None, "bytes": len(content), "sha256": digest}


def json_bytes(value: Any) -> bytes:
    """Canonical, readable JSON."""
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, indent=1)
    return (text + "\n").encode()


def write_json(path: Path, value: Any) -> None:
    """Write canonical, readable JSON atomically."""
    write_bytes(path, json_bytes(value))


def read_json(path: Path) -> Any:
    """A JSON file's value."""
    return json.loads(path.read_bytes())


def parquet_bytes(table: pa.Table, level: int = 1) -> bytes:
    """A table as the bytes of a Parquet file: the same table gives the same bytes."""
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
    """A Parquet file with a row group for each of `batches`, none of which is held; there whole or
    not at all."""
    with (
        whole_file(path) as file,
        pq.ParquetWriter(file, schema, compression="zstd", store_schema=False) as writer,
    ):
        for batch in batches:
            writer.write_batch(batch)


def write_groups(path: Path, groups: Sequence[pl.DataFrame], schema: pa.Schema) -> None:
    """A Parquet file with a row group for each of `groups`, to be read one by one."""
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(sink, schema, compression="zstd", store_schema=False) as writer:
        for group in groups:
            rows = group.to_arrow().cast(schema)
            writer.write_table(rows, row_group_size=max(1, rows.num_rows))
    write_bytes(path, sink.getvalue().to_pybytes())


def read_group(path: Path, number: int) -> pl.DataFrame:
    """One row group of a file that `write_groups` wrote."""
    with pq.ParquetFile(path) as file:
        frame = pl.from_arrow(file.read_row_group(number))
    assert isinstance(frame, pl.DataFrame)
    return frame


def sha256_file(path: Path) -> str:
    """SHA-256 of a file's bytes, hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass(frozen=True)
class State:
    """A stage's unfinished work; a plain value that travels to workers."""

    root: str

    def path(self, table: str, shard: str) -> Path:
        return Path(self.root) / table / f"{shard}.parquet"

    def write(self, table: str, shard: str, data: pa.Table, level: int = 1) -> dict[str, Any]:
        """Write one table of a shard; what comes back describes the file."""
        content = parquet_bytes(data, level)
        write_bytes(self.path(table, shard), content)
        return {
            "file": f"{table}/{shard}.parquet",
            "rows": data.num_rows,
            "bytes": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
        }

    def finish(self, shard: str, files: Iterable[Mapping[str, Any]], **figures: Any) -> None:
        """Mark a shard as done, with its files and its aggregates."""
        write_json(
            Path(self.root) / "done" / f"{shard}.json",
            {"shard": shard, "files": list(files), "figures": figures},
        )

    def finished(self, shard: str) -> dict[str, Any] | None:
        """A done shard's marker, or None."""
        path = Path(self.root) / "done" / f"{shard}.json"
        return json.loads(path.read_bytes()) if path.exists() else None

    def count(self) -> int:
        """How many shards are done: what a progress display asks."""
        folder = Path(self.root) / "done"
        return sum(name.endswith(".json") for name in os.listdir(folder)) if folder.is_dir() else 0

    def all_finished(self) -> list[dict[str, Any]]:
        """The markers of all done shards, by shard name."""
        folder = Path(self.root) / "done"
        return [json.loads(p.read_bytes()) for p in sorted(folder.glob("*.json"))]


def publish(state: State, files: Iterable[str], extra: Mapping[str, Any], folder: Path) -> None:
    """Make `folder` out of a finished state in one rename.

    Args:
      state: where the files lie.
      files: paths relative to the state's root.
      extra: file name -> JSON value, written beside them.
      folder: what appears; an older one is replaced.
    """
    left = re.compile(rf"\.{re.escape(folder.name)}\.[0-9a-f]{{32}}\.(part|old)")
    for stale in folder.parent.glob(".*"):
        if left.fullmatch(stale.name):  # of a run that was killed while it published
            shutil.rmtree(stale, ignore_errors=True)
    fresh = folder.with_name(f".{folder.name}.{uuid.uuid4().hex}.part")
    try:
        for name in files:
            target = fresh / name
            target.parent.mkdir(parents=True, exist_ok=True)
            link(Path(state.root) / name, target)
        for name, value in extra.items():
            write_json(fresh / name, value)
        replace_folder(fresh, folder)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


@contextmanager
def in_turn(folder: Path) -> Iterator[None]:
    """Hold the lock on a folder, once no other process does."""
    folder.mkdir(parents=True, exist_ok=True)
    file = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
    finally:
        os.close(file)


@contextmanager
def only_one(path: Path) -> Iterator[bool]:
    """Hold a lock, for as long as this process lives at the most; False where another process
    holds it.  The file goes with the lock."""
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        with path.open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                yield False
                return
            if not _is_at(file.fileno(), path):
                continue  # its last holder removed it before it was locked here
            try:
                yield True
            finally:
                path.unlink(missing_ok=True)
            return


def _is_at(file: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file), path.stat())
    except FileNotFoundError:
        return False


def replace_folder(fresh: Path, folder: Path) -> None:
    """Put a finished folder in another's place; no moment shows a half-written one, nor none."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    if not folder.exists():
        fresh.rename(folder)
        return
    exchange(fresh, folder)
    shutil.rmtree(fresh, ignore_errors=True)


def link(source: Path, target: Path) -> None:
    """The same file under another name: a hard link, or a copy where none can be made."""
    try:
        os.link(source, target)
    except OSError:  # another file system
        shutil.copyfile(source, target)
