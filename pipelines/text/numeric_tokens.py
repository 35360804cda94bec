"""Figures: numbers, dates and docket marks, which distinguish documents of one template.

Two orders of an office can differ only in number, date, place and sum.  So each text has a list of
*figures*, in their order.  With `dedup.figures: distinguish` for a kind of source, documents with
different figures are not duplicates, even if the rest is equal.  A different place or name alone is
not enough, because a word can be a misprint.

A figure is a word of the key view that holds a digit, is a Roman numeral of two letters or more, or
begins with the name of a month (`months.txt`; in many languages a suffix follows).  Numbers written
in words are not recognised.
"""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
import xxhash

from pipelines.text.ragged import I64, offsets_of
from pipelines.text.shingles import U64, Words, hash_words
from pipelines.text.views import fold_words

ALGORITHM = "figures-xxh3-1"
"""The version of figures and their hashes, stored with them."""

KINDS = ("number", "date", "docket")
"""The kinds of figures.  The two lowest bits of a figure's hash are the index of its kind."""

_DATE = (
    r"^\p{Nd}{1,4}([./\-]\p{Nd}{1,2}){2}$|^\p{Nd}{1,2}[./\-]\p{Nd}{1,2}[./\-]\p{Nd}{2,4}\D{0,3}$"
)
_DOCKET = r"\p{Nd}.*[\p{L}/\-]|[\p{L}/№#].*\p{Nd}|.-.*\p{Nd}"
_ROMAN = r"^[ivxlcdm]{2,}$"
_PREFIX = 4  # names of months of at least this many letters can have a suffix


class Figures(NamedTuple):
    """The figures of n texts, in their order."""

    hashes: U64  # of all texts, one after another
    at: I64  # the word's position in its text, from 0
    offsets: I64  # n + 1

    def digests(self) -> U64:
        """Return a hash per text over its figures in their order; 0 for a text without figures."""
        bounds, flat = self.offsets.tolist(), self.hashes
        return np.fromiter(
            (
                xxhash.xxh3_64_intdigest(flat[a:b].astype("<u8").tobytes()) if b > a else 0
                for a, b in pairwise(bounds)
            ),
            np.uint64,
            len(bounds) - 1,
        )


def find_figures(words: Words) -> Figures:
    """Find the figures among the words of n texts."""
    kinds = figure_kinds(words.vocabulary)
    figures = np.flatnonzero(kinds >= 0)
    hashes = np.zeros(len(kinds), np.uint64)
    upper = hash_words(words.vocabulary.gather(figures)) & ~np.uint64(3)
    hashes[figures] = upper | kinds[figures].astype(np.uint64)
    is_figure = (kinds >= 0)[words.codes]
    at = np.flatnonzero(is_figure)
    owner = np.searchsorted(words.offsets, at, side="right") - 1
    return Figures(
        hashes[words.codes[at]], at - words.offsets[owner], offsets_of(is_figure)[words.offsets]
    )


def figure_kinds(vocabulary: pl.Series) -> np.ndarray:
    """Return the kind of each word of key views: an index into `KINDS`, -1 if it is not a figure."""
    kinds = np.full(len(vocabulary), -1, np.int8)
    kinds[_months_among(vocabulary)] = 1
    kinds[vocabulary.str.contains(_ROMAN).to_numpy()] = 0
    numbered = vocabulary.str.contains(
        r"\p{N}"
    )  # only few words, so the expressions below are cheap
    word = pl.col("word")
    date, docket = word.str.contains(_DATE), word.str.contains(_DOCKET)
    kind = pl.when(date).then(1).when(docket).then(2).otherwise(0)
    matched = vocabulary.filter(numbered).to_frame("word").select(kind=kind.cast(pl.Int8))
    kinds[numbered.to_numpy()] = matched["kind"].to_numpy()
    return kinds


def figure_differences(pairs: pl.DataFrame, figured: pl.DataFrame) -> pl.DataFrame:
    """Compare the figures of two documents.  The result does not reveal the figures themselves.

    Args:
      pairs: doc, other.
      figured: doc, figures (list of hashes), figures_at (list of positions), for all documents of
        the pairs.

    Returns:
      doc, number, date, docket: how many of the document's figures the other lacks, by kind; and at:
      the positions of the first five of these words.  If all are 0, the other has all of them, in
      another order or with more between.
    """
    mine = _explode_figures(pairs, figured, "doc")
    theirs = _explode_figures(pairs, figured, "other")
    missing = mine.join(theirs, on=["pair", "figure", "repeat"], how="anti").sort("pair", "at")
    kind = pl.col("figure") & 3
    counts = missing.group_by("pair").agg(
        *((kind == i).sum().alias(name) for i, name in enumerate(KINDS)), pl.col("at").head(5)
    )
    return (
        pairs.with_row_index("pair")
        .join(counts, on="pair", how="left")
        .select("doc", *(pl.col(k).fill_null(0) for k in KINDS), pl.col("at").fill_null([]))
    )


def _explode_figures(pairs: pl.DataFrame, figured: pl.DataFrame, side: str) -> pl.DataFrame:
    """Return a row per figure of one side of each pair; `repeat` numbers equal figures."""
    return (
        pairs.with_row_index("pair")
        .join(figured, left_on=side, right_on="doc", how="inner")
        .select("pair", figure="figures", at="figures_at")
        .filter(pl.col("figure").list.len() > 0)
        .explode("figure", "at")
        .with_columns(repeat=pl.int_range(pl.len()).over("pair", "figure"))
    )


def _months_among(vocabulary: pl.Series) -> np.ndarray:
    """Find the words that are a month's name, or begin with a long one."""
    names, heads, prefixes = _months()
    possible = vocabulary.str.head(_PREFIX).is_in(heads)
    months = possible.to_numpy().copy()
    months[months] = vocabulary.filter(possible).str.contains(prefixes).to_numpy()
    return months | vocabulary.is_in(names).to_numpy()


@cache
def _months() -> tuple[list[str], list[str], str]:
    """Return all names, the beginnings of names that can have a suffix, and a regular expression of
    those names."""
    lines = (Path(__file__).parent / "months.txt").read_text("utf-8").splitlines()
    names = fold_words(pl.Series([line for line in lines if not line.startswith("#")])).to_list()
    long = [name for name in names if len(name) >= _PREFIX]
    return names, sorted({name[:_PREFIX] for name in long}), "^(" + "|".join(long) + ")"
