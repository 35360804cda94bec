"""From documents to verified edges, as Beam: sign, find copies, band, pair, compare.

Between workers travel exact keys of 16 bytes, 64-bit keys of bands and 64-bit document numbers;
what is compared is read from the signatures' files.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import apache_beam as beam
import numpy as np
import polars as pl
import pyarrow as pa

from pipelines.corpus import stage_tables
from pipelines.dedup import clusters, duplicates, release_index
from pipelines.dedup.contamination import Contamination
from pipelines.dedup.plan import Parted, Plan, by_blocks, by_shard, parts
from pipelines.dedup.rare_shingles import Rarest
from pipelines.engine import batches

COPY = {"doc": pl.UInt64, "text": pl.UInt64}
_SIGNED = ("doc_id", "uri", "source_id", "captured_at", "text")
_ROWS = 1 << 15
_TOLD = ["doc", "doc_id", "figures", "figures_at"]
KEYED = tuple[int, pa.RecordBatch]


class Sign(beam.DoFn):
    """A shard -> its signatures on disk, its exact keys by partition."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan

    def setup(self) -> None:
        self.sets = Contamination(self.plan.params.decontaminate)

    def process(self, element: pa.RecordBatch) -> Iterator[Parted]:
        for name in element.column("shard").to_pylist():
            if not self.plan.state.path("signatures", name).exists():
                self._write(name)
            place = self.plan.shards.index(name)
            keys = self.plan.clean(place, ["exact", "doc"])
            low = np.frombuffer(b"".join(k[:8] for k in keys["exact"]), "<u8")
            yield from parts(keys, low, self.plan.partitions)

    def _write(self, name: str) -> None:
        plan = self.plan
        tags = plan.source.tags(name).select("doc_id", quality=pl.col("score").cast(pl.Float64))
        about = plan.source.languages(name).join(tags, on="doc_id", how="full", coalesce=True)

        def sign(some: pl.DataFrame) -> pl.DataFrame:
            told = some.join(about, on="doc_id", how="left", maintain_order="left")
            return duplicates.sign(told, plan.ranks, plan.apart, plan.params, self.sets)

        nothing = pl.DataFrame(schema=dict.fromkeys(_SIGNED, pl.String))
        signed = [sign(some) for some in plan.source.handed_to("dedup", name, _SIGNED)]
        signed = signed or [sign(nothing)]
        plan.state.write("signatures", name, pl.concat(signed).to_arrow())


class FindCopies(beam.DoFn):
    """Exact keys of a partition -> [doc, text] of all copies but the one that stands for the text,
    by shard."""

    def process(self, element: tuple[int, Iterable[pa.RecordBatch]]) -> Iterator[Parted]:
        yield from by_shard(duplicates.copies(batches.frame(element[1])))


class Band(beam.DoFn):
    """A shard and its copies -> the keys of all other documents, by partition; tagged `known`, the
    keys that meet the index, by its parts."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan

    def process(self, element: tuple[int, dict[str, Iterable[pa.RecordBatch]]]) -> Iterator[object]:
        place, sides = element
        copies = batches.union(sides["copies"], COPY)
        signed = self.plan.clean(place, duplicates.BANDED)
        for start in range(0, signed.height, _ROWS):
            some = signed[start : start + _ROWS].join(
                copies, on="doc", how="anti", maintain_order="left"
            )
            keys = duplicates.band_keys(some, self.plan.params)
            yield from parts(keys, keys["key"].to_numpy(), self.plan.partitions)
            if self.plan.known:
                keys = release_index.keys(some, self.plan.params)
                for keyed in parts(keys, release_index.part_of(keys["key"]), release_index.PARTS):
                    yield beam.pvalue.TaggedOutput("known", keyed)


class Meet(beam.DoFn):
    """Keys of a part of the index -> candidate pairs with lawful documents of earlier releases, by
    the blocks of shards that they touch."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan

    def process(self, element: tuple[int, Iterable[pa.RecordBatch]]) -> Iterator[Parted]:
        part, keys = element[0], batches.frame(element[1])
        for place, entry in enumerate(self.plan.known, len(self.plan.shards)):
            first = pl.lit(place << duplicates.ROW_BITS, pl.UInt64)
            pairs = entry.pairs(part, keys, self.plan.rights).select(
                left="doc", right=first + pl.col("row").cast(pl.UInt64)
            )
            yield from by_blocks(pairs, self.plan)


class Pair(beam.DoFn):
    """Keys of a partition -> candidate pairs, by the blocks of shards that they touch; tagged
    `crowded`, by shard, the documents of buckets of which not every pair is among them."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan

    def process(self, element: tuple[int, Iterable[pa.RecordBatch]]) -> Iterator[object]:
        keys = batches.frame(element[1])
        yield from by_blocks(clusters.candidate_pairs(keys), self.plan)
        for keyed in by_shard(clusters.crowded(keys).to_frame()):
            yield beam.pvalue.TaggedOutput("crowded", keyed)


class Compare(beam.DoFn):
    """Pairs between two blocks of shards -> batches of verified edges (`duplicates.EDGE`, and the
    pairs' `component` where they have one), none between two of earlier releases; tagged `apart`,
    by shard, what figures keep apart.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan

    def process(self, element: tuple[int, Iterable[pa.RecordBatch]]) -> Iterator[object]:
        both = self.plan.is_known(pl.min_horizontal("left", "right"))
        pairs = batches.frame(element[1]).unique(["left", "right"]).filter(~both)
        docs = pl.concat([pairs["left"], pairs["right"]])
        found = duplicates.verify(
            pairs, self.plan.named(docs, duplicates.COMPARED), self.plan.params
        )
        if "component" in pairs.columns:
            found = found.join(pairs, on=["left", "right"])
        yield from batches.whole(found.filter(~pl.col("apart")))
        apart = found.filter("apart")
        if apart.height:
            told = self.plan.named(pl.concat([apart["left"], apart["right"]]), _TOLD)
            for place, batch in by_shard(duplicates.kept_apart(apart, told)):
                yield beam.pvalue.TaggedOutput("apart", (place, batch))


class Near(beam.PTransform):
    """A pipeline's start -> copies [doc, text] by shard, edges (`duplicates.EDGE`) in batches, and
    by shard what figures keep apart (`duplicates.kept_apart`)."""

    def __init__(self, plan: Plan, places: beam.PCollection) -> None:
        super().__init__()
        self.plan = plan
        self.places = places

    def expand(
        self, pipeline: beam.Pipeline
    ) -> tuple[beam.PCollection, beam.PCollection, beam.PCollection]:
        plan = self.plan
        copies = (
            stage_tables.deal(pipeline, plan.shards)
            | "Sign" >> beam.ParDo(Sign(plan)).with_output_types(KEYED)
            | "ByText" >> beam.GroupByKey()
            | "FindCopies" >> beam.ParDo(FindCopies()).with_output_types(KEYED)
        )
        keys = (
            {"shard": after(self.places, copies), "copies": copies}
            | "Copies" >> beam.CoGroupByKey()
            | "Band"
            >> beam.ParDo(Band(plan))
            .with_output_types(KEYED, known=KEYED)
            .with_outputs("known", main="keys")
        )
        banded = keys.keys | "Bands" >> Paired(plan)
        rare = banded.crowded | "Templates" >> Rarest(plan) | "Rare" >> Paired(plan)
        found = [banded.pairs, rare.pairs]
        if plan.known:
            met = (
                keys.known
                | "ByPart" >> beam.GroupByKey()
                | "Meet" >> beam.ParDo(Meet(plan)).with_output_types(KEYED)
            )
            found.append(met)
        pairs = found | "AllPairs" >> beam.Flatten().with_output_types(KEYED)
        compared = pairs | "ByBlocks" >> beam.GroupByKey() | "Compare" >> Compared(plan)
        return copies, compared.edges, compared.apart


class Paired(beam.PTransform):
    """Keys by partition -> `pairs` and `crowded`, see `Pair`."""

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        self.plan = plan

    def expand(self, keys: beam.PCollection) -> beam.pvalue.DoOutputsTuple:
        pair = beam.ParDo(Pair(self.plan)).with_output_types(KEYED, crowded=KEYED)
        return keys | beam.GroupByKey() | pair.with_outputs("crowded", main="pairs")


class Compared(beam.PTransform):
    """Grouped pairs -> `edges` and `apart`, see `Compare`."""

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        self.plan = plan

    def expand(self, pairs: beam.PCollection) -> beam.pvalue.DoOutputsTuple:
        compare = beam.ParDo(Compare(self.plan)).with_output_types(pa.RecordBatch, apart=KEYED)
        return pairs | compare.with_outputs("apart", main="edges")


def after(places: beam.PCollection, other: beam.PCollection) -> beam.PCollection:
    """The places of shards, once all of `other` is there: files that a step wrote are complete."""
    return places | "Signed" >> beam.Map(
        lambda place, _: place,
        beam.pvalue.AsIter(other | "SignedCount" >> beam.combiners.Count.Globally()),
    ).with_output_types(KEYED)
