"""Erased records in the store: tombstones take their place, and the history of all others stays.

A tombstone is a row of `docs` with the id, the source and the fate, so that a release of the past
still has as many members as it had.  Address, time, size, place, and every row by which text,
payload or address could be found are gone.
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
#: What a tombstone does not tell.
ERASED_COLUMNS: Final = (
    "host", "uri", "captured_at", "n_chars", "n_tokens", *PLACE, "digest", "payload", "uri_hmac",
)  # fmt: skip


def erased_ids(folder: Path) -> pl.Series:
    """The ids (binary) that the receipts beside releases say were erased, each once, sorted."""
    schema = {"kind": pl.String, "object": pl.String}
    found = [
        pl.read_ndjson(path, schema=schema).filter(kind=KIND)["object"]
        for path in sorted((folder / release_files.RECEIPTS).glob("*.tombstones.jsonl"))
        if path.stat().st_size
    ]
    return binary_ids(pl.concat([pl.Series("object", [], dtype=pl.String), *found]).unique().sort())


def binary_ids(ids: pl.Series) -> pl.Series:
    """Ids in hex digits as bytes."""
    return ids.cast(pl.String).str.decode("hex")


def with_tombstones(rows: pl.DataFrame, ids: pl.Series) -> pl.DataFrame:
    """Rows by record, with those of some ids told no further than by a tombstone."""
    gone = pl.col("doc_id").is_in(ids.implode())
    told = [c for c in ERASED_COLUMNS if c in rows.columns]
    return rows.with_columns(pl.when(~gone).then(pl.col(c)).alias(c) for c in told)


def rewrite_without(store: Store, ids: pl.Series, fresh: Path) -> None:
    """Write the store anew, without what it knows of some records.

    Args:
      store: as it stands; it is not changed.
      ids: of the records, binary.
      fresh: a folder that is made; segments that have nothing of them are copied into it.

    Raises:
      OSError, polars.exceptions.PolarsError: where a segment cannot be read.
    """
    disk.make_folder(fresh)
    places = pl.DataFrame(schema={"first_seq": pl.Int32, "was": pl.UInt32, "now": pl.UInt32})
    others = ~pl.col("doc_id").is_in(ids.implode())
    for one in store.releases:
        old = store.folder / one.folder
        tables = {name: _read(old / f"{name}.parquet") for name in ("copies", "moves", "ended")}
        left = {name: tables[name].filter(others) for name in ("copies", "moves")}
        left["ended"] = _renumbered(tables["ended"], places)
        hit = _read(old / "ids.parquet")["doc_id"].is_in(ids.implode()).any()
        if not hit and all(left[name].equals(rows) for name, rows in tables.items()):
            disk.copy_folder(old, fresh / one.folder)
            continue
        whole = {name: _read(old / f"{name}.parquet") for name in segments.TABLES} | left
        if hit:
            whole, place = _erase_rows(whole, ids)
            seq = pl.lit(one.seq, pl.Int32)
            places = pl.concat([places, place.select(first_seq=seq, was="was", now="pos")])
        segments.write_segment(fresh, one, whole)


def _erase_rows(
    found: Mapping[str, pl.DataFrame], ids: pl.Series
) -> tuple[dict[str, pl.DataFrame], pl.DataFrame]:
    """A segment's tables -> the same with tombstones, and where each row of `docs` went.  They
    are sorted anew: between its neighbours a row would still tell its host."""
    docs = with_tombstones(found["docs"].with_row_index("was"), ids)
    docs = docs.sort("host", "doc_id").with_row_index("pos")
    place = docs.select("was", "pos")
    gone = docs.filter(pl.col("doc_id").is_in(ids.implode())).select("was")
    keyed = {
        name: found[name]
        .rename({"pos": "was"})
        .join(gone, on="was", how="anti")
        .join(place, on="was")
        .sort(segments.SORTED[name])
        for name in ("urls", "texts", "payloads", "prints")
    }
    own = {"docs": docs, "ids": docs.select("doc_id", "pos").sort("doc_id")}
    return {**found, **own, **keyed}, place


def _renumbered(ended: pl.DataFrame, places: pl.DataFrame) -> pl.DataFrame:
    """`ended` with the rows of `docs` where they are now."""
    found = ended.join(
        places, left_on=["first_seq", "pos"], right_on=["first_seq", "was"], how="left"
    )
    return found.select("first_seq", pos=pl.coalesce("now", "pos")).sort("first_seq", "pos")


def _read(path: Path) -> pl.DataFrame:
    return pl.read_parquet(path, hive_partitioning=False)
