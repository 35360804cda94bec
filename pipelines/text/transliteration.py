"""Latin keys for languages with two alphabets, which find a text again in its other script.

A key depends on the language: a generic romanisation loses two thirds of the shingles that both
scripts of a text share.  The tables are data, `latin.tsv`.  Keys only compare texts; they are not a
spelling for readers.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import polars as pl

ALGORITHM = "latin-1"
"""The version of the tables, stored with their keys.  If the tables change, this does."""

Table = tuple[tuple[tuple[str, str], ...], tuple[str, ...], tuple[str, ...]]


def latin_keys(texts: pl.Series, languages: pl.Series) -> pl.Series:
    """Convert texts to lower case and to the Latin letters of their languages.

    The key is null where a text in lower case does not change, or its language has no table.

    Args:
      texts: n strings.
      languages: n codes (ISO 639-1), nulls allowed.
    """
    keys = pl.Series([None] * len(texts), dtype=pl.String)
    for language in sorted(set(languages.drop_nulls()) & tables().keys()):
        contexts, written, latin = tables()[language]
        at = (languages == language).arg_true()
        lower = texts.gather(at).cast(pl.String).str.to_lowercase()
        key = lower
        for pattern, replacement in contexts:
            key = key.str.replace_all(pattern, replacement)
        key = key.str.replace_many(list(written), list(latin), leftmost=True)
        keys = keys.scatter(at, key.to_frame("key").select(_null_if_equal(lower)).to_series())
    return keys


def _null_if_equal(texts: pl.Series) -> pl.Expr:
    """Return the column `key`, null where it equals the text."""
    return pl.when(pl.col("key") != texts).then("key")


@cache
def tables() -> dict[str, Table]:
    """Return language -> its contexts (regular expression, replacement), letters, and their keys."""
    lines = (Path(__file__).parent / "latin.tsv").read_text("utf-8").splitlines()
    rows = [line.split("\t") for line in lines if not line.startswith("#")]
    tables = {}
    for language in dict.fromkeys(row[0] for row in rows):
        pairs = [(written, latin) for code, written, latin in rows if code == language]
        contexts = tuple(p for p in pairs if re.search(r"[\\(\[$]", p[0]))
        letters = [p for p in pairs if p not in contexts]
        tables[language] = (contexts, *zip(*sorted(letters, key=_longest), strict=True))
    return tables  # type: ignore[return-value]


def _longest(pair: tuple[str, str]) -> tuple[int, str]:
    return -len(pair[0]), pair[0]
