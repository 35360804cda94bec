"""Passages that documents share (`dedup.spans`), as Beam: found, compared, recorded.

Between workers travel hashes of 8 bytes with the document's number for a few words in a hundred
(`passages`); of what is repeated the hashes of its runs, and what decides who keeps it; then
numbers.  Texts are read from ingest's files where they are compared.

What is recorded holds no words, nor a digest of them: whoever has the rest of a passage could guess
from it the personal data that the release replaces there.

Looked for in the documents that stay, once copies, near-duplicates and boilerplate are gone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import apache_beam as beam
import numpy as np
import polars as pl
import pyarrow as pa

from pipelines.dedup import duplicates, passages, word_positions
from pipelines.dedup.candidate_pairs import KEYED
from pipelines.dedup.plan import Parted, Plan, by_blocks, by_shard, parts
from pipelines.dedup.word_positions import Pieces
from pipelines.engine import batches
from pipelines.text import ragged, shingles
from schemas.sections import SpanParams
from schemas.tables import FINDINGS, PASSAGE

RECOGNISER, OPERATOR = "dedup-spans", "remove"
#: What is recorded: `low` and `high` count characters of the document, `start` words; `of`: how
#: many words the document has; `kept_…`: where it stands in the document that keeps it.
FOUND = {
    "doc": pl.UInt64,
    "doc_id": pl.String,
    "start": pl.Int64,
    "words": pl.Int64,
    "of": pl.Int64,
    "low": pl.Int64,
    "high": pl.Int64,
    "kept_doc_id": pl.String,
    "kept_low": pl.Int64,
    "kept_high": pl.Int64,
}
#: How many passages of a document are told one by one.
TOLD = 100
_ORDER = ("doc", "right", "quality", "captured_at", "doc_id")
Sides = tuple[int, dict[str, Iterable[pa.RecordBatch]]]


def staying(signed: pl.DataFrame, decided: pl.DataFrame, refused: pl.DataFrame) -> pl.DataFrame:
    """doc of the documents of a shard that stay.

    Args:
      signed: doc, contaminated.
      decided: doc, kept, refused_doc_id of the members of clusters.
      refused: doc of those that are published under a refusal.
    """
    gone = (pl.col("doc") != pl.col("kept")) | pl.col("refused_doc_id").is_not_null()
    return (
        signed.filter(pl.col("contaminated").is_null())
        .join(decided.filter(gone), on="doc", how="anti")
        .join(refused, on="doc", how="anti")
        .select("doc")
    )


def removed(found: pl.DataFrame, params: SpanParams) -> pl.DataFrame:
    """`FOUND` of a shard -> the same, `joined`, in order, with `removed`: by the parameters, and
    unless nothing would be left of the document."""
    ordered = joined(found).sort("doc", "low", "high", "kept_doc_id")
    covered = passages.union(
        ordered.select("doc", "start", end=pl.col("start") + pl.col("words")), "doc"
    )
    lost = covered.group_by("doc").agg(lost=(pl.col("end") - pl.col("start")).sum())
    remove = (pl.col("lost") < pl.col("of")) & (params.mode == "remove")
    return ordered.join(lost, on="doc", maintain_order="left").with_columns(removed=remove)


def joined(found: pl.DataFrame) -> pl.DataFrame:
    """`FOUND` -> the same, where passages that have one keeper and overlap or touch are one: here
    and there from where the first begins to where the last ends."""
    pair = ("doc", "kept_doc_id")
    ordered = found.sort(*pair, "low", "high")
    before = pl.col("high").cum_max().shift(1).over(pair)
    ends = pl.col("start") + pl.col("words")
    return (
        ordered.with_columns(passage=(pl.col("low") > before).fill_null(True).cum_sum())
        .group_by("passage", maintain_order=True)
        .agg(
            pl.col("doc", "doc_id", "of", "kept_doc_id").first(),
            pl.col("start", "low", "kept_low").min(),
            pl.col("high", "kept_high").max(),
            words=ends.max() - pl.col("start").min(),
        )
        .select(list(FOUND))
    )


def findings(found: pl.DataFrame) -> pl.DataFrame:
    """`removed` -> rows of `FINDINGS`, none of which touches another."""
    gone = found.filter("removed").select("doc_id", start="low", end="high")
    return passages.union(gone, "doc_id").select(
        "doc_id",
        "start",
        "end",
        score=pl.lit(1.0),
        entity_type=pl.lit(PASSAGE),
        recogniser=pl.lit(RECOGNISER),
        operator=pl.lit(OPERATOR),
        replacement=pl.lit(""),
    ).select(FINDINGS.names)  # fmt: skip


def counts(found: pl.DataFrame) -> dict[str, int]:
    """`removed` -> how many passages, in how many documents, and how many of each go."""
    gone = found.filter("removed")
    return {
        "found": found.height,
        "documents": found["doc"].n_unique(),
        "removed": gone.height,
        "documents shortened": gone["doc"].n_unique(),
    }


def told(decided: pl.DataFrame, found: pl.DataFrame, params: SpanParams) -> pl.DataFrame:
    """Decisions with doc_id and evidence (JSON), with `removed` among the evidence: how many
    passages, and the first `TOLD` of them."""
    each = pl.struct(
        "words",
        "kept_doc_id",
        start="low",
        end="high",
        kept_start="kept_low",
        kept_end="kept_high",
    )
    about = pl.struct(
        "removed",
        "number",
        "found",
        algorithm=pl.lit(passages.ALGORITHM),
        min_words=pl.lit(params.min_words),
    )
    of_document = (
        found.group_by("doc_id", maintain_order=True)
        .agg(pl.col("removed").first(), number=pl.len(), found=each.head(TOLD))
        .select("doc_id", passages=about.struct.json_encode())
    )
    before = pl.col("evidence").str.strip_suffix("}")
    comma = pl.when(before == "{").then(pl.lit("")).otherwise(pl.lit(","))
    both = pl.concat_str(before, comma, pl.lit('"passages":'), "passages", pl.lit("}"))
    joined = decided.join(of_document, on="doc_id", how="left", maintain_order="left")
    return joined.with_columns(evidence=pl.coalesce(both, "evidence")).drop("passages")


class _Planned(beam.DoFn):
    def __init__(self, plan: Plan) -> None:
        self.plan = plan

    @property
    def least(self) -> int:
        assert self.plan.params.spans is not None
        return self.plan.params.spans.min_words

    def pieces(self, place: int, wanted: pl.Series) -> Iterator[Pieces]:
        """The texts of documents of a shard, by number, without its boilerplate; batch by batch."""
        name, row = self.plan.shards[place], 0
        removals = self.plan.boilerplate(name)
        for some in self.plan.source.handed_to("dedup", name, ("doc_id", "text")):
            docs = duplicates.numbers(place, row + some.height)[row:]
            row += some.height
            asked = some.with_columns(docs).filter(pl.col("doc").is_in(wanted.implode()))
            if asked.height:
                yield word_positions.pieces(asked, removals)

    def passages(self, asked: pl.DataFrame) -> Iterator[pl.DataFrame]:
        """`word_places.passages` of documents of any shards, some at a time."""
        for place in np.unique(duplicates.place_of(asked["doc"])).tolist():
            of_shard = asked.filter(pl.Series(duplicates.place_of(asked["doc"]) == place))
            for some in self.pieces(place, of_shard["doc"].unique()):
                inside = of_shard.join(some.documents, on="doc", how="semi", maintain_order="left")
                yield word_positions.passages(some, inside)


class Seeds(_Planned):
    """A shard, and what was resolved of it -> the seeds of the documents that stay, by partition."""

    def process(self, element: Sides) -> Iterator[Parted]:
        place, sides = element
        if place >= len(self.plan.shards):
            return
        refused = {"doc": pl.UInt64, "refused_doc_id": pl.String}
        stay = staying(
            self.plan.signed(place, ["doc", "contaminated"]),
            batches.union(sides["decided"], refused | {"kept": pl.UInt64}),
            batches.union(sides["refused"], refused),
        )
        for some in self.pieces(place, stay["doc"]):
            found = passages.runs(shingles.words(some.texts), self.least)
            doc = some.documents["doc"].gather(some.row[found.piece])
            seeds = passages.seeds(found, doc, self.least)
            yield from parts(seeds, seeds["key"].to_numpy(), self.plan.partitions)


class Repeated(beam.DoFn):
    """Seeds of a partition -> those of several places, by shard."""

    def process(self, element: tuple[int, Iterable[pa.RecordBatch]]) -> Iterator[Parted]:
        yield from by_shard(passages.repeated(batches.frame(element[1])))


class Runs(_Planned):
    """Repeated seeds of a shard -> their runs and what decides who keeps them, by partition."""

    def process(self, element: tuple[int, Iterable[pa.RecordBatch]]) -> Iterator[Parted]:
        place, seeds = element[0], batches.frame(element[1])
        about = self.plan.signed(place, _ORDER)
        for some in self.pieces(place, seeds["doc"].unique()):
            words = shingles.words(some.texts)
            found = passages.runs(words, self.least)
            first = word_positions.first_words(some, words.offsets)
            rows = pl.DataFrame(
                {
                    "key": found.key,
                    "doc": some.documents["doc"].gather(some.row[found.piece]),
                    "start": found.at[found.first[:-1]] - first[found.piece],
                    "runs": ragged.lists(found.hashes, found.first),
                }
            )
            asked = rows.join(seeds, on=["key", "doc"], how="semi").join(about, on="doc")
            yield from parts(asked, asked["key"].to_numpy(), self.plan.partitions)


class Match(_Planned):
    """Runs of a partition -> `passages.MATCH`, by shard."""

    def process(self, element: tuple[int, Iterable[pa.RecordBatch]]) -> Iterator[Parted]:
        yield from by_shard(passages.matches(batches.frame(element[1]), self.least))


class Merge(_Planned):
    """All of `passages.MATCH` of a shard's documents -> the same by the shard that keeps; tagged
    `gone`, the words that are part of them, by their own shard."""

    def process(self, element: tuple[int, Iterable[pa.RecordBatch]]) -> Iterator[object]:
        found = passages.merged(batches.frame(element[1]))
        for place, batch in by_shard(passages.spans(found, self.least)):
            yield beam.pvalue.TaggedOutput("gone", (place, batch))
        yield from parts(found, duplicates.place_of(found["kept"]), 1 << duplicates.ROW_BITS)


class Whole(_Planned):
    """What a shard keeps and loses -> the runs that it keeps whole, by the blocks of shards that
    these stand in."""

    def process(self, element: Sides) -> Iterator[Parted]:
        _, sides = element
        found = batches.union(sides["found"], passages.MATCH)
        gone = batches.union(sides["gone"], passages.SPAN)
        whole = passages.thinned(passages.intact(found, gone, self.least), self.least)
        yield from by_blocks(whole.rename({"doc": "left", "kept": "right"}), self.plan)


class Compare(_Planned):
    """Runs between two blocks of shards -> those whose words are the same in both, as `FOUND`, by
    shard."""

    def process(self, element: tuple[int, Iterable[pa.RecordBatch]]) -> Iterator[Parted]:
        words = pl.col("runs") + self.least - 1
        asked = batches.frame(element[1]).select(
            "start", "kept_start", doc="left", kept="right", words=words
        )
        keeping = asked.select("words", doc="kept", start="kept_start").unique()
        kept = pl.concat(list(self.passages(keeping.sort("doc", "start"))))
        kept = kept.select(
            "words", "passage", kept="doc", kept_start="start", kept_doc_id="doc_id",
            kept_low="low", kept_high="high",
        )  # fmt: skip
        for some in self.passages(asked.sort("doc", "start")):
            met = some.join(kept, on=["kept", "kept_start", "words"], suffix="_kept")
            same = met.filter(pl.col("passage") == pl.col("passage_kept"))
            yield from by_shard(same.select(list(FOUND)))


class Shared(beam.PTransform):
    """The places of shards, what was decided of their clusters, and what is refused -> `FOUND`, by
    shard."""

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        self.plan = plan

    def expand(self, resolved: Mapping[str, beam.PCollection]) -> beam.PCollection:
        plan = self.plan

        def step(name: str, fn: beam.DoFn) -> Any:
            return name >> beam.ParDo(fn).with_output_types(KEYED)

        found = (
            dict(resolved)
            | "Resolved" >> beam.CoGroupByKey()
            | step("Seeds", Seeds(plan))
            | "BySeed" >> beam.GroupByKey()
            | step("Repeated", Repeated())
            | "SeedsByShard" >> beam.GroupByKey()
            | step("Runs", Runs(plan))
            | "RunsBySeed" >> beam.GroupByKey()
            | step("Match", Match(plan))
            | "ByShard" >> beam.GroupByKey()
            | "Merge"
            >> beam.ParDo(Merge(plan))
            .with_output_types(KEYED, gone=KEYED)
            .with_outputs("gone", main="found")
        )
        return (
            {"found": found.found, "gone": found.gone}
            | "ByKeeper" >> beam.CoGroupByKey()
            | step("Whole", Whole(plan))
            | "ByBlocks" >> beam.GroupByKey()
            | step("Compare", Compare(plan))
        )
