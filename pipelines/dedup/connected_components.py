"""Connected components of more edges than one worker holds.

Kiveris, Lattanzi, Mirrokni, Rastogi, Vassilvitskii: Connected Components in MapReduce and Beyond
(SoCC 2014).  A *large-star* ties the larger neighbours of each document to the least document of
its neighbourhood, a *small-star* does so with the smaller ones; both keep what is connected, and
repeated by turns they end in stars around the least document of each component.

Documents are compared by a hash of their numbers: in order of the numbers themselves a chain of
neighbours shrinks slowly.  Beam has no loops, so the rounds are written out, as many as bring the
longest chain that the number of documents allows down to what one worker holds (`CORE`).  What
is a star by then is peeled off; the rest, usually nothing, is finished by one worker: the result
is right after any number of rounds, none included.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import apache_beam as beam
import numpy as np
import polars as pl
import pyarrow as pa

from pipelines.dedup.clusters import label_components
from pipelines.engine import batches
from pipelines.text.shingles import fmix64

CORE = 1 << 22
"""Documents whose edges one worker may be given."""

_EDGES = {"doc": pl.UInt64, "other": pl.UInt64}
_LABELS = {"doc": pl.UInt64, "component": pl.UInt64}
_ODD = np.uint64(0x9E3779B97F4A7C15)
Parted = tuple[int, pa.RecordBatch]


def rounds_needed(documents: int, core: int = CORE) -> int:
    """Rounds after which of a chain of so many documents no more than `core` are left.

    A round leaves less than half of a chain (tests/pipelines/dedup/test_connected_components.py); no graph of
    near-duplicates has been seen that shrinks more slowly."""
    return max(0, math.ceil(math.log2(max(1, documents) / core)))


def scramble(docs: pl.Series | np.ndarray) -> np.ndarray:
    """Document numbers in another order, as other numbers; `unscramble` undoes it."""
    return fmix64(np.asarray(docs, np.uint64) * _ODD)


def unscramble(docs: pl.Series | np.ndarray) -> np.ndarray:
    """The numbers that `scramble` was given."""
    values = np.asarray(docs, np.uint64).copy()
    values ^= values >> np.uint64(33)
    values *= np.uint64(pow(0xC4CEB9FE1A85EC53, -1, 1 << 64))
    values ^= values >> np.uint64(33)
    values *= np.uint64(pow(0xFF51AFD7ED558CCD, -1, 1 << 64))
    values ^= values >> np.uint64(33)
    return values * np.uint64(pow(int(_ODD), -1, 1 << 64))


def in_both_directions(edges: pl.DataFrame) -> pl.DataFrame:
    """Edges [doc, other] in both directions."""
    return pl.concat([edges, edges.select(doc="other", other="doc")])


def large_star(edges: pl.DataFrame) -> pl.DataFrame:
    """[doc, other] in both directions, all of each `doc` -> its larger neighbours tied to its least
    neighbour or itself, as [doc, other] with the larger one first."""
    least = pl.min_horizontal("doc", pl.col("other").min().over("doc"))
    return (
        edges.filter(pl.col("other") != pl.col("doc"))
        .with_columns(least=least)
        .filter(pl.col("other") > pl.col("doc"))
        .select(doc="other", other="least")
        .unique()
    )


def small_star(edges: pl.DataFrame) -> pl.DataFrame:
    """[doc, other] with the larger first, all of each `doc` -> it and its neighbours tied to the
    least of them."""
    tied = edges.with_columns(least=pl.col("other").min().over("doc"))
    return pl.concat(
        [
            tied.select("doc", other="least"),
            tied.filter(pl.col("other") > pl.col("least")).select(doc="other", other="least"),
        ]
    ).unique()


def peel_leaves(edges: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """[doc, other] in both directions, all of each `doc` -> leaves and core, as [doc, other].

    A leaf has one neighbour, a smaller one: it goes where that goes.  The core holds all other
    edges, each once.  Where all components are stars it is empty.
    """
    tied = edges.unique().with_columns(single=pl.len().over("doc") == 1)
    down = tied.filter(pl.col("doc") > pl.col("other"))
    return (
        down.filter("single").select("doc", "other"),
        down.filter(~pl.col("single")).select("doc", "other"),
    )


def attach_leaves(leaves: pl.DataFrame, core: pl.DataFrame) -> pl.DataFrame:
    """Leaves [doc, other] and labels of the core [doc, component] -> labels of all of them, and
    of the centres of stars."""
    hung = leaves.join(core, left_on="other", right_on="doc", how="left").with_columns(
        component=pl.coalesce("component", "other")
    )
    centres = leaves.select(doc="other", component="other").unique()
    return pl.concat(
        [
            core,
            centres.join(core, on="doc", how="anti"),
            hung.select("doc", "component"),
        ]
    )


class ConnectedComponents(beam.PTransform):
    """Batches of edges [left, right] -> batches of [doc, component], by partition of `doc` (of its
    hash `fmix64`).  The component is one of its documents, the same whatever the order of edges
    and the number of workers.
    """

    def __init__(self, partitions: int, rounds: int) -> None:
        super().__init__()
        self.partitions = partitions
        self.rounds = rounds

    def expand(self, edges: beam.PCollection) -> beam.PCollection:
        keyed, parts = tuple[int, pa.RecordBatch], self.partitions
        if not self.rounds:
            return (
                edges
                | "Together" >> beam.Map(lambda batch: (0, batch)).with_output_types(keyed)
                | "All" >> beam.GroupByKey()
                | "Solve" >> beam.ParDo(_LabelAll(parts)).with_output_types(keyed)
            )
        tied = edges | "Scramble" >> beam.ParDo(_Scramble(parts)).with_output_types(keyed)
        for i in range(self.rounds):
            tied = (
                tied
                | f"Large{i}" >> beam.GroupByKey()
                | f"LargeStar{i}" >> beam.ParDo(_LargeStar(parts)).with_output_types(keyed)
                | f"Small{i}" >> beam.GroupByKey()
                | f"SmallStar{i}" >> beam.ParDo(_SmallStar(parts)).with_output_types(keyed)
            )
        peeled = (
            tied
            | "Ends" >> beam.GroupByKey()
            | "Peel"
            >> beam.ParDo(_Peel(parts))
            .with_output_types(keyed, core=keyed)
            .with_outputs("core", main="leaves")
        )
        core = (
            peeled.core
            | "Core" >> beam.GroupByKey()
            | "SolveCore" >> beam.ParDo(_LabelCore(parts)).with_output_types(keyed)
        )
        return (
            {"leaves": peeled.leaves, "core": core}
            | "Hang" >> beam.CoGroupByKey()
            | "Attach" >> beam.ParDo(_Attach(parts)).with_output_types(keyed)
        )


class _PartitioningDoFn(beam.DoFn):
    def __init__(self, partitions: int) -> None:
        self.partitions = partitions

    def part(self, frame: pl.DataFrame, by: str = "doc") -> Iterator[Parted]:
        for batch in batches.whole(frame):
            yield from batches.partition(batch, frame[by].to_numpy(), self.partitions)

    def labelled(self, labels: pl.DataFrame) -> Iterator[Parted]:
        """Labels by the partition of their documents' `fmix64`."""
        for batch in batches.whole(labels):
            yield from batches.partition(batch, fmix64(labels["doc"].to_numpy()), self.partitions)


class _LabelAll(_PartitioningDoFn):
    """All edges -> labels."""

    def process(self, element: tuple[int, Iterable[pa.RecordBatch]]) -> Iterator[Parted]:
        yield from self.labelled(label_components(batches.frame(element[1])))


class _Scramble(_PartitioningDoFn):
    def process(self, element: pa.RecordBatch) -> Iterator[Parted]:
        edges = batches.frame(element)
        ends = {"doc": scramble(edges["left"]), "other": scramble(edges["right"])}
        yield from self.part(in_both_directions(pl.DataFrame(ends)))


class _LargeStar(_PartitioningDoFn):
    def process(self, element: tuple[int, Iterable[pa.RecordBatch]]) -> Iterator[Parted]:
        yield from self.part(large_star(batches.frame(element[1])))


class _SmallStar(_PartitioningDoFn):
    def process(self, element: tuple[int, Iterable[pa.RecordBatch]]) -> Iterator[Parted]:
        yield from self.part(in_both_directions(small_star(batches.frame(element[1]))))


class _Peel(_PartitioningDoFn):
    def process(self, element: tuple[int, Iterable[pa.RecordBatch]]) -> Iterator[object]:
        leaves, core = peel_leaves(batches.frame(element[1]))
        yield from self.part(leaves, "other")
        for batch in batches.whole(core):
            yield beam.pvalue.TaggedOutput("core", (0, batch))


class _LabelCore(_PartitioningDoFn):
    def process(self, element: tuple[int, Iterable[pa.RecordBatch]]) -> Iterator[Parted]:
        core = batches.frame(element[1]).rename({"doc": "left", "other": "right"})
        yield from self.part(label_components(core))


class _Attach(_PartitioningDoFn):
    def process(self, element: tuple[int, dict[str, Iterable[pa.RecordBatch]]]) -> Iterator[Parted]:
        _, sides = element
        leaves, core = (
            batches.union(sides[name], columns)
            for name, columns in (("leaves", _EDGES), ("core", _LABELS))
        )
        labels = attach_leaves(leaves, core)
        yield from self.labelled(
            labels.select(
                doc=pl.Series(unscramble(labels["doc"])),
                component=pl.Series(unscramble(labels["component"])),
            )
        )
