"""Pair the documents of crowded buckets through their rarest shingles.

A template fills buckets. If a bucket has more than `clusters.HOT` documents, not all its pairs are
taken. Prefix filtering finds what two of its documents share beyond the template (Chaudhuri, Ganti,
Kaushik 2006; Bayardo, Ma, Srikant 2007). Sort the shingles of all sets in one order. Then two sets
x, y of Jaccard similarity t or more share one of the first |x| - ceil(t |x|) + 1 shingles of x, and
one of as many of y. The order puts rare shingles first, so the template's shingles come last and
seldom count.

Any order finds all pairs; a good order finds few others. It comes from a sample of the documents.
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
"""How many documents are sampled to estimate how rare each shingle is."""

SHINGLE_COUNT = {"shingle": pl.UInt64, "count": pl.UInt32}
_SHINGLES = ("shingles", "latin_shingles")


def count_shingles(shingles: U64) -> pl.DataFrame:
    """Count the sets that hold each shingle.

    Args:
      shingles: the shingles of sets, one set after another.

    Returns:
      `SHINGLE_COUNT`, sorted by shingle.
    """
    distinct, number = np.unique(shingles, return_counts=True)
    return pl.DataFrame({"shingle": distinct, "count": number}, schema=SHINGLE_COUNT)


def rarest_shingles(sets: Shingles, counted: pl.DataFrame, threshold: float) -> Shingles:
    """Choose the shingles by which each set meets the sets that are similar to it.

    Shingles that are in more than `clusters.HOT` documents of the sample are left out.

    Args:
      sets: n sets.
      counted: `SHINGLE_COUNT` of a sample, sorted by shingle. A shingle that it lacks is rarest.
      threshold: the least Jaccard similarity of two similar sets.

    Returns:
      n sets, each a subset, ascending.
    """
    sampled, number = (counted[c].to_numpy() for c in SHINGLE_COUNT)
    frequency = np.zeros(len(sets.hashes), np.uint32)
    if len(sampled):
        at = np.minimum(np.searchsorted(sampled, sets.hashes), len(sampled) - 1)
        frequency = np.where(sampled[at] == sets.hashes, number[at], frequency)
    owner = np.repeat(np.arange(len(sets)), sets.sizes)
    order = np.lexsort((sets.hashes, frequency, owner))
    place = np.arange(len(order)) - np.repeat(sets.offsets[:-1], sets.sizes)
    # In floating point the product may lie a little above its true value, a whole number.
    prefix = sets.sizes - np.ceil(threshold * sets.sizes - 1e-9).astype(np.int64) + 1
    chosen = np.zeros(len(order), bool)
    chosen[order] = place < np.repeat(prefix, sets.sizes)
    chosen &= frequency <= clusters.HOT
    return Shingles(sets.hashes[chosen], offsets_of(chosen)[sets.offsets])


class _CrowdedDocumentsDoFn(beam.DoFn):
    """Reads the crowded documents of a shard."""

    def __init__(self, plan: DedupPlan) -> None:
        self.plan = plan

    def read(self, place: int, docs: Iterable[pa.RecordBatch]) -> pl.DataFrame:
        """Read doc and both sets of shingles of documents.

        Args:
          place: the shard's place.
          docs: [doc], some more than once.
        """
        wanted = batches.frame(docs).unique()
        return self.plan.signed_shard(place, ["doc", *_SHINGLES]).join(
            wanted, on="doc", how="semi", maintain_order="left"
        )


class _SampleCounts(_CrowdedDocumentsDoFn):
    """Documents of a shard -> `SHINGLE_COUNT` of a sample of them."""

    def process(self, element: tuple[int, Iterable[pa.RecordBatch]]) -> Iterator[Partitioned]:
        documents = self.read(*element)
        order = np.argsort(fmix64(documents["doc"].to_numpy()), kind="stable")
        sample = documents[order[: max(1, SAMPLE // len(self.plan.shards))]]
        for column in _SHINGLES:
            for batch in batches.record_batches(
                count_shingles(_shingle_sets(sample, column).hashes)
            ):
                yield 0, batch


class _SumCounts(beam.DoFn):
    """Counts of samples -> their sums. A shingle with the count 1 is left out: it is rarest too."""

    def process(self, element: tuple[int, Iterable[pa.RecordBatch]]) -> Iterator[pa.RecordBatch]:
        summed = batches.frame(element[1]).group_by("shingle").agg(pl.col("count").sum())
        yield from batches.record_batches(summed.filter(pl.col("count") > 1).sort("shingle"))


class _RarestKeys(_CrowdedDocumentsDoFn):
    """Documents of a shard, counts -> [key, doc] of their rarest shingles, by partition."""

    def process(
        self, element: tuple[int, Iterable[pa.RecordBatch]], counted: Iterable[pa.RecordBatch]
    ) -> Iterator[Partitioned]:
        documents, counts = self.read(*element), batches.union(counted, SHINGLE_COUNT)
        threshold = self.plan.params.threshold
        for column in _SHINGLES:
            rare = rarest_shingles(_shingle_sets(documents, column), counts, threshold)
            docs = np.repeat(documents["doc"].to_numpy(), rare.sizes)
            keys = pl.DataFrame({"key": rare.hashes, "doc": docs})
            yield from by_partition(keys, fmix64(rare.hashes), self.plan.partition_count)


class RareShingleKeys(beam.PTransform):
    """Crowded documents [doc] by shard -> [key, doc] by partition, not yet grouped."""

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
    """Return a column of lists of shingles as sets."""
    sizes = signed[column].list.len().to_numpy().astype(np.int64)
    flat = signed[column].explode().drop_nulls().cast(pl.UInt64).to_numpy()
    return Shingles(flat, offsets_of(sizes))
