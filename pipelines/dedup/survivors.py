"""From verified edges to who stays, as Beam: each component's documents meet at one worker."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import apache_beam as beam
import polars as pl
import pyarrow as pa

from pipelines.dedup import clusters, duplicates
from pipelines.dedup.candidate_pairs import COPY, KEYED, Compared
from pipelines.dedup.connected_components import Components, rounds
from pipelines.dedup.plan import Parted, Plan, by_blocks, by_shard, parts
from pipelines.dedup.refused_copies import REFUSED
from pipelines.engine import batches
from pipelines.text.shingles import fmix64

LABEL = {"doc": pl.UInt64, "component": pl.UInt64}
LABELLED = {**duplicates.EDGE, "component": pl.UInt64}
_MEMBER = {name: duplicates.MEMBER[name] for name in ("doc", "text", "component")}
_RIGHTS = ["doc", "right", "quality", "captured_at", "doc_id", "source_id"]
Sides = tuple[int, dict[str, Iterable[pa.RecordBatch]]]


class _Planned(beam.DoFn):
    def __init__(self, plan: Plan) -> None:
        self.plan = plan

    def hashed(self, frame: pl.DataFrame, column: str) -> Iterator[Parted]:
        """A frame's rows by the partition of a column's hash."""
        yield from parts(frame, fmix64(frame[column].to_numpy()), self.plan.partitions)


class ByText(_Planned):
    """Copies [doc, text] by shard -> by text."""

    def process(self, element: Parted) -> Iterator[Parted]:
        yield from self.hashed(batches.frame(element[1]), "text")


class ByLeft(_Planned):
    """Edges -> by their left text."""

    def process(self, element: pa.RecordBatch) -> Iterator[Parted]:
        yield from self.hashed(batches.frame(element), "left")


class ByComponent(_Planned):
    """Edges with a component -> by component."""

    def process(self, element: pa.RecordBatch) -> Iterator[Parted]:
        yield from self.hashed(batches.frame(element), "component")


class Label(_Planned):
    """Labels, copies and edges of texts -> the members of components, by shard; tagged `edges`,
    the edges with their component, by component."""

    def process(self, element: Sides) -> Iterator[object]:
        _, sides = element
        labels = batches.union(sides["labels"], LABEL)
        copies = batches.union(sides["copies"], COPY)
        edges = batches.union(sides["edges"], duplicates.EDGE)
        yield from by_shard(members(labels, copies))
        labelled = edges.join(labels, left_on="left", right_on="doc")
        for keyed in self.hashed(labelled.select(list(LABELLED)), "component"):
            yield beam.pvalue.TaggedOutput("edges", keyed)


class Rights(_Planned):
    """Members of a shard, and what of it is refused elsewhere -> the members with what decides who
    stays, by component."""

    def process(self, element: Sides) -> Iterator[Parted]:
        some = batches.union(element[1]["members"], _MEMBER)
        no = batches.union(element[1]["refused"], REFUSED)
        if some.is_empty():
            return
        rights = self.plan.named(some["doc"], _RIGHTS)
        about = some.join(rights, on="doc").join(no, on="doc", how="left")
        yield from self.hashed(about.select(list(duplicates.MEMBER)), "component")


class Anchor(_Planned):
    """Members and edges of components -> the pairs still to compare, by blocks of shards."""

    def process(self, element: Sides) -> Iterator[Parted]:
        _, sides = element
        texts = duplicates.texts(batches.union(sides["members"], duplicates.MEMBER))
        pairs = clusters.anchors(batches.union(sides["edges"], LABELLED), texts)
        yield from by_blocks(pairs, self.plan)


class Settle(_Planned):
    """Members and all edges of components -> who stays and who goes, by shard."""

    def process(self, element: Sides) -> Iterator[Parted]:
        _, sides = element
        edges = batches.union([*sides["edges"], *sides["anchors"]], LABELLED)
        decided = duplicates.resolve(batches.union(sides["members"], duplicates.MEMBER), edges)
        yield from by_shard(decided)


class Settled(beam.PTransform):
    """Copies by shard, edges (see `near.Near`) and what is refused elsewhere (see
    `refused.Refused`) -> the rows of `duplicates.resolve`, by shard."""

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        self.plan = plan

    def expand(
        self, found: tuple[beam.PCollection, beam.PCollection, beam.PCollection]
    ) -> beam.PCollection:
        plan, (copies, edges, refused) = self.plan, found
        documents = plan.documents * (2 if plan.known else 1)  # what can be in one chain
        labels = edges | "Components" >> Components(plan.partitions, rounds(documents))
        labelled = (
            {
                "labels": labels,
                "copies": copies | "ByText" >> beam.ParDo(ByText(plan)).with_output_types(KEYED),
                "edges": edges | "ByLeft" >> beam.ParDo(ByLeft(plan)).with_output_types(KEYED),
            }
            | "Texts" >> beam.CoGroupByKey()
            | "Label"
            >> beam.ParDo(Label(plan))
            .with_output_types(KEYED, edges=KEYED)
            .with_outputs("edges", main="members")
        )
        about = (
            {"members": labelled.members, "refused": refused}
            | "ByShard" >> beam.CoGroupByKey()
            | "Rights" >> beam.ParDo(Rights(plan)).with_output_types(KEYED)
        )
        anchors = (
            {"members": about, "edges": labelled.edges}
            | "Whole" >> beam.CoGroupByKey()
            | "Anchor" >> beam.ParDo(Anchor(plan)).with_output_types(KEYED)
            | "AnchorsByBlocks" >> beam.GroupByKey()
            | "CompareAnchors" >> Compared(plan)
        )
        measured = anchors.edges | "ByComponent" >> beam.ParDo(ByComponent(plan)).with_output_types(
            KEYED
        )
        return (
            {"members": about, "edges": labelled.edges, "anchors": measured}
            | "Measured" >> beam.CoGroupByKey()
            | "Settle" >> beam.ParDo(Settle(plan)).with_output_types(KEYED)
        )


def members(labels: pl.DataFrame, copies: pl.DataFrame) -> pl.DataFrame:
    """Labels of texts [doc, component] and copies [doc, text] -> all documents with their text and
    component [doc, text, component]; a text that only has copies is a component of its own."""
    stand = copies.select(doc="text", component="text").unique()
    known = pl.concat([labels, stand.join(labels, on="doc", how="anti")])
    texts = known.select("doc", "component", text="doc")
    hung = copies.join(known.rename({"doc": "text"}), on="text")
    return pl.concat([f.select(list(_MEMBER)) for f in (texts, hung)])
