"""Find passages that occur more than once (`dedup.spans`), and decide which document keeps them.

A *run* is N consecutive words of the key view inside one document. The best occurrence of a run is
the first one in the best document (`duplicates.rank_members`). All its other occurrences are
repeated. A repeated run is removed only if its best occurrence keeps all its words. If a document
loses words to a third document, it does not keep the runs that contain these words, so they stay
elsewhere too. Consecutive removed runs with consecutive best occurrences are a *passage*. So each
removed passage is complete in the document that is recorded as its keeper. A document that would
lose all its words keeps them.

How runs are found (winnowing: Schleimer, Wilkerson, Aiken 2003). A run of N words has N - k + 1
grams of k words. The least of their hashes is the run's *key*. It depends on the words of the run
alone, so equal runs have the same key and none is missed. Neighbouring runs mostly share their key.
A *stretch* is a sequence of runs with one key; only one row per stretch travels between workers: 2
/ (N - k + 2) rows per word in texts of random words. The runs of repeated keys are then compared by
hashes of 64 bits, and the matches word by word. So two different runs with one hash can hide a
repetition, but cannot cause a removal.
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
#: Consecutive repeated runs with consecutive best occurrences. start and kept_start are word
#: numbers in their documents; runs is how many runs there are.
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
_CHUNK = 1 << 22  # runs compared together
_POSITION_BITS = 32


class WordRuns(NamedTuple):
    """The runs of n pieces of text, in stretches with one key.

    Stretch i has the runs at[first[i]:first[i + 1]].
    """

    key: U64  # a value per stretch
    piece: I64  # a value per stretch: the number of its piece
    first: I64  # a value per stretch, and the number of runs
    at: I64  # a value per run: its first word among the words of all pieces, ascending
    hashes: U64  # a value per run


def word_runs(words: Words, least: int) -> WordRuns:
    """Return all runs of `least` words. No run crosses the end of a piece."""
    hashes = shingles.hash_words(words.vocabulary)[words.codes]
    sizes = np.maximum(np.diff(words.offsets) - least + 1, 0)
    at = ranges(words.offsets[:-1], sizes)
    if not len(at):
        nothing = np.zeros(0, np.int64)
        return WordRuns(
            key=nothing.view(np.uint64),
            piece=nothing,
            first=np.zeros(1, np.int64),
            at=nothing,
            hashes=nothing.view(np.uint64),
        )
    grams = rolling_hashes(hashes, _gram_width(least))
    key = window_minima(grams, least - _gram_width(least) + 1)[at]
    piece = np.repeat(np.arange(len(sizes)), sizes)
    first = np.flatnonzero(np.append(True, (key[1:] != key[:-1]) | (piece[1:] != piece[:-1])))
    return WordRuns(
        key=key[first],
        piece=piece[first],
        first=np.append(first, len(at)),
        at=at,
        hashes=rolling_hashes(hashes, least)[at],
    )


def run_seeds(runs: WordRuns, docs: pl.Series, least: int) -> pl.DataFrame:
    """Return the keys of stretches with their documents.

    A stretch has one row. It has two rows if it holds more runs than a gram can be part of: its
    least gram then occurs twice in it, so a run may be repeated inside the stretch.

    Args:
      runs: runs of `least` words.
      docs: the document of each stretch.
      least: words in a run.

    Returns:
      `SEED`.
    """
    rows = np.repeat(
        np.arange(len(runs.key)), 1 + (np.diff(runs.first) > least - _gram_width(least) + 1)
    )
    return pl.DataFrame({"key": runs.key[rows], "doc": docs.gather(rows)}, schema=SEED)


def _gram_width(least: int) -> int:
    """Return how many words a gram has in runs of `least` words."""
    return max(1, least // 3)


def rolling_hashes(hashes: U64, width: int) -> U64:
    """Hash each window of `width` consecutive words: n hashes of words -> n - width + 1 hashes.

    The hash is a polynomial in the inverse of an odd constant, mod 2**64, computed as a difference
    of running sums (Karp and Rabin 1987) and finished by fmix64. So the cost of a window does not
    depend on its width.
    """
    ups, downs = (np.full(len(hashes), base, np.uint64) for base in (_K, _INVERSE))
    for powers in (ups, downs):
        powers[:1] = 1
        np.cumprod(powers, out=powers)
    sums = np.zeros(len(hashes) + 1, np.uint64)
    np.cumsum(hashes * downs, out=sums[1:])
    return shingles.fmix64((sums[width:] - sums[:-width]) * ups[: max(0, len(hashes) - width + 1)])


def repeated_seeds(seeds: pl.DataFrame) -> pl.DataFrame:
    """Return the distinct rows of `SEED` whose key has several rows.

    Args:
      seeds: `SEED`; all rows of each key.
    """
    return seeds.filter(pl.col("key").is_duplicated()).unique()


def match_runs(stretches: pl.DataFrame, least: int, chunk: int = _CHUNK) -> pl.DataFrame:
    """Find the repeated runs and their best occurrences.

    Args:
      stretches: doc, right, quality, captured_at, doc_id, start (of the first run) and runs
        (hashes, as a list): a row per stretch; all rows of each key.
      least: words in a run. A run that overlaps its best occurrence is not a repetition.
      chunk: how many runs are compared together.

    Returns:
      `MATCH`.
    """
    documents = stretches.drop("start", "runs").unique("doc")
    ranked = duplicates.rank_members(documents).select("doc", "rank")
    ordered = stretches.join(ranked, on="doc").sort("rank", "start")
    sizes = ordered["runs"].list.len().to_numpy().astype(np.int64)
    flat = ordered["runs"].explode(empty_as_null=False).to_numpy()
    row = np.repeat(np.arange(len(sizes)), sizes)
    at = ranges(ordered["start"].to_numpy(), sizes)
    docs = ordered["doc"].to_numpy()
    chunks = np.uint64(1 + len(flat) // chunk)
    matches = [pl.DataFrame(schema=MATCH)]
    for number in range(int(chunks)):
        chosen = np.flatnonzero(flat % chunks == number) if chunks > 1 else slice(None)
        occurrences = {"hash": flat[chosen], "doc": docs[row[chosen]], "start": at[chosen]}
        equal = pl.DataFrame(occurrences).filter(pl.col("hash").is_duplicated())
        best = equal.with_columns(
            kept=pl.col("doc").first().over("hash"),
            kept_start=pl.col("start").first().over("hash"),
        )
        apart = (pl.col("doc") != pl.col("kept")) | (
            pl.col("start") - pl.col("kept_start") >= least
        )
        matches.append(
            best.filter(apart).with_columns(runs=pl.lit(1, pl.Int64)).select(list(MATCH))
        )
    return merge_matches(pl.concat(matches))


def merge_matches(matches: pl.DataFrame) -> pl.DataFrame:
    """Merge consecutive rows of `MATCH`; return as few rows as possible, sorted.

    Args:
      matches: `MATCH`; each run is in one row at most.
    """
    ordered = matches.sort("doc", "start")
    continues = pl.all_horizontal(
        pl.col("doc") == pl.col("doc").shift(1),
        pl.col("kept") == pl.col("kept").shift(1),
        *(pl.col(c) == (pl.col(c) + pl.col("runs")).shift(1) for c in ("start", "kept_start")),
    )
    return (
        ordered.with_columns(match=(~continues.fill_null(False)).cum_sum())
        .group_by("match", maintain_order=True)
        .agg(pl.exclude("runs").first(), pl.col("runs").sum())
        .select(list(MATCH))
    )


def repeated_spans(matches: pl.DataFrame, least: int) -> pl.DataFrame:
    """Return the words that are part of a repeated run: `MATCH` -> `SPAN`, merged."""
    return merge_spans(
        matches.select("doc", "start", end=pl.col("start") + pl.col("runs") + least - 1), "doc"
    )


def merge_spans(spans: pl.DataFrame, document: str) -> pl.DataFrame:
    """Merge the spans that overlap or touch.

    Args:
      spans: start, end and the document's column.
      document: that column's name.

    Returns:
      The same columns, sorted. No two spans touch.
    """
    ordered = spans.select(document, "start", "end").sort(document, "start")
    before = pl.col("end").cum_max().shift(1).over(document)
    return (
        ordered.with_columns(span=(pl.col("start") > before).fill_null(True).cum_sum())
        .group_by("span", maintain_order=True)
        .agg(pl.col(document).first(), pl.col("start").first(), pl.col("end").max())
        .select(document, "start", "end")
    )


def intact_matches(matches: pl.DataFrame, lost: pl.DataFrame, least: int) -> pl.DataFrame:
    """Drop the runs whose best occurrence loses a word itself.

    Args:
      matches: `MATCH`; the keeping documents are of one shard.
      lost: `SPAN` of that shard's documents: the words they lose. No two spans touch.
      least: words in a run.

    Returns:
      `MATCH`.
    """
    losing = matches.join(lost, left_on="kept", right_on="doc", how="semi")
    if losing.is_empty():
        return matches
    free = _intact_starts(lost, least)
    lows, highs = (_positions(free["doc"], free[side].to_numpy()) for side in ("low", "high"))
    start = losing["kept_start"].to_numpy()
    here = _positions(losing["kept"], start)
    first = np.searchsorted(highs, here, side="right")
    last = np.searchsorted(lows, here + losing["runs"].to_numpy(), side="left")
    sizes = np.maximum(last - first, 0)
    row, interval = np.repeat(np.arange(losing.height), sizes), ranges(first, sizes)
    pieces = pl.concat([losing[row], free[interval].select("low", "high")], how="horizontal")
    intact = pieces.with_columns(
        low=pl.max_horizontal("low", "kept_start"),
        high=pl.min_horizontal("high", pl.col("kept_start") + pl.col("runs")),
    ).select(
        "doc",
        pl.col("start") + pl.col("low") - pl.col("kept_start"),
        "kept",
        runs=pl.col("high") - pl.col("low"),
        kept_start="low",
    )
    rest = matches.join(lost, left_on="kept", right_on="doc", how="anti")
    return pl.concat([rest, intact.select(list(MATCH))])


def _intact_starts(lost: pl.DataFrame, least: int) -> pl.DataFrame:
    """Return the intervals of first words of runs that lose no word.

    Such a run begins at the end of a lost span or later, and `least` words before the next span or
    earlier.

    Returns:
      doc, low, high (exclusive), sorted.
    """
    ahead = lost.unique("doc", keep="first", maintain_order=True).select(
        "doc", low=pl.lit(0, pl.Int64), high=pl.col("start") - least + 1
    )
    following = pl.col("start").shift(-1).over("doc") - least + 1
    behind = lost.select("doc", low="end", high=following.fill_null((1 << _POSITION_BITS) - 1))
    return pl.concat([ahead, behind]).filter(pl.col("low") < pl.col("high")).sort("doc", "low")


def thin_matches(matches: pl.DataFrame, least: int) -> pl.DataFrame:
    """Drop matches that other matches of the same two documents cover, word for word.

    In a text that repeats itself each run has a best occurrence of its own: n matches of one run,
    each of `least` words. Of the matches that begin in the same `least` words, the first and the
    last are enough: they overlap, and all others lie between them. The remaining matches have
    together about three times the words of the document at most.

    Args:
      matches: `MATCH`; all matches of each two documents.
      least: words in a run.
    """
    pair = ("doc", "kept", pl.col("start") // least)
    at = pl.col("start")
    return matches.filter((at == at.min().over(pair)) | (at == at.max().over(pair)))


def _positions(docs: pl.Series, at: np.ndarray) -> I64:
    """Map (row in the shard, word number) to one number, so that all words share one axis."""
    return (duplicates.shard_rows(docs).astype(np.int64) << _POSITION_BITS) + at
