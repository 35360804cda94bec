"""Connected components of more edges than one worker holds.

Kiveris, Lattanzi, Mirrokni, Rastogi, Vassilvitskii: Connected Components in MapReduce and Beyond
(SoCC 2014). A *large-star* ties the larger neighbours of each document to the least document of its
neighbourhood. A *small-star* ties the smaller neighbours to it. Both keep documents connected.
Repeated in turn, they end in stars around the least document of each component.

Documents are compared by a hash of their numbers: in the order of the numbers themselves a chain of
neighbours shrinks slowly.

Beam has no loops, so the pipeline holds a fixed number of rounds. They reduce the longest chain
that the number of documents allows to what one worker holds (`CORE`). The documents that form a
star by then are peeled off. One worker solves the rest, which is usually empty. So the result is
right after any number of rounds, also after none.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import apache_beam as beam
import numpy as np
import polars as pl
import pyarrow as pa

from pipelines.dedup.clusters import label_components
from pipelines.dedup.plan import Partitioned, by_partition
from pipelines.engine import batches
from pipelines.text.shingles import fmix64

CORE = 1 << 22
"""How many documents one worker solves at most."""

_EDGES = {"doc": pl.UInt64, "other": pl.UInt64}
_LABELS = {"doc": pl.UInt64, "component": pl.UInt64}
_ODD = np.uint64(0x9E3779B97F4A7C15)


def rounds_needed(documents: int, core: int = CORE) -> int:
    """Return after how many rounds at most `core` documents of a chain of `documents` are left.

    A round leaves less than half of a chain (see the tests of this module). No graph of
    near-duplicates is known that shrinks more slowly.
    """
    return max(0, math.ceil(math.log2(max(1, documents) / core)))


def scramble(docs: pl.Series | np.ndarray) -> np.ndarray:
    """Map document numbers to other numbers, in another order. `unscramble` is the inverse."""
    return fmix64(np.asarray(docs, np.uint64) * _ODD)


def unscramble(docs: pl.Series | np.ndarray) -> np.ndarray:
    """Map the numbers that `scramble` returned back to document numbers."""
    values = np.asarray(docs, np.uint64).copy()
    values ^= values >> np.uint64(33)
    values *= np.uint64(pow(0xC4CEB9FE1A85EC53, -1, 1 << 64))
    values ^= values >> np.uint64(33)
    values *= np.uint64(pow(0xFF51AFD7ED558CCD, -1, 1 << 64))
    values ^= values >> np.uint64(33)
    return values * np.uint64(pow(int(_ODD), -1, 1 << 64))


def in_both_directions(edges: pl.DataFrame) -> pl.DataFrame:
    """Return edges [doc, other] and their reverse."""
    return pl.concat([edges, edges.select(doc="other", other="doc")])


def large_star(edges: pl.DataFrame) -> pl.DataFrame:
    """Tie the larger neighbours of each document to the least of it and its neighbours.

    Args:
      edges: doc, other in both directions; all edges of each `doc`.

    Returns:
      doc, other; the larger document is first.
    """
    least = pl.min_horizontal("doc", pl.col("other").min().over("doc"))
    return (
        edges.filter(pl.col("other") != pl.col("doc"))
        .with_columns(least=least)
        .filter(pl.col("other") > pl.col("doc"))
        .select(doc="other", other="least")
        .unique()
    )


def small_star(edges: pl.DataFrame) -> pl.DataFrame:
    """Tie each document and its smaller neighbours to the least of them.

    Args:
      edges: doc, other; the larger document is first; all edges of each `doc`.

    Returns:
      doc, other; the larger document is first.
    """
    tied = edges.with_columns(least=pl.col("other").min().over("doc"))
    return pl.concat(
        [
            tied.select("doc", other="least"),
            tied.filter(pl.col("other") > pl.col("least")).select(doc="other", other="least"),
        ]
    ).unique()


def peel_leaves(edges: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Divide edges into leaves and core.

    A leaf has one neighbour, which is smaller; both are in one component. The core holds all other
    edges, each once. It is empty if all components are stars.

    Args:
      edges: doc, other in both directions; all edges of each `doc`.

    Returns:
      Leaves and core, both as doc, other.
    """
    tied = edges.unique().with_columns(single=pl.len().over("doc") == 1)
    down = tied.filter(pl.col("doc") > pl.col("other"))
    return (
        down.filter("single").select("doc", "other"),
        down.filter(~pl.col("single")).select("doc", "other"),
    )


def attach_leaves(leaves: pl.DataFrame, core: pl.DataFrame) -> pl.DataFrame:
    """Label the leaves and the centres of stars.

    Args:
      leaves: doc, other.
      core: doc, component: the labels of the core.

    Returns:
      doc, component of all documents.
    """
    labelled = leaves.join(core, left_on="other", right_on="doc", how="left").with_columns(
        component=pl.coalesce("component", "other")
    )
    centres = leaves.select(doc="other", component="other").unique()
    return pl.concat(
        [
            core,
            centres.join(core, on="doc", how="anti"),
            labelled.select("doc", "component"),
        ]
    )


class ConnectedComponents(beam.PTransform):
    """Batches of edges [left, right] -> batches of [doc, component].

    The batches are partitioned by the hash `fmix64` of `doc`. The component is one of its
    documents. It does not depend on the order of edges or the number of workers.
    """

    def __init__(self, partitions: int, rounds: int) -> None:
        super().__init__()
        self.partitions = partitions
        self.rounds = rounds

    def expand(self, edges: beam.PCollection) -> beam.PCollection:
        count = self.partitions
        if not self.rounds:
            return (
                edges
                | "Together" >> beam.Map(lambda batch: (0, batch)).with_output_types(Partitioned)
                | "All" >> beam.GroupByKey()
                | "Solve" >> beam.ParDo(_LabelAll(count)).with_output_types(Partitioned)
            )
        tied = edges | "Scramble" >> beam.ParDo(_Scramble(count)).with_output_types(Partitioned)
        for i in range(self.rounds):
            tied = (
                tied
                | f"Large{i}" >> beam.GroupByKey()
                | f"LargeStar{i}" >> beam.ParDo(_LargeStar(count)).with_output_types(Partitioned)
                | f"Small{i}" >> beam.GroupByKey()
                | f"SmallStar{i}" >> beam.ParDo(_SmallStar(count)).with_output_types(Partitioned)
            )
        peeled = (
            tied
            | "Ends" >> beam.GroupByKey()
            | "Peel"
            >> beam.ParDo(_Peel(count))
            .with_output_types(Partitioned, core=Partitioned)
            .with_outputs("core", main="leaves")
        )
        core = (
            peeled.core
            | "Core" >> beam.GroupByKey()
            | "SolveCore" >> beam.ParDo(_LabelCore(count)).with_output_types(Partitioned)
        )
        return (
            {"leaves": peeled.leaves, "core": core}
            | "LeavesAndCore" >> beam.CoGroupByKey()
            | "Attach" >> beam.ParDo(_Attach(count)).with_output_types(Partitioned)
        )


class _PartitioningDoFn(beam.DoFn):
    """Divides its output into partitions."""

    def __init__(self, partitions: int) -> None:
        self.partitions = partitions

    def divide(self, frame: pl.DataFrame, by: str = "doc") -> Iterator[Partitioned]:
        """Divide rows by a column of scrambled numbers."""
        yield from by_partition(frame, frame[by].to_numpy(), self.partitions)

    def divide_labels(self, labels: pl.DataFrame) -> Iterator[Partitioned]:
        """Divide labels by the hash `fmix64` of their document."""
        yield from by_partition(labels, fmix64(labels["doc"].to_numpy()), self.partitions)


class _LabelAll(_PartitioningDoFn):
    """All edges -> labels."""

    def process(self, element: tuple[int, Iterable[pa.RecordBatch]]) -> Iterator[Partitioned]:
        yield from self.divide_labels(label_components(batches.frame(element[1])))


class _Scramble(_PartitioningDoFn):
    """Edges [left, right] -> scrambled edges in both directions."""

    def process(self, element: pa.RecordBatch) -> Iterator[Partitioned]:
        edges = batches.frame(element)
        ends = {"doc": scramble(edges["left"]), "other": scramble(edges["right"])}
        yield from self.divide(in_both_directions(pl.DataFrame(ends)))


class _LargeStar(_PartitioningDoFn):
    def process(self, element: tuple[int, Iterable[pa.RecordBatch]]) -> Iterator[Partitioned]:
        yield from self.divide(large_star(batches.frame(element[1])))


class _SmallStar(_PartitioningDoFn):
    def process(self, element: tuple[int, Iterable[pa.RecordBatch]]) -> Iterator[Partitioned]:
        yield from self.divide(in_both_directions(small_star(batches.frame(element[1]))))


class _Peel(_PartitioningDoFn):
    """Edges -> leaves by partition. Tagged `core`: all other edges, under one key."""

    def process(self, element: tuple[int, Iterable[pa.RecordBatch]]) -> Iterator[object]:
        leaves, core = peel_leaves(batches.frame(element[1]))
        yield from self.divide(leaves, "other")
        for batch in batches.record_batches(core):
            yield beam.pvalue.TaggedOutput("core", (0, batch))


class _LabelCore(_PartitioningDoFn):
    """The core's edges -> its labels, scrambled."""

    def process(self, element: tuple[int, Iterable[pa.RecordBatch]]) -> Iterator[Partitioned]:
        core = batches.frame(element[1]).rename({"doc": "left", "other": "right"})
        yield from self.divide(label_components(core))


class _Attach(_PartitioningDoFn):
    """Leaves and labels of the core -> labels of all documents, by document number."""

    def process(
        self, element: tuple[int, dict[str, Iterable[pa.RecordBatch]]]
    ) -> Iterator[Partitioned]:
        _, sides = element
        leaves, core = (
            batches.union(sides[name], columns)
            for name, columns in (("leaves", _EDGES), ("core", _LABELS))
        )
        labels = attach_leaves(leaves, core)
        yield from self.divide_labels(
            labels.select(
                doc=pl.Series(unscramble(labels["doc"])),
                component=pl.Series(unscramble(labels["component"])),
            )
        )
