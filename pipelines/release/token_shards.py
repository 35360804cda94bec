"""Write token shards: the documents of a release part as token ids, and each document's range.

`tokens/<name>/<lang>/part-<part>-<number>.npy` is a one-dimensional little-endian NumPy array. It
has 16 bits per id if all ids of the tokenizer fit, else 32. The documents follow each other as in
the part of `data`, each followed by the separator. A shard holds `shard_tokens` tokens, and a
document may continue in the next shard. The tokenizer's file lies beside the shards.
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
    """The tokenizer of a release. A plain value that travels to workers.

    Attributes:
      path: the tokenizer's file.
      about: what the manifest says about the tokenizer.
      shard_tokens: how many tokens a shard holds.
    """

    path: Path
    about: Mapping[str, Any]
    shard_tokens: int

    @property
    def folder(self) -> str:
        return f"tokens/{self.about['name']}"

    def copy_tokenizer(self, state: shards.State) -> dict[str, Any]:
        """Copy the tokenizer's file into an unfinished release, once; return its description."""
        file = f"{self.folder}/tokenizer.json"
        kept = Path(state.root) / file
        content = (kept if kept.is_file() else self.path).read_bytes()
        return shards.write_file(Path(state.root), file, content)

    def load_tokenizer(self, state: shards.State) -> Tokenizer:
        """Load the tokenizer from the copy in the unfinished release.

        Raises:
          BadTokenizer: if its file has changed since the run began.
        """
        path = Path(state.root) / self.folder / "tokenizer.json"
        loaded = tokenizer.load(path, self.about["separator"])
        if loaded.sha256 != self.about["sha256"]:
            raise BadTokenizer("its file changed during the run")
        return loaded


def plan_tokens(params: Params) -> TokenPlan | None:
    """Load the tokenizer that the parameters name, and return the plan; None if they name none.

    Raises:
      Invalid: if the tokenizer cannot be used.
    """
    wanted = params.tokens
    if wanted.tokenizer is None:
        return None
    name = wanted.name or wanted.tokenizer.stem
    try:
        if not _NAME.fullmatch(name):
            raise BadTokenizer("its file's name cannot be a folder's name; set `tokens.name`")
        loaded = tokenizer.load(wanted.tokenizer, wanted.separator)
    except BadTokenizer as error:
        message = f"{wanted.tokenizer} cannot be used: {error}"
        raise Invalid([Problem(str(params.path), None, "tokens.tokenizer", message)]) from None
    about = {
        "name": name,
        "sha256": loaded.sha256,
        "tokens": loaded.size,
        "dtype": loaded.dtype.name,
        "separator": wanted.separator,
        "separator_id": loaded.separator,
    }
    return TokenPlan(wanted.tokenizer, about, wanted.shard_tokens)


def token_ranges(lengths: npt.NDArray[np.int64], separator: int, shard_tokens: int) -> pl.DataFrame:
    """Compute the ranges of a part's documents in its token shards.

    Args:
      lengths: the number of tokens of each document, without the separator.
      separator: how many separator tokens follow a document: 0 or 1.
      shard_tokens: how many tokens a shard holds.

    Returns:
      document (its index in `lengths`), number (of the shard), token_start (in the shard), n_tokens
      (without the separator), doc_token_start (in the document), in the order of the shards. If
      only the separator of a document falls into a shard, the row there has 0 tokens.
    """
    with_separator = lengths + separator
    ends = np.cumsum(with_separator)
    starts = ends - with_separator
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
      state: the unfinished release.
      plan: the tokenizer.
      place: `<lang>/part-<part>`, below the plan's folder.
      doc_ids: the part's documents, in order.
      encoded: the token ids of each document.

    Returns:
      The descriptions of the files, and the rows of the table `tokens`.
    """
    lengths = np.array([len(ids) for ids in encoded], np.int64)
    separator = plan.about["separator_id"]
    ending = np.array([] if separator is None else [separator], plan.about["dtype"])
    pieces = [piece for ids in encoded for piece in (ids, ending)]
    stream = np.concatenate(pieces or [ending[:0]])
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
    """Count a part's tokens by language and by source.

    Args:
      lang: the part's language.
      data: source_id, n_tokens.
    """
    by_source = data.group_by("source_id").agg(pl.col("n_tokens").sum()).sort("source_id")
    return {
        "tokens": {lang: int(data["n_tokens"].sum())},
        "source_tokens": dict(by_source.iter_rows()),
    }


def manifest_counts(totals: Mapping[str, Mapping[str, int]]) -> dict[str, Any]:
    """Return the manifest's counts of tokens from a run's counters; empty without a tokenizer."""
    if "tokens" not in totals:
        return {}
    return {
        "tokens": sum(totals["tokens"].values()),
        "tokens_by_language": totals["tokens"],
        "tokens_by_source": totals["source_tokens"],
    }


def _npy_bytes(ids: Ids) -> bytes:
    """Encode an array in NumPy's format 1.0, which does not depend on NumPy's version."""
    content = io.BytesIO()
    np.lib.format.write_array(content, ids, version=(1, 0), allow_pickle=False)
    return content.getvalue()
