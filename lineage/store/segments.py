"""Segments of the store: what one release added to it and ended, as Parquet for point look-ups.

A segment is a folder `<seq>-<digest of the statement>` that is written once, in one rename.  Its
`docs` are intervals of membership that begin with the release: a record, and what became of it.
`ended` names those that the release before was the last to have, so that a record whose fate does
not change has one row, however many releases there are.

| table | a row is | sorted by |
|---|---|---|
| `docs` | an interval of a record that begins here | host (its labels reversed), doc_id |
| `ids` | a record's id: a row in `docs` | doc_id |
| `moves` | a record whose fate is as before, and whose place is not | doc_id |
| `urls` | 64 bits of the digest of an address: a row in `docs` | key |
| `texts` | the digest of a released text: a row in `docs` | digest |
| `payloads` | 128 bits of a payload's digest: a row in `docs` | digest |
| `prints` | a fingerprint of a released text (made by the caller): a row in `docs` | key |
| `copies` | a member of a cluster of duplicates | cluster_id, doc_id |
| `ended` | an interval whose last release was the one before: its segment and row | both |
| `sources` | a source as the register had it | source_id |
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

FOLDER: Final = "_store"  # inside the folder of releases; no release may have this name
FORMAT: Final = 1
HEADER: Final = "segment.json"
#: Rows of a row group: what a point look-up reads.
GROUP_ROWS: Final = 1 << 15
_PRINTS_ROWS: Final = 1 << 13  # of which many groups are read at a time

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
#: Arrow types of the files; Polars writes texts as large_string.
_ARROW: Final[Mapping[pl.DataType | type[pl.DataType], str]] = {
    pl.String: "string",
    pl.Binary: "binary",
    pl.UInt32: "uint32",
    pl.UInt64: "uint64",
    pl.Int32: "int32",
    pl.Int64: "int64",
    pl.Float64: "double",
}
#: Digests do not repeat, and sorted keys shrink by half as differences.
_PLAIN: Final = {"doc_id", "uri", "digest", "key", "pos", "row", "cluster_id", "kept_doc_id"}


@dataclass(frozen=True)
class Header:
    """What a segment says of its release.

    `seq` and `statement_sha256` are those of its line in the log; `previous` the seq of the segment
    before (-1: none); `moved` how many `moves` there are; `prints` names how the fingerprints were
    made.
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
    """A store that is torn or of another format; the message names the file and the remedy."""

    exit_code = BAD_USAGE


def write_segment(store: Path, header: Header, tables: Mapping[str, pl.DataFrame]) -> Path:
    """Write a segment so that it is there whole or not at all.

    Args:
      store: the folder of segments.
      tables: by name, sorted as `SORTED` says; those that are left out are empty.
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
    """A segment's header from the bytes of its file.

    Raises:
      BadStore: where it is none, or of another format.
    """
    try:
        read: dict[str, Any] = json.loads(content)
        found = Header(**read)
    except (ValueError, TypeError):
        raise BadStore(f"{place} is no header of a segment; run `tamga index --rebuild`") from None
    if found.format != FORMAT:
        raise BadStore(
            f"{place} is of format {found.format}, and this version reads {FORMAT}; "
            "run `tamga index --rebuild`"
        )
    return found
