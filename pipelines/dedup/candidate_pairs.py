"""Find pairs of near-duplicates as Beam: sign, find exact copies, band, pair, compare.

The shuffle carries exact keys of 16 bytes, band keys of 64 bits and document numbers of 64 bits.
The comparison reads signatures from files.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import apache_beam as beam
import numpy as np
import polars as pl
import pyarrow as pa

from pipelines.corpus import stage_tables
from pipelines.dedup import clusters, duplicates, release_index
from pipelines.dedup.contamination import ContaminationFinder
from pipelines.dedup.plan import DedupPlan, Partitioned, by_blocks, by_partition, by_shard
from pipelines.dedup.rare_shingles import RareShingleKeys
from pipelines.engine import batches

COPY = {"doc": pl.UInt64, "text": pl.UInt64}
_SIGNED_COLUMNS = ("doc_id", "uri", "source_id", "captured_at", "text")
_BATCH_ROWS = 1 << 15
_FIGURE_COLUMNS = ["doc", "doc_id", "figures", "figures_at"]


class ComputeSignatures(beam.DoFn):
    """A shard -> its exact keys by partition. Its signatures are written to disk."""

    def __init__(self, plan: DedupPlan) -> None:
        self.plan = plan

    def setup(self) -> None:
        self.finder = ContaminationFinder(self.plan.params.decontaminate)

    def process(self, element: pa.RecordBatch) -> Iterator[Partitioned]:
        for name in element.column("shard").to_pylist():
            if not self.plan.state.path("signatures", name).exists():
                self._write(name)
            place = self.plan.shards.index(name)
            keys = self.plan.uncontaminated(place, ["exact", "doc"])
            low = np.frombuffer(b"".join(k[:8] for k in keys["exact"]), "<u8")
            yield from by_partition(keys, low, self.plan.partition_count)

    def _write(self, name: str) -> None:
        plan = self.plan
        scores = plan.corpus.tags(name).select("doc_id", quality=pl.col("score").cast(pl.Float64))
        labels = plan.corpus.languages(name).join(scores, on="doc_id", how="full", coalesce=True)

        def sign(batch: pl.DataFrame) -> pl.DataFrame:
            labelled = batch.join(labels, on="doc_id", how="left", maintain_order="left")
            return duplicates.compute_signatures(
                labelled,
                ranks=plan.ranks,
                distinguishing=plan.distinguishing,
                params=plan.params,
                finder=self.finder,
            )

        empty = pl.DataFrame(schema=dict.fromkeys(_SIGNED_COLUMNS, pl.String))
        documents = plan.corpus.documents_for("dedup", name, _SIGNED_COLUMNS)
        signed = [sign(batch) for batch in documents] or [sign(empty)]
        plan.state.write("signatures", name, pl.concat(signed).to_arrow())


class FindCopies(beam.DoFn):
    """Exact keys of a partition -> [doc, text] by shard.

    Of documents with one key, the least number stands for the text; the rows are all the others.
    """

    def process(self, element: tuple[int, Iterable[pa.RecordBatch]]) -> Iterator[Partitioned]:
        yield from by_shard(duplicates.exact_copies(batches.frame(element[1])))


class MakeBands(beam.DoFn):
    """A shard and its copies -> the band keys of all other documents, by partition.

    Tagged `earlier`: the keys to look up in the index of earlier releases, by part of the index.
    """

    def __init__(self, plan: DedupPlan) -> None:
        self.plan = plan

    def process(self, element: tuple[int, dict[str, Iterable[pa.RecordBatch]]]) -> Iterator[object]:
        place, sides = element
        copies = batches.union(sides["copies"], COPY)
        signed = self.plan.uncontaminated(place, duplicates.BANDED)
        for start in range(0, signed.height, _BATCH_ROWS):
            texts = signed[start : start + _BATCH_ROWS].join(
                copies, on="doc", how="anti", maintain_order="left"
            )
            keys = duplicates.band_keys(texts, self.plan.params)
            yield from by_partition(keys, keys["key"].to_numpy(), self.plan.partition_count)
            if self.plan.earlier:
                keys = release_index.index_keys(texts, self.plan.params)
                index_parts = release_index.key_parts(keys["key"])
                for keyed in by_partition(keys, index_parts, release_index.PARTS):
                    yield beam.pvalue.TaggedOutput("earlier", keyed)


class MatchIndex(beam.DoFn):
    """Keys of one part of the index -> candidate pairs by blocks of shards.

    Each pair is a document of this run and a document of an earlier release that is still lawful.
    """

    def __init__(self, plan: DedupPlan) -> None:
        self.plan = plan

    def process(self, element: tuple[int, Iterable[pa.RecordBatch]]) -> Iterator[Partitioned]:
        part, keys = element[0], batches.frame(element[1])
        for place, entry in enumerate(self.plan.earlier, len(self.plan.shards)):
            first = pl.lit(place << duplicates.ROW_BITS, pl.UInt64)
            pairs = entry.pairs(part, keys, self.plan.rights).select(
                left="doc", right=first + pl.col("row").cast(pl.UInt64)
            )
            yield from by_blocks(pairs, self.plan)


class PairDocuments(beam.DoFn):
    """Keys of a partition -> candidate pairs by blocks of shards.

    Tagged `crowded`, by shard: the documents of buckets that do not yield all of their pairs.
    """

    def __init__(self, plan: DedupPlan) -> None:
        self.plan = plan

    def process(self, element: tuple[int, Iterable[pa.RecordBatch]]) -> Iterator[object]:
        keys = batches.frame(element[1])
        yield from by_blocks(clusters.candidate_pairs(keys), self.plan)
        for keyed in by_shard(clusters.crowded_documents(keys).to_frame()):
            yield beam.pvalue.TaggedOutput("crowded", keyed)


class ComparePairs(beam.DoFn):
    """Candidate pairs between two blocks of shards -> batches of verified edges.

    The edges are rows of `duplicates.EDGE`, with the pairs' `component` if they have one. Pairs of
    two documents of earlier releases are skipped. Tagged `apart`, by shard: the rows of
    `duplicates.summarize_apart` for documents that figures keep apart.
    """

    def __init__(self, plan: DedupPlan) -> None:
        self.plan = plan

    def process(self, element: tuple[int, Iterable[pa.RecordBatch]]) -> Iterator[object]:
        both_earlier = self.plan.is_earlier(pl.min_horizontal("left", "right"))
        pairs = batches.frame(element[1]).unique(["left", "right"]).filter(~both_earlier)
        docs = pl.concat([pairs["left"], pairs["right"]])
        edges = duplicates.verify_pairs(
            pairs, self.plan.signed_documents(docs, duplicates.COMPARED), self.plan.params
        )
        if "component" in pairs.columns:
            edges = edges.join(pairs, on=["left", "right"])
        yield from batches.record_batches(edges.filter(~pl.col("apart")))
        apart = edges.filter("apart")
        if apart.height:
            docs = pl.concat([apart["left"], apart["right"]])
            signed = self.plan.signed_documents(docs, _FIGURE_COLUMNS)
            for place, batch in by_shard(duplicates.summarize_apart(apart, signed)):
                yield beam.pvalue.TaggedOutput("apart", (place, batch))


class FindNearDuplicates(beam.PTransform):
    """A pipeline's start -> three collections.

    Copies [doc, text] by shard; verified edges (`duplicates.EDGE`) in batches; and by shard the
    documents that figures keep apart (`duplicates.summarize_apart`).
    """

    def __init__(self, plan: DedupPlan, places: beam.PCollection) -> None:
        super().__init__()
        self.plan = plan
        self.places = places

    def expand(
        self, pipeline: beam.Pipeline
    ) -> tuple[beam.PCollection, beam.PCollection, beam.PCollection]:
        plan = self.plan
        copies = (
            stage_tables.deal_shards(pipeline, plan.shards)
            | "Sign" >> beam.ParDo(ComputeSignatures(plan)).with_output_types(Partitioned)
            | "ByText" >> beam.GroupByKey()
            | "FindCopies" >> beam.ParDo(FindCopies()).with_output_types(Partitioned)
        )
        keys = (
            {"shard": pass_after(self.places, copies), "copies": copies}
            | "Copies" >> beam.CoGroupByKey()
            | "MakeBands"
            >> beam.ParDo(MakeBands(plan))
            .with_output_types(Partitioned, earlier=Partitioned)
            .with_outputs("earlier", main="keys")
        )
        banded = keys.keys | "Bands" >> GroupAndPair(plan)
        rare = banded.crowded | "Templates" >> RareShingleKeys(plan) | "Rare" >> GroupAndPair(plan)
        candidates = [banded.pairs, rare.pairs]
        if plan.earlier:
            matched = (
                keys.earlier
                | "ByPart" >> beam.GroupByKey()
                | "MatchIndex" >> beam.ParDo(MatchIndex(plan)).with_output_types(Partitioned)
            )
            candidates.append(matched)
        pairs = candidates | "AllPairs" >> beam.Flatten().with_output_types(Partitioned)
        compared = pairs | "ByBlocks" >> beam.GroupByKey() | "Compare" >> CompareGrouped(plan)
        return copies, compared.edges, compared.apart


class GroupAndPair(beam.PTransform):
    """Keys by partition -> `pairs` and `crowded`, see `PairDocuments`."""

    def __init__(self, plan: DedupPlan) -> None:
        super().__init__()
        self.plan = plan

    def expand(self, keys: beam.PCollection) -> beam.pvalue.DoOutputsTuple:
        pair = beam.ParDo(PairDocuments(self.plan)).with_output_types(
            Partitioned, crowded=Partitioned
        )
        return keys | beam.GroupByKey() | pair.with_outputs("crowded", main="pairs")


class CompareGrouped(beam.PTransform):
    """Grouped pairs -> `edges` and `apart`, see `ComparePairs`."""

    def __init__(self, plan: DedupPlan) -> None:
        super().__init__()
        self.plan = plan

    def expand(self, pairs: beam.PCollection) -> beam.pvalue.DoOutputsTuple:
        compare = beam.ParDo(ComparePairs(self.plan)).with_output_types(
            pa.RecordBatch, apart=Partitioned
        )
        return pairs | compare.with_outputs("apart", main="edges")


def pass_after(places: beam.PCollection, step: beam.PCollection) -> beam.PCollection:
    """Pass on the places of shards once all of `step` is computed: its files are then complete."""
    return places | "Signed" >> beam.Map(
        lambda place, _: place,
        beam.pvalue.AsIter(step | "SignedCount" >> beam.combiners.Count.Globally()),
    ).with_output_types(Partitioned)
