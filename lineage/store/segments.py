"""Segments of the store: what one release adds and ends, in Parquet files for point look-ups.

A segment is a folder `<seq>-<digest of the statement>`.  It is written once, by one rename.  A row
of `docs` is an interval that begins with the release: a record, and its outcome.  A row of `ended`
names an interval whose last release is the one before.  So a record whose outcome does not change
has one row, whatever the number of releases.

| table | a row is | sorted by |
|---|---|---|
| `docs` | an interval of a record that begins here | host (its labels reversed), doc_id |
| `ids` | a record's id -> its row in `docs` | doc_id |
| `moves` | a record whose outcome is unchanged and whose place is new | doc_id |
| `urls` | 64 bits of the digest of an address -> a row in `docs` | key |
| `texts` | the digest of a released text -> a row in `docs` | digest |
| `payloads` | 128 bits of a payload's digest -> a row in `docs` | digest |
| `prints` | a fingerprint of a released text (computed by the caller) -> a row in `docs` | key |
| `copies` | a member of a cluster of duplicates | cluster_id, doc_id |
| `ended` | an interval whose last release is the one before: its segment and row | both |
| `sources` | a source as it was in the register | source_id |
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import polars as pl

from lineage.storage import disk
from schemas import columns
from schemas.canonical import canonical_json
from schemas.errors import BAD_USAGE, TamgaError

FOLDER: Final = "_store"  # in the folder of releases; a release must not have this name
FORMAT: Final = 1
HEADER: Final = "segment.json"
#: Rows of a row group: a point look-up reads one group.
GROUP_ROWS: Final = 1 << 15
_PRINTS_ROWS: Final = 1 << 13  # smaller, for a look-up of fingerprints reads many groups

_text, _id, _row = pl.String, pl.Binary, pl.UInt32
TABLES: Final = {
    "docs": pl.Schema(
        [
            ("host", _text),
            ("doc_id", _id),
            ("uri", _text),
            ("captured_at", _text),
            ("source_id", _text),
            ("collection", _text),
            ("lang", _text),
            ("stage", _text),
            ("outcome", _text),
            ("reason", _text),
            ("rule", _text),
            ("rule_version", _text),
            ("licence", _text),
            ("jurisdiction", _text),
            ("basis", _text),
            ("reference", _text),
            ("n_chars", pl.Int64),
            ("n_tokens", pl.Int64),
            ("part", _text),
            ("shard", _text),
            ("row", _row),
        ]
    ),
    "ids": pl.Schema([("doc_id", _id), ("pos", _row)]),
    "moves": pl.Schema([("doc_id", _id), ("part", _text), ("shard", _text), ("row", _row)]),
    "urls": pl.Schema([("key", pl.UInt64), ("pos", _row)]),
    "texts": pl.Schema([("digest", _id), ("pos", _row)]),
    "payloads": pl.Schema([("digest", _id), ("pos", _row)]),
    "prints": pl.Schema([("key", pl.UInt64), ("pos", _row)]),
    "copies": pl.Schema(
        [
            ("cluster_id", _id),
            ("doc_id", _id),
            ("kept_doc_id", _id),
            ("kind", _text),
            ("similarity", pl.Float64),
        ]
    ),
    "ended": pl.Schema([("first_seq", pl.Int32), ("pos", _row)]),
    "sources": pl.Schema(dict.fromkeys(columns.SOURCES, _text)),
}
SORTED: Final = {
    "docs": ["host", "doc_id"],
    "ids": ["doc_id"],
    "moves": ["doc_id"],
    "urls": ["key", "pos"],
    "texts": ["digest", "pos"],
    "payloads": ["digest", "pos"],
    "prints": ["key", "pos"],
    "copies": ["cluster_id", "doc_id"],
    "ended": ["first_seq", "pos"],
    "sources": ["source_id"],
}
#: Arrow types of the files; Polars itself would write strings as large_string.
_ARROW: Final[Mapping[pl.DataType | type[pl.DataType], str]] = {
    pl.String: "string",
    pl.Binary: "binary",
    pl.UInt32: "uint32",
    pl.UInt64: "uint64",
    pl.Int32: "int32",
    pl.Int64: "int64",
    pl.Float64: "double",
}
#: Columns without a dictionary: digests do not repeat, and delta encoding halves sorted keys.
_PLAIN: Final = {"doc_id", "uri", "digest", "key", "pos", "row", "cluster_id", "kept_doc_id"}


@dataclass(frozen=True)
class Header:
    """The header of a segment: facts about its release.

    Args:
      seq, statement_sha256: as in the release's line of the log.
      previous: the seq of the segment before; -1: none.
      moved: the number of rows in `moves`.
      prints: the algorithm of the fingerprints; empty: there are none.
    """

    seq: int
    name: str
    statement_sha256: str
    as_of: str
    purpose: str
    previous: int
    records: int
    documents: int
    moved: int
    prints: str
    format: int = FORMAT

    @property
    def folder(self) -> str:
        return f"{self.seq:06}-{self.statement_sha256[:16]}"


class BadStore(TamgaError):
    """A store is damaged or has another format; the message names the file and the remedy."""

    exit_code = BAD_USAGE


def write_segment(store: Path, header: Header, tables: Mapping[str, pl.DataFrame]) -> Path:
    """Write a segment atomically; return its folder.

    Args:
      store: the folder of segments.
      header: the segment's header.
      tables: by name, sorted by the columns in `SORTED`; missing tables are empty.
    """
    folder = store / header.folder
    with disk.atomic_folder(folder) as fresh:
        for name, schema in TABLES.items():
            _write(fresh / f"{name}.parquet", tables.get(name, pl.DataFrame(schema=schema)), schema)
        disk.write_bytes(fresh / HEADER, canonical_json(asdict(header)).encode() + b"\n")
    return folder


def _write(path: Path, frame: pl.DataFrame, schema: pl.Schema) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    narrow = pa.schema([(name, _ARROW[kind]) for name, kind in schema.items()])
    rows = frame.to_arrow().select(narrow.names).cast(narrow)
    plain = _PLAIN & set(rows.column_names)
    with disk.atomic_file(path) as file:
        pq.write_table(
            rows,
            file,
            compression="zstd",
            row_group_size=_PRINTS_ROWS if path.stem == "prints" else GROUP_ROWS,
            use_dictionary=[name for name in rows.column_names if name not in plain],
            column_encoding={"key": "DELTA_BINARY_PACKED"} if "key" in plain else None,
            store_schema=False,
        )


def parse_header(content: bytes, place: str) -> Header:
    """Parse a segment's header from the bytes of its file.

    Args:
      content: the bytes.
      place: the file's name, for messages.

    Raises:
      BadStore: if it is not a header, or has another format.
    """
    try:
        fields: dict[str, Any] = json.loads(content)
        parsed = Header(**fields)
    except (ValueError, TypeError):
        raise BadStore(
            f"{place} is not the header of a segment; run `tamga index --rebuild`"
        ) from None
    if parsed.format != FORMAT:
        raise BadStore(
            f"{place} has the format {parsed.format}, and this version reads {FORMAT}; "
            "run `tamga index --rebuild`"
        )
    return parsed
