"""Documents of crowded bands, met again through their rarest shingles.

A template fills bands: of more than `clusters.HOT` documents not every pair is taken.  What two of
them share beyond it is found by prefix filtering (Chaudhuri, Ganti, Kaushik 2006; Bayardo, Ma,
Srikant 2007): with the shingles of all sets in one order, two sets x, y of Jaccard similarity t or
more share one of the first |x| - ceil(t |x|) + 1 of x and of as many of y.  The order puts rare
shingles first, so that the template's own stand last and seldom count.

Any order finds all pairs; a good one finds few others.  It comes from a sample of the documents.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import apache_beam as beam
import numpy as np
import polars as pl
import pyarrow as pa

from pipelines.dedup import clusters
from pipelines.dedup.plan import DedupPlan, Partitioned, by_partition
from pipelines.engine import batches
from pipelines.text.ragged import offsets_of
from pipelines.text.shingles import U64, Shingles, fmix64

SAMPLE = 8192
"""Documents by which it is told how rare a shingle is."""

COUNTED = {"shingle": pl.UInt64, "count": pl.UInt32}
_SHINGLES = ("shingles", "latin_shingles")


def count_shingles(shingles: U64) -> pl.DataFrame:
    """`COUNTED`: in how many sets each shingle stands, sets one after another."""
    found, number = np.unique(shingles, return_counts=True)
    return pl.DataFrame({"shingle": found, "count": number}, schema=COUNTED)


def rarest_shingles(sets: Shingles, counted: pl.DataFrame, threshold: float) -> Shingles:
    """Of each set the shingles one of which it shares with each set of that similarity, in
    ascending order; without those that make a crowd in the sample already.

    Args:
      counted: `COUNTED` of a sample, shingle ascending; a shingle that is not there is rarest.
    """
    known, number = (counted[c].to_numpy() for c in COUNTED)
    seen = np.zeros(len(sets.hashes), np.uint32)
    if len(known):
        at = np.minimum(np.searchsorted(known, sets.hashes), len(known) - 1)
        seen = np.where(known[at] == sets.hashes, number[at], seen)
    owner = np.repeat(np.arange(len(sets)), sets.sizes)
    order = np.lexsort((sets.hashes, seen, owner))
    place = np.arange(len(order)) - np.repeat(sets.offsets[:-1], sets.sizes)
    # The product may lie a little above the whole number that it is.
    prefix = sets.sizes - np.ceil(threshold * sets.sizes - 1e-9).astype(np.int64) + 1
    chosen = np.zeros(len(order), bool)
    chosen[order] = place < np.repeat(prefix, sets.sizes)
    chosen &= seen <= clusters.HOT
    return Shingles(sets.hashes[chosen], offsets_of(chosen)[sets.offsets])


class _CrowdedDocumentsDoFn(beam.DoFn):
    """Documents [doc] of a shard, named by their place, some more than once."""

    def __init__(self, plan: DedupPlan) -> None:
        self.plan = plan

    def read(self, place: int, docs: Iterable[pa.RecordBatch]) -> pl.DataFrame:
        """doc, shingles and Latin shingles of them."""
        named = batches.frame(docs).unique()
        return self.plan.signed_shard(place, ["doc", *_SHINGLES]).join(
            named, on="doc", how="semi", maintain_order="left"
        )


class _SampleCounts(_CrowdedDocumentsDoFn):
    """Documents of a shard -> `COUNTED` of some of them."""

    def process(self, element: tuple[int, Iterable[pa.RecordBatch]]) -> Iterator[Partitioned]:
        found = self.read(*element)
        drawn = np.argsort(fmix64(found["doc"].to_numpy()), kind="stable")
        some = found[drawn[: max(1, SAMPLE // len(self.plan.shards))]]
        for column in _SHINGLES:
            for batch in batches.whole(count_shingles(_shingle_sets(some, column).hashes)):
                yield 0, batch


class _SumCounts(beam.DoFn):
    """Counts of samples -> those of them all; what was met once is as rare as what was not."""

    def process(self, element: tuple[int, Iterable[pa.RecordBatch]]) -> Iterator[pa.RecordBatch]:
        every = batches.frame(element[1]).group_by("shingle").agg(pl.col("count").sum())
        yield from batches.whole(every.filter(pl.col("count") > 1).sort("shingle"))


class _RarestKeys(_CrowdedDocumentsDoFn):
    """Documents of a shard, counts -> [key, doc] of their rarest shingles, by partition."""

    def process(
        self, element: tuple[int, Iterable[pa.RecordBatch]], counted: Iterable[pa.RecordBatch]
    ) -> Iterator[Partitioned]:
        found, known = self.read(*element), batches.union(counted, COUNTED)
        for column in _SHINGLES:
            rare = rarest_shingles(_shingle_sets(found, column), known, self.plan.params.threshold)
            docs = np.repeat(found["doc"].to_numpy(), rare.sizes)
            keys = pl.DataFrame({"key": rare.hashes, "doc": docs})
            yield from by_partition(keys, fmix64(rare.hashes), self.plan.partition_count)


class RareShingleKeys(beam.PTransform):
    """Documents [doc] of crowded bands by shard -> [key, doc] by partition, not yet grouped."""

    def __init__(self, plan: DedupPlan) -> None:
        super().__init__()
        self.plan = plan

    def expand(self, crowded: beam.PCollection) -> beam.PCollection:
        shards = crowded | "ByShard" >> beam.GroupByKey()
        counted = (
            shards
            | "Sample" >> beam.ParDo(_SampleCounts(self.plan)).with_output_types(Partitioned)
            | "Together" >> beam.GroupByKey()
            | "Sum" >> beam.ParDo(_SumCounts()).with_output_types(pa.RecordBatch)
        )
        rarest = beam.ParDo(_RarestKeys(self.plan), beam.pvalue.AsIter(counted))
        return shards | "Rarest" >> rarest.with_output_types(Partitioned)


def _shingle_sets(signed: pl.DataFrame, column: str) -> Shingles:
    sizes = signed[column].list.len().to_numpy().astype(np.int64)
    flat = signed[column].explode().drop_nulls().cast(pl.UInt64).to_numpy()
    return Shingles(flat, offsets_of(sizes))
