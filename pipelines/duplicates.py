"""What the stage `dedup` computes, without Beam: signatures, exact and near duplicates, decisions.

A document's number is 64 bits: its shard's place in the sorted list of shards, then its row in
that shard's signatures; with a band's 64-bit key it is all that is shuffled for near-duplicates.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import polars as pl

from pipelines import clusters, minhash, shingles
from schemas.params import DedupParams

RULE_VERSION = f"{minhash.ALGORITHM}/1"
ROW_BITS = 32


def sign(documents: pl.DataFrame, ranks: dict[str, int], params: DedupParams) -> pl.DataFrame:
    """Documents doc_id, uri, source_id, captured_at, text -> the same without the text, with
    `right` (place in the order of right), `exact` (16 bytes), `shingles` (sorted distinct u64)
    and `signature` (u32)."""
    grams = shingles.shingle(documents["text"], params.shingle)
    number = minhash.bands(params.candidate, params.recall, params.rows) * params.rows
    signature = minhash.signatures(grams, number, params.seed)
    owner = np.repeat(np.arange(len(grams)), grams.sizes)
    flat = pl.DataFrame(
        {"row": owner, "shingles": grams.hashes}, {"row": pl.Int64, "shingles": pl.UInt64}
    )
    nested = flat.group_by("row", maintain_order=True).agg("shingles")
    rows = documents.select("doc_id", "uri", "source_id", "captured_at").with_row_index("row")
    right = pl.col("source_id").replace_strict(ranks, default=len(ranks), return_dtype=pl.Int64)
    columns = pl.Series(signature if len(signature) else [], dtype=pl.Array(pl.UInt32, number))
    return (
        rows.with_columns(pl.col("row").cast(pl.Int64))
        .join(nested, on="row", how="left", maintain_order="left")
        .with_columns(
            pl.col("shingles").fill_null([]),
            right=right,
            exact=shingles.exact_key(documents["text"]),
            signature=columns,
        )
        .drop("row")
    )


def numbers(place: int, rows: int) -> pl.Series:
    """The numbers of a shard's documents."""
    first = np.uint64(place) << np.uint64(ROW_BITS)
    return pl.Series("doc", first + np.arange(rows, dtype=np.uint64))


def place_of(docs: pl.Series) -> np.ndarray:
    """The shards' places of documents, by number."""
    return docs.to_numpy() >> np.uint64(ROW_BITS)


def exact_pairs(keys: pl.DataFrame) -> pl.DataFrame:
    """exact, doc, right, captured_at, doc_id -> [doc, kept] for all but the best copy of each text:
    best right first, then earliest capture, then the least id."""
    repeated = keys.filter(pl.col("exact").is_duplicated()).sort(
        "exact", "right", "captured_at", "doc_id", nulls_last=True
    )
    return (
        repeated.with_columns(kept=pl.col("doc").first().over("exact"))
        .filter(pl.col("doc") != pl.col("kept"))
        .select("doc", "kept")
    )


def bands(signed: pl.DataFrame, params: DedupParams) -> pl.DataFrame:
    """doc, signature, shingles -> band_key, doc: what is shuffled; nothing of texts without
    words."""
    number = minhash.bands(params.candidate, params.recall, params.rows)
    filled = signed.filter(pl.col("shingles").list.len() > 0)
    flat = filled["signature"].explode().cast(pl.UInt32).to_numpy()
    keys = minhash.band_keys(flat.reshape(filled.height, number * params.rows), number, params.rows)
    docs = np.repeat(filled["doc"].to_numpy(), number)
    return pl.DataFrame({"band_key": keys.ravel(), "doc": docs})


def verify(pairs: pl.DataFrame, signed: pl.DataFrame, threshold: float) -> pl.DataFrame:
    """Candidate pairs -> [left, right, similarity] of those whose shingles' Jaccard similarity
    reaches the threshold; `signed` holds doc and shingles of all that are named."""
    known = signed.sort("doc")
    lengths = known["shingles"].list.len().to_numpy().astype(np.int64)
    flat = known["shingles"].explode().drop_nulls().cast(pl.UInt64).to_numpy()
    grams = shingles.Shingles(flat, np.concatenate([[0], np.cumsum(lengths)]))
    distinct = pairs.unique(["left", "right"]).sort("left", "right")
    measured = clusters.jaccard(distinct, grams, known["doc"].to_numpy())
    return measured.filter(pl.col("similarity") >= threshold).select("left", "right", "similarity")


def order(about: pl.DataFrame) -> pl.DataFrame:
    """doc, right, captured_at, doc_id -> [doc, rank]: best right first, then earliest capture."""
    ranked = about.sort("right", "captured_at", "doc_id", nulls_last=True)
    return ranked.with_row_index("rank").select("doc", "rank")


def resolve(exact: pl.DataFrame, edges: pl.DataFrame, about: pl.DataFrame) -> pl.DataFrame:
    """Decide who stays.

    Args:
      exact: [doc, kept] of exact copies.
      edges: [left, right, similarity], verified, between texts that differ.
      about: doc, right, captured_at, doc_id of all documents that the two name.

    Returns:
      doc, kept_doc_id, similarity, kind, cluster_id: the members of every cluster; the one
      that stays is its own `kept`, with similarity 1.  Each document that goes was compared
      with the one that is kept for it.
    """
    near = (
        clusters.survivors(edges, order(about))
        if edges.height
        else pl.DataFrame(schema={"doc": pl.UInt64, "kept": pl.UInt64, "similarity": pl.Float64})
    )
    near = near.filter(pl.col("doc") != pl.col("kept"))
    copies = exact.join(
        near.rename({"kept": "final"}), left_on="kept", right_on="doc", how="left"
    ).select(
        "doc",
        kept=pl.coalesce("final", "kept"),
        similarity=pl.col("similarity").fill_null(1.0),
        kind=pl.when(pl.col("final").is_null()).then(pl.lit("exact")).otherwise(pl.lit("near")),
    )
    gone = pl.concat([near.with_columns(kind=pl.lit("near")).select(copies.columns), copies])
    ids = about.select("doc", "doc_id")
    stays = (
        gone.select(doc="kept")
        .unique()
        .with_columns(kept=pl.col("doc"), similarity=pl.lit(1.0), kind=pl.lit("exact"))
    )
    members = pl.concat([gone, stays.select(gone.columns)])
    return (
        members.join(ids.rename({"doc": "kept", "doc_id": "kept_doc_id"}), on="kept")
        .with_columns(cluster_id=pl.col("kept_doc_id"))
        .drop("kept")
        .sort("doc")
    )


def shards_of(pairs: pl.DataFrame) -> Iterator[tuple[int, int, pl.DataFrame]]:
    """Pairs grouped by the two shards they touch."""
    placed = pairs.with_columns(
        a=pl.col("left") // (1 << ROW_BITS), b=pl.col("right") // (1 << ROW_BITS)
    )
    for (a, b), group in placed.group_by("a", "b", maintain_order=True):
        yield int(a), int(b), group.select(pairs.columns)


def union(frames: Iterable[pl.DataFrame], columns: dict[str, type[pl.DataType]]) -> pl.DataFrame:
    """All frames in one, or an empty one of these columns."""
    found = [f for f in frames if f.height]
    return pl.concat(found) if found else pl.DataFrame(schema=columns)
