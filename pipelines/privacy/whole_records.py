"""Find personal data in the complete text of a split record, and map it to the record's parts.

Often a word on the line before a number names the number, and the split put that line into another
part.  So the complete text is searched too.  Its findings are mapped through the ranges that a part
was cut from, and are added to the findings in the part.
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
    corpus: Corpus,
    shard: str,
    scrubber: Scrubber,
    homes: Mapping[str, str | None],
    wanted: pl.Series | None = None,
) -> dict[str, list[Span]]:
    """Find the personal data of a shard's parts in the texts of their records.

    Args:
      homes: source_id -> jurisdiction.
      wanted: the doc_id of the parts (None: all).

    Returns:
      doc_id of a part -> spans of the part's text.  Parts without such spans are absent.
    """
    record_parts = corpus.record_parts(shard)
    if wanted is not None:
        record_parts = record_parts.join(wanted.to_frame("doc_id"), on="doc_id", how="semi")
    if record_parts.is_empty():
        return {}
    ranges = record_parts.sort("start").group_by("doc_id", "part_of").agg("start", "end")
    languages = corpus.languages(shard)  # a record's language is that of its main part
    part_spans: dict[str, list[Span]] = {}
    for batch in corpus.record_batches(
        shard, ranges["part_of"].unique(), ["doc_id", "source_id", "text"]
    ):
        batch = batch.join(languages, on="doc_id", how="left", maintain_order="left")
        home = pl.col("source_id").replace_strict(homes, default=None, return_dtype=pl.String)
        record_spans = scrubber.find_spans(batch.with_columns(jurisdiction=home))
        mine = ranges.filter(pl.col("part_of").is_in(list(record_spans)))
        for doc_id, record, starts, ends in mine.iter_rows():
            if spans := list(
                map_to_part(record_spans[record], list(zip(starts, ends, strict=True)))
            ):
                part_spans[doc_id] = spans
    return part_spans


def map_to_part(spans: Iterable[Span], ranges: Sequence[tuple[int, int]]) -> Iterator[Span]:
    """Map spans of a record's text to the text of one part.

    Args:
      ranges: (start, end) of the pieces of the part in the record, ascending, not overlapping.  The
        part's text is these pieces joined by `SEAM`.

    Yields:
      Spans of the part's text.  A span is cut at the edges of a range; a span in several ranges
      becomes several spans.
    """
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
