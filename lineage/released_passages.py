"""Released documents that hold a passage, read off the released texts themselves.

A scan: `tamga find` looks through an index instead, but finds only passages of 50 words or more.
"""

from __future__ import annotations

import re
from typing import Final

import polars as pl

from lineage.release_folder import ReleaseFolder
from schemas.errors import BAD_USAGE, TamgaError

#: Characters: whatever is shorter would be in most texts.
SHORTEST: Final = 12
#: Characters: a pattern of more grows large in memory, and `tamga find` takes whole texts.
LONGEST: Final = 20_000


class BadPassage(TamgaError):
    """A passage that cannot be looked for; the message says why."""

    exit_code = BAD_USAGE


def holding(release: ReleaseFolder, passage: str) -> list[str]:
    """The ids of the documents that hold a passage as it stands, but for how its words are parted
    by white space; sorted.

    Raises:
      BadPassage: where it has fewer than `SHORTEST` characters, or more than `LONGEST`.
      polars.exceptions.PolarsError: where a shard cannot be read.
    """
    words = passage.split()
    if not SHORTEST <= len(" ".join(words)) <= LONGEST:
        raise BadPassage(
            f"a passage has {SHORTEST} to {LONGEST} characters; for a whole text, see `tamga find`"
        )
    files = sorted((release.folder / "data").glob("*/*.parquet"))
    if not files:
        return []
    # the longest word first: a plain search is much faster than the pattern, and rules most out
    longest, pattern = max(words, key=len), r"\s+".join(map(re.escape, words))
    found = (
        pl.scan_parquet(files, hive_partitioning=False)
        .select("doc_id", "text")
        .filter(pl.col("text").str.contains(longest, literal=True))
        .filter(pl.col("text").str.contains(pattern))
        .select("doc_id")
        .collect(engine="streaming")
    )
    return found["doc_id"].sort().to_list()
