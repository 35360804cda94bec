"""Boilerplate: lines that a large share of a source's documents have in common (`dedup.lines`).

A line is told by its exact characters without white space at its ends.  What is removed is recorded
as spans; the stored text stays, and documents are compared with their boilerplate.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping

import apache_beam as beam
import numpy as np
import polars as pl
import pyarrow as pa

from pipelines.dedup.candidate_pairs import KEYED
from pipelines.dedup.plan import Plan, parts
from pipelines.engine import batches
from pipelines.text.ragged import I64
from pipelines.text.shingles import fmix64, hash_words
from schemas.sections import LineParams
from schemas.tables import BOILERPLATE, FINDINGS

RECOGNISER, OPERATOR = "dedup-lines", "remove"
COUNTED = {"source_id": pl.String, "line": pl.UInt64, "documents": pl.Int64}
_LAST = (1 << 63) - 1
_DOCUMENT = ("doc_id", "source_id", "text")


def lines(documents: pl.DataFrame) -> pl.DataFrame:
    """doc_id, source_id, text -> doc_id, source_id, line (XXH3-64 of it), start, end: a row per line
    that is not blank, in code points of the text, the end of the line included."""
    split = (
        documents.select("doc_id", "source_id", size=pl.col("text").str.len_chars(),
                         line=pl.col("text").str.split("\n"))
        .explode("line")
        .with_columns(long=pl.col("line").str.len_chars().cast(pl.Int64) + 1)
        .with_columns(end=pl.col("long").cum_sum().over("doc_id"))
        .with_columns(start=pl.col("end") - pl.col("long"), line=pl.col("line").str.strip_chars())
        .filter(pl.col("line") != "")
    )  # fmt: skip
    known = split["line"].unique(maintain_order=True)
    hashed = pl.DataFrame({"line": known, "hash": pl.Series(hash_words(known), dtype=pl.UInt64)})
    return split.join(hashed, on="line", maintain_order="left").select(
        "doc_id",
        "source_id",
        "start",
        line="hash",
        end=pl.min_horizontal("end", pl.col("size").cast(pl.Int64)),
    )


def counts(found: pl.DataFrame) -> pl.DataFrame:
    """`lines` -> `COUNTED`: how many documents of a source have each line."""
    number = pl.col("doc_id").n_unique().cast(pl.Int64).alias("documents")
    return found.group_by("source_id", "line").agg(number).select(list(COUNTED))


def boilerplate(
    common: pl.DataFrame, documents: Mapping[str, int], params: LineParams
) -> pl.DataFrame:
    """`COUNTED` of whole sources and how many documents these have -> source_id, line, share of
    what is boilerplate."""
    total = pl.col("source_id").replace_strict(documents, default=None, return_dtype=pl.Int64)
    share = pl.col("documents") / total
    return common.filter(
        pl.col("documents") >= params.min_documents, share >= params.min_share
    ).select("source_id", "line", share=share)


def spans(found: pl.DataFrame, common: pl.DataFrame) -> pl.DataFrame:
    """`lines` and `boilerplate` -> rows of `FINDINGS`, in order, none of which touches another; none
    for a document that is nothing but boilerplate."""
    met = found.join(common, on=["source_id", "line"]).sort("doc_id", "start")
    more = found.join(common, on=["source_id", "line"], how="anti")
    met = met.join(more, on="doc_id", how="semi", maintain_order="left")
    first = (pl.col("start") != pl.col("end").shift(1).over("doc_id")).fill_null(True)
    return (
        met.with_columns(run=first.cum_sum().over("doc_id"))
        .group_by("doc_id", "run", maintain_order=True)
        .agg(pl.col("start").first(), pl.col("end").last(), score=pl.col("share").min())
        .select(
            "doc_id",
            "start",
            "end",
            "score",
            entity_type=pl.lit(BOILERPLATE),
            recogniser=pl.lit(RECOGNISER),
            operator=pl.lit(OPERATOR),
            replacement=pl.lit(""),
        )
        .select(FINDINGS.names)
    )


def merged(findings: pl.DataFrame, removals: pl.DataFrame, documents: pl.DataFrame) -> pl.DataFrame:
    """Findings of personal data, and removals of lines and passages, apart and in order.

    A finding inside what is removed goes with it.  One across its edge keeps its placeholder, and
    the removal ends or begins there; where it begins there, the blanks at its own end stay, so that
    no word stands against the placeholder.

    Args:
      findings: rows of `FINDINGS`, none of which overlaps another.
      removals: the same.
      documents: doc_id, text of all that these are of.
    """
    if removals.is_empty():
        return findings
    rows = documents.select("doc_id").with_row_index("row")
    found, cut = (one.join(rows, on="doc_id").sort("row", "start") for one in (findings, removals))
    starts, ends, lows, highs = (
        _axis(one, side) for one in (found, cut) for side in ("start", "end")
    )
    around = np.searchsorted(highs, ends)
    inside = np.append(lows, _LAST)[around] <= starts
    before = np.append(0, ends)[np.searchsorted(starts, lows)]
    behind = np.append(starts, _LAST)[np.searchsorted(ends, highs, side="right")]
    low = np.clip(before, lows, highs)
    high = np.clip(behind, low, highs)
    left = cut.with_columns(pl.col("start") + (low - lows), pl.col("end") - (highs - high))
    clipped = left.filter(low > lows)
    texts = dict(documents.select("doc_id", "text").join(clipped, on="doc_id", how="semi").rows())
    trimmed = [
        start + len(texts[doc_id][start:end].rstrip())
        for doc_id, start, end in clipped.select("doc_id", "start", "end").iter_rows()
    ]
    left = pl.concat(
        [left.filter(low <= lows), clipped.with_columns(end=pl.Series(trimmed, dtype=pl.Int64))]
    )
    stay = left.filter(pl.col("start") < pl.col("end")).select(findings.columns)
    both = pl.concat([found.filter(~inside).select(findings.columns), stay.cast(findings.schema)])
    return both.sort("doc_id", "start")


def _axis(spans: pl.DataFrame, side: str) -> I64:
    """Places in documents, by row, as numbers: documents one after another."""
    return (spans["row"].to_numpy().astype(np.int64) << 32) + spans[side].to_numpy()


class CountLines(beam.DoFn):
    """A shard -> `COUNTED` by partition; tagged `sources`, its documents by source."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan

    def process(self, element: pa.RecordBatch) -> Iterator[object]:
        for name in element.column("shard").to_pylist():
            for some in self.plan.source.handed_to("dedup", name, _DOCUMENT):
                found = counts(lines(some))
                yield from parts(found, fmix64(found["line"].to_numpy()), self.plan.partitions)
                yield beam.pvalue.TaggedOutput(
                    "sources", dict(some["source_id"].value_counts().iter_rows())
                )


class Common(beam.DoFn):
    """A partition's `COUNTED` -> those that enough documents have."""

    def __init__(self, least: int) -> None:
        self.least = least

    def process(self, element: tuple[int, Iterable[pa.RecordBatch]]) -> Iterator[pa.RecordBatch]:
        summed = (
            batches.frame(element[1]).group_by("source_id", "line").agg(pl.col("documents").sum())
        )
        yield from batches.whole(summed.filter(pl.col("documents") >= self.least))


class RemoveLines(beam.DoFn):
    """A shard -> its spans of boilerplate on disk."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan

    def process(self, element, common, sources):  # type: ignore[no-untyped-def]
        assert self.plan.params.lines is not None
        total: dict[str, int] = {}
        for one in sources:
            for source, number in one.items():
                total[source] = total.get(source, 0) + number
        told = boilerplate(batches.union(common, COUNTED), total, self.plan.params.lines)
        for name in element.column("shard").to_pylist():
            nothing = pl.DataFrame(schema=dict.fromkeys(_DOCUMENT, pl.String))
            documents = self.plan.source.handed_to("dedup", name, _DOCUMENT)
            found = (spans(lines(some), told) for some in itertools.chain([nothing], documents))
            rows = pl.concat(found).to_arrow().cast(FINDINGS)
            self.plan.state.write("removals", name, rows)
            yield batches.plan(shard=[name])


class Removed(beam.PTransform):
    """A row of work per shard -> the same, once its spans stand."""

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        self.plan = plan

    def expand(self, dealt: beam.PCollection) -> beam.PCollection:
        assert self.plan.params.lines is not None
        counted = dealt | "CountLines" >> beam.ParDo(CountLines(self.plan)).with_output_types(
            KEYED, sources=dict
        ).with_outputs("sources", main="lines")
        common = (
            counted.lines
            | "ByLine" >> beam.GroupByKey()
            | "Common" >> beam.ParDo(Common(self.plan.params.lines.min_documents))
            .with_output_types(pa.RecordBatch)
        )  # fmt: skip
        return dealt | "RemoveLines" >> beam.ParDo(
            RemoveLines(self.plan),
            beam.pvalue.AsList(common),
            beam.pvalue.AsList(counted.sources),
        ).with_output_types(pa.RecordBatch)
