"""Candidates for the payload in a record's bytes, whose digest is in `records`."""

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
    """The payloads of a WARC or ARC record: the HTTP body, and the whole block.

    Other bytes are returned unchanged.
    """
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
    """The texts of a JSON object, or the fields of a CSV row.

    Empty texts are left out, for any row may have one.
    """
    line = raw.removeprefix(codecs.BOM_UTF8).lstrip()
    texts = _json_texts(line) if line.startswith(b"{") else _csv_fields(raw)
    yield from (text for text in texts if text)


def row_payloads(path: Path, number: int) -> list[bytes]:
    """The texts in a row of a Parquet file, without empty ones.

    Returns:
      The texts as bytes; an empty list if there is no such row.

    Raises:
      OSError, pyarrow.ArrowException: if the file cannot be read.
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
    """The text in a column of one row as bytes, which need not be UTF-8."""
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
        for inner in value.values():
            yield from _texts(inner)


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
    """Split data at its first empty line into the head and the rest."""
    end = _HEAD_END.search(data)
    return (data[: end.start()], data[end.end() :]) if end else (data, b"")
