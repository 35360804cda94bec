"""Choose the survivors from verified edges, as Beam. One worker gets all documents of a component.

Each step divides its output by what the next step groups: by shard, by component, by text.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import apache_beam as beam
import polars as pl
import pyarrow as pa

from pipelines.dedup import clusters, duplicates
from pipelines.dedup.candidate_pairs import COPY, CompareGrouped
from pipelines.dedup.connected_components import ConnectedComponents, rounds_needed
from pipelines.dedup.plan import DedupPlan, Partitioned, by_blocks, by_partition, by_shard
from pipelines.dedup.refused_copies import REFUSED
from pipelines.engine import batches
from pipelines.text.shingles import fmix64

LABEL = {"doc": pl.UInt64, "component": pl.UInt64}
LABELLED_EDGE = {**duplicates.EDGE, "component": pl.UInt64}
_MEMBER = {name: duplicates.MEMBER[name] for name in ("doc", "text", "component")}
_RANKING_COLUMNS = ["doc", "right", "quality", "captured_at", "doc_id", "source_id"]
Sides = tuple[int, dict[str, Iterable[pa.RecordBatch]]]


class _SurvivorDoFn(beam.DoFn):
    def __init__(self, plan: DedupPlan) -> None:
        self.plan = plan

    def by_hash(self, frame: pl.DataFrame, column: str) -> Iterator[Partitioned]:
        """Divide a frame's rows by the hash of a column."""
        yield from by_partition(frame, fmix64(frame[column].to_numpy()), self.plan.partition_count)


class PartitionByText(_SurvivorDoFn):
    """Copies [doc, text] by shard -> by text."""

    def process(self, element: Partitioned) -> Iterator[Partitioned]:
        yield from self.by_hash(batches.frame(element[1]), "text")


class PartitionByLeft(_SurvivorDoFn):
    """Edges -> by their left text."""

    def process(self, element: pa.RecordBatch) -> Iterator[Partitioned]:
        yield from self.by_hash(batches.frame(element), "left")


class PartitionByComponent(_SurvivorDoFn):
    """Edges with a component -> by component."""

    def process(self, element: pa.RecordBatch) -> Iterator[Partitioned]:
        yield from self.by_hash(batches.frame(element), "component")


class LabelMembers(_SurvivorDoFn):
    """Labels, copies and edges of texts -> the members of components, by shard.

    Tagged `edges`: the edges with their component, by component.
    """

    def process(self, element: Sides) -> Iterator[object]:
        _, sides = element
        labels = batches.union(sides["labels"], LABEL)
        copies = batches.union(sides["copies"], COPY)
        edges = batches.union(sides["edges"], duplicates.EDGE)
        yield from by_shard(component_members(labels, copies))
        labelled = edges.join(labels, left_on="left", right_on="doc")
        for keyed in self.by_hash(labelled.select(list(LABELLED_EDGE)), "component"):
            yield beam.pvalue.TaggedOutput("edges", keyed)


class AddRights(_SurvivorDoFn):
    """Members of a shard and its refused copies -> `duplicates.MEMBER`, by component."""

    def process(self, element: Sides) -> Iterator[Partitioned]:
        members = batches.union(element[1]["members"], _MEMBER)
        refused = batches.union(element[1]["refused"], REFUSED)
        if members.is_empty():
            return
        ranking = self.plan.signed_documents(members["doc"], _RANKING_COLUMNS)
        complete = members.join(ranking, on="doc").join(refused, on="doc", how="left")
        yield from self.by_hash(complete.select(list(duplicates.MEMBER)), "component")


class AnchorPairs(_SurvivorDoFn):
    """Members and edges of components -> the pairs still to compare, by blocks of shards."""

    def process(self, element: Sides) -> Iterator[Partitioned]:
        _, sides = element
        texts = duplicates.best_per_text(batches.union(sides["members"], duplicates.MEMBER))
        pairs = clusters.anchor_pairs(batches.union(sides["edges"], LABELLED_EDGE), texts)
        yield from by_blocks(pairs, self.plan)


class ResolveComponents(_SurvivorDoFn):
    """Members and all edges of components -> `duplicates.resolve_clusters`, by shard."""

    def process(self, element: Sides) -> Iterator[Partitioned]:
        _, sides = element
        edges = batches.union([*sides["edges"], *sides["anchors"]], LABELLED_EDGE)
        members = batches.union(sides["members"], duplicates.MEMBER)
        yield from by_shard(duplicates.resolve_clusters(members, edges))


class ChooseSurvivors(beam.PTransform):
    """Copies, edges and refused copies -> the rows of `duplicates.resolve_clusters`, by shard.

    Copies and edges come from `candidate_pairs.FindNearDuplicates`, refused copies from
    `refused_copies.FindRefusedCopies`.
    """

    def __init__(self, plan: DedupPlan) -> None:
        super().__init__()
        self.plan = plan

    def expand(
        self, inputs: tuple[beam.PCollection, beam.PCollection, beam.PCollection]
    ) -> beam.PCollection:
        plan, (copies, edges, refused) = self.plan, inputs
        # A chain can alternate between documents of this run and of earlier releases.
        longest = plan.document_count * (2 if plan.earlier else 1)
        labels = edges | "Components" >> ConnectedComponents(
            plan.partition_count, rounds_needed(longest)
        )
        by_text = beam.ParDo(PartitionByText(plan)).with_output_types(Partitioned)
        by_left = beam.ParDo(PartitionByLeft(plan)).with_output_types(Partitioned)
        labelled = (
            {"labels": labels, "copies": copies | "ByText" >> by_text,
             "edges": edges | "ByLeft" >> by_left}
            | "Texts" >> beam.CoGroupByKey()
            | "Label"
            >> beam.ParDo(LabelMembers(plan))
            .with_output_types(Partitioned, edges=Partitioned)
            .with_outputs("edges", main="members")
        )  # fmt: skip
        members = (
            {"members": labelled.members, "refused": refused}
            | "ByShard" >> beam.CoGroupByKey()
            | "AddRights" >> beam.ParDo(AddRights(plan)).with_output_types(Partitioned)
        )
        anchors = (
            {"members": members, "edges": labelled.edges}
            | "ComponentMembers" >> beam.CoGroupByKey()
            | "Anchor" >> beam.ParDo(AnchorPairs(plan)).with_output_types(Partitioned)
            | "AnchorsByBlocks" >> beam.GroupByKey()
            | "CompareAnchors" >> CompareGrouped(plan)
        )
        by_component = beam.ParDo(PartitionByComponent(plan)).with_output_types(Partitioned)
        measured = anchors.edges | "ByComponent" >> by_component
        return (
            {"members": members, "edges": labelled.edges, "anchors": measured}
            | "AllEdges" >> beam.CoGroupByKey()
            | "Resolve" >> beam.ParDo(ResolveComponents(plan)).with_output_types(Partitioned)
        )


def component_members(labels: pl.DataFrame, copies: pl.DataFrame) -> pl.DataFrame:
    """Return all documents of components with their text.

    A text that has copies but no edges is a component of its own.

    Args:
      labels: doc (a text), component.
      copies: doc, text.

    Returns:
      doc, text, component.
    """
    copied = copies.select(doc="text", component="text").unique()
    every = pl.concat([labels, copied.join(labels, on="doc", how="anti")])
    texts = every.select("doc", "component", text="doc")
    others = copies.join(every.rename({"doc": "text"}), on="text")
    return pl.concat([frame.select(list(_MEMBER)) for frame in (texts, others)])
