"""The stage `dedup`: exact and near-duplicates, each compared before it goes.

    python -m pipelines.dedup --params params.yaml

Signatures stay in files; between workers travel exact keys, band keys and document numbers.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
import numpy as np
import polars as pl
import pyarrow as pa

from pipelines import batches, clusters, corpus, duplicates, ledger, rights, shards
from pipelines.command import command
from pipelines.corpus import Corpus, DocumentStage
from pipelines.shingles import fmix64
from pipelines.stage import Context, Shard, ShardDoFn
from schemas.params import DedupParams
from schemas.tables import DUPLICATES

ABOUT = ["doc", "right", "captured_at", "doc_id"]
DECIDED = {
    "doc": pl.UInt64,
    "kept_doc_id": pl.String,
    "similarity": pl.Float64,
    "kind": pl.String,
    "cluster_id": pl.String,
}
Parted = tuple[int, pa.RecordBatch]


@dataclass(frozen=True)
class Plan:
    """What all steps of the job know; a plain value that travels to workers."""

    state: shards.State
    source: Corpus
    shards: tuple[str, ...]
    params: DedupParams
    ranks: dict[str, int]
    licences: dict[str, str]
    run_id: str
    partitions: int

    def signed(self, place: int, columns: Sequence[str]) -> pl.DataFrame:
        """A shard's signatures, with the documents' numbers."""
        frame = pl.read_parquet(
            self.state.path("signatures", self.shards[place]),
            columns=[c for c in columns if c != "doc"] or ["doc_id"],
        )
        return frame.with_columns(duplicates.numbers(place, frame.height)).select(columns)

    def measured(self, pairs: pl.DataFrame) -> Iterator[pl.DataFrame]:
        """Pairs [left, right] -> those whose shingles reach the threshold, with the similarity;
        the shingles of two shards are held at a time."""
        for a, b, some in duplicates.shards_of(pairs):
            signed = pl.concat(
                [self.signed(place, ["doc", "shingles"]) for place in sorted({a, b})]
            )
            named = pl.concat([some["left"], some["right"]]).unique()
            edges = duplicates.verify(
                some, signed.filter(pl.col("doc").is_in(named.implode())), self.params.threshold
            )
            if edges.height:
                yield edges


def _parts(frame: pl.DataFrame, keys: np.ndarray, partitions: int) -> Iterator[Parted]:
    for table in batches.whole(frame):
        yield from batches.partition(table, keys, partitions)


class Sign(beam.DoFn):
    """A shard -> its signatures on disk, its exact keys by partition."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan

    def process(self, element: pa.RecordBatch) -> Iterator[Parted]:
        for name in element.column("shard").to_pylist():
            path = self.plan.state.path("signatures", name)
            if not path.exists():
                signed = [
                    duplicates.sign(batch, self.plan.ranks, self.plan.params)
                    for batch in self.plan.source.documents(
                        name, "quality", ["doc_id", "uri", "source_id", "captured_at", "text"]
                    )
                ]
                table = (
                    pl.concat(signed)
                    if signed
                    else duplicates.sign(_nothing(), self.plan.ranks, self.plan.params)
                )
                self.plan.state.write("signatures", name, table.to_arrow())
            place = self.plan.shards.index(name)
            keys = self.plan.signed(place, ["exact", *ABOUT])
            low = np.frombuffer(b"".join(k[:8] for k in keys["exact"]), "<u8")
            yield from _parts(keys, low, self.plan.partitions)


class FindExact(beam.DoFn):
    """Exact keys of a partition -> [doc, kept] of all copies but the best, by shard; 0 for the rest."""

    def process(self, element: tuple[int, Iterable[pa.RecordBatch]]) -> Iterator[Parted]:
        pairs = duplicates.exact_pairs(batches.frame(element[1]))
        yield from _parts(pairs, duplicates.place_of(pairs["doc"]), 1 << 30)


class Band(beam.DoFn):
    """A shard and its exact copies -> the band keys of the other documents, by partition."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan

    def process(self, element: tuple[int, dict[str, Iterable[pa.RecordBatch]]]) -> Iterator[Parted]:
        place, sides = element
        copies = duplicates.union(
            map(batches.frame, ([b] for b in sides["exact"])), {"doc": pl.UInt64, "kept": pl.UInt64}
        )
        signed = self.plan.signed(place, ["doc", "shingles", "signature"])
        for start in range(0, signed.height, 1 << 15):
            some = signed[start : start + (1 << 15)].join(
                copies, on="doc", how="anti", maintain_order="left"
            )
            keys = duplicates.bands(some, self.plan.params)
            yield from _parts(keys, keys["band_key"].to_numpy(), self.plan.partitions)


class Pair(beam.DoFn):
    """Band keys of a partition -> candidate pairs, by the shards they touch."""

    def process(self, element: tuple[int, Iterable[pa.RecordBatch]]) -> Iterator[Parted]:
        pairs = clusters.candidate_pairs(batches.frame(element[1]))
        if pairs.height:
            touched = fmix64(duplicates.place_of(pairs["left"])) + duplicates.place_of(
                pairs["right"]
            )
            yield from _parts(pairs, touched, 256)


class Verify(beam.DoFn):
    """Candidate pairs of a partition -> those whose measured similarity reaches the threshold."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan

    def process(self, element: tuple[int, Iterable[pa.RecordBatch]]) -> Iterator[Parted]:
        for edges in self.plan.measured(batches.frame(element[1]).unique(["left", "right"])):
            yield from ((0, batch) for batch in batches.whole(edges))


class Resolve(beam.DoFn):
    """All exact copies and verified edges -> who stays, by shard."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan

    def process(self, element: tuple[int, dict[str, Iterable[pa.RecordBatch]]]) -> Iterator[Parted]:
        _, sides = element
        exact = duplicates.union(
            map(batches.frame, ([b] for b in sides["exact"])), {"doc": pl.UInt64, "kept": pl.UInt64}
        )
        edges = duplicates.union(
            map(batches.frame, ([b] for b in sides["edges"])),
            {"left": pl.UInt64, "right": pl.UInt64, "similarity": pl.Float64},
        )
        named = pl.concat([exact["doc"], exact["kept"], edges["left"], edges["right"]]).unique()
        places = sorted(set(duplicates.place_of(named).tolist()))
        if places:
            about = pl.concat([self.plan.signed(place, ABOUT) for place in places]).join(
                named.to_frame("doc"), on="doc", how="semi"
            )
            edges = pl.concat(
                [
                    edges,
                    *self.plan.measured(
                        clusters.anchors(edges.select("left", "right"), duplicates.order(about))
                    ),
                ]
            )
            decided = duplicates.resolve(exact, edges, about)
            yield from _parts(
                decided.select(list(DECIDED)), duplicates.place_of(decided["doc"]), 1 << 30
            )


class Decide(ShardDoFn):
    """A shard and what was resolved of it -> its decisions and its rows of `duplicates`."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan.state)
        self.plan = plan

    def process(self, element, *sides):  # type: ignore[no-untyped-def]
        place, groups = element
        one = batches.plan(shard=[self.plan.shards[place]])
        yield from super().process(one, place, groups["decided"])  # type: ignore[no-untyped-call]

    def work(self, shard: Shard, row: Mapping[str, Any], *sides: Any) -> None:
        place, groups = sides
        members = duplicates.union(map(batches.frame, ([b] for b in groups)), DECIDED)
        signed = self.plan.signed(place, ["doc", "doc_id", "uri", "source_id"])
        seen = signed.join(members, on="doc", how="left", maintain_order="left")
        decided = ledger.decisions(_judge(seen, self.plan.params), "dedup", self.plan.run_id)
        clustered = (
            seen.filter(pl.col("kept_doc_id").is_not_null())
            .with_columns(
                licence=pl.col("source_id").replace_strict(
                    self.plan.licences, default=None, return_dtype=pl.String
                )
            )
            .select(DUPLICATES.names)
            .sort("doc_id")
        )
        shard.files.append(_described(self.plan.state, shard.name))
        shard.write("decisions", decided.to_arrow())
        shard.write("duplicates", clustered.to_arrow().cast(DUPLICATES))
        totals = ledger.outcomes(decided)
        gone = clustered.filter(pl.col("doc_id") != pl.col("kept_doc_id"))
        kept = seen.join(decided.filter(pl.col("outcome") == "keep"), on="doc_id", how="semi")
        shard.finish(
            {
                "shard": shard.name,
                "documents": seen.height,
                "keep": totals["keep"],
                "drop": totals["drop"],
                "duplicates": gone.height,
                "unresolved": totals["drop"] - gone.height,
                "similarity_min": gone["similarity"].min(),
                "similarity_max": gone["similarity"].max(),
            },
            ledger.counts(decided) | {"source": ledger.count(kept["source_id"])},
        )


def _judge(seen: pl.DataFrame, params: DedupParams) -> pl.DataFrame:
    """doc_id, uri, kept_doc_id, similarity, kind, cluster_id -> decisions, with what was measured."""
    gone = pl.col("kept_doc_id").is_not_null() & (pl.col("kept_doc_id") != pl.col("doc_id"))
    told = pl.struct(
        "kept_doc_id", "cluster_id", "kind", "similarity", threshold=pl.lit(params.threshold)
    ).struct.json_encode()
    return seen.select(
        "doc_id",
        "uri",
        outcome=pl.when(gone).then(pl.lit("drop")).otherwise(pl.lit("keep")),
        reason=pl.when(gone).then(pl.concat_str("kind", pl.lit("-duplicate"))),
        rule=pl.lit("dedup"),
        rule_version=pl.lit(duplicates.RULE_VERSION),
        evidence=pl.when(pl.col("kept_doc_id").is_not_null()).then(told).otherwise(pl.lit("{}")),
    )


def _described(state: shards.State, shard: str) -> dict[str, Any]:
    path = state.path("signatures", shard)
    return {
        "file": f"signatures/{shard}.parquet",
        "rows": -1,
        "bytes": path.stat().st_size,
        "sha256": shards.sha256_file(path),
    }


def _nothing() -> pl.DataFrame:
    return pl.DataFrame(
        schema=dict.fromkeys(("doc_id", "uri", "source_id", "captured_at", "text"), pl.String)
    )


class Dedup(DocumentStage):
    """Exact keys, bands, verified edges, survivors by right."""

    name = "dedup"
    sections = ("dedup",)

    def __init__(self, context: Context) -> None:
        pass

    def build(
        self, pipeline: beam.Pipeline, context: Context, state: shards.State, run_id: str
    ) -> None:
        names = tuple(corpus.shards(context))
        licences = {s.id: s.licence.spdx for s in context.register.sources.values()}
        plan = Plan(
            state,
            Corpus(str(context.params.work)),
            names,
            context.params.dedup,
            rights.ranks(context.register),
            licences,
            run_id,
            batches.partitions(self.expected(context)),
        )
        keyed = tuple[int, pa.RecordBatch]
        places = pipeline | "Places" >> beam.Create(
            [(i, batches.plan(shard=[n])) for i, n in enumerate(names)]
        ).with_output_types(keyed)
        exact = (
            corpus.deal(pipeline, names)
            | "Sign" >> beam.ParDo(Sign(plan)).with_output_types(keyed)
            | "ByText" >> beam.GroupByKey()
            | "FindExact" >> beam.ParDo(FindExact()).with_output_types(keyed)
        )
        edges = (
            {"shard": _after(places, exact, "Signed"), "exact": exact}
            | "Copies" >> beam.CoGroupByKey()
            | "Band" >> beam.ParDo(Band(plan)).with_output_types(keyed)
            | "ByBand" >> beam.GroupByKey()
            | "Pair" >> beam.ParDo(Pair()).with_output_types(keyed)
            | "ByShards" >> beam.GroupByKey()
            | "Verify" >> beam.ParDo(Verify(plan)).with_output_types(keyed)
        )
        together = exact | "Together" >> beam.MapTuple(
            lambda _, batch: (0, batch)
        ).with_output_types(keyed)
        decided = (
            {"exact": together, "edges": edges}
            | "Clusters" >> beam.CoGroupByKey()
            | "Resolve" >> beam.ParDo(Resolve(plan)).with_output_types(keyed)
        )
        (
            {"shard": _after(places, decided, "Resolved"), "decided": decided}
            | "Members" >> beam.CoGroupByKey()
            | "Decide" >> beam.ParDo(Decide(plan)).with_output_types(pa.RecordBatch)
        )


def _after(places: beam.PCollection, other: beam.PCollection, label: str) -> beam.PCollection:
    """The places of shards, once all of `other` is there: files that a step wrote are complete."""
    return places | label >> beam.Map(
        lambda place, _: place,
        beam.pvalue.AsIter(other | f"{label}Count" >> beam.combiners.Count.Globally()),
    ).with_output_types(tuple[int, pa.RecordBatch])


def main(argv: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    return command(Dedup, __doc__ or "", argv)


if __name__ == "__main__":
    from pipelines.dedup import main as run  # workers must find the DoFns under their own names

    sys.exit(run())
