"""Find, compare and record the passages that documents share (`dedup.spans`), as Beam.

The shuffle carries first hashes of 8 bytes with the document's number for a few words in a hundred
(`passages`). For repeated keys it carries the hashes of the runs and the columns that decide which
document keeps them, and then numbers only. The comparison reads texts from ingest's files.

Evidence holds no words of a passage and no digest of them. A reader who knows the rest could
otherwise guess the personal data that the release replaces in a passage.

Only the documents that stay are searched, without copies, near-duplicates and boilerplate.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import apache_beam as beam
import numpy as np
import polars as pl
import pyarrow as pa

from pipelines.dedup import duplicates, passages, word_positions
from pipelines.dedup.plan import DedupPlan, Partitioned, by_blocks, by_partition, by_shard
from pipelines.dedup.word_positions import Pieces
from pipelines.engine import batches
from pipelines.text import ragged, shingles
from schemas.sections import SpanParams
from schemas.tables import FINDINGS, PASSAGE

RECOGNISER, OPERATOR = "dedup-spans", "remove"
#: A passage: `low` and `high` count characters of the document, `start` counts words; `kept_…` are
#: its positions in the document that keeps it; `document_words` is the document's length in words.
PASSAGE_COLUMNS = {
    "doc": pl.UInt64,
    "doc_id": pl.String,
    "start": pl.Int64,
    "words": pl.Int64,
    "document_words": pl.Int64,
    "low": pl.Int64,
    "high": pl.Int64,
    "kept_doc_id": pl.String,
    "kept_low": pl.Int64,
    "kept_high": pl.Int64,
}
#: How many passages of a document the evidence lists.
LISTED = 100
_RANKING_COLUMNS = ("doc", "right", "quality", "captured_at", "doc_id")
Sides = tuple[int, dict[str, Iterable[pa.RecordBatch]]]


def remaining_documents(
    signed: pl.DataFrame, decided: pl.DataFrame, refused: pl.DataFrame
) -> pl.DataFrame:
    """Return the documents of a shard that stay, as doc.

    Args:
      signed: doc, contaminated.
      decided: doc, kept, refused_doc_id of the members of clusters.
      refused: doc of documents that are also published under a refusal.
    """
    removed = (pl.col("doc") != pl.col("kept")) | pl.col("refused_doc_id").is_not_null()
    return (
        signed.filter(pl.col("contaminated").is_null())
        .join(decided.filter(removed), on="doc", how="anti")
        .join(refused, on="doc", how="anti")
        .select("doc")
    )


def mark_removed(found: pl.DataFrame, params: SpanParams) -> pl.DataFrame:
    """Join passages and mark those that are removed.

    Nothing is removed in the mode `annotate`, or from a document that would lose all its words.

    Args:
      found: `PASSAGE_COLUMNS` of a shard.
      params: the section `dedup.spans`.

    Returns:
      `join_passages`, sorted, with `removed`.
    """
    ordered = join_passages(found).sort("doc", "low", "high", "kept_doc_id")
    covered = passages.merge_spans(
        ordered.select("doc", "start", end=pl.col("start") + pl.col("words")), "doc"
    )
    lost = covered.group_by("doc").agg(lost=(pl.col("end") - pl.col("start")).sum())
    remove = (pl.col("lost") < pl.col("document_words")) & (params.mode == "remove")
    return ordered.join(lost, on="doc", maintain_order="left").with_columns(removed=remove)


def join_passages(found: pl.DataFrame) -> pl.DataFrame:
    """Join the passages of a document that overlap or touch and have the same keeper.

    The joined passage reaches from the first beginning to the last end, in both documents.

    Args:
      found: `PASSAGE_COLUMNS`.

    Returns:
      `PASSAGE_COLUMNS`.
    """
    pair = ("doc", "kept_doc_id")
    ordered = found.sort(*pair, "low", "high")
    before = pl.col("high").cum_max().shift(1).over(pair)
    ends = pl.col("start") + pl.col("words")
    return (
        ordered.with_columns(passage=(pl.col("low") > before).fill_null(True).cum_sum())
        .group_by("passage", maintain_order=True)
        .agg(
            pl.col("doc", "doc_id", "document_words", "kept_doc_id").first(),
            pl.col("start", "low", "kept_low").min(),
            pl.col("high", "kept_high").max(),
            words=ends.max() - pl.col("start").min(),
        )
        .select(list(PASSAGE_COLUMNS))
    )


def removal_findings(marked: pl.DataFrame) -> pl.DataFrame:
    """Return the removed passages (`mark_removed`) as rows of `FINDINGS`. No two spans touch."""
    removed = marked.filter("removed").select("doc_id", start="low", end="high")
    return passages.merge_spans(removed, "doc_id").select(
        "doc_id",
        "start",
        "end",
        score=pl.lit(1.0),
        entity_type=pl.lit(PASSAGE),
        recogniser=pl.lit(RECOGNISER),
        operator=pl.lit(OPERATOR),
        replacement=pl.lit(""),
    ).select(FINDINGS.names)  # fmt: skip


def count_passages(marked: pl.DataFrame) -> dict[str, int]:
    """Count the passages (`mark_removed`), the removed ones, and the documents of both."""
    removed = marked.filter("removed")
    return {
        "found": marked.height,
        "documents": marked["doc"].n_unique(),
        "removed": removed.height,
        "documents shortened": removed["doc"].n_unique(),
    }


def add_evidence(decided: pl.DataFrame, marked: pl.DataFrame, params: SpanParams) -> pl.DataFrame:
    """Add passages to the evidence of decisions: how many, and the first `LISTED`.

    Args:
      decided: doc_id, evidence (JSON) and other columns.
      marked: `mark_removed`.
      params: the section `dedup.spans`.

    Returns:
      The columns of `decided`.
    """
    passage = pl.struct(
        "words",
        "kept_doc_id",
        start="low",
        end="high",
        kept_start="kept_low",
        kept_end="kept_high",
    )
    summary = pl.struct(
        "removed",
        "number",
        "found",
        algorithm=pl.lit(passages.ALGORITHM),
        min_words=pl.lit(params.min_words),
    )
    by_document = (
        marked.group_by("doc_id", maintain_order=True)
        .agg(pl.col("removed").first(), number=pl.len(), found=passage.head(LISTED))
        .select("doc_id", passages=summary.struct.json_encode())
    )
    before = pl.col("evidence").str.strip_suffix("}")
    comma = pl.when(before == "{").then(pl.lit("")).otherwise(pl.lit(","))
    both = pl.concat_str(before, comma, pl.lit('"passages":'), "passages", pl.lit("}"))
    joined = decided.join(by_document, on="doc_id", how="left", maintain_order="left")
    return joined.with_columns(evidence=pl.coalesce(both, "evidence")).drop("passages")


class _PassageDoFn(beam.DoFn):
    def __init__(self, plan: DedupPlan) -> None:
        self.plan = plan

    @property
    def least(self) -> int:
        """How many words a run has."""
        assert self.plan.params.spans is not None
        return self.plan.params.spans.min_words

    def pieces(self, place: int, wanted: pl.Series) -> Iterator[Pieces]:
        """Yield the texts of documents of a shard without boilerplate, batch by batch.

        Args:
          place: the shard's place.
          wanted: the numbers of the documents.
        """
        name, row = self.plan.shards[place], 0
        removals = self.plan.boilerplate_findings(name)
        for batch in self.plan.corpus.documents_for("dedup", name, ("doc_id", "text")):
            docs = duplicates.document_numbers(place, row + batch.height)[row:]
            row += batch.height
            documents = batch.with_columns(docs).filter(pl.col("doc").is_in(wanted.implode()))
            if documents.height:
                yield word_positions.cut_pieces(documents, removals)

    def locate(self, ranges: pl.DataFrame) -> Iterator[pl.DataFrame]:
        """Yield `word_positions.locate_passages` of documents of any shards, batch by batch."""
        for place in np.unique(duplicates.shard_places(ranges["doc"])).tolist():
            of_shard = ranges.filter(pl.Series(duplicates.shard_places(ranges["doc"]) == place))
            for pieces in self.pieces(place, of_shard["doc"].unique()):
                inside = of_shard.join(
                    pieces.documents, on="doc", how="semi", maintain_order="left"
                )
                yield word_positions.locate_passages(pieces, inside)


class MakeSeeds(_PassageDoFn):
    """A shard and its resolved clusters -> the seeds of the documents that stay, by partition."""

    def process(self, element: Sides) -> Iterator[Partitioned]:
        place, sides = element
        if place >= len(self.plan.shards):
            return
        refused = {"doc": pl.UInt64, "refused_doc_id": pl.String}
        stay = remaining_documents(
            self.plan.signed_shard(place, ["doc", "contaminated"]),
            batches.union(sides["decided"], refused | {"kept": pl.UInt64}),
            batches.union(sides["refused"], refused),
        )
        for pieces in self.pieces(place, stay["doc"]):
            runs = passages.word_runs(shingles.words(pieces.texts), self.least)
            doc = pieces.documents["doc"].gather(pieces.row[runs.piece])
            seeds = passages.run_seeds(runs, doc, self.least)
            yield from by_partition(seeds, seeds["key"].to_numpy(), self.plan.partition_count)


class FindRepeatedSeeds(beam.DoFn):
    """Seeds of a partition -> those whose key occurs several times, by shard."""

    def process(self, element: tuple[int, Iterable[pa.RecordBatch]]) -> Iterator[Partitioned]:
        yield from by_shard(passages.repeated_seeds(batches.frame(element[1])))


class CollectRuns(_PassageDoFn):
    """Repeated seeds of a shard -> their runs with the ranking columns, by partition."""

    def process(self, element: tuple[int, Iterable[pa.RecordBatch]]) -> Iterator[Partitioned]:
        place, seeds = element[0], batches.frame(element[1])
        ranking = self.plan.signed_shard(place, _RANKING_COLUMNS)
        for pieces in self.pieces(place, seeds["doc"].unique()):
            words = shingles.words(pieces.texts)
            runs = passages.word_runs(words, self.least)
            first = word_positions.first_word_offsets(pieces, words.offsets)
            rows = pl.DataFrame(
                {
                    "key": runs.key,
                    "doc": pieces.documents["doc"].gather(pieces.row[runs.piece]),
                    "start": runs.at[runs.first[:-1]] - first[runs.piece],
                    "runs": ragged.lists(runs.hashes, runs.first),
                }
            )
            repeated = rows.join(seeds, on=["key", "doc"], how="semi").join(ranking, on="doc")
            yield from by_partition(repeated, repeated["key"].to_numpy(), self.plan.partition_count)


class MatchRuns(_PassageDoFn):
    """Runs of a partition -> `passages.MATCH`, by shard."""

    def process(self, element: tuple[int, Iterable[pa.RecordBatch]]) -> Iterator[Partitioned]:
        yield from by_shard(passages.match_runs(batches.frame(element[1]), self.least))


class MergeMatches(_PassageDoFn):
    """All `passages.MATCH` of a shard's documents -> the same, merged, by the keeper's shard.

    Tagged `lost`: the words in them, by their own shard.
    """

    def process(self, element: tuple[int, Iterable[pa.RecordBatch]]) -> Iterator[object]:
        matches = passages.merge_matches(batches.frame(element[1]))
        for place, batch in by_shard(passages.repeated_spans(matches, self.least)):
            yield beam.pvalue.TaggedOutput("lost", (place, batch))
        keepers = duplicates.shard_places(matches["kept"])
        yield from by_partition(matches, keepers, 1 << duplicates.ROW_BITS)


class KeepIntact(_PassageDoFn):
    """A keeper shard's matches and lost words -> the matches that it keeps, by blocks of shards."""

    def process(self, element: Sides) -> Iterator[Partitioned]:
        _, sides = element
        matches = batches.union(sides["matches"], passages.MATCH)
        lost = batches.union(sides["lost"], passages.SPAN)
        intact = passages.intact_matches(matches, lost, self.least)
        thinned = passages.thin_matches(intact, self.least)
        yield from by_blocks(thinned.rename({"doc": "left", "kept": "right"}), self.plan)


class CompareWords(_PassageDoFn):
    """Matches between two blocks of shards -> `PASSAGE_COLUMNS` by shard.

    Matches whose words differ are dropped.
    """

    def process(self, element: tuple[int, Iterable[pa.RecordBatch]]) -> Iterator[Partitioned]:
        words = pl.col("runs") + self.least - 1
        matches = batches.frame(element[1]).select(
            "start", "kept_start", doc="left", kept="right", words=words
        )
        keeping = matches.select("words", doc="kept", start="kept_start").unique()
        kept = pl.concat(list(self.locate(keeping.sort("doc", "start"))))
        kept = kept.select(
            "words", "passage", kept="doc", kept_start="start", kept_doc_id="doc_id",
            kept_low="low", kept_high="high",
        )  # fmt: skip
        for located in self.locate(matches.sort("doc", "start")):
            both = located.join(kept, on=["kept", "kept_start", "words"], suffix="_kept")
            same = both.filter(pl.col("passage") == pl.col("passage_kept"))
            yield from by_shard(same.select(list(PASSAGE_COLUMNS)))


class FindSharedPassages(beam.PTransform):
    """Places of shards, decided clusters and refused copies -> `PASSAGE_COLUMNS` by shard."""

    def __init__(self, plan: DedupPlan) -> None:
        super().__init__()
        self.plan = plan

    def expand(self, resolved: Mapping[str, beam.PCollection]) -> beam.PCollection:
        plan = self.plan

        def step(name: str, fn: beam.DoFn) -> Any:
            return name >> beam.ParDo(fn).with_output_types(Partitioned)

        merged = (
            dict(resolved)
            | "Resolved" >> beam.CoGroupByKey()
            | step("MakeSeeds", MakeSeeds(plan))
            | "BySeed" >> beam.GroupByKey()
            | step("FindRepeatedSeeds", FindRepeatedSeeds())
            | "SeedsByShard" >> beam.GroupByKey()
            | step("CollectRuns", CollectRuns(plan))
            | "RunsBySeed" >> beam.GroupByKey()
            | step("MatchRuns", MatchRuns(plan))
            | "ByShard" >> beam.GroupByKey()
            | "MergeMatches"
            >> beam.ParDo(MergeMatches(plan))
            .with_output_types(Partitioned, lost=Partitioned)
            .with_outputs("lost", main="matches")
        )
        return (
            {"matches": merged.matches, "lost": merged.lost}
            | "ByKeeper" >> beam.CoGroupByKey()
            | step("KeepIntact", KeepIntact(plan))
            | "ByBlocks" >> beam.GroupByKey()
            | step("CompareWords", CompareWords(plan))
        )
