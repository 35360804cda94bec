"""Parquet: a record a row.  `fields` names the columns that hold what."""
from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.readers import Content, Envelope, Source

BATCH_ROWS = 2048


def scan(source: Source) -> Iterator[Envelope]:
    """An envelope a row; `offset` is the row's number, `length` is 1."""
    fields, start = source.fields, 0
    names = {key: fields.get(key, key) for key in ("uri", "text", "captured_at")}
    try:
        for batch in _batches(source, list(names.values())):
            columns = {key: _strings(batch, name) for key, name in names.items()}
            for i, (uri, text, date) in enumerate(zip(columns["uri"], columns["text"], columns["captured_at"], strict=True)):
                found = Envelope("row", start + i, 1, uri=uri, captured_at=date, media_type="text/plain")
                content = (text or "").encode()
                found.payload_sha256 = hashlib.sha256(content).hexdigest()
                if len(content) > source.max_record_bytes:
                    found.error, found.detail = "too-large", f"{len(content)} bytes"
                yield found
            start += batch.num_rows
    except (pa.ArrowException, OSError) as error:
        yield Envelope("row", start, 0, error="unreadable", detail=type(error).__name__)


def contents(source: Source, wanted: Sequence[tuple[int, int]]) -> Iterator[Content]:
    """The texts of rows."""
    text_name, title_name = source.fields.get("text", "text"), source.fields.get("title", "title")
    rows, start = iter(wanted), 0
    row = next(rows, None)
    for batch in _batches(source, [text_name, title_name]):
        if row is None:
            return
        texts, titles = _strings(batch, text_name), _strings(batch, title_name)
        while row is not None and row[0] < start + batch.num_rows:
            yield Content(text=texts[row[0] - start] or "", title=titles[row[0] - start], media_type="text/plain")
            row = next(rows, None)
        start += batch.num_rows


def _batches(source: Source, columns: list[str]) -> Iterator[pa.RecordBatch]:
    with pq.ParquetFile(source.path) as file:
        have = set(file.schema_arrow.names)
        yield from file.iter_batches(BATCH_ROWS, columns=[c for c in dict.fromkeys(columns) if c in have])


def _strings(batch: pa.RecordBatch, name: str) -> list[str | None]:
    if name not in batch.schema.names:
        return [None] * batch.num_rows
    column = batch.column(name)
    return [None if v is None else str(v) for v in column.to_pylist()]
