"""Find boilerplate: lines that a large share of a source's documents contain (`dedup.lines`).

Lines are equal if their characters are, without white space at both ends. Removals are recorded as
spans. The stored text does not change, and documents are compared with their boilerplate.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping

import apache_beam as beam
import numpy as np
import polars as pl
import pyarrow as pa

from pipelines.dedup.plan import DedupPlan, Partitioned, by_partition
from pipelines.engine import batches
from pipelines.text.ragged import I64
from pipelines.text.shingles import fmix64, hash_words
from schemas.sections import LineParams
from schemas.tables import BOILERPLATE, FINDINGS

RECOGNISER, OPERATOR = "dedup-lines", "remove"
LINE_COUNT = {"source_id": pl.String, "line": pl.UInt64, "documents": pl.Int64}
_LAST = (1 << 63) - 1
_DOCUMENT = ("doc_id", "source_id", "text")


def split_lines(documents: pl.DataFrame) -> pl.DataFrame:
    """Split texts into lines.

    Args:
      documents: doc_id, source_id, text.

    Returns:
      doc_id, source_id, line (its XXH3-64), start, end: a row per line that is not blank. start and
      end count code points of the text; the line's end character is included.
    """
    split = (
        documents.select("doc_id", "source_id", size=pl.col("text").str.len_chars(),
                         line=pl.col("text").str.split("\n"))
        .explode("line")
        .with_columns(length=pl.col("line").str.len_chars().cast(pl.Int64) + 1)
        .with_columns(end=pl.col("length").cum_sum().over("doc_id"))
        .with_columns(start=pl.col("end") - pl.col("length"), line=pl.col("line").str.strip_chars())
        .filter(pl.col("line") != "")
    )  # fmt: skip
    distinct = split["line"].unique(maintain_order=True)
    hashed = pl.DataFrame(
        {"line": distinct, "hash": pl.Series(hash_words(distinct), dtype=pl.UInt64)}
    )
    return split.join(hashed, on="line", maintain_order="left").select(
        "doc_id",
        "source_id",
        "start",
        line="hash",
        end=pl.min_horizontal("end", pl.col("size").cast(pl.Int64)),
    )


def count_lines(lines: pl.DataFrame) -> pl.DataFrame:
    """Count how many documents of a source contain each line: `split_lines` -> `LINE_COUNT`."""
    number = pl.col("doc_id").n_unique().cast(pl.Int64).alias("documents")
    return lines.group_by("source_id", "line").agg(number).select(list(LINE_COUNT))


def find_boilerplate(
    counted: pl.DataFrame, documents: Mapping[str, int], params: LineParams
) -> pl.DataFrame:
    """Find the lines that are boilerplate.

    Args:
      counted: `LINE_COUNT` over all shards.
      documents: source -> how many documents it has.
      params: the least number and the least share of documents.

    Returns:
      source_id, line, share (of the source's documents).
    """
    total = pl.col("source_id").replace_strict(documents, default=None, return_dtype=pl.Int64)
    share = pl.col("documents") / total
    return counted.filter(
        pl.col("documents") >= params.min_documents, share >= params.min_share
    ).select("source_id", "line", share=share)


def boilerplate_spans(lines: pl.DataFrame, boilerplate: pl.DataFrame) -> pl.DataFrame:
    """Find the spans of boilerplate to remove.

    A document that consists of boilerplate alone keeps all its lines.

    Args:
      lines: `split_lines` of documents.
      boilerplate: `find_boilerplate`.

    Returns:
      Rows of `FINDINGS`, sorted. No two spans touch.
    """
    repeated = lines.join(boilerplate, on=["source_id", "line"]).sort("doc_id", "start")
    own = lines.join(boilerplate, on=["source_id", "line"], how="anti")
    repeated = repeated.join(own, on="doc_id", how="semi", maintain_order="left")
    first = (pl.col("start") != pl.col("end").shift(1).over("doc_id")).fill_null(True)
    return (
        repeated.with_columns(span=first.cum_sum().over("doc_id"))
        .group_by("doc_id", "span", maintain_order=True)
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


def merge_removals(
    findings: pl.DataFrame, removals: pl.DataFrame, documents: pl.DataFrame
) -> pl.DataFrame:
    """Merge findings of personal data with removals of lines and passages, without overlap.

    A finding inside a removal is dropped. A finding across the edge of a removal stays, and the
    removal ends or begins at the finding. If the removal begins at the finding, white space at the
    removal's end stays, so that no word touches the placeholder.

    Args:
      findings: rows of `FINDINGS`. No two overlap.
      removals: rows of `FINDINGS`. No two overlap.
      documents: doc_id, text of all documents that have findings or removals.

    Returns:
      Rows of `FINDINGS`, sorted by doc_id and start.
    """
    if removals.is_empty():
        return findings
    rows = documents.select("doc_id").with_row_index("row")
    found, removed = (
        spans.join(rows, on="doc_id").sort("row", "start") for spans in (findings, removals)
    )
    starts, ends, lows, highs = (
        _positions(spans, side) for spans in (found, removed) for side in ("start", "end")
    )
    around = np.searchsorted(highs, ends)
    inside = np.append(lows, _LAST)[around] <= starts
    before = np.append(0, ends)[np.searchsorted(starts, lows)]
    behind = np.append(starts, _LAST)[np.searchsorted(ends, highs, side="right")]
    low = np.clip(before, lows, highs)
    high = np.clip(behind, low, highs)
    rest = removed.with_columns(pl.col("start") + (low - lows), pl.col("end") - (highs - high))
    clipped = rest.filter(low > lows)
    rest = pl.concat([rest.filter(low <= lows), _without_trailing_blanks(clipped, documents)])
    stay = rest.filter(pl.col("start") < pl.col("end")).select(findings.columns)
    both = pl.concat([found.filter(~inside).select(findings.columns), stay.cast(findings.schema)])
    return both.sort("doc_id", "start")


def _without_trailing_blanks(spans: pl.DataFrame, documents: pl.DataFrame) -> pl.DataFrame:
    """Shorten spans by the white space at their ends."""
    texts = dict(documents.select("doc_id", "text").join(spans, on="doc_id", how="semi").rows())
    ends = [
        start + len(texts[doc_id][start:end].rstrip())
        for doc_id, start, end in spans.select("doc_id", "start", "end").iter_rows()
    ]
    return spans.with_columns(end=pl.Series(ends, dtype=pl.Int64))


def _positions(spans: pl.DataFrame, side: str) -> I64:
    """Map (row, offset) to one number, so that offsets of all documents share one axis."""
    return (spans["row"].to_numpy().astype(np.int64) << 32) + spans[side].to_numpy()


class CountLines(beam.DoFn):
    """A shard -> `LINE_COUNT` by partition. Tagged `sources`: the shard's documents by source."""

    def __init__(self, plan: DedupPlan) -> None:
        self.plan = plan

    def process(self, element: pa.RecordBatch) -> Iterator[object]:
        for name in element.column("shard").to_pylist():
            for documents in self.plan.corpus.documents_for("dedup", name, _DOCUMENT):
                counted = count_lines(split_lines(documents))
                hashes = fmix64(counted["line"].to_numpy())
                yield from by_partition(counted, hashes, self.plan.partition_count)
                yield beam.pvalue.TaggedOutput(
                    "sources", dict(documents["source_id"].value_counts().iter_rows())
                )


class FrequentLines(beam.DoFn):
    """A partition's `LINE_COUNT` -> the lines that at least `least` documents contain."""

    def __init__(self, least: int) -> None:
        self.least = least

    def process(self, element: tuple[int, Iterable[pa.RecordBatch]]) -> Iterator[pa.RecordBatch]:
        summed = (
            batches.frame(element[1]).group_by("source_id", "line").agg(pl.col("documents").sum())
        )
        yield from batches.record_batches(summed.filter(pl.col("documents") >= self.least))


class WriteRemovals(beam.DoFn):
    """A shard -> the same, after its spans of boilerplate are written to disk."""

    def __init__(self, plan: DedupPlan) -> None:
        self.plan = plan

    def process(self, element, common, sources):  # type: ignore[no-untyped-def]
        assert self.plan.params.lines is not None
        total: dict[str, int] = {}
        for counts in sources:
            for source, number in counts.items():
                total[source] = total.get(source, 0) + number
        counted = batches.union(common, LINE_COUNT)
        boilerplate = find_boilerplate(counted, total, self.plan.params.lines)
        for name in element.column("shard").to_pylist():
            empty = pl.DataFrame(schema=dict.fromkeys(_DOCUMENT, pl.String))
            documents = self.plan.corpus.documents_for("dedup", name, _DOCUMENT)
            spans = (
                boilerplate_spans(split_lines(batch), boilerplate)
                for batch in itertools.chain([empty], documents)
            )
            self.plan.state.write("removals", name, pl.concat(spans).to_arrow().cast(FINDINGS))
            yield batches.work_rows(shard=[name])


class RemoveBoilerplate(beam.PTransform):
    """A row of work per shard -> the same, after its spans of boilerplate are written."""

    def __init__(self, plan: DedupPlan) -> None:
        super().__init__()
        self.plan = plan

    def expand(self, dealt: beam.PCollection) -> beam.PCollection:
        assert self.plan.params.lines is not None
        counted = dealt | "CountLines" >> beam.ParDo(CountLines(self.plan)).with_output_types(
            Partitioned, sources=dict
        ).with_outputs("sources", main="lines")
        common = (
            counted.lines
            | "ByLine" >> beam.GroupByKey()
            | "Common" >> beam.ParDo(FrequentLines(self.plan.params.lines.min_documents))
            .with_output_types(pa.RecordBatch)
        )  # fmt: skip
        return dealt | "WriteRemovals" >> beam.ParDo(
            WriteRemovals(self.plan),
            beam.pvalue.AsList(common),
            beam.pvalue.AsList(counted.sources),
        ).with_output_types(pa.RecordBatch)
