"""Candidate pairs from shared bands, Jaccard similarity, components, and survivors of clusters.

Documents are unsigned 64-bit numbers. If their preference is known, number them by it, best first:
the centre of the star of a hot bucket is then the likely survivor.
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
"""A bucket with more members does not yield all of its pairs."""

_CHUNK = 1 << 22  # shingles compared at a time


def candidate_pairs(keys: pl.DataFrame, hot: int = HOT) -> pl.DataFrame:
    """Pair documents that share a key.

    A bucket holds the documents with one key. A bucket of up to `hot` members yields all its pairs.
    A larger bucket yields a star (its least document with each) and a chain (each with the next).
    So a key costs at most (hot - 1) / 2 pairs, and the cost of a template is not quadratic. Buckets
    with the same members are expanded once.

    Args:
      keys: key u64, doc u64.
      hot: the largest bucket that yields all its pairs.

    Returns:
      Distinct pairs [left, right], left < right, sorted.
    """
    rows = keys.filter(pl.col("key").is_duplicated()).unique(["key", "doc"]).sort("key", "doc")
    if rows.is_empty():
        return _distinct_pairs([])
    key, doc = rows["key"].to_numpy(), rows["doc"].cast(pl.UInt64).to_numpy()
    starts = _run_starts(key)
    distinct = _distinct_buckets(doc, starts)
    sizes = np.diff(np.append(starts, len(doc)))
    return _distinct_pairs(list(_bucket_pairs(doc, starts[distinct], sizes[distinct], hot)))


def crowded_documents(keys: pl.DataFrame, hot: int = HOT) -> pl.Series:
    """Return the documents of buckets that are too large to yield all pairs."""
    shared = keys.filter(pl.col("key").is_duplicated()).unique(["key", "doc"])
    return shared.filter(pl.len().over("key") > hot)["doc"].unique().sort()


def jaccard(
    pairs: pl.DataFrame, shingles: Shingles, docs: U64 | None = None, chunk: int = _CHUNK
) -> pl.DataFrame:
    """Measure the similarity of pairs on their shingles.

    Args:
      pairs: left, right.
      shingles: the sets of the documents, a row per document.
      docs: docs[i] is the document of row i; ascending. None: left and right are row numbers.
      chunk: how many shingles are compared at a time, at least one pair.

    Returns:
      left, right, similarity (shared shingles over those of both), containment (shared shingles
      over those of the smaller set). Both are 0.0 if a document has no shingles: two empty sets
      prove nothing.

    Raises:
      KeyError: if a document is not in `docs`.
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
    """Label the connected components of edges that fit one worker.

    The result does not depend on the order or direction of the edges.

    Args:
      edges: left, right.

    Returns:
      doc, component (its least document), sorted.
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
    """Pair each component's best-ranked text with all its other texts.

    Once these pairs are verified, `choose_survivors` keeps one document of a hot bucket, and each
    removed document has been compared with the survivor. Each text adds one pair at most.

    Args:
      edges: left, right: the pairs that are measured already.
      texts: text, component, rank.

    Returns:
      left, right, component: the pairs that are not in `edges`.
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
    measured = _order_sides(edges.select("left", "right"))
    return pairs.join(measured, on=["left", "right"], how="anti").sort("left", "right")


def choose_survivors(edges: pl.DataFrame, rank: pl.DataFrame) -> pl.DataFrame:
    """Choose which documents stay.

    The best-ranked document of a component stays, and its neighbours are removed. The same is
    repeated on the rest until no document is left. That is the greedy independent set in order of
    rank (the number breaks ties); one pass computes it. Each removed document has a measured edge
    to the survivor that replaces it: to the best-ranked survivor, if there are several.

    Args:
      edges: left, right, similarity; verified.
      rank: doc, rank. The least rank is best.

    Returns:
      doc, kept, similarity for each document of the edges, sorted. A survivor is its own `kept`,
      with a null similarity.

    Raises:
      KeyError: if a document has no rank.
    """
    edges = edges.filter(pl.col("left") != pl.col("right"))
    edges = _order_sides(edges).group_by("left", "right").agg(pl.col("similarity").max())
    nodes = pl.concat([edges["left"], edges["right"]]).unique().to_frame("doc")
    ranked = nodes.join(rank.drop_nulls("rank").unique("doc"), on="doc").sort("rank", "doc")
    if len(ranked) < len(nodes):
        raise KeyError(f"{len(nodes) - len(ranked)} documents have no rank")
    order = ranked.select("doc", at=pl.int_range(pl.len()))
    ordered = (
        edges.join(order, left_on="left", right_on="doc")
        .join(order, left_on="right", right_on="doc")
        .select(
            pl.min_horizontal("at", "at_right").alias("better"),
            pl.max_horizontal("at", "at_right").alias("worse"),
            "similarity",
        )
        .sort("better", "worse")
    )
    better, worse = ordered["better"].to_numpy(), ordered["worse"].to_numpy()
    stays = _greedy_independent_set(better, worse, len(order))
    removed = (
        ordered.filter(pl.Series(stays[better] & ~stays[worse]))
        .unique("worse", keep="first", maintain_order=True)
        .join(order.rename({"doc": "kept"}), left_on="better", right_on="at")
        .select("worse", "kept", "similarity")
    )
    return (
        order.join(removed, left_on="at", right_on="worse", how="left")
        .select("doc", pl.col("kept").fill_null(pl.col("doc")), "similarity")
        .sort("doc")
    )


def _greedy_independent_set(better: I64, worse: I64, nodes: int) -> npt.NDArray[np.bool_]:
    """Whether each node stays; nodes are numbered by preference, and edges sorted by `better`."""
    stays = np.ones(nodes, bool)
    for low, high in pairwise(np.append(_run_starts(better), len(better))):
        if stays[better[low]]:
            stays[worse[low:high]] = False
    return stays


def _bucket_pairs(doc: U64, starts: I64, sizes: I64, hot: int) -> Iterator[tuple[U64, U64]]:
    """Yield the pairs of buckets. A bucket is a run of `doc`, sorted."""
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
    """Return the row numbers where a new run of equal rows starts, in columns sorted together."""
    new = np.zeros(len(columns[0]), bool)
    new[:1] = True
    for column in columns:
        new[1:] |= column[1:] != column[:-1]
    return np.flatnonzero(new)


def _distinct_buckets(doc: U64, starts: I64) -> npt.NDArray[np.bool_]:
    """Whether each bucket has at least two members and is the first with this set of members.

    Sets are compared by 128-bit sums of hashes.
    """
    sizes = np.diff(np.append(starts, len(doc)))
    hashed = fmix64(doc + np.uint64(1))
    sums = [np.add.reduceat(h, starts) for h in (hashed, fmix64(~hashed))]
    buckets = pl.DataFrame({"size": sizes, "x": sums[0], "y": sums[1]})
    return (
        buckets.select(pl.struct(pl.all()).is_first_distinct() & (pl.col("size") > 1))
        .to_series()
        .to_numpy()
    )


def _distinct_pairs(pairs: list[tuple[U64, U64]]) -> pl.DataFrame:
    """Return arrays of left and right documents as distinct pairs, sorted."""
    schema = {"left": pl.UInt64, "right": pl.UInt64}
    frames = [pl.DataFrame({"left": a, "right": b}, schema=schema) for a, b in pairs]
    frame = _order_sides(pl.concat([pl.DataFrame(schema=schema), *frames]))
    return frame.filter(pl.col("left") != pl.col("right")).unique().sort("left", "right")


def _order_sides(edges: pl.DataFrame) -> pl.DataFrame:
    """Put the lesser document of each edge on the left."""
    return edges.with_columns(
        left=pl.min_horizontal("left", "right"), right=pl.max_horizontal("left", "right")
    )


def _find_rows(wanted: U64, docs: U64 | None) -> I64:
    """Return the rows of documents. Raises KeyError if one is not in `docs`."""
    if docs is None:
        return wanted.astype(np.int64)
    rows = np.searchsorted(docs, wanted)
    if not (rows < len(docs)).all() or (docs[rows] != wanted).any():
        raise KeyError("pairs: a document of a pair is not in `docs`")
    return rows


def _count_shared(left: Shingles, right: Shingles) -> I64:
    """Count the common hashes row by row.

    They are the non-zeros of a product of sparse rows, which SciPy merges in C++.
    """
    from scipy import sparse

    a, b = (
        sparse.csr_array(
            (np.ones(len(s.hashes), np.int8), s.hashes.view(np.int64), s.offsets),
            (len(s), np.iinfo(np.int64).max),
        )
        for s in (left, right)
    )
    return np.diff(a.multiply(b).indptr)
