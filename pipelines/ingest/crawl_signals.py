"""The captures of signals in a crawl: out of the indexes of its containers, for `HostSignals`.

They travel as rows of `CAPTURES`; their bodies stay on disk, in a file per task, so that a worker
holds the bodies of the hosts it is at, and of all others an address and a few marks.
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
    """The captures in the index of a task, of all hosts: a capture whose own address nobody governs
    still binds what a narrower entry, or another collection, lets in.

    One that cannot be read counts as one that was not answered (status 0), which refuses: what it
    says is not known.

    Args:
      index: a file of `scan.INDEX`.
      bodies: the file that is made of the bodies.
    """
    found = [pl.DataFrame(schema=CAPTURES)]
    with write_bodies(bodies) as store, pq.ParquetFile(index) as file:
        for group in range(file.num_row_groups):  # never the bodies of them all
            some = batches.frame(file.read_row_group(group, columns=list(_READ)))
            found.append(_capture_rows(some.filter(pl.col("signal").is_not_null()), store))
    return pl.concat(found)


def _capture_rows(some: pl.DataFrame, store: StoreBody) -> pl.DataFrame:
    unread = pl.col("signal_body").is_null() & pl.col("signal_refers").is_null()
    places = [store(body) if body else None for body in some["signal_body"]]
    return some.select(
        host=hosts(some["uri"]).fill_null(""),
        kind="signal",
        status=pl.when(unread).then(0).otherwise(pl.col("http_status").fill_null(200)),
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
    """Captures out of rows of `CAPTURES`."""
    return [_to_capture(**row) for batch in rows for row in batch.to_pylist()]


def _to_capture(path: str | None, offset: int, length: int, **known: Any) -> Capture:
    stored = BodyLocation(path, offset, length) if path is not None else None
    return Capture(body=b"", body_location=stored, **known)


def redirect_targets(
    signals: Sequence[Capture],
    tasks: Iterable[scan.Task],
    index: Callable[[str], pl.LazyFrame],
    max_record_bytes: int,
    bodies: Path,
) -> pl.DataFrame:
    """The records of a crawl to which redirects of signals lead and that are no signals themselves
    (`/robots.txt` -> `/robots.txt?v=1`), of at most five redirects in a row (RFC 9309 2.3.1.2).

    Args:
      signals: all captures of signals.
      tasks: all tasks.
      index: a task's key -> its index.
      max_record_bytes: how much is read of a record.
      bodies: the file that is made of their bodies.

    Returns:
      Rows of `CAPTURES`, of the kind `TARGET`.
    """
    tasks, found = list(tasks), [pl.DataFrame(schema=CAPTURES)]
    seen = {split_uri(one.uri) for one in signals}
    leading: Iterable[Capture] = signals
    with write_bodies(bodies) as store:
        for _ in range(REDIRECTS):
            wanted = {
                a for one in leading if (a := redirect_address(one)) and split_uri(a) not in seen
            }
            if not wanted:
                break
            seen |= {split_uri(address) for address in wanted}
            held = [c for task in tasks for c in _records_at(wanted, task, index, max_record_bytes)]
            found.append(_to_rows(held, store))
            leading = held
    return pl.concat(found)


def _records_at(
    addresses: Iterable[str],
    task: scan.Task,
    index: Callable[[str], pl.LazyFrame],
    max_record_bytes: int,
) -> Iterator[Capture]:
    """The records of a task at some addresses, with their bodies."""
    spelt = {s for a in addresses for s in (a, f"{a.partition('://')[0]}:{normal_url(a)}")}
    there = pl.col("uri").is_in(list(spelt)) & pl.col("http_status").is_not_null()
    plain = pl.col("signal").is_null() & pl.col("revisit").is_null() & pl.col("error").is_null()
    some = index(task.key).filter(there & plain).collect().sort("container", "offset")
    for (number,), rows in some.group_by("container", maintain_order=True):
        source = scan.container_source(task.containers[int(str(number))], max_record_bytes)
        wanted = list(rows.select("offset", "length").iter_rows())
        bodies = reader(task.containers[int(str(number))].format).contents(source, wanted)
        for row, content in zip(rows.iter_rows(named=True), bodies, strict=True):
            body, error = decode_body(content.payload or b"", content.headers, max_record_bytes)
            unread = error or content.error
            location = next((v for k, v in content.headers if k.lower() == "location"), "")
            yield Capture(
                host="",
                kind=TARGET,
                status=0 if unread else row["http_status"],
                body=body[:MAX_DOCUMENT_BYTES],
                captured_at=row["captured_at"] or "",
                doc_id=row["base_id"],
                uri=row["uri"],
                location=location,
            )


def _to_rows(some: Sequence[Capture], store: StoreBody) -> pl.DataFrame:
    rows = []
    for one in some:
        at = store(one.body) if one.body else BodyLocation("", 0, 0)
        row = {name: getattr(one, name, None) for name in CAPTURES}
        rows.append(row | at._asdict() | {"path": at.path or None})
    return pl.DataFrame(rows, schema=CAPTURES)
