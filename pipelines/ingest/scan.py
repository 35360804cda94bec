"""Scan raw containers: build an index of all records, before any text is read."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa

from lineage.storage import streams
from pipelines.engine.input_files import Container
from pipelines.ingest import declared_fields
from pipelines.ingest.readers.records import ContainerSource, Cursor, Envelope
from pipelines.ingest.readers.registry import reader

#: A row is a raw record. `container` is a position in the task's list of containers. A malformed
#: `media_type` is `declared_fields.UNKNOWN_TYPE`.
INDEX = pa.schema(
    [
        ("base_id", pa.string()),
        ("container", pa.int32()),
        ("locator", pa.string()),
        ("offset", pa.int64()),
        ("length", pa.int64()),
        ("uri", pa.string()),
        ("payload_sha256", pa.string()),
        ("captured_at", pa.string()),
        ("media_type", pa.string()),
        ("http_status", pa.int32()),
        ("signal", pa.string()),
        ("signal_body", pa.binary()),
        ("signal_location", pa.string()),
        ("signal_marks", pa.string()),
        ("signal_refers", pa.string()),
        ("revisit", pa.string()),
        ("error", pa.string()),
        ("detail", pa.string()),
    ]
)
#: The most rows of a batch of an index, and the most bytes of its signals.
BATCH_ROWS, BATCH_BYTES = 8192, 16 << 20


@dataclass(frozen=True, slots=True)
class Task:
    """Containers of one collection and format that are scanned together.

    `key` derives from the containers and names the task's files.
    """

    key: str
    containers: tuple[Container, ...]

    @property
    def collection(self) -> str:
        return self.containers[0].collection


def plan_tasks(containers: Sequence[Container], unit_bytes: int) -> list[Task]:
    """Group containers into tasks.

    A large container is a task of its own. Small neighbours, like letters in a folder, share one up
    to `unit_bytes`.
    """
    groups: list[list[Container]] = []
    group_bytes = 0
    for container in containers:
        last = groups[-1][-1] if groups else None
        alike = last and _group_key(last) == _group_key(container)
        if alike and group_bytes + container.size <= unit_bytes:
            groups[-1].append(container)
            group_bytes += container.size
        else:
            groups.append([container])
            group_bytes = container.size
    keys = [hashlib.sha256("".join(c.key for c in g).encode()).hexdigest()[:16] for g in groups]
    return [Task(k, tuple(g)) for k, g in zip(keys, groups, strict=True)]


def _group_key(container: Container) -> tuple[object, ...]:
    return container.collection, container.format, container.fields


def container_source(
    container: Container, max_record_bytes: int, cursor: Cursor | None = None
) -> ContainerSource:
    """Return a container in the form that readers receive."""
    return ContainerSource(
        Path(container.path), container.uri, dict(container.fields), max_record_bytes, cursor
    )


def build_index(task: Task, max_record_bytes: int) -> pa.Table:
    """Return the index of a task's records, in the order of containers and offsets."""
    return pa.Table.from_batches(index_batches(task, max_record_bytes), INDEX)


def index_batches(task: Task, max_record_bytes: int) -> Iterator[pa.RecordBatch]:
    """Yield the index in batches, so that memory does not grow with the number of records."""
    rows: list[dict[str, Any]] = []
    body_bytes = 0
    for number, container in enumerate(task.containers):
        for envelope in _envelopes(container, max_record_bytes):
            envelope.captured_at = declared_fields.capture_time(envelope.captured_at)
            envelope.media_type = declared_fields.media_type(envelope.media_type)
            row = {name: getattr(envelope, name) for name in INDEX.names[2:]}
            rows.append({"base_id": doc_id(envelope, container), "container": number, **row})
            body_bytes += len(envelope.signal_body or b"")
            if len(rows) >= BATCH_ROWS or body_bytes >= BATCH_BYTES:
                yield pa.RecordBatch.from_pylist(rows, schema=INDEX)
                rows, body_bytes = [], 0
    if rows:
        yield pa.RecordBatch.from_pylist(rows, schema=INDEX)


def _envelopes(container: Container, max_record_bytes: int) -> Iterator[Envelope]:
    """Yield the envelopes of a container; at least one, so that each file is in the ledger."""
    if container.sha256 is None:
        yield Envelope(
            "bytes",
            0,
            0,
            uri=container.uri,
            error="unreadable",
            detail="the file is missing or cannot be opened",
        )
        return
    # An empty text file is a record without text.
    if container.size == 0 and container.format != "text":
        yield Envelope(
            "bytes", 0, 0, uri=container.uri, error="unreadable", detail="the file is empty"
        )
        return
    last = None
    try:
        for envelope in reader(container.format).scan(
            container_source(container, max_record_bytes)
        ):
            last = envelope.offset
            yield envelope
    except Exception as error:  # a bug in a reader must not affect other containers
        last = -1 if last is None else last
        yield Envelope("bytes", last + 1, 0, error="unreadable", detail=type(error).__name__)
    if last is None:
        yield Envelope(
            "bytes", 0, 0, uri=container.uri, error="unreadable", detail="no record in it"
        )


def doc_id(envelope: Envelope, container: Container, level: int = 0) -> str:
    """Return the id of a record: 32 hex digits of SHA-256 over URI, capture time, payload digest.

    Args:
      envelope: the record.
      container: its container.
      level: 0 by default. 1 if another record has the same values: container digest and offset are
        added, as also for a record that cannot be read. 2 if these coincide too, as in a copy of a
        file: the container's path is added.
    """
    parts = [envelope.uri or "", envelope.captured_at or "", envelope.payload_sha256 or ""]
    if level or envelope.error or not envelope.payload_sha256:
        parts += [container.sha256 or container.uri, str(envelope.offset)]
    if level > 1:
        parts.append(container.uri)
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:32]


def is_sequential(task: Task, places: pl.DataFrame) -> bool:
    """Whether a task is read best by one worker, because it can only be unpacked from its start.

    Args:
      task: the task.
      places: `container` and `locator` of all rows of its index.
    """
    packed = places.filter(pl.col("locator").is_in(["bytes", "entry"])).unique()
    return any(
        locator == "entry" or streams.compression_of(Path(task.containers[number].path)) is not None
        for number, locator in packed.select("container", "locator").iter_rows()
    )


def unit_ranges(table: pa.Table, unit_bytes: int) -> list[tuple[int, int]]:
    """Cut an index into row ranges of about `unit_bytes` raw bytes each; a range is a shard.

    Returns:
      (start, stop) of each range.
    """
    lengths = pl.Series(table.column("length")).cast(pl.Int64)
    # A row of a columnar file has no length in bytes; 2 KiB are assumed.
    is_row = pl.Series(table.column("locator")) == "row"
    sizes = pl.select(pl.when(is_row).then(2048).otherwise(lengths)).to_series()
    number = (sizes.cum_sum() - sizes) // unit_bytes
    starts = (number != number.shift()).fill_null(True).arg_true().to_list()
    return list(zip(starts, [*starts[1:], table.num_rows], strict=True)) if starts else []
