"""From tokens of a shard to the documents, and the characters of them, that they stand for.

The table `tokens` says which document a token is of; which characters, the tokenizer says that lies
in the release: the document's text is encoded once more, and gives the same tokens.
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
from lineage.storage.release_tables import NoRelease
from lineage.tokenizer import BadTokenizer, Ids, Tokenizer
from schemas.errors import BAD_USAGE, NO, TamgaError

_RANGE = re.compile(r"(?P<shard>.+):(?P<start>\d{1,18})(?:-(?P<stop>\d{1,18}))?")


class BadRange(TamgaError):
    """A query that is no range of one shard's tokens; the message says why."""

    exit_code = BAD_USAGE


class NoTokens(TamgaError):
    """A range that the release does not have; the message says why."""

    exit_code = NO


@dataclass(frozen=True)
class Range:
    """The tokens `start` to `stop` (exclusive) of a shard, which is named in full."""

    shard: str
    start: int
    stop: int


def find(release: ReleaseFolder, query: str) -> Range:
    """The range that `SHARD:FROM-TO` or `SHARD:TOKEN` names: `TO` is the first that is not meant,
    and a shard is `tokens/…/kk/part-00000-00000.npy`, or shorter from the left or without the ending.

    Raises:
      BadRange: where it is no range, or fits several shards.
      NoTokens: where there is no such shard, or no such token in it.
      NoRelease: where the release has no token shards, or one cannot be read.
    """
    read = _RANGE.fullmatch(query)
    if not read:
        raise BadRange(f"{query!r} is no range of tokens: write SHARD:FROM-TO")
    start = int(read["start"])
    stop = int(read["stop"]) if read["stop"] else start + 1
    if start >= stop:
        raise BadRange(f"{query!r} holds no token: TO is the first token that is not meant")
    manifest = release.manifest()
    _made(release, manifest)
    wanted = "/" + read["shard"].removesuffix(".npy").removeprefix("/") + ".npy"
    fits = [
        name
        for name in manifest["files"]
        if name.startswith("tokens/") and f"/{name}".endswith(wanted)
    ]
    if not fits:
        raise NoTokens(f"there is no token shard {read['shard']} in this release")
    if len(fits) > 1:
        raise BadRange(f"{read['shard']} fits several token shards: {', '.join(fits[:3])}")
    held = len(tokens(release, fits[0]))
    if stop > held:
        raise NoTokens(f"{fits[0]} holds {held} tokens: 0-{held} is all of it")
    return Range(fits[0], start, stop)


def tokens(release: ReleaseFolder, shard: str) -> Ids:
    """A token shard, mapped into memory.

    Raises:
      NoRelease: where it cannot be read.
    """
    try:
        return np.load(release.folder / shard, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise NoRelease(f"{release.folder / shard} is no token shard ({error})") from None


def named(release: ReleaseFolder) -> Tokenizer:
    """The tokenizer that made the release's token shards.

    Raises:
      NoRelease: where there are none, or the tokenizer is not the one that the manifest names.
    """
    about = _made(release, release.manifest())
    path = release.folder / "tokens" / about["name"] / "tokenizer.json"
    try:
        found = tokenizer.load(path, about["separator"])
    except BadTokenizer as error:
        raise NoRelease(f"{path} does not serve: {error}") from None
    if found.sha256 != about["sha256"]:
        raise NoRelease(f"{path} is not the tokenizer that the manifest names")
    return found


def _made(release: ReleaseFolder, manifest: dict[str, Any]) -> dict[str, Any]:
    """What the manifest says of the tokenizer; raises NoRelease where there is none."""
    about: dict[str, Any] | None = manifest.get("tokenizer")
    if not about:
        raise NoRelease(f"{release.folder} has no token shards: `tokens.tokenizer` was not set")
    return about


def part(shard: str) -> str:
    """The part of the tables of documents that tells of a token shard: `part-kk-00000` of
    `tokens/…/kk/part-00000-00003.npy`."""
    lang, name = shard.split("/")[-2:]
    return f"part-{lang}-{name.split('-')[1]}"


def documents(release: ReleaseFolder, place: Range) -> pl.DataFrame:
    """The documents of a range, in its order.

    Returns:
      doc_id, start and stop (in the shard, the separator included), text_stop (without it), first
      and last (exclusive; among the document's own tokens).
    """
    end = pl.col("token_start") + pl.col("n_tokens")  # a separator may follow
    rows = release.table("tokens", [part(place.shard)]).filter(
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


def trace(release: ReleaseFolder, place: Range, most: int) -> Iterator[dict[str, Any]]:
    """What stands behind each document of a range, `most` of them.

    Yields:
      doc_id, tokens (from, to in the shard), document_tokens (from, to in the document), chars (from,
      to in its text; characters that are cut are whole), separator (whether it is in the range),
      tokens_match (whether the text encodes to the tokens that are there), chain.
    """
    encoder, shard = named(release), tokens(release, place.shard)
    for row in documents(release, place).head(most).iter_rows(named=True):
        ids = shard[row["start"] : row["text_stop"]]
        placed = release.rows("documents", row["doc_id"], part(place.shard))
        there = release.row(placed[0]) if placed else None
        found = _span(encoder, there["text"], row["first"], row["last"]) if there else None
        yield {
            "doc_id": row["doc_id"],
            "tokens": [row["start"], row["stop"]],
            "document_tokens": [row["first"], row["last"]],
            "chars": [found[1], found[2]] if found else None,
            "separator": row["stop"] > row["text_stop"],
            "tokens_match": found is not None and np.array_equal(found[0], ids),
            "chain": release.chain(row["doc_id"]),
        }


def _span(encoder: Tokenizer, text: str, first: int, last: int) -> tuple[Ids, int, int] | None:
    try:
        return encoder.span(text, first, last)
    except BadTokenizer:
        return None
