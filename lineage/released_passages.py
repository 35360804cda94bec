"""Find the released documents that contain a passage, by a scan of the released texts.

`tamga find` uses an index instead, but finds only passages of 50 words or more.
"""

from __future__ import annotations

import re
from typing import Final

import polars as pl

from lineage.release_folder import ReleaseFolder
from schemas.errors import BAD_USAGE, TamgaError

#: A shorter passage would be in most texts.
MIN_CHARS: Final = 12
#: The pattern of a longer passage takes much memory; `tamga find` takes whole texts.
MAX_CHARS: Final = 20_000


class BadPassage(TamgaError):
    """A passage cannot be searched for; the message says why."""

    exit_code = BAD_USAGE


def documents_with_passage(release: ReleaseFolder, passage: str) -> list[str]:
    """Find the documents that contain a passage literally, except for its white space.

    Returns:
      Their ids, sorted.

    Raises:
      BadPassage: if it has fewer than `MIN_CHARS` characters, or more than `MAX_CHARS`.
      polars.exceptions.PolarsError: if a shard cannot be read.
    """
    words = passage.split()
    if not MIN_CHARS <= len(" ".join(words)) <= MAX_CHARS:
        raise BadPassage(
            f"a passage must have {MIN_CHARS} to {MAX_CHARS} characters; "
            "for a whole text, use `tamga find`"
        )
    files = sorted((release.folder / "data").glob("*/*.parquet"))
    if not files:
        return []
    # the longest word first: a plain search is much faster than the pattern, and excludes most
    longest, pattern = max(words, key=len), r"\s+".join(map(re.escape, words))
    rows = (
        pl.scan_parquet(files, hive_partitioning=False)
        .select("doc_id", "text")
        .filter(pl.col("text").str.contains(longest, literal=True))
        .filter(pl.col("text").str.contains(pattern))
        .select("doc_id")
        .collect(engine="streaming")
    )
    return rows["doc_id"].sort().to_list()
