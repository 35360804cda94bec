"""Split a record of several languages into one document per language, called its parts.

A line goes to the part of its language.  Blank lines, short lines, and lines of a language with too
small a share of the record stay with the line before them.  The part in the main language keeps the
record's id.  Each other part gets an id that is made of the record's id and the language.  The
ranges of a part count characters of the record's text as ingest read it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from pipelines.language.identifier import Identifier
from schemas.tables import DOCUMENTS, PARTS

#: A language with a smaller share of a record's letters gets no part of its own.
LEAST_PART = 0.1
#: The text between two ranges of a part.
SEAM = "\n\n"
Ranges = list[tuple[int, int]]


@dataclass(frozen=True)
class RecordParts:
    """The parts of split records: rows of `schemas.tables.DOCUMENTS` and of `PARTS`."""

    documents: pl.DataFrame
    ranges: pl.DataFrame

    @property
    def new_ids(self) -> int:
        """How many parts have ids of their own."""
        return self.part_ids.filter(pl.col("doc_id") != pl.col("part_of")).height

    @property
    def part_ids(self) -> pl.DataFrame:
        """doc_id of each part, and part_of, the id of its record."""
        return self.ranges.select("doc_id", "part_of").unique(maintain_order=True)


def part_id(record: str, language: str) -> str:
    """Return the id of a record's part in a language that is not its main one.

    It is 32 hex digits of a SHA-256 over the record's id and the language.
    """
    return hashlib.sha256(f"{record}\0{language}".encode()).hexdigest()[:32]


def split_documents(
    documents: pl.DataFrame, labels: pl.DataFrame, identifier: Identifier, main_share: float
) -> RecordParts:
    """Split the mixed documents.

    Args:
      documents: rows of `DOCUMENTS`.
      labels: their rows of `LANGUAGE`, in the same order.
      identifier: labels the lines.
      main_share: a document is mixed if its main language has a smaller share of its letters.

    Returns:
      The parts of mixed documents in which at least two languages reach `LEAST_PART`.  All other
      documents are absent.
    """
    documents_of_parts, range_rows = [], []
    for record, langs in zip(documents.iter_rows(named=True), labels["langs"], strict=True):
        shares = {entry["lang"]: entry["share"] for entry in langs}
        languages = [lang for lang, share in shares.items() if share >= LEAST_PART]
        if len(languages) < 2 or shares[languages[0]] >= main_share or "\n" not in record["text"]:
            continue
        lines = record["text"].split("\n")
        ranges = cut_ranges(lines, identifier.label_lines(lines), languages)
        if len(ranges) < 2:
            continue
        main = next(lang for lang in languages if lang in ranges)
        for lang, own in ranges.items():
            doc_id = record["doc_id"] if lang == main else part_id(record["doc_id"], lang)
            text = SEAM.join(record["text"][start:end] for start, end in own)
            documents_of_parts.append(record | {"doc_id": doc_id, "text": text})
            range_rows += [(doc_id, record["doc_id"], start, end) for start, end in own]
    return RecordParts(
        _document_frame(documents_of_parts, documents.schema), _range_frame(range_rows)
    )


def concat_parts(batches: Sequence[RecordParts]) -> RecordParts:
    """Concatenate the parts of all batches of a shard."""
    documents = [batch.documents for batch in batches] or [_document_frame([], pl.Schema(_TEXTS))]
    ranges = [batch.ranges for batch in batches] or [_range_frame([])]
    return RecordParts(
        pl.concat(documents).sort("doc_id"), pl.concat(ranges).sort("doc_id", "start")
    )


def cut_ranges(
    lines: Sequence[str], labels: Sequence[str | None], languages: Sequence[str]
) -> Mapping[str, Ranges]:
    """Find the ranges of a text's parts.

    Args:
      lines: the text's lines; a line feed joins them.
      labels: the language of each line; None for a line that is too short to have one.
      languages: the languages that get a part.

    Returns:
      Language -> (start, end) in characters of the text, end exclusive, ascending.  A range has no
      white space at its edges.  Two ranges of one language have more than white space between
      them.  A line that is not blank is in exactly one range.
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
    own = pl.when(pl.col("lang").is_in(list(languages))).then("lang").forward_fill().backward_fill()
    runs = (
        table.with_columns(own.alias("lang"))
        .filter(pl.col("start") < pl.col("end"), pl.col("lang").is_not_null())
        .with_columns(run=pl.col("lang").rle_id())
        .group_by("run", maintain_order=True)
        .agg(pl.col("lang").first(), pl.col("start").min(), pl.col("end").max())
    )
    ranges: dict[str, Ranges] = {}
    for lang, start, end in runs.select("lang", "start", "end").iter_rows():
        ranges.setdefault(lang, []).append((start, end))
    return ranges


_TEXTS = dict.fromkeys(DOCUMENTS.names, pl.String)


def _document_frame(rows: list[dict[str, str]], schema: pl.Schema) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=schema).sort("doc_id")


def _range_frame(rows: list[tuple[str, str, int, int]]) -> pl.DataFrame:
    types = (pl.String, pl.String, pl.Int64, pl.Int64)
    schema = dict(zip(PARTS.names, types, strict=True))
    return pl.DataFrame(rows, schema=schema, orient="row").sort("doc_id", "start")
