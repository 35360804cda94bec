"""From verified edges to who stays, as Beam: each component's documents meet at one worker."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import apache_beam as beam
import polars as pl
import pyarrow as pa

from pipelines.dedup import clusters, duplicates
from pipelines.dedup.candidate_pairs import COPY, KEYED, GroupedComparison
from pipelines.dedup.connected_components import ConnectedComponents, rounds_needed
from pipelines.dedup.plan import DedupPlan, Partitioned, by_blocks, by_partition, by_shard
from pipelines.dedup.refused_copies import REFUSED
from pipelines.engine import batches
from pipelines.text.shingles import fmix64

LABEL = {"doc": pl.UInt64, "component": pl.UInt64}
LABELLED = {**duplicates.EDGE, "component": pl.UInt64}
_MEMBER = {name: duplicates.MEMBER[name] for name in ("doc", "text", "component")}
_RANKING_COLUMNS = ["doc", "right", "quality", "captured_at", "doc_id", "source_id"]
Sides = tuple[int, dict[str, Iterable[pa.RecordBatch]]]


class _SurvivorDoFn(beam.DoFn):
    def __init__(self, plan: DedupPlan) -> None:
        self.plan = plan

    def hashed(self, frame: pl.DataFrame, column: str) -> Iterator[Partitioned]:
        """A frame's rows by the partition of a column's hash."""
        yield from by_partition(frame, fmix64(frame[column].to_numpy()), self.plan.partition_count)


class PartitionByText(_SurvivorDoFn):
    """Copies [doc, text] by shard -> by text."""

    def process(self, element: Partitioned) -> Iterator[Partitioned]:
        yield from self.hashed(batches.frame(element[1]), "text")


class PartitionByLeft(_SurvivorDoFn):
    """Edges -> by their left text."""

    def process(self, element: pa.RecordBatch) -> Iterator[Partitioned]:
        yield from self.hashed(batches.frame(element), "left")


class PartitionByComponent(_SurvivorDoFn):
    """Edges with a component -> by component."""

    def process(self, element: pa.RecordBatch) -> Iterator[Partitioned]:
        yield from self.hashed(batches.frame(element), "component")


class LabelMembers(_SurvivorDoFn):
    """Labels, copies and edges of texts -> the members of components, by shard; tagged `edges`,
    the edges with their component, by component."""

    def process(self, element: Sides) -> Iterator[object]:
        _, sides = element
        labels = batches.union(sides["labels"], LABEL)
        copies = batches.union(sides["copies"], COPY)
        edges = batches.union(sides["edges"], duplicates.EDGE)
        yield from by_shard(component_members(labels, copies))
        labelled = edges.join(labels, left_on="left", right_on="doc")
        for keyed in self.hashed(labelled.select(list(LABELLED)), "component"):
            yield beam.pvalue.TaggedOutput("edges", keyed)


class AddRights(_SurvivorDoFn):
    """Members of a shard, and what of it is refused elsewhere -> the members with what decides who
    stays, by component."""

    def process(self, element: Sides) -> Iterator[Partitioned]:
        some = batches.union(element[1]["members"], _MEMBER)
        no = batches.union(element[1]["refused"], REFUSED)
        if some.is_empty():
            return
        rights = self.plan.signed_documents(some["doc"], _RANKING_COLUMNS)
        about = some.join(rights, on="doc").join(no, on="doc", how="left")
        yield from self.hashed(about.select(list(duplicates.MEMBER)), "component")


class AnchorPairs(_SurvivorDoFn):
    """Members and edges of components -> the pairs still to compare, by blocks of shards."""

    def process(self, element: Sides) -> Iterator[Partitioned]:
        _, sides = element
        texts = duplicates.best_per_text(batches.union(sides["members"], duplicates.MEMBER))
        pairs = clusters.anchor_pairs(batches.union(sides["edges"], LABELLED), texts)
        yield from by_blocks(pairs, self.plan)


class ResolveComponents(_SurvivorDoFn):
    """Members and all edges of components -> who stays and who goes, by shard."""

    def process(self, element: Sides) -> Iterator[Partitioned]:
        _, sides = element
        edges = batches.union([*sides["edges"], *sides["anchors"]], LABELLED)
        decided = duplicates.resolve_clusters(
            batches.union(sides["members"], duplicates.MEMBER), edges
        )
        yield from by_shard(decided)


class ChooseSurvivors(beam.PTransform):
    """Copies by shard, edges (see `near.Near`) and what is refused elsewhere (see
    `refused.Refused`) -> the rows of `duplicates.resolve`, by shard."""

    def __init__(self, plan: DedupPlan) -> None:
        super().__init__()
        self.plan = plan

    def expand(
        self, found: tuple[beam.PCollection, beam.PCollection, beam.PCollection]
    ) -> beam.PCollection:
        plan, (copies, edges, refused) = self.plan, found
        documents = plan.document_count * (2 if plan.earlier else 1)  # what can be in one chain
        labels = edges | "Components" >> ConnectedComponents(
            plan.partition_count, rounds_needed(documents)
        )
        labelled = (
            {
                "labels": labels,
                "copies": copies
                | "ByText" >> beam.ParDo(PartitionByText(plan)).with_output_types(KEYED),
                "edges": edges
                | "ByLeft" >> beam.ParDo(PartitionByLeft(plan)).with_output_types(KEYED),
            }
            | "Texts" >> beam.CoGroupByKey()
            | "Label"
            >> beam.ParDo(LabelMembers(plan))
            .with_output_types(KEYED, edges=KEYED)
            .with_outputs("edges", main="members")
        )
        about = (
            {"members": labelled.members, "refused": refused}
            | "ByShard" >> beam.CoGroupByKey()
            | "Rights" >> beam.ParDo(AddRights(plan)).with_output_types(KEYED)
        )
        anchors = (
            {"members": about, "edges": labelled.edges}
            | "Whole" >> beam.CoGroupByKey()
            | "Anchor" >> beam.ParDo(AnchorPairs(plan)).with_output_types(KEYED)
            | "AnchorsByBlocks" >> beam.GroupByKey()
            | "CompareAnchors" >> GroupedComparison(plan)
        )
        measured = anchors.edges | "ByComponent" >> beam.ParDo(
            PartitionByComponent(plan)
        ).with_output_types(KEYED)
        return (
            {"members": about, "edges": labelled.edges, "anchors": measured}
            | "Measured" >> beam.CoGroupByKey()
            | "Settle" >> beam.ParDo(ResolveComponents(plan)).with_output_types(KEYED)
        )


def component_members(labels: pl.DataFrame, copies: pl.DataFrame) -> pl.DataFrame:
    """Labels of texts [doc, component] and copies [doc, text] -> all documents with their text and
    component [doc, text, component]; a text that only has copies is a component of its own."""
    stand = copies.select(doc="text", component="text").unique()
    known = pl.concat([labels, stand.join(labels, on="doc", how="anti")])
    texts = known.select("doc", "component", text="doc")
    hung = copies.join(known.rename({"doc": "text"}), on="text")
    return pl.concat([f.select(list(_MEMBER)) for f in (texts, hung)])
