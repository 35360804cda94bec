"""From shared bands to verified edges, clusters, and the one document of each that stays.

Documents are unsigned 64-bit numbers; number them by preference, best first, where that is
known: the star of a hot bucket then has the likely survivor as its centre.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import polars as pl

from pipelines.text.ragged import I64, ranges
from pipelines.text.shingles import U64, Shingles, fmix64

HOT = 32
"""Members from which a bucket no longer yields all of its pairs."""

_CHUNK = 1 << 22  # shingles gathered at a time


def candidate_pairs(keys: pl.DataFrame, hot: int = HOT) -> pl.DataFrame:
    """Documents that share a key -> distinct pairs [left, right], left < right, sorted.

    keys: key u64, doc u64.  A bucket of up to `hot` members yields all its pairs.  A larger one
    yields a star (its least document with each) and a chain (each with the next), so that a key
    costs at most (hot - 1) / 2 pairs and a template does not go quadratic.  Buckets with the
    same members are expanded once.
    """
    rows = keys.filter(pl.col("key").is_duplicated()).unique(["key", "doc"]).sort("key", "doc")
    if rows.is_empty():
        return _distinct_pairs([])
    key, doc = rows["key"].to_numpy(), rows["doc"].cast(pl.UInt64).to_numpy()
    starts = _run_starts(key)
    chosen = _distinct_buckets(doc, starts)
    sizes = np.diff(np.append(starts, len(doc)))
    return _distinct_pairs(list(_bucket_pairs(doc, starts[chosen], sizes[chosen], hot)))


def crowded_documents(keys: pl.DataFrame, hot: int = HOT) -> pl.Series:
    """The documents of buckets of which `candidate_pairs` does not yield all pairs."""
    shared = keys.filter(pl.col("key").is_duplicated()).unique(["key", "doc"])
    return shared.filter(pl.len().over("key") > hot)["doc"].unique().sort()


def jaccard(
    pairs: pl.DataFrame, shingles: Shingles, docs: U64 | None = None, chunk: int = _CHUNK
) -> pl.DataFrame:
    """Pairs [left, right] -> [left, right, similarity, containment], measured on the shingles.

    docs: ascending, docs[i] is the document of row i (None: left and right are rows).
    similarity: shared shingles over those of either; containment: over those of the smaller.
    Both are 0.0 where a document has no shingles: emptiness proves nothing.  Memory is bounded
    by `chunk` shingles at a time, or one pair.  Raises KeyError for a document not in `docs`.
    """
    left, right = (_find_rows(pairs[side].to_numpy(), docs) for side in ("left", "right"))
    a, b = shingles.sizes[left], shingles.sizes[right]
    shared = np.zeros(len(left), np.int64)
    steps = np.cumsum(a + b) // max(chunk, 1)
    for low, high in pairwise(np.append(_run_starts(steps), len(steps))):
        shared[low:high] = _count_shared(
            shingles.take(left[low:high]), shingles.take(right[low:high])
        )
    return pairs.select("left", "right").with_columns(
        similarity=pl.Series(shared / np.maximum(a + b - shared, 1), dtype=pl.Float64),
        containment=pl.Series(shared / np.maximum(np.minimum(a, b), 1), dtype=pl.Float64),
    )


def label_components(edges: pl.DataFrame) -> pl.DataFrame:
    """Edges [left, right] -> [doc, component], sorted; component: its least document.

    For the edges of one worker; the same whatever their order or direction.
    """
    from scipy import sparse
    from scipy.sparse import csgraph

    docs, ends = np.unique(
        np.concatenate([edges["left"].to_numpy(), edges["right"].to_numpy()]), return_inverse=True
    )
    left, right = np.split(ends, 2)
    graph = sparse.coo_array((np.ones(len(left), bool), (left, right)), (len(docs), len(docs)))
    labels = csgraph.connected_components(graph, directed=False)[1] if len(docs) else left
    _, first = np.unique(labels, return_index=True)
    return pl.DataFrame({"doc": docs, "component": docs[first[labels]]})


def anchor_pairs(edges: pl.DataFrame, texts: pl.DataFrame) -> pl.DataFrame:
    """The pairs to measure besides: each component's best-ranked text with each of its texts.

    edges [left, right], texts [text, component, rank] -> [left, right, component] without those
    in edges.  One pair per text at most; with them verified, `survivors` keeps one document of
    a hot bucket, and what goes was compared with what stays.
    """
    best = pl.col("text").first().over("component")
    pairs = (
        texts.sort("rank", "text")
        .select(
            left=pl.min_horizontal("text", best),
            right=pl.max_horizontal("text", best),
            component="component",
        )
        .filter(pl.col("left") != pl.col("right"))
    )
    known = _order_sides(edges.select("left", "right"))
    return pairs.join(known, on=["left", "right"], how="anti").sort("left", "right")


def choose_survivors(edges: pl.DataFrame, rank: pl.DataFrame) -> pl.DataFrame:
    """Who stays: verified edges [left, right, similarity], rank [doc, rank] (least is best) ->
    [doc, kept, similarity] for each document of the edges, sorted; who stays keeps itself,
    with a null similarity.

    The best-ranked document of a component stays, all with an edge to it go, and the rest is
    decided again until none is left.  That is the greedy independent set in order of rank
    (number breaks ties), found here in one pass.  Each document that goes has a measured edge
    to the one kept for it, the best-ranked if there are several.  Raises KeyError for a
    document without a rank.
    """
    edges = edges.filter(pl.col("left") != pl.col("right"))
    edges = _order_sides(edges).group_by("left", "right").agg(pl.col("similarity").max())
    nodes = pl.concat([edges["left"], edges["right"]]).unique().to_frame("doc")
    ranked = nodes.join(rank.drop_nulls("rank").unique("doc"), on="doc").sort("rank", "doc")
    if len(ranked) < len(nodes):
        raise KeyError(f"{len(nodes) - len(ranked)} documents have no rank")
    order = ranked.select("doc", at=pl.int_range(pl.len()))
    placed = (
        edges.join(order, left_on="left", right_on="doc")
        .join(order, left_on="right", right_on="doc")
        .select(
            pl.min_horizontal("at", "at_right").alias("better"),
            pl.max_horizontal("at", "at_right").alias("worse"),
            "similarity",
        )
        .sort("better", "worse")
    )
    better, worse = placed["better"].to_numpy(), placed["worse"].to_numpy()
    stays = np.ones(len(order), bool)
    for low, high in pairwise(np.append(_run_starts(better), len(better))):
        if stays[better[low]]:
            stays[worse[low:high]] = False
    gone = (
        placed.filter(pl.Series(stays[better] & ~stays[worse]))
        .unique("worse", keep="first", maintain_order=True)
        .join(order.rename({"doc": "kept"}), left_on="better", right_on="at")
        .select("worse", "kept", "similarity")
    )
    return (
        order.join(gone, left_on="at", right_on="worse", how="left")
        .select("doc", pl.col("kept").fill_null(pl.col("doc")), "similarity")
        .sort("doc")
    )


def _bucket_pairs(doc: U64, starts: I64, sizes: I64, hot: int) -> Iterator[tuple[U64, U64]]:
    """Pairs inside runs of `doc`."""
    small = sizes <= hot
    at = ranges(starts[small], sizes[small])
    last = np.repeat(starts[small] + sizes[small], sizes[small]) - 1
    for step in range(1, hot):
        further = at + step <= last
        at, last = at[further], last[further]
        if not len(at):
            break
        yield doc[at], doc[at + step]
    starts, sizes = starts[~small], sizes[~small]
    if not len(starts):
        return
    yield doc[ranges(starts, sizes - 1)], doc[ranges(starts + 1, sizes - 1)]
    members = doc[ranges(starts, sizes)]
    centre = np.minimum.reduceat(members, np.cumsum(sizes) - sizes)
    yield np.repeat(centre, sizes), members


def _run_starts(*columns: npt.NDArray[np.generic]) -> I64:
    """Where a new run of equal rows starts, for columns sorted together."""
    new = np.zeros(len(columns[0]), bool)
    new[:1] = True
    for column in columns:
        new[1:] |= column[1:] != column[:-1]
    return np.flatnonzero(new)


def _distinct_buckets(doc: U64, starts: I64) -> npt.NDArray[np.bool_]:
    """Which runs are the first with their set of members (told by a 128-bit sum of hashes),
    and have at least two."""
    sizes = np.diff(np.append(starts, len(doc)))
    hashed = fmix64(doc + np.uint64(1))
    sums = [np.add.reduceat(h, starts) for h in (hashed, fmix64(~hashed))]
    runs = pl.DataFrame({"size": sizes, "x": sums[0], "y": sums[1]})
    return (
        runs.select(pl.struct(pl.all()).is_first_distinct() & (pl.col("size") > 1))
        .to_series()
        .to_numpy()
    )


def _distinct_pairs(parts: list[tuple[U64, U64]]) -> pl.DataFrame:
    schema = {"left": pl.UInt64, "right": pl.UInt64}
    frames = [pl.DataFrame({"left": a, "right": b}, schema=schema) for a, b in parts]
    frame = _order_sides(pl.concat([pl.DataFrame(schema=schema), *frames]))
    return frame.filter(pl.col("left") != pl.col("right")).unique().sort("left", "right")


def _order_sides(edges: pl.DataFrame) -> pl.DataFrame:
    """The lesser document on the left."""
    return edges.with_columns(
        left=pl.min_horizontal("left", "right"), right=pl.max_horizontal("left", "right")
    )


def _find_rows(wanted: U64, docs: U64 | None) -> I64:
    if docs is None:
        return wanted.astype(np.int64)
    rows = np.searchsorted(docs, wanted)
    if not (rows < len(docs)).all() or (docs[rows] != wanted).any():
        raise KeyError("pairs name documents that have no shingles here")
    return rows


def _count_shared(left: Shingles, right: Shingles) -> I64:
    """Common hashes row by row: the non-zeros of a product of sparse rows, merged in C++."""
    from scipy import sparse

    a, b = (
        sparse.csr_array(
            (np.ones(len(s.hashes), np.int8), s.hashes.view(np.int64), s.offsets),
            (len(s), np.iinfo(np.int64).max),
        )
        for s in (left, right)
    )
    return np.diff(a.multiply(b).indptr)
