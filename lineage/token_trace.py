"""Trace tokens of a shard to their documents, and to the characters of these documents.

The table `tokens` names the document of a token.  The release's tokenizer encodes the document's
text again, which gives the same tokens and their characters.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from lineage import tokenizer
from lineage.release_folder import ReleaseFolder
from lineage.storage.release_files import lineage_part
from lineage.storage.release_tables import NoRelease
from lineage.tokenizer import BadTokenizer, Ids, Tokenizer
from schemas.errors import BAD_USAGE, NO, TamgaError

_RANGE = re.compile(r"(?P<shard>.+):(?P<start>\d{1,18})(?:-(?P<stop>\d{1,18}))?")


class BadRange(TamgaError):
    """A query is not a range of tokens of one shard; the message says why."""

    exit_code = BAD_USAGE


class NoTokens(TamgaError):
    """The release does not have a range; the message says why."""

    exit_code = NO


@dataclass(frozen=True)
class Range:
    """The tokens `start` to `stop` (exclusive) of a shard, with the shard's full name."""

    shard: str
    start: int
    stop: int


def find_range(release: ReleaseFolder, query: str) -> Range:
    """Find the range that a query names.

    Args:
      release: the release.
      query: `SHARD:FROM-TO` (`TO` is exclusive) or `SHARD:TOKEN`.  A shard is
        `tokens/…/kk/part-00000-00000.npy`; its beginning and its ending may be left out.

    Raises:
      BadRange: if it is not a range, or matches several shards.
      NoTokens: if there is no such shard, or no such token in it.
      NoRelease: if the release has no token shards, or one cannot be read.
    """
    match = _RANGE.fullmatch(query)
    if not match:
        raise BadRange(f"{query!r} is not a range of tokens: write SHARD:FROM-TO")
    start = int(match["start"])
    stop = int(match["stop"]) if match["stop"] else start + 1
    if start >= stop:
        raise BadRange(f"{query!r} has no token: TO is exclusive, so it must be above FROM")
    manifest = release.manifest()
    _tokenizer_entry(release, manifest)
    wanted = "/" + match["shard"].removesuffix(".npy").removeprefix("/") + ".npy"
    fits = [
        name
        for name in manifest["files"]
        if name.startswith("tokens/") and f"/{name}".endswith(wanted)
    ]
    if not fits:
        raise NoTokens(f"there is no token shard {match['shard']} in this release")
    if len(fits) > 1:
        raise BadRange(f"{match['shard']} matches several token shards: {', '.join(fits[:3])}")
    length = len(load_tokens(release, fits[0]))
    if stop > length:
        raise NoTokens(f"{fits[0]} has {length} tokens: its whole range is 0-{length}")
    return Range(fits[0], start, stop)


def load_tokens(release: ReleaseFolder, shard: str) -> Ids:
    """Map a token shard into memory.

    Raises:
      NoRelease: if it cannot be read.
    """
    try:
        return np.load(release.folder / shard, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise NoRelease(f"{release.folder / shard} is not a token shard ({error})") from None


def release_tokenizer(release: ReleaseFolder) -> Tokenizer:
    """Load the tokenizer of the release's token shards.

    Raises:
      NoRelease: if there are no token shards, or the manifest names another tokenizer.
    """
    about = _tokenizer_entry(release, release.manifest())
    path = release.folder / "tokens" / about["name"] / "tokenizer.json"
    try:
        loaded = tokenizer.load(path, about["separator"])
    except BadTokenizer as error:
        raise NoRelease(f"{path} cannot be used: {error}") from None
    if loaded.sha256 != about["sha256"]:
        raise NoRelease(f"{path} is not the tokenizer that the manifest names")
    return loaded


def _tokenizer_entry(release: ReleaseFolder, manifest: dict[str, Any]) -> dict[str, Any]:
    """The tokenizer's entry in the manifest; raises NoRelease if there is none."""
    about: dict[str, Any] | None = manifest.get("tokenizer")
    if not about:
        raise NoRelease(f"{release.folder} has no token shards: `tokens.tokenizer` was not set")
    return about


def documents_in_range(release: ReleaseFolder, place: Range) -> pl.DataFrame:
    """Find the documents of a range, in order.

    Returns:
      doc_id, start and stop (in the shard, with the separator), text_stop (without the separator),
      first and last (exclusive; among the document's own tokens).
    """
    end = pl.col("token_start") + pl.col("n_tokens")  # a separator may follow
    rows = release.table("tokens", [lineage_part(place.shard)]).filter(
        pl.col("shard") == place.shard, pl.col("token_start") < place.stop, end >= place.start
    )
    inside = (
        rows.sort("token_start", "n_tokens")
        .with_columns(stop=pl.col("token_start").shift(-1).fill_null(place.stop))
        .filter(pl.col("stop") > pl.max_horizontal("token_start", pl.lit(place.start)))
        .with_columns(start=pl.max_horizontal("token_start", pl.lit(place.start)))
        .with_columns(
            text_stop=pl.min_horizontal("stop", pl.col("token_start") + pl.col("n_tokens"))
        )
    )
    shift = pl.col("doc_token_start") - pl.col("token_start")
    text_stop = pl.max_horizontal("start", "text_stop")
    return inside.select(
        "doc_id",
        "start",
        "stop",
        text_stop=text_stop,
        first=pl.min_horizontal("start", "text_stop") + shift,
        last=pl.col("text_stop") + shift,
    ).collect()


def trace_range(release: ReleaseFolder, place: Range, most: int) -> Iterator[dict[str, Any]]:
    """Trace the documents of a range, at most `most` of them.

    Yields:
      doc_id, tokens (from, to in the shard), document_tokens (from, to in the document), chars (from,
      to in its text; cut characters count fully), separator (whether it is in the range),
      tokens_match (whether the text encodes to these tokens), chain.
    """
    encoder, shard = release_tokenizer(release), load_tokens(release, place.shard)
    for row in documents_in_range(release, place).head(most).iter_rows(named=True):
        ids = shard[row["start"] : row["text_stop"]]
        places = release.rows("documents", row["doc_id"], lineage_part(place.shard))
        data = release.row(places[0]) if places else None
        span = _span(encoder, data["text"], row["first"], row["last"]) if data else None
        yield {
            "doc_id": row["doc_id"],
            "tokens": [row["start"], row["stop"]],
            "document_tokens": [row["first"], row["last"]],
            "chars": [span[1], span[2]] if span else None,
            "separator": row["stop"] > row["text_stop"],
            "tokens_match": span is not None and np.array_equal(span[0], ids),
            "chain": release.chain(row["doc_id"]),
        }


def _span(encoder: Tokenizer, text: str, first: int, last: int) -> tuple[Ids, int, int] | None:
    try:
        return encoder.span(text, first, last)
    except BadTokenizer:
        return None
