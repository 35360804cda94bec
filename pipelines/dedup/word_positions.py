"""Where the words of key views stand in the texts: pieces of documents, and passages of words."""

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
    """What is left of documents without some spans, cut where these were."""

    documents: pl.DataFrame
    row: I64  # of each piece's document, ascending
    at: I64  # where the piece begins in its text
    texts: pl.Series


def pieces(documents: pl.DataFrame, removals: pl.DataFrame) -> Pieces:
    """Documents doc_id, text, … less the spans doc_id, start, end, which lie apart, in order."""
    gone = documents.with_row_index("row").join(
        removals.group_by("doc_id", maintain_order=True).agg("start", "end"), on="doc_id"
    )
    cut = {
        row: list(zip([0, *end], [*start, len(text)], strict=True))
        for row, text, start, end in gone.select("row", "text", "start", "end").iter_rows()
    }
    if not cut:
        number = documents.height
        return Pieces(documents, np.arange(number), np.zeros(number, np.int64), documents["text"])
    texts = documents["text"].to_list()
    told = [
        (row, low, text[low:high])
        for row, text in enumerate(texts)
        for low, high in cut.get(row, [(0, len(text))])
    ]
    row, at, some = zip(*told, strict=True)
    return Pieces(documents, np.array(row), np.array(at), pl.Series(some, dtype=pl.String))


def first_words(some: Pieces, offsets: I64) -> I64:
    """Where the first word of each piece's document stands among the words of all pieces, by the
    offsets of the pieces."""
    return offsets[:-1][np.searchsorted(some.row, some.row)]


def words(texts: pl.Series) -> pl.DataFrame:
    """Strings -> text, form, start, end: the words of their key views, as `shingles.words` has them,
    and where they stand, in code points, with the punctuation around them."""
    spaced = texts.cast(pl.String).fill_null("").str.replace_all(r"\s", " ").str.split(" ")
    sizes = spaced.list.len().to_numpy().astype(np.int64)
    tokens = spaced.list.explode(empty_as_null=False).to_arrow().dictionary_encode()
    known = pl.Series(tokens.dictionary, dtype=pl.String)
    forms, codes = fold_words(known), tokens.indices.to_numpy()
    long = known.str.len_chars().to_numpy().astype(np.int64)[codes]
    before = ragged.offsets_of(long + 1)
    start = before[:-1] - np.repeat(before[ragged.offsets_of(sizes)[:-1]], sizes)
    kept = np.flatnonzero((forms != "").to_numpy()[codes])
    return pl.DataFrame(
        {
            "text": np.repeat(np.arange(len(sizes)), sizes)[kept],
            "form": forms.gather(codes[kept]),
            "start": start[kept],
            "end": (start + long)[kept],
        }
    )


def passages(some: Pieces, asked: pl.DataFrame) -> pl.DataFrame:
    """The words of documents, by number, and where they stand.

    Args:
      some: pieces of documents with doc and doc_id.
      asked: doc, start, words: each inside one piece; start counts the document's words.

    Returns:
      The same with doc_id, `passage` (the words, with single blanks), `low`, `high` (in characters
      of the document) and `of`, the document's words.  The blanks behind a passage are part of it,
      unless they end a line that it does not begin.
    """
    found = words(some.texts)
    number = np.bincount(some.row[found["text"].to_numpy()], minlength=some.documents.height)
    first = pl.DataFrame(
        {
            "doc": some.documents["doc"],
            "doc_id": some.documents["doc_id"],
            "first": ragged.offsets_of(number)[:-1],
            "of": number,
        }
    )
    told = asked.join(first, on="doc", maintain_order="left")
    low = (told["first"] + told["start"]).to_numpy()
    size = told["words"].to_numpy()
    piece = found["text"].to_numpy()[low]
    begins = found["start"].to_numpy()[low]
    forms = found["form"][ragged.ranges(low, size)]
    texts = dict(enumerate(some.texts)) if len(piece) else {}
    ends = [
        _with_blanks(texts[p], b, e)
        for p, b, e in zip(
            piece.tolist(), begins.tolist(), found["end"].to_numpy()[low + size - 1].tolist(),
            strict=True,
        )
    ]  # fmt: skip
    return told.drop("first").with_columns(
        passage=ragged.lists(forms.to_arrow(), ragged.offsets_of(size)).list.join(" "),
        low=pl.Series(some.at[piece] + begins, dtype=pl.Int64),
        high=pl.Series(some.at[piece] + np.array(ends, np.int64), dtype=pl.Int64),
    )


def _with_blanks(text: str, start: int, end: int) -> int:
    match = _BLANKS.match(text, end)
    behind = match.end() if match else end
    begins = start == 0 or text[start - 1] == "\n"
    return end if "\n" in text[end:behind] and not begins else behind
