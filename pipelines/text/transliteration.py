"""One alphabet for languages that are written in two, so that a text meets its other script.

A key depends on the language: a generic romanisation loses two thirds of the shingles that the
scripts of one text share.  The tables are data, `latin.tsv`; keys compare texts and are no
spelling that anybody should read.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import polars as pl

ALGORITHM = "latin-1"
"""Names the tables in whatever is stored; they change: so does this."""

Table = tuple[tuple[tuple[str, str], ...], tuple[str, ...], tuple[str, ...]]


def latin_keys(texts: pl.Series, languages: pl.Series) -> pl.Series:
    """Texts in lower case and the Latin keys of their alphabets; null where the key view of a text
    is its own key, or its language has no table.

    Args:
      texts: n strings.
      languages: n codes (ISO 639-1), nulls allowed.
    """
    found = pl.Series([None] * len(texts), dtype=pl.String)
    for language in sorted(set(languages.drop_nulls()) & tables().keys()):
        contexts, written, latin = tables()[language]
        at = (languages == language).arg_true()
        some = texts.gather(at).cast(pl.String).str.to_lowercase()
        changed = some
        for pattern, by in contexts:
            changed = changed.str.replace_all(pattern, by)
        changed = changed.str.replace_many(list(written), list(latin), leftmost=True)
        found = found.scatter(at, changed.to_frame("t").select(_if_other(some)).to_series())
    return found


def _if_other(before: pl.Series) -> pl.Expr:
    return pl.when(pl.col("t") != before).then("t")


@cache
def tables() -> dict[str, Table]:
    """Language -> its contexts (regular expression, by what), then letters and their keys."""
    lines = (Path(__file__).parent / "latin.tsv").read_text("utf-8").splitlines()
    rows = [line.split("\t") for line in lines if not line.startswith("#")]
    found = {}
    for language in dict.fromkeys(row[0] for row in rows):
        pairs = [(written, latin) for code, written, latin in rows if code == language]
        contexts = tuple(p for p in pairs if re.search(r"[\\(\[$]", p[0]))
        letters = [p for p in pairs if p not in contexts]
        found[language] = (contexts, *zip(*sorted(letters, key=_longest), strict=True))
    return found  # type: ignore[return-value]


def _longest(pair: tuple[str, str]) -> tuple[int, str]:
    return -len(pair[0]), pair[0]
