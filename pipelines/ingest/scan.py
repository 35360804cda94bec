"""The first look at raw containers: an index of all records, before any text is read."""

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

#: An index row is a raw record; `container` points into the task's list of containers.  A
#: `media_type` of no known form is `stated.UNKNOWN_TYPE`.
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
#: An index is made in batches of at most so many rows, or of so many bytes of signals.
BATCH_ROWS, BATCH_BYTES = 8192, 16 << 20


@dataclass(frozen=True, slots=True)
class Task:
    """Containers of one collection and format that are scanned together."""

    key: str
    containers: tuple[Container, ...]

    @property
    def collection(self) -> str:
        return self.containers[0].collection


def plan_tasks(containers: Sequence[Container], unit_bytes: int) -> list[Task]:
    """Deal containers out: a large one by itself, small neighbours (letters in a folder) together
    up to about `unit_bytes`."""
    groups: list[list[Container]] = []
    held = 0
    for one in containers:
        last = groups[-1][-1] if groups else None
        near = last and _group_key(last) == _group_key(one)
        if near and held + one.size <= unit_bytes:
            groups[-1].append(one)
            held += one.size
        else:
            groups.append([one])
            held = one.size
    keys = [hashlib.sha256("".join(c.key for c in g).encode()).hexdigest()[:16] for g in groups]
    return [Task(k, tuple(g)) for k, g in zip(keys, groups, strict=True)]


def _group_key(one: Container) -> tuple[object, ...]:
    return one.collection, one.format, one.fields


def container_source(
    container: Container, max_record_bytes: int, cursor: Cursor | None = None
) -> ContainerSource:
    """What a reader is told about a container."""
    return ContainerSource(
        Path(container.path), container.uri, dict(container.fields), max_record_bytes, cursor
    )


def build_index(task: Task, max_record_bytes: int) -> pa.Table:
    """The index of a task's records, in the order of containers and offsets."""
    return pa.Table.from_batches(index_batches(task, max_record_bytes), INDEX)


def index_batches(task: Task, max_record_bytes: int) -> Iterator[pa.RecordBatch]:
    """The same, batch by batch: memory does not grow with the number of records."""
    rows: list[dict[str, Any]] = []
    held = 0
    for number, container in enumerate(task.containers):
        for envelope in _envelopes(container, max_record_bytes):
            envelope.captured_at = declared_fields.capture_time(envelope.captured_at)
            envelope.media_type = declared_fields.media_type(envelope.media_type)
            row = {name: getattr(envelope, name) for name in INDEX.names[2:]}
            rows.append({"base_id": doc_id(envelope, container), "container": number, **row})
            held += len(envelope.signal_body or b"")
            if len(rows) >= BATCH_ROWS or held >= BATCH_BYTES:
                yield pa.RecordBatch.from_pylist(rows, schema=INDEX)
                rows, held = [], 0
    if rows:
        yield pa.RecordBatch.from_pylist(rows, schema=INDEX)


def _envelopes(container: Container, max_record_bytes: int) -> Iterator[Envelope]:
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
    # an empty text is a document without text
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
    except Exception as error:  # a reader's bug must not cost the other containers
        last = -1 if last is None else last
        yield Envelope("bytes", last + 1, 0, error="unreadable", detail=type(error).__name__)
    if last is None:
        yield Envelope(
            "bytes", 0, 0, uri=container.uri, error="unreadable", detail="no record in it"
        )


def doc_id(envelope: Envelope, container: Container, level: int = 0) -> str:
    """The id of a record: 32 hex digits of SHA-256 over URI, capture time and payload digest.

    Where these cannot be read, or coincide with another record's (`level` 1), container digest
    and offset join in; where these coincide too (a copy of a file, `level` 2), its path.
    """
    parts = [envelope.uri or "", envelope.captured_at or "", envelope.payload_sha256 or ""]
    if level or envelope.error or not envelope.payload_sha256:
        parts += [container.sha256 or container.uri, str(envelope.offset)]
    if level > 1:
        parts.append(container.uri)
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:32]


def is_sequential(task: Task, places: pl.DataFrame) -> bool:
    """Whether what a task holds is best read in one go: it can only be unpacked from its front.

    Args:
      places: `container` and `locator` of all rows of the index.
    """
    packed = places.filter(pl.col("locator").is_in(["bytes", "entry"])).unique()
    return any(
        locator == "entry" or streams.compression_of(Path(task.containers[number].path)) is not None
        for number, locator in packed.select("container", "locator").iter_rows()
    )


def unit_ranges(table: pa.Table, unit_bytes: int) -> list[tuple[int, int]]:
    """Cut an index into row ranges `(start, stop)` of about `unit_bytes` raw bytes each; rows of
    one range are a shard."""
    lengths = pl.Series(table.column("length")).cast(pl.Int64)
    # a row of a columnar file has no length in bytes: call it 2 KiB
    is_row = pl.Series(table.column("locator")) == "row"
    sizes = pl.select(pl.when(is_row).then(2048).otherwise(lengths)).to_series()
    number = (sizes.cum_sum() - sizes) // unit_bytes
    starts = (number != number.shift()).fill_null(True).arg_true().to_list()
    return list(zip(starts, [*starts[1:], table.num_rows], strict=True)) if starts else []
