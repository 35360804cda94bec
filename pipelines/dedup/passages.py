"""Passages that stand in more than one place (`dedup.spans`): which, where, and who keeps them.

A *run* is N words of the key view, one after another, inside one document.  Of all places where a
run stands the best is the first in the best document (`duplicates.order`); in the others it is
repeated.  A repeated run goes where its best place keeps every word of it: where a document loses
words to a third one, the runs that these words are part of are kept by nobody, and stay elsewhere.
Runs that go, with a neighbour of the same best place, are a *passage*.  So whatever is removed
stands whole in the document that is named for it.  A document that would be left without a word
keeps all.

How runs are found (winnowing: Schleimer, Wilkerson, Aiken 2003).  A run of N words has N - k + 1
grams of k words; the least of their hashes is its *key*, which depends on the words of the run
alone: equal runs have the same key, none is missed.  Neighbours mostly share theirs, and only one
row per stretch of runs with one key travels between workers: 2 / (N - k + 2) per word in texts of
random words.  The runs of keys that are met twice are then told by hashes of 64 bits, and what is
found so is compared word by word: two runs with one hash can hide a repetition, and remove nothing.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import polars as pl

from pipelines.dedup import duplicates
from pipelines.text import shingles
from pipelines.text.fingerprints import window_minima
from pipelines.text.ragged import I64, ranges
from pipelines.text.shingles import U64, Words

ALGORITHM = "passages-1"
SEED = {"key": pl.UInt64, "doc": pl.UInt64}
#: Repeated runs, one after another, whose best places are so too; counted in words of documents.
MATCH = {
    "doc": pl.UInt64,
    "start": pl.Int64,
    "runs": pl.Int64,
    "kept": pl.UInt64,
    "kept_start": pl.Int64,
}
SPAN = {"doc": pl.UInt64, "start": pl.Int64, "end": pl.Int64}

_K = 0x9E3779B97F4A7C15
_INVERSE = pow(_K, -1, 1 << 64)
_CHUNK = 1 << 22  # runs looked at together
_POSITION = 32  # bits


class Runs(NamedTuple):
    """The runs of n pieces of text in stretches with one key: stretch i has the runs
    at[first[i]:first[i + 1]]."""

    key: U64
    piece: I64
    first: I64
    at: I64  # among the words of all pieces, ascending
    hashes: U64  # of runs, as `at`


def runs(words: Words, least: int) -> Runs:
    """All runs of `least` words, none across the end of a piece."""
    hashes = shingles.hash_words(words.vocabulary)[words.codes]
    sizes = np.maximum(np.diff(words.offsets) - least + 1, 0)
    at = ranges(words.offsets[:-1], sizes)
    if not len(at):
        nothing = np.zeros(0, np.int64)
        return Runs(nothing.view(np.uint64), nothing, np.zeros(1, np.int64), nothing,
                    nothing.view(np.uint64))  # fmt: skip
    grams = rolling(hashes, _width(least))
    key = window_minima(grams, least - _width(least) + 1)[at]
    piece = np.repeat(np.arange(len(sizes)), sizes)
    first = np.flatnonzero(np.append(True, (key[1:] != key[:-1]) | (piece[1:] != piece[:-1])))
    return Runs(
        key[first],
        piece[first],
        np.append(first, len(at)),
        at,
        rolling(hashes, least)[at],
    )


def seeds(found: Runs, docs: pl.Series, least: int) -> pl.DataFrame:
    """`SEED` of runs, by the document of each stretch: a row per stretch, and two of one with more
    runs than a gram is part of: its least gram stands there twice, and a run of it may."""
    rows = np.repeat(
        np.arange(len(found.key)), 1 + (np.diff(found.first) > least - _width(least) + 1)
    )
    return pl.DataFrame({"key": found.key[rows], "doc": docs.gather(rows)}, schema=SEED)


def _width(least: int) -> int:
    """Words in a gram of runs of `least` words."""
    return max(1, least // 3)


def rolling(hashes: U64, width: int) -> U64:
    """n hashes of words -> n - width + 1 hashes of `width` words, one after another.

    A polynomial in the inverse of an odd constant, mod 2**64, as a difference of running sums (Karp
    and Rabin 1987), finished by fmix64: what a window costs does not depend on its width.
    """
    ups, downs = (np.full(len(hashes), base, np.uint64) for base in (_K, _INVERSE))
    for powers in (ups, downs):
        powers[:1] = 1
        np.cumprod(powers, out=powers)
    sums = np.zeros(len(hashes) + 1, np.uint64)
    np.cumsum(hashes * downs, out=sums[1:])
    return shingles.fmix64((sums[width:] - sums[:-width]) * ups[: max(0, len(hashes) - width + 1)])


def repeated(seeds: pl.DataFrame) -> pl.DataFrame:
    """All `SEED` of some keys -> those with several rows, each once."""
    return seeds.filter(pl.col("key").is_duplicated()).unique()


def matches(found: pl.DataFrame, least: int, chunk: int = _CHUNK) -> pl.DataFrame:
    """The repeated runs with their best places.

    Args:
      found: doc, right, quality, captured_at, doc_id, start and runs (hashes, as a list): a row per
        stretch, all of some keys; start: of the first run.
      least: words in a run.  A run that overlaps its best place is no repetition.
      chunk: how many runs are looked at together.

    Returns:
      `MATCH`.
    """
    ranked = duplicates.order(found.drop("start", "runs").unique("doc")).select("doc", "rank")
    ordered = found.join(ranked, on="doc").sort("rank", "start")
    sizes = ordered["runs"].list.len().to_numpy().astype(np.int64)
    flat = ordered["runs"].explode(empty_as_null=False).to_numpy()
    row = np.repeat(np.arange(len(sizes)), sizes)
    at = ranges(ordered["start"].to_numpy(), sizes)
    docs = ordered["doc"].to_numpy()
    parts = np.uint64(1 + len(flat) // chunk)
    told = [pl.DataFrame(schema=MATCH)]
    for part in range(int(parts)):
        some = np.flatnonzero(flat % parts == part) if parts > 1 else slice(None)
        of = {"hash": flat[some], "doc": docs[row[some]], "start": at[some]}
        placed = pl.DataFrame(of).filter(pl.col("hash").is_duplicated())
        best = placed.with_columns(
            kept=pl.col("doc").first().over("hash"),
            kept_start=pl.col("start").first().over("hash"),
        )
        apart = (pl.col("doc") != pl.col("kept")) | (
            pl.col("start") - pl.col("kept_start") >= least
        )
        told.append(best.filter(apart).with_columns(runs=pl.lit(1, pl.Int64)).select(list(MATCH)))
    return merged(pl.concat(told))


def merged(found: pl.DataFrame) -> pl.DataFrame:
    """`MATCH`, each run in one of them at most -> as few as there can be, in order."""
    ordered = found.sort("doc", "start")
    goes_on = pl.all_horizontal(
        pl.col("doc") == pl.col("doc").shift(1),
        pl.col("kept") == pl.col("kept").shift(1),
        *(pl.col(c) == (pl.col(c) + pl.col("runs")).shift(1) for c in ("start", "kept_start")),
    )
    return (
        ordered.with_columns(match=(~goes_on.fill_null(False)).cum_sum())
        .group_by("match", maintain_order=True)
        .agg(pl.exclude("runs").first(), pl.col("runs").sum())
        .select(list(MATCH))
    )


def spans(found: pl.DataFrame, least: int) -> pl.DataFrame:
    """`MATCH` -> `SPAN`: the words that are part of a repeated run."""
    return union(
        found.select("doc", "start", end=pl.col("start") + pl.col("runs") + least - 1), "doc"
    )


def union(found: pl.DataFrame, of: str) -> pl.DataFrame:
    """[`of`, start, end] -> the same, in order, none of which touches another."""
    ordered = found.select(of, "start", "end").sort(of, "start")
    before = pl.col("end").cum_max().shift(1).over(of)
    return (
        ordered.with_columns(span=(pl.col("start") > before).fill_null(True).cum_sum())
        .group_by("span", maintain_order=True)
        .agg(pl.col(of).first(), pl.col("start").first(), pl.col("end").max())
        .select(of, "start", "end")
    )


def intact(found: pl.DataFrame, gone: pl.DataFrame, least: int) -> pl.DataFrame:
    """`MATCH` without the runs of which the best place loses a word itself.

    Args:
      found: the documents that keep are of one shard.
      gone: `SPAN` of that shard's documents, none touching another.
      least: words in a run.
    """
    losing = found.join(gone, left_on="kept", right_on="doc", how="semi")
    if losing.is_empty():
        return found
    # starts of runs that lose no word: from the end of a span to `least` words before the next
    ahead = gone.unique("doc", keep="first", maintain_order=True).select(
        "doc", low=pl.lit(0, pl.Int64), high=pl.col("start") - least + 1
    )
    following = pl.col("start").shift(-1).over("doc") - least + 1
    behind = gone.select("doc", low="end", high=following.fill_null((1 << _POSITION) - 1))
    free = pl.concat([ahead, behind]).filter(pl.col("low") < pl.col("high")).sort("doc", "low")
    lows, highs = (_axis(free["doc"], free[side].to_numpy()) for side in ("low", "high"))
    start = losing["kept_start"].to_numpy()
    here = _axis(losing["kept"], start)
    first = np.searchsorted(highs, here, side="right")
    last = np.searchsorted(lows, here + losing["runs"].to_numpy(), side="left")
    sizes = np.maximum(last - first, 0)
    row, place = np.repeat(np.arange(losing.height), sizes), ranges(first, sizes)
    pieces = pl.concat([losing[row], free[place].select("low", "high")], how="horizontal")
    whole = pieces.with_columns(
        low=pl.max_horizontal("low", "kept_start"),
        high=pl.min_horizontal("high", pl.col("kept_start") + pl.col("runs")),
    ).select(
        "doc",
        pl.col("start") + pl.col("low") - pl.col("kept_start"),
        "kept",
        runs=pl.col("high") - pl.col("low"),
        kept_start="low",
    )
    rest = found.join(gone, left_on="kept", right_on="doc", how="anti")
    return pl.concat([rest, whole.select(list(MATCH))])


def thinned(found: pl.DataFrame, least: int) -> pl.DataFrame:
    """`MATCH` without some that others of the same two documents cover, word for word.

    Where words repeat within themselves every run has another place that is best for it: n matches
    of one run, each of `least` words.  Of those that begin in the same `least` words the first and
    the last are enough: they overlap, and what begins between them ends between them.  The words of
    all are then some three times those of the document at most.

    Args:
      found: all matches of each two documents.
      least: words in a run.
    """
    pair = ("doc", "kept", pl.col("start") // least)
    at = pl.col("start")
    return found.filter((at == at.min().over(pair)) | (at == at.max().over(pair)))


def _axis(docs: pl.Series, at: np.ndarray) -> I64:
    """Places in documents of one shard as numbers, documents one after another."""
    return (duplicates.row_of(docs).astype(np.int64) << _POSITION) + at
