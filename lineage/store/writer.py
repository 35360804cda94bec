"""Enter a release into the store: compute which intervals begin with it, and which end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import polars as pl

from lineage.storage import release_files
from lineage.storage.release_tables import ReleaseTables, empty_table
from lineage.store import erasure, segments
from lineage.store.scans import PLACE
from lineage.store.segments import Header
from lineage.store.store import Store
from lineage.store.url_keys import reversed_hosts, url_keys
from schemas.stages import STAGES

#: Released texts (doc_id, text) -> doc_id and `key` of their fingerprints (u64).
Prints = Callable[[pl.DataFrame], pl.DataFrame]

#: The columns that do not change during an interval.
STATE: Final = (
    "source_id", "lang", "stage", "outcome", "reason", "rule", "rule_version",
    "licence", "jurisdiction", "basis", "reference", "n_chars", "n_tokens", "digest",
)  # fmt: skip


def enter_release(
    folder: Path, store: Store, entry: dict[str, Any], prints: Prints | None, algorithm: str = ""
) -> Header:
    """Enter a release into the store beside it; return the header of its segment.

    Args:
      folder: the release.
      store: the store; all its releases are before this one.
      entry: the release's line of the log.
      prints: computes the fingerprints of its texts; None: it is entered without fingerprints.
      algorithm: the name of the algorithm of the fingerprints.

    Raises:
      lineage.storage.release_tables.NoRelease: if the folder holds no release.
    """
    release = ReleaseTables(folder)
    manifest = release.manifest()
    rows = _without_erased(_rows(release), erasure.erased_ids(folder.parent))
    before = store.releases[-1].seq if store.releases else -1
    fresh, moved, ended = _changes(rows, store)
    tables = interval_tables(fresh, moved, ended)
    new = tables["docs"].filter("new_text").select("doc_id", "shard", "pos")
    tables |= {
        "prints": _prints(release, new, prints),
        "copies": _copies(release),
        "sources": _sources(release),
    }
    header = Header(
        seq=entry["seq"],
        name=entry["name"],
        statement_sha256=entry["statement_sha256"],
        as_of=manifest["as_of"],
        purpose=manifest["purpose"],
        previous=before,
        records=rows.height,
        documents=rows["digest"].count(),
        moved=moved.height,
        prints=algorithm,
    )
    segments.write_segment(store.folder, header, tables)
    return header


def interval_tables(
    fresh: pl.DataFrame, moved: pl.DataFrame, ended: pl.DataFrame
) -> dict[str, pl.DataFrame]:
    """Build the tables of a segment from intervals: all except `prints`, `copies` and `sources`.

    Args:
      fresh: the intervals that begin: the columns of `docs` except `host`; and PLACE, `digest`,
        `uri_hmac` and `payload`.
      moved: doc_id and PLACE of records of which only the place is new.
      ended: first_seq and pos of the intervals that ended.
    """
    docs = (
        fresh.with_columns(
            host=reversed_hosts(fresh["uri"]), key=url_keys(fresh["uri"], fresh["uri_hmac"])
        )
        .sort("host", "doc_id")
        .with_row_index("pos")
    )
    payloads = docs.select(digest=pl.col("payload").bin.slice(0, 16), pos="pos")
    return {
        "docs": docs,
        "ids": docs.select("doc_id", "pos").sort("doc_id"),
        "moves": moved.sort("doc_id"),
        "urls": docs.select("key", "pos").drop_nulls().sort("key", "pos"),
        "texts": docs.select("digest", "pos").drop_nulls().sort("digest", "pos"),
        "payloads": payloads.drop_nulls().sort("digest", "pos"),
        "ended": ended.sort("first_seq", "pos"),
    }


def holds_release(folder: Path, entry: dict[str, Any]) -> bool:
    """Whether a folder still holds the release that an entry of the log names."""
    try:
        envelope = (folder / release_files.STATEMENT).read_bytes()
    except OSError:
        return False
    return sha256(envelope).hexdigest() == entry["statement_sha256"]


def _rows(release: ReleaseTables) -> pl.DataFrame:
    """All records of a release, with their outcome and place."""
    folder = release.folder / "lineage"
    parts = [
        _part(path, folder / "decisions" / path.name)
        for path in sorted((folder / "records").glob("*.parquet"))
    ]
    documents = _table(release, "documents").select(
        _binary("doc_id"),
        "n_chars",
        "n_tokens",
        "shard",
        pl.col("row").cast(pl.UInt32),
        released=pl.col("lang"),
        digest=pl.col("text_sha256").str.decode("hex"),
    )
    nothing = (empty_table("records").collect(), empty_table("decisions").collect(), "")
    rows = pl.concat(parts or [_joined(*nothing)])
    return (
        rows.join(documents.collect(), on="doc_id", how="left")
        .join(_rights(release), on="source_id", how="left")
        .with_columns(lang=pl.coalesce("released", "lang"))
        .drop("released")
    )


def _without_erased(rows: pl.DataFrame, ids: pl.Series) -> pl.DataFrame:
    """Replace erased records by tombstones, except those that are released again."""
    released = rows.filter(pl.col("digest").is_not_null())["doc_id"]
    return erasure.with_tombstones(rows, ids.filter(~ids.is_in(released.implode())))


def _part(records: Path, decisions: Path) -> pl.DataFrame:
    """Read one part of `records` and `decisions`."""
    wanted = [
        "doc_id", "source_id", "uri", "uri_hmac", "collection", "payload_sha256", "captured_at",
    ]  # fmt: skip
    rows = pl.read_parquet(records, columns=wanted)
    decided = pl.read_parquet(
        decisions,
        columns=["doc_id", "stage", "outcome", "reason", "rule", "rule_version", "evidence"],
    )
    return _joined(rows, decided, records.stem)


def _joined(records: pl.DataFrame, decided: pl.DataFrame, part: str) -> pl.DataFrame:
    """Join records with their last decision and their language; one row per record."""
    order = {stage: i for i, stage in enumerate(STAGES)}
    ranked = decided.with_columns(
        at=pl.col("stage").replace_strict(order, default=len(order), return_dtype=pl.Int64)
    ).sort("doc_id", "at")
    last = ranked.drop("evidence").unique("doc_id", keep="last", maintain_order=True).drop("at")
    languages = ranked.filter(pl.col("stage") == "language").select(
        "doc_id", lang=pl.col("evidence").str.json_path_match("$.lang")
    )
    return (
        records.join(last, on="doc_id", how="left", maintain_order="left")
        .join(languages.unique("doc_id"), on="doc_id", how="left", maintain_order="left")
        .with_columns(
            _binary("doc_id"),
            payload=pl.col("payload_sha256").str.decode("hex"),
            part=pl.lit(part),
        )
        .select(
            "doc_id",
            "source_id",
            "uri",
            "collection",
            "captured_at",
            "stage",
            "outcome",
            "reason",
            "rule",
            "rule_version",
            "lang",
            "payload",
            "uri_hmac",
            "part",
        )
    )


def _changes(rows: pl.DataFrame, store: Store) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Compare the rows of a release with the latest release in the store.

    Returns:
      The rows that begin an interval; doc_id and PLACE of rows of which only the place is new;
      first_seq and pos of the intervals that ended.
    """
    live = store.live([*STATE, *PLACE])
    joined = rows.join(live, on="doc_id", how="left", suffix="_was")
    same = pl.col("first_seq").is_not_null()
    state = pl.all_horizontal(same, *(pl.col(c).eq_missing(pl.col(f"{c}_was")) for c in STATE))
    place = pl.all_horizontal(pl.col(c).eq_missing(pl.col(f"{c}_was")) for c in PLACE)
    compared = joined.with_columns(same_state=state, same_place=place)
    new_text = (pl.col("digest") != pl.col("digest_was")).fill_null(pl.col("digest").is_not_null())
    fresh = compared.filter(~pl.col("same_state")).select(*rows.columns, new_text=new_text)
    moved = compared.filter(pl.col("same_state") & ~pl.col("same_place")).select("doc_id", *PLACE)
    unchanged = compared.filter(pl.col("same_state")).select("doc_id")
    ended = live.join(unchanged, on="doc_id", how="anti").select("first_seq", "pos")
    return fresh, moved, ended


def _prints(release: ReleaseTables, texts: pl.DataFrame, prints: Prints | None) -> pl.DataFrame:
    """Compute the fingerprints of released texts, shard by shard: key, pos."""
    frames = [pl.DataFrame(schema={"key": pl.UInt64, "pos": pl.UInt32})]
    for shard in texts["shard"].unique().sort() if prints else ():
        wanted = texts.filter(pl.col("shard") == shard).select("doc_id", "pos")
        for batch in _texts(release.folder / shard):
            new = batch.join(wanted, on="doc_id")
            if prints and new.height:
                frames.append(prints(new).join(new, on="doc_id").select("key", "pos"))
    return pl.concat(frames).sort("key", "pos")


def _texts(path: Path) -> Iterator[pl.DataFrame]:
    """Read doc_id (binary) and text of a shard's documents, in batches."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(4096, columns=["doc_id", "text"]):
            texts = pl.from_arrow(batch)
            assert isinstance(texts, pl.DataFrame)
            yield texts.with_columns(_binary("doc_id"))


def _copies(release: ReleaseTables) -> pl.DataFrame:
    ids = ("cluster_id", "doc_id", "kept_doc_id")
    members = _table(release, "duplicates").select(*map(_binary, ids), "kind", "similarity")
    return members.sort("cluster_id", "doc_id").collect()


def _sources(release: ReleaseTables) -> pl.DataFrame:
    return _table(release, "sources").sort("source_id").collect()


def _rights(release: ReleaseTables) -> pl.DataFrame:
    """source_id, licence, jurisdiction, kind and reference of the lawful basis."""
    entry = pl.col("entry")
    return _sources(release).select(
        "source_id",
        "licence",
        "jurisdiction",
        basis=entry.str.json_path_match("$.basis.kind"),
        reference=entry.str.json_path_match("$.basis.reference"),
    )


def _table(release: ReleaseTables, name: str) -> pl.LazyFrame:
    """Scan a lineage table; empty if the release has no files of it."""
    if any((release.folder / "lineage" / name).glob("*.parquet")):
        return release.table(name)
    return empty_table(name)


def _binary(name: str) -> pl.Expr:
    """A column of hex digits as bytes."""
    return pl.col(name).str.decode("hex")
