"""Find the positions of key-view words in texts: pieces of documents, and passages of words."""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np
import polars as pl

from pipelines.text import ragged
from pipelines.text.ragged import I64
from pipelines.text.views import fold_words

_BLANKS = re.compile(r"\s*")


class Pieces(NamedTuple):
    """Documents without some spans, cut into pieces at these spans."""

    documents: pl.DataFrame
    row: I64  # of each piece's document, ascending
    at: I64  # where the piece begins in its document's text
    texts: pl.Series


def cut_pieces(documents: pl.DataFrame, removals: pl.DataFrame) -> Pieces:
    """Cut documents into pieces at the removals.

    Args:
      documents: doc_id, text and other columns.
      removals: doc_id, start, end; sorted. No two spans touch.
    """
    shortened = documents.with_row_index("row").join(
        removals.group_by("doc_id", maintain_order=True).agg("start", "end"), on="doc_id"
    )
    ranges = {
        row: list(zip([0, *end], [*start, len(text)], strict=True))
        for row, text, start, end in shortened.select("row", "text", "start", "end").iter_rows()
    }
    if not ranges:
        number = documents.height
        return Pieces(documents, np.arange(number), np.zeros(number, np.int64), documents["text"])
    pieces = [
        (row, low, text[low:high])
        for row, text in enumerate(documents["text"].to_list())
        for low, high in ranges.get(row, [(0, len(text))])
    ]
    row, at, texts = zip(*pieces, strict=True)
    return Pieces(documents, np.array(row), np.array(at), pl.Series(texts, dtype=pl.String))


def first_word_offsets(pieces: Pieces, offsets: I64) -> I64:
    """Return for each piece the offset of its document's first word among the words of all pieces.

    Args:
      pieces: n pieces.
      offsets: n + 1 offsets of the pieces' words.
    """
    return offsets[:-1][np.searchsorted(pieces.row, pieces.row)]


def locate_words(texts: pl.Series) -> pl.DataFrame:
    """Find the words of key views in texts, as `shingles.words` has them.

    Returns:
      text (row), form (the word), start, end (in code points, with the punctuation around it).
    """
    spaced = texts.cast(pl.String).fill_null("").str.replace_all(r"\s", " ").str.split(" ")
    sizes = spaced.list.len().to_numpy().astype(np.int64)
    tokens = spaced.list.explode(empty_as_null=False).to_arrow().dictionary_encode()
    distinct = pl.Series(tokens.dictionary, dtype=pl.String)
    forms, codes = fold_words(distinct), tokens.indices.to_numpy()
    lengths = distinct.str.len_chars().to_numpy().astype(np.int64)[codes]
    before = ragged.offsets_of(lengths + 1)
    start = before[:-1] - np.repeat(before[ragged.offsets_of(sizes)[:-1]], sizes)
    words = np.flatnonzero((forms != "").to_numpy()[codes])
    return pl.DataFrame(
        {
            "text": np.repeat(np.arange(len(sizes)), sizes)[words],
            "form": forms.gather(codes[words]),
            "start": start[words],
            "end": (start + lengths)[words],
        }
    )


def locate_passages(pieces: Pieces, ranges: pl.DataFrame) -> pl.DataFrame:
    """Find the characters of passages that are given by word numbers.

    White space after a passage belongs to it. If the passage ends a line but does not begin one,
    the white space does not belong to it.

    Args:
      pieces: pieces of documents with doc and doc_id.
      ranges: doc, start (word number in the document), words (how many); each inside one piece.

    Returns:
      The same with doc_id, `passage` (the words, joined by single blanks), `low`, `high`
      (characters of the document) and `document_words` (how many words the document has).
    """
    words = locate_words(pieces.texts)
    counts = np.bincount(pieces.row[words["text"].to_numpy()], minlength=pieces.documents.height)
    first = pl.DataFrame(
        {
            "doc": pieces.documents["doc"],
            "doc_id": pieces.documents["doc_id"],
            "first": ragged.offsets_of(counts)[:-1],
            "document_words": counts,
        }
    )
    located = ranges.join(first, on="doc", maintain_order="left")
    low = (located["first"] + located["start"]).to_numpy()
    size = located["words"].to_numpy()
    piece = words["text"].to_numpy()[low]
    starts = words["start"].to_numpy()[low]
    last_ends = words["end"].to_numpy()[low + size - 1]
    forms = words["form"][ragged.ranges(low, size)]
    texts = dict(enumerate(pieces.texts)) if len(piece) else {}
    ends = [
        _end_with_blanks(texts[number], start, end)
        for number, start, end in zip(
            piece.tolist(), starts.tolist(), last_ends.tolist(), strict=True
        )
    ]
    return located.drop("first").with_columns(
        passage=ragged.lists(forms.to_arrow(), ragged.offsets_of(size)).list.join(" "),
        low=pl.Series(pieces.at[piece] + starts, dtype=pl.Int64),
        high=pl.Series(pieces.at[piece] + np.array(ends, np.int64), dtype=pl.Int64),
    )


def _end_with_blanks(text: str, start: int, end: int) -> int:
    """Return the end of a passage, with the white space after it if it belongs to the passage."""
    match = _BLANKS.match(text, end)
    behind = match.end() if match else end
    begins_line = start == 0 or text[start - 1] == "\n"
    return end if "\n" in text[end:behind] and not begins_line else behind
