"""Token shards: the documents of a part as token ids, and where each document's tokens lie.

`tokens/<name>/<lang>/part-<part>-<number>.npy` is a NumPy array of one dimension, little-endian, of
16 bits where all ids of the tokenizer fit, else of 32.  Documents follow each other as in the part
of `data`, each with the separator after it; a shard is full when it holds `shard_tokens`, and a
document may go on in the next.  The tokenizer's file lies beside them.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from lineage import tokenizer
from lineage.tokenizer import BadTokenizer, Ids, Tokenizer
from pipelines.engine import shards
from schemas.errors import Invalid, Problem
from schemas.params import Params

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True)
class TokenPlan:
    """What tokenizes a release, and how; a plain value that travels to workers.  `about` is what
    the manifest says of the tokenizer."""

    path: Path
    about: Mapping[str, Any]
    shard_tokens: int

    @property
    def folder(self) -> str:
        return f"tokens/{self.about['name']}"

    def keep(self, state: shards.State) -> dict[str, Any]:
        """Copy the tokenizer's file into a release in work, once; what comes back describes it."""
        file = f"{self.folder}/tokenizer.json"
        kept = Path(state.root) / file
        content = (kept if kept.is_file() else self.path).read_bytes()
        return shards.write_file(Path(state.root), file, content)

    def load(self, state: shards.State) -> Tokenizer:
        """The tokenizer that was kept.

        Raises:
          BadTokenizer: where its file has changed since the run began.
        """
        path = Path(state.root) / self.folder / "tokenizer.json"
        found = tokenizer.load(path, self.about["separator"])
        if found.sha256 != self.about["sha256"]:
            raise BadTokenizer("it was changed while the release was made")
        return found


def plan_tokens(params: Params) -> TokenPlan | None:
    """What the parameters ask for, tried out; None: nothing is tokenized.

    Raises:
      Invalid: where the tokenizer does not serve.
    """
    wanted = params.tokens
    if wanted.tokenizer is None:
        return None
    name = wanted.name or wanted.tokenizer.stem
    try:
        if not _NAME.fullmatch(name):
            raise BadTokenizer("its file's name cannot name a folder; set `tokens.name`")
        found = tokenizer.load(wanted.tokenizer, wanted.separator)
    except BadTokenizer as error:
        message = f"{wanted.tokenizer} does not serve: {error}"
        raise Invalid([Problem(str(params.path), None, "tokens.tokenizer", message)]) from None
    about = {
        "name": name,
        "sha256": found.sha256,
        "tokens": found.size,
        "dtype": found.dtype.name,
        "separator": wanted.separator,
        "separator_id": found.separator,
    }
    return TokenPlan(wanted.tokenizer, about, wanted.shard_tokens)


def token_ranges(lengths: npt.NDArray[np.int64], separator: int, shard_tokens: int) -> pl.DataFrame:
    """Where the documents of a part lie in its shards.

    Args:
      lengths: tokens of each document, without the separator.
      separator: how many tokens end a document: 0 or 1.
      shard_tokens: how many a shard holds.

    Returns:
      document (its place in `lengths`), number (of the shard), token_start (in the shard), n_tokens
      (without the separator), doc_token_start (in the document); in the order of the shards.  A
      separator that has a shard to itself leaves a row of no tokens there.
    """
    whole = lengths + separator
    ends = np.cumsum(whole)
    starts = ends - whole
    last = max(0, (int(ends[-1]) - 1) // shard_tokens) if len(ends) else 0
    first = np.minimum(starts // shard_tokens, last)
    count = np.maximum(first, (ends - 1) // shard_tokens) - first + 1
    document = np.repeat(np.arange(len(lengths)), count)
    number = np.arange(len(document)) - np.repeat(np.cumsum(count) - count, count) + first[document]
    begin = np.maximum(starts[document], number * shard_tokens)
    stop = np.minimum(starts[document] + lengths[document], (number + 1) * shard_tokens)
    return pl.DataFrame(
        {
            "document": document,
            "number": number,
            "token_start": begin - number * shard_tokens,
            "n_tokens": np.maximum(stop - begin, 0),
            "doc_token_start": begin - starts[document],
        }
    )


def write_shards(
    state: shards.State,
    plan: TokenPlan,
    place: str,
    doc_ids: pl.Series,
    encoded: Sequence[Ids],
) -> tuple[list[dict[str, Any]], pl.DataFrame]:
    """Write the token shards of a part.

    Args:
      place: `<lang>/part-<part>`, below the plan's folder.
      doc_ids, encoded: the part's documents, in order.

    Returns:
      What describes the files, and the rows of the table `tokens`.
    """
    lengths = np.array([len(ids) for ids in encoded], np.int64)
    separator = plan.about["separator_id"]
    ending = np.array([] if separator is None else [separator], plan.about["dtype"])
    stream = np.concatenate([one for ids in encoded for one in (ids, ending)] or [ending[:0]])
    stream = stream.astype(stream.dtype.newbyteorder("<"), copy=False)
    size = plan.shard_tokens
    names = [
        f"{plan.folder}/{place}-{number:05d}.npy"
        for number in range(max(1, -(-len(stream) // size)))
    ]
    files = [
        shards.write_file(Path(state.root), name, _npy_bytes(stream[i * size : (i + 1) * size]))
        for i, name in enumerate(names)
    ]
    rows = token_ranges(lengths, len(ending), size)
    rows = rows.with_columns(
        tokenizer=pl.lit(plan.about["name"]),
        shard=pl.Series(names, dtype=pl.String).gather(rows["number"]),
        doc_id=doc_ids.gather(rows["document"]),
    )
    return files, rows


def part_counts(lang: str, data: pl.DataFrame) -> dict[str, dict[str, int]]:
    """What a part counts: tokens by language and by source, from source_id and n_tokens."""
    by_source = data.group_by("source_id").agg(pl.col("n_tokens").sum()).sort("source_id")
    return {
        "tokens": {lang: int(data["n_tokens"].sum())},
        "source_tokens": dict(by_source.iter_rows()),
    }


def manifest_counts(totals: Mapping[str, Mapping[str, int]]) -> dict[str, Any]:
    """What the manifest says of it, from added counters; nothing where nothing was tokenized."""
    if "tokens" not in totals:
        return {}
    return {
        "tokens": sum(totals["tokens"].values()),
        "tokens_by_language": totals["tokens"],
        "tokens_by_source": totals["source_tokens"],
    }


def _npy_bytes(ids: Ids) -> bytes:
    """An array as the bytes of a file of NumPy's format 1.0, which is the same for all versions."""
    content = io.BytesIO()
    np.lib.format.write_array(content, ids, version=(1, 0), allow_pickle=False)
    return content.getvalue()
