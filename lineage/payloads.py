"""What may be the payload in a record's bytes: the thing whose digest stands in `records`."""

from __future__ import annotations

import codecs
import csv
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_LENGTH = re.compile(rb"^Content-Length:[ \t]*(\d+)", re.I | re.M)
_HEAD_END = re.compile(rb"\r?\n\r?\n")
_ARC = re.compile(rb"[A-Za-z][A-Za-z0-9+.\-]*:[^\r\n]* (\d{1,15})\r?\n")
_DELIMITERS = ",;\t|"


def archive_payloads(raw: bytes) -> Iterator[bytes]:
    """Of a record of a WARC or ARC file an HTTP body, or a block without HTTP's headers; of
    anything else, itself."""
    if raw.startswith(b"WARC/"):
        head, block = _split_head(raw)
        stated = _LENGTH.search(head)
        block = block[: int(stated[1])] if stated else block
    else:
        line = _ARC.match(raw)
        if line is None:
            yield raw
            return
        block = raw[line.end() : line.end() + int(line[1])]
    yield _split_head(block)[1]
    yield block


def line_payloads(raw: bytes) -> Iterator[bytes]:
    """The texts of a JSON object, or the fields of a row of CSV; the empty one left out, which
    any row may hold somewhere."""
    line = raw.removeprefix(codecs.BOM_UTF8).lstrip()
    found = _json_texts(line) if line.startswith(b"{") else _csv_fields(raw)
    yield from (text for text in found if text)


def row_payloads(path: Path, number: int) -> list[bytes]:
    """The texts in a row of a Parquet file, the empty ones left out; none where there is no such
    row.

    Raises:
      OSError, pyarrow.ArrowException: where the file cannot be read.
    """
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        for group in range(file.num_row_groups):
            rows = file.metadata.row_group(group).num_rows
            if number >= rows:
                number -= rows
                continue
            for batch in file.iter_batches(1024, row_groups=[group]):
                if number < batch.num_rows:
                    return [text for column in batch.slice(number, 1) for text in _cell(column)]
                number -= batch.num_rows
    return []


def _cell(column: Any) -> list[bytes]:
    """A column of one row: its text as bytes, which need not be UTF-8."""
    import pyarrow as pa

    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    textual = (
        pa.types.is_string,
        pa.types.is_large_string,
        pa.types.is_string_view,
        pa.types.is_binary,
        pa.types.is_large_binary,
        pa.types.is_binary_view,
    )
    if not any(kind(column.type) for kind in textual):
        return []
    return [value for value in column.cast(pa.large_binary()).to_pylist() if value]


def _json_texts(line: bytes) -> Iterator[bytes]:
    try:
        yield from _texts(json.loads(line))
    except (ValueError, RecursionError):
        return


def _texts(value: Any) -> Iterator[bytes]:
    if isinstance(value, str):
        yield value.encode("utf-8", "surrogatepass")
    elif isinstance(value, dict):
        for one in value.values():
            yield from _texts(one)


def _csv_fields(raw: bytes) -> Iterator[bytes]:
    csv.field_size_limit(max(len(raw), csv.field_size_limit()))
    text = raw.decode("utf-8", "replace")
    for delimiter in _DELIMITERS:
        try:
            row = next(csv.reader(io.StringIO(text, newline="\n"), delimiter=delimiter), [])
        except csv.Error:
            continue
        yield from (field.encode() for field in row)


def _split_head(data: bytes) -> tuple[bytes, bytes]:
    """A head and what stands behind the empty line that ends it."""
    end = _HEAD_END.search(data)
    return (data[: end.start()], data[end.end() :]) if end else (data, b"")
