"""Numbers, dates and docket marks: what tells documents of one template apart.

Two orders of an office may share all but their number, day, place and sum.  So of each text the
*figures* are kept in their order; where documents of a kind of source that sets figures apart
(`dedup.figures: distinguish`) do not have the same ones, they are two documents, however alike
the rest is.  A place or a name alone does not tell them apart: a word may be a slip of the pen.

A figure is a word of the key view that holds a digit, is a Roman numeral of two letters or more,
or begins with a month's name (`months.txt`; suffixes follow it in many languages).  Numbers that
are written out in words are not known as such.
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
"""Names the figures and their hashes in whatever is stored."""

KINDS = ("number", "date", "docket")
"""In the two lowest bits of a figure's hash stands the place of its kind here."""

_DATE = (
    r"^\p{Nd}{1,4}([./\-]\p{Nd}{1,2}){2}$|^\p{Nd}{1,2}[./\-]\p{Nd}{1,2}[./\-]\p{Nd}{2,4}\D{0,3}$"
)
_DOCKET = r"\p{Nd}.*[\p{L}/\-]|[\p{L}/№#].*\p{Nd}|.-.*\p{Nd}"
_ROMAN = r"^[ivxlcdm]{2,}$"
_PREFIX = 4  # letters from which a month's name may carry a suffix


class Figures(NamedTuple):
    """The figures of n texts, in their order."""

    hashes: U64  # all texts one after another
    at: I64  # the word's place in its text, from 0
    offsets: I64  # n + 1

    def digests(self) -> U64:
        """One hash per text over its figures in their order; 0 for a text without any."""
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
    """The figures among the words of n texts."""
    kinds = figure_kinds(words.vocabulary)
    known = np.flatnonzero(kinds >= 0)
    hashes = np.zeros(len(kinds), np.uint64)
    drawn = hash_words(words.vocabulary.gather(known)) & ~np.uint64(3)
    hashes[known] = drawn | kinds[known].astype(np.uint64)
    told = (kinds >= 0)[words.codes]
    at = np.flatnonzero(told)
    owner = np.searchsorted(words.offsets, at, side="right") - 1
    return Figures(
        hashes[words.codes[at]], at - words.offsets[owner], offsets_of(told)[words.offsets]
    )


def figure_kinds(vocabulary: pl.Series) -> np.ndarray:
    """Words of key views -> their places in `KINDS`, -1 for a word that is no figure."""
    kinds = np.full(len(vocabulary), -1, np.int8)
    kinds[_months_among(vocabulary)] = 1
    kinds[vocabulary.str.contains(_ROMAN).to_numpy()] = 0
    numbered = vocabulary.str.contains(r"\p{N}")  # few are, so the rest is asked of them alone
    word = pl.col("word")
    date, docket = word.str.contains(_DATE), word.str.contains(_DOCKET)
    kind = pl.when(date).then(1).when(docket).then(2).otherwise(0)
    of = vocabulary.filter(numbered).to_frame("word").select(kind=kind.cast(pl.Int8))
    kinds[numbered.to_numpy()] = of["kind"].to_numpy()
    return kinds


def figure_differences(pairs: pl.DataFrame, figured: pl.DataFrame) -> pl.DataFrame:
    """What the figures of two documents differ in, without the figures themselves.

    Args:
      pairs: doc, other.
      figured: doc, figures (list of hashes), figures_at (list of places); all that are named.

    Returns:
      doc, number, date, docket, at: how many of the document's figures the other does not have,
      by kind, and the places of the first five of these words.  All zero: the other has them
      all, in another order or among more.
    """
    mine = _spread(pairs, figured, "doc")
    others = _spread(pairs, figured, "other")
    own = mine.join(others, on=["pair", "figure", "repeat"], how="anti").sort("pair", "at")
    kind = pl.col("figure") & 3
    told = own.group_by("pair").agg(
        *((kind == i).sum().alias(name) for i, name in enumerate(KINDS)), pl.col("at").head(5)
    )
    return (
        pairs.with_row_index("pair")
        .join(told, on="pair", how="left")
        .select("doc", *(pl.col(k).fill_null(0) for k in KINDS), pl.col("at").fill_null([]))
    )


def _spread(pairs: pl.DataFrame, figured: pl.DataFrame, side: str) -> pl.DataFrame:
    """A row per figure of one side of each pair; `repeat` numbers those that are equal."""
    return (
        pairs.with_row_index("pair")
        .join(figured, left_on=side, right_on="doc", how="inner")
        .select("pair", figure="figures", at="figures_at")
        .filter(pl.col("figure").list.len() > 0)
        .explode("figure", "at")
        .with_columns(repeat=pl.int_range(pl.len()).over("pair", "figure"))
    )


def _months_among(vocabulary: pl.Series) -> np.ndarray:
    """Which words are a month's name, or begin with a long one."""
    names, heads, prefixes = _months()
    begin = vocabulary.str.head(_PREFIX).is_in(heads)
    found = begin.to_numpy().copy()
    found[found] = vocabulary.filter(begin).str.contains(prefixes).to_numpy()
    return found | vocabulary.is_in(names).to_numpy()


@cache
def _months() -> tuple[list[str], list[str], str]:
    """All names, the heads of those that may carry a suffix, and these as an expression."""
    lines = (Path(__file__).parent / "months.txt").read_text("utf-8").splitlines()
    names = fold_words(pl.Series([line for line in lines if not line.startswith("#")])).to_list()
    long = [name for name in names if len(name) >= _PREFIX]
    return names, sorted({name[:_PREFIX] for name in long}), "^(" + "|".join(long) + ")"
