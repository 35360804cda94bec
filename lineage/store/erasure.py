"""Erased records in the store: tombstones replace them, and the history of all others stays.

A tombstone is a row of `docs` with only the id, the source and the outcome.  So a release of the
past keeps its number of records.  Address, time, size and place are removed, and so is each row by
which a text, payload or address could be looked up.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import polars as pl

from lineage.storage import disk, release_files
from lineage.store import segments
from lineage.store.scans import PLACE
from lineage.store.store import Store

#: The kind of a tombstone's line that names an erased record.
KIND: Final = "record"
#: The columns that are null in a tombstone.
ERASED_COLUMNS: Final = (
    "host", "uri", "captured_at", "n_chars", "n_tokens", *PLACE, "digest", "payload", "uri_hmac",
)  # fmt: skip


def erased_ids(folder: Path) -> pl.Series:
    """The ids (binary) of erased records, by the receipts beside releases; distinct and sorted."""
    schema = {"kind": pl.String, "object": pl.String}
    erased = [
        pl.read_ndjson(path, schema=schema).filter(kind=KIND)["object"]
        for path in sorted((folder / release_files.RECEIPTS).glob("*.tombstones.jsonl"))
        if path.stat().st_size
    ]
    none = pl.Series("object", [], dtype=pl.String)
    return binary_ids(pl.concat([none, *erased]).unique().sort())


def binary_ids(ids: pl.Series) -> pl.Series:
    """Turn ids in hex digits into bytes."""
    return ids.cast(pl.String).str.decode("hex")


def with_tombstones(rows: pl.DataFrame, ids: pl.Series) -> pl.DataFrame:
    """Turn the rows of some ids into tombstones: set their ERASED_COLUMNS to null."""
    erased = pl.col("doc_id").is_in(ids.implode())
    names = [name for name in ERASED_COLUMNS if name in rows.columns]
    return rows.with_columns(pl.when(~erased).then(pl.col(name)).alias(name) for name in names)


def rewrite_without(store: Store, ids: pl.Series, fresh: Path) -> None:
    """Write a new store in which some records are tombstones.

    Args:
      store: the present store; it is not changed.
      ids: the ids of the erased records, binary.
      fresh: the folder of the new store.  Segments without these records are copied.

    Raises:
      OSError, polars.exceptions.PolarsError: if a segment cannot be read.
    """
    disk.make_folder(fresh)
    places = pl.DataFrame(schema={"first_seq": pl.Int32, "was": pl.UInt32, "now": pl.UInt32})
    others = ~pl.col("doc_id").is_in(ids.implode())
    for header in store.releases:
        old = store.folder / header.folder
        before = {name: _read(old / f"{name}.parquet") for name in ("copies", "moves", "ended")}
        after = {name: before[name].filter(others) for name in ("copies", "moves")}
        after["ended"] = _renumbered(before["ended"], places)
        hit = _read(old / "ids.parquet")["doc_id"].is_in(ids.implode()).any()
        if not hit and all(after[name].equals(rows) for name, rows in before.items()):
            disk.copy_folder(old, fresh / header.folder)
            continue
        tables = {name: _read(old / f"{name}.parquet") for name in segments.TABLES} | after
        if hit:
            tables, place = _erase_rows(tables, ids)
            seq = pl.lit(header.seq, pl.Int32)
            places = pl.concat([places, place.select(first_seq=seq, was="was", now="pos")])
        segments.write_segment(fresh, header, tables)


def _erase_rows(
    tables: Mapping[str, pl.DataFrame], ids: pl.Series
) -> tuple[dict[str, pl.DataFrame], pl.DataFrame]:
    """Put tombstones into the tables of a segment.

    The tables are sorted again, for the place of a row among its neighbours would reveal its host.

    Returns:
      The tables, and the old (`was`) and new (`pos`) place of each row of `docs`.
    """
    docs = with_tombstones(tables["docs"].with_row_index("was"), ids)
    docs = docs.sort("host", "doc_id").with_row_index("pos")
    place = docs.select("was", "pos")
    erased = docs.filter(pl.col("doc_id").is_in(ids.implode())).select("was")
    keyed = {
        name: tables[name]
        .rename({"pos": "was"})
        .join(erased, on="was", how="anti")
        .join(place, on="was")
        .sort(segments.SORTED[name])
        for name in ("urls", "texts", "payloads", "prints")
    }
    by_id = {"docs": docs, "ids": docs.select("doc_id", "pos").sort("doc_id")}
    return {**tables, **by_id, **keyed}, place


def _renumbered(ended: pl.DataFrame, places: pl.DataFrame) -> pl.DataFrame:
    """Update the places of rows in `ended` to their new places in `docs`."""
    rows = ended.join(
        places, left_on=["first_seq", "pos"], right_on=["first_seq", "was"], how="left"
    )
    return rows.select("first_seq", pos=pl.coalesce("now", "pos")).sort("first_seq", "pos")


def _read(path: Path) -> pl.DataFrame:
    return pl.read_parquet(path, hive_partitioning=False)
