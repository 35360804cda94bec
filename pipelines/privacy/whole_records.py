"""Personal data of the parts of a split record, found in the whole record's text.

A number is often told by a word on a line before it, and that line may have gone to another part.
What is found in the whole text is mapped through the ranges that a part was cut from, and joins
what is found in the part alone.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate

import polars as pl

from pipelines.corpus.stage_tables import Corpus
from pipelines.language.split import SEAM
from pipelines.personal_data.findings import Span
from pipelines.personal_data.scrub import Scrubber


def find_in_records(
    source: Corpus,
    shard: str,
    by: Scrubber,
    homes: Mapping[str, str | None],
    wanted: pl.Series | None = None,
) -> dict[str, list[Span]]:
    """What the records say of the parts of a shard.

    Args:
      homes: source_id -> jurisdiction.
      wanted: the doc_id of the documents that are asked about (None: all).

    Returns:
      doc_id of a part -> spans of its own text; parts that nothing is said of are absent.
    """
    parts = source.parts(shard)
    if wanted is not None:
        parts = parts.join(wanted.to_frame("doc_id"), on="doc_id", how="semi")
    if parts.is_empty():
        return {}
    ranges = parts.sort("start").group_by("doc_id", "part_of").agg("start", "end")
    languages = source.languages(shard)  # a record's language is that of its main part
    found: dict[str, list[Span]] = {}
    for batch in source.records(shard, ranges["part_of"].unique(), ["doc_id", "source_id", "text"]):
        batch = batch.join(languages, on="doc_id", how="left", maintain_order="left")
        home = pl.col("source_id").replace_strict(homes, default=None, return_dtype=pl.String)
        told = by.find_spans(batch.with_columns(jurisdiction=home))
        mine = ranges.filter(pl.col("part_of").is_in(list(told)))
        for doc_id, record, starts, ends in mine.iter_rows():
            if spans := list(map_to_part(told[record], list(zip(starts, ends, strict=True)))):
                found[doc_id] = spans
    return found


def map_to_part(spans: Iterable[Span], ranges: Sequence[tuple[int, int]]) -> Iterator[Span]:
    """Spans of a record's text -> those of the part that the ranges (ascending, apart) make, joined
    by `SEAM`.  A span that goes beyond a range is cut at its edges; one in several is several."""
    ends = [end for _, end in ranges]
    places = accumulate((end - start + len(SEAM) for start, end in ranges), initial=0)
    moves = [at - start for (start, _), at in zip(ranges, places, strict=False)]
    for span in spans:
        for place in range(bisect_right(ends, span.start), len(ranges)):
            low, high = ranges[place]
            if low >= span.end:
                break
            start, end = max(low, span.start), min(high, span.end)
            yield span._replace(start=start + moves[place], end=end + moves[place])
