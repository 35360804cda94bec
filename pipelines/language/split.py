"""A document of several languages -> a document for each of them.

Lines follow the language that they are labelled with; blank and short lines, and those of a language
that holds too little of the record, stay with the line before them.  The part in the main language
keeps the record's id, the others have ids of their own, made of the record's id and the language.
What each part was cut from is told in characters of the record's text as ingest read it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from pipelines.language.identifier import Identifier
from schemas.tables import DOCUMENTS, PARTS

#: A language of a smaller share of a record's letters makes no document of its own.
LEAST_PART = 0.1
#: What stands between two ranges of a part.
SEAM = "\n\n"
Ranges = list[tuple[int, int]]


@dataclass(frozen=True)
class RecordParts:
    """`documents` as in `schemas.tables.DOCUMENTS`, by doc_id; `ranges` as in `PARTS`."""

    documents: pl.DataFrame
    ranges: pl.DataFrame

    @property
    def others(self) -> int:
        """How many parts have ids of their own."""
        return self.records.filter(pl.col("doc_id") != pl.col("part_of")).height

    @property
    def records(self) -> pl.DataFrame:
        """doc_id, part_of of each part."""
        return self.ranges.select("doc_id", "part_of").unique(maintain_order=True)


def part_id(record: str, language: str) -> str:
    """The id of a record's part in a language that is not its main one: 32 hex digits of a SHA-256
    over both."""
    return hashlib.sha256(f"{record}\0{language}".encode()).hexdigest()[:32]


def split_documents(
    documents: pl.DataFrame, found: pl.DataFrame, identifier: Identifier, main_share: float
) -> RecordParts:
    """Cut what is mixed.

    Args:
      documents: rows of `DOCUMENTS`.
      found: their rows of `LANGUAGE`, in the same order.
      identifier: labels the lines.
      main_share: a document is mixed whose main language has a smaller share of its letters.

    Returns:
      The parts of those that hold at least two languages of `LEAST_PART`; all others are absent.
    """
    made, ranges = [], []
    for record, langs in zip(documents.iter_rows(named=True), found["langs"], strict=True):
        shares = {one["lang"]: one["share"] for one in langs}
        spoken = [lang for lang, share in shares.items() if share >= LEAST_PART]
        if len(spoken) < 2 or shares[spoken[0]] >= main_share or "\n" not in record["text"]:
            continue
        lines = record["text"].split("\n")
        cut_ = cut_ranges(lines, identifier.of_lines(lines), spoken)
        if len(cut_) < 2:
            continue
        main = next(lang for lang in spoken if lang in cut_)
        for lang, own in cut_.items():
            doc_id = record["doc_id"] if lang == main else part_id(record["doc_id"], lang)
            text = SEAM.join(record["text"][start:end] for start, end in own)
            made.append(record | {"doc_id": doc_id, "text": text})
            ranges += [(doc_id, record["doc_id"], start, end) for start, end in own]
    return RecordParts(_frame(made, documents.schema), _of_ranges(ranges))


def concat_parts(parts: Sequence[RecordParts]) -> RecordParts:
    """Those of all batches of a shard."""
    documents = [one.documents for one in parts] or [_frame([], pl.Schema(_TEXTS))]
    ranges = [one.ranges for one in parts] or [_of_ranges([])]
    return RecordParts(
        pl.concat(documents).sort("doc_id"), pl.concat(ranges).sort("doc_id", "start")
    )


def cut_ranges(
    lines: Sequence[str], labels: Sequence[str | None], spoken: Sequence[str]
) -> Mapping[str, Ranges]:
    """Where the parts of a text are.

    Args:
      lines: the text's lines, which a line feed joins.
      labels: the language of each; None of those too short to have one.
      spoken: the languages that make a part.

    Returns:
      Language -> (start, end) in characters of the text, end exclusive, ascending, without white
      space at the edges, and never with white space alone between two.  A line that holds more than
      that is in one range, of one language.
    """
    ends = pl.Series([len(line) + 1 for line in lines]).cum_sum()
    table = pl.DataFrame(
        {
            "lang": pl.Series(labels, dtype=pl.String),
            "start": ends.shift(1, fill_value=0)
            + pl.Series([len(line) - len(line.lstrip()) for line in lines]),
            "end": ends - 1 - pl.Series([len(line) - len(line.rstrip()) for line in lines]),
        }
    )
    own = pl.when(pl.col("lang").is_in(list(spoken))).then("lang").forward_fill().backward_fill()
    runs = (
        table.with_columns(own.alias("lang"))
        .filter(pl.col("start") < pl.col("end"), pl.col("lang").is_not_null())
        .with_columns(run=pl.col("lang").rle_id())
        .group_by("run", maintain_order=True)
        .agg(pl.col("lang").first(), pl.col("start").min(), pl.col("end").max())
    )
    found: dict[str, Ranges] = {}
    for lang, start, end in runs.select("lang", "start", "end").iter_rows():
        found.setdefault(lang, []).append((start, end))
    return found


_TEXTS = dict.fromkeys(DOCUMENTS.names, pl.String)


def _frame(rows: list[dict[str, str]], schema: pl.Schema) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=schema).sort("doc_id")


def _of_ranges(rows: list[tuple[str, str, int, int]]) -> pl.DataFrame:
    types = (pl.String, pl.String, pl.Int64, pl.Int64)
    schema = dict(zip(PARTS.names, types, strict=True))
    return pl.DataFrame(rows, schema=schema, orient="row").sort("doc_id", "start")
