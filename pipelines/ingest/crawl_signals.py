"""Collect the signal captures of a crawl from the indexes of its containers, for `HostSignals`.

Captures travel as rows of `CAPTURES`. Their bodies stay on disk, in a file per task. So a worker
loads only the bodies of the hosts it judges, and holds an address and a few marks of the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.engine import batches
from pipelines.ingest import scan
from pipelines.ingest.decoding.http_encodings import decode_body
from pipelines.ingest.readers.records import MAX_DOCUMENT_BYTES
from pipelines.ingest.readers.registry import reader
from pipelines.ingest.signals.bodies import StoreBody, write_bodies
from pipelines.ingest.signals.captures import REDIRECTS, redirect_address
from pipelines.ingest.signals.observed import TARGET, BodyLocation, Capture
from pipelines.ingest.signals.uris import split_uri
from schemas.urls import hosts, normal_url

CAPTURES = pl.Schema(
    {
        "host": pl.String, "kind": pl.String, "status": pl.Int64, "captured_at": pl.String,
        "doc_id": pl.String, "uri": pl.String, "location": pl.String, "marks": pl.String,
        "refers": pl.String, "path": pl.String, "offset": pl.Int64, "length": pl.Int64,
    }
)  # fmt: skip
_READ = (
    "base_id", "uri", "captured_at", "http_status",
    "signal", "signal_body", "signal_location", "signal_marks", "signal_refers",
)  # fmt: skip


def collect_captures(index: Path, bodies: Path) -> pl.DataFrame:
    """Return the signal captures in the index of a task, of all hosts.

    Captures of ungoverned addresses are included: a narrower entry, or another collection, may
    govern pages of that host. An unreadable capture counts as unanswered (status 0), which refuses,
    because its content is unknown.

    Args:
      index: a file of `scan.INDEX`.
      bodies: the file to write the bodies to.

    Returns:
      Rows of `CAPTURES`.
    """
    frames = [pl.DataFrame(schema=CAPTURES)]
    with write_bodies(bodies) as store, pq.ParquetFile(index) as file:
        for group in range(file.num_row_groups):  # not all bodies are in memory at once
            rows = batches.frame(file.read_row_group(group, columns=list(_READ)))
            frames.append(_capture_rows(rows.filter(pl.col("signal").is_not_null()), store))
    return pl.concat(frames)


def _capture_rows(index: pl.DataFrame, store: StoreBody) -> pl.DataFrame:
    """Return rows of `CAPTURES` for rows of an index; `store` writes their bodies."""
    unreadable = pl.col("signal_body").is_null() & pl.col("signal_refers").is_null()
    places = [store(body) if body else None for body in index["signal_body"]]
    return index.select(
        host=hosts(index["uri"]).fill_null(""),
        kind="signal",
        status=pl.when(unreadable).then(0).otherwise(pl.col("http_status").fill_null(200)),
        captured_at=pl.col("captured_at").fill_null(""),
        doc_id="base_id",
        uri="uri",
        location=pl.col("signal_location").fill_null(""),
        marks=pl.col("signal_marks").fill_null(""),
        refers="signal_refers",
        path=pl.Series([p.path if p else None for p in places], dtype=pl.String),
        offset=pl.Series([p.offset if p else 0 for p in places], dtype=pl.Int64),
        length=pl.Series([p.length if p else 0 for p in places], dtype=pl.Int64),
    ).cast(CAPTURES)


def to_captures(rows: Iterable[pa.RecordBatch]) -> list[Capture]:
    """Return the captures of rows of `CAPTURES`."""
    return [_to_capture(**row) for batch in rows for row in batch.to_pylist()]


def _to_capture(path: str | None, offset: int, length: int, **known: Any) -> Capture:
    location = BodyLocation(path, offset, length) if path is not None else None
    return Capture(body=b"", body_location=location, **known)


def redirect_targets(
    signals: Sequence[Capture],
    tasks: Iterable[scan.Task],
    index: Callable[[str], pl.LazyFrame],
    max_record_bytes: int,
    bodies: Path,
) -> pl.DataFrame:
    """Return the records that redirects of signals lead to and that are not signals themselves.

    An example is `/robots.txt` -> `/robots.txt?v=1`. At most five redirects in a row are followed
    (RFC 9309, 2.3.1.2).

    Args:
      signals: all signal captures.
      tasks: all tasks.
      index: returns the index of a task by its key.
      max_record_bytes: the most bytes read of a record.
      bodies: the file to write the bodies to.

    Returns:
      Rows of `CAPTURES`, of the kind `TARGET`.
    """
    tasks, frames = list(tasks), [pl.DataFrame(schema=CAPTURES)]
    visited = {split_uri(capture.uri) for capture in signals}
    origins: Iterable[Capture] = signals
    with write_bodies(bodies) as store:
        for _ in range(REDIRECTS):
            wanted = {
                a for c in origins if (a := redirect_address(c)) and split_uri(a) not in visited
            }
            if not wanted:
                break
            visited |= {split_uri(address) for address in wanted}
            origins = [
                c for task in tasks for c in _records_at(wanted, task, index, max_record_bytes)
            ]
            frames.append(_to_rows(origins, store))
    return pl.concat(frames)


def _records_at(
    addresses: Iterable[str],
    task: scan.Task,
    index: Callable[[str], pl.LazyFrame],
    max_record_bytes: int,
) -> Iterator[Capture]:
    """Yield the records of a task at some addresses, with their bodies."""
    spellings = {s for a in addresses for s in (a, f"{a.partition('://')[0]}:{normal_url(a)}")}
    matching = pl.col("uri").is_in(list(spellings)) & pl.col("http_status").is_not_null()
    plain = pl.col("signal").is_null() & pl.col("revisit").is_null() & pl.col("error").is_null()
    targets = index(task.key).filter(matching & plain).collect().sort("container", "offset")
    for (number,), rows in targets.group_by("container", maintain_order=True):
        source = scan.container_source(task.containers[int(str(number))], max_record_bytes)
        wanted = list(rows.select("offset", "length").iter_rows())
        bodies = reader(task.containers[int(str(number))].format).contents(source, wanted)
        for row, content in zip(rows.iter_rows(named=True), bodies, strict=True):
            body, error = decode_body(content.payload or b"", content.headers, max_record_bytes)
            unreadable = error or content.error
            location = next((v for k, v in content.headers if k.lower() == "location"), "")
            yield Capture(
                host="",
                kind=TARGET,
                status=0 if unreadable else row["http_status"],
                body=body[:MAX_DOCUMENT_BYTES],
                captured_at=row["captured_at"] or "",
                doc_id=row["base_id"],
                uri=row["uri"],
                location=location,
            )


def _to_rows(captures: Sequence[Capture], store: StoreBody) -> pl.DataFrame:
    """Return captures as rows of `CAPTURES`; `store` writes their bodies."""
    rows = []
    for capture in captures:
        location = store(capture.body) if capture.body else BodyLocation("", 0, 0)
        row = {name: getattr(capture, name, None) for name in CAPTURES}
        rows.append(row | location._asdict() | {"path": location.path or None})
    return pl.DataFrame(rows, schema=CAPTURES)
