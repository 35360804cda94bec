"""Read Parquet: each row is a record. `fields` names the columns."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import suppress

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipelines.ingest.readers.records import ContainerSource, Content, Envelope

BATCH_ROWS, BATCH_BYTES = 2048, 1 << 25
BROKEN = (pa.ArrowException, OSError, ValueError, MemoryError)
TEXTUAL = (
    pa.null(),
    pa.string(),
    pa.large_string(),
    pa.string_view(),
    pa.binary(),
    pa.large_binary(),
    pa.binary_view(),
)
NO_TEXT = "the text column holds no text"
CHANGED = "the file changed since it was scanned"


def scan(source: ContainerSource) -> Iterator[Envelope]:
    """Yield an envelope for each row; `offset` is the number of the row, `length` is 1.

    If a row group is broken, its remaining rows are one envelope. Reading continues at the next
    group.
    """
    fields, start = source.fields, 0
    names = {key: fields.get(key, key) for key in ("uri", "text", "captured_at")}
    try:
        with pq.ParquetFile(source.path) as file:
            for group in range(file.num_row_groups):
                stop = start + file.metadata.row_group(group).num_rows
                try:
                    for batch in _read_batches(file, group, list(names.values())):
                        yield from _envelopes(batch, names, start, source.max_record_bytes)
                        start += batch.num_rows
                except BROKEN as error:
                    yield Envelope(
                        "row", start, stop - start, error="unreadable", detail=type(error).__name__
                    )
                start = stop
    except BROKEN as error:
        yield Envelope("row", start, 0, error="unreadable", detail=type(error).__name__)


def contents(source: ContainerSource, wanted: Sequence[tuple[int, int]]) -> Iterator[Content]:
    """Yield the texts of rows. Row groups without a wanted row are skipped."""
    text, title = source.fields.get("text", "text"), source.fields.get("title", "title")
    start, rows, yielded = 0, [offset for offset, _ in wanted], 0
    with suppress(*BROKEN), pq.ParquetFile(source.path) as file:
        for group in range(file.num_row_groups):
            stop = start + file.metadata.row_group(group).num_rows
            in_group = [row - start for row in rows if start <= row < stop]
            if in_group:
                yield from _read_group(file, group, in_group, text, title)
                yielded += len(in_group)
            start = stop
    for _ in rows[yielded:]:
        yield Content(error="unreadable", detail=CHANGED)


def _read_group(
    file: pq.ParquetFile, group: int, rows: list[int], text: str, title: str
) -> Iterator[Content]:
    """Yield the contents of rows of a row group; `rows` counts from the group's first row."""
    start, yielded, detail = 0, 0, CHANGED
    try:
        for batch in _read_batches(file, group, [text, title]):
            in_batch = [row - start for row in rows if start <= row < start + batch.num_rows]
            start += batch.num_rows
            if not in_batch:
                continue
            texts, titles = _column_bytes(batch, text), _column_strings(batch, title)
            for row in in_batch:
                yield _content(texts[row] or b"", titles[row])
                yielded += 1
    except BROKEN as error:
        detail = type(error).__name__
    for _ in rows[yielded:]:
        yield Content(error="unreadable", detail=detail)


def _content(body: bytes, title: str | None) -> Content:
    """Return the content of a row. Bytes that are not UTF-8 go to charset detection."""
    try:
        return Content(text=body.decode(), title=title, media_type="text/plain")
    except UnicodeDecodeError:
        return Content(payload=body, title=title, media_type="text/plain")


def _envelopes(
    batch: pa.RecordBatch, names: dict[str, str], start: int, limit: int
) -> Iterator[Envelope]:
    """Yield the envelopes of a batch's rows; `start` is the number of the first."""
    readable = names["text"] not in batch.schema.names or _is_textual(batch.column(names["text"]))
    texts = _column_bytes(batch, names["text"]) if readable else [None] * batch.num_rows
    uris, dates = _column_strings(batch, names["uri"]), _column_strings(batch, names["captured_at"])
    for row, (uri, text, date) in enumerate(zip(uris, texts, dates, strict=True), start):
        envelope = Envelope("row", row, 1, uri=uri, captured_at=date, media_type="text/plain")
        envelope.payload_sha256 = hashlib.sha256(text or b"").hexdigest()
        if not readable:
            envelope.error, envelope.detail, envelope.payload_sha256 = "unreadable", NO_TEXT, None
        elif len(text or b"") > limit:
            envelope.error, envelope.detail = "too-large", f"{len(text or b'')} bytes"
        yield envelope


def _read_batches(file: pq.ParquetFile, group: int, columns: list[str]) -> Iterator[pa.RecordBatch]:
    """Yield the batches of a row group, of about `BATCH_BYTES` each, without missing columns."""
    metadata = file.metadata.row_group(group)
    rows = BATCH_BYTES * max(metadata.num_rows, 1) // max(metadata.total_byte_size, 1)
    present = set(file.schema_arrow.names)
    yield from file.iter_batches(
        min(max(rows, 1), BATCH_ROWS),
        row_groups=[group],
        columns=[c for c in dict.fromkeys(columns) if c in present],
    )


def _is_textual(column: pa.Array) -> bool:
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    return kind in TEXTUAL


def _column_bytes(batch: pa.RecordBatch, name: str) -> list[bytes | None]:
    """Return a text column as bytes: Arrow does not check that its strings are UTF-8."""
    if name not in batch.schema.names:
        return [None] * batch.num_rows
    column = batch.column(name)
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    values: list[bytes | None] = column.cast(pa.large_binary()).to_pylist()
    return values


def _column_strings(batch: pa.RecordBatch, name: str) -> list[str | None]:
    """Return any column as text; timestamps as ISO 8601, in UTC if they have a zone."""
    if name not in batch.schema.names:
        return [None] * batch.num_rows
    column = batch.column(name)
    if _is_textual(column):
        return [
            None if v is None else v.decode("utf-8", "replace") for v in _column_bytes(batch, name)
        ]
    if pa.types.is_timestamp(column.type):
        if column.type.tz:
            column = column.cast(pa.timestamp(column.type.unit, "UTC"))
        text = pc.replace_substring(column.cast(pa.string()), " ", "T", max_replacements=1)
        column = pc.replace_substring_regex(text, r"\.0+(Z?)$", r"\1")
    return [None if v is None else str(v) for v in column.to_pylist()]
