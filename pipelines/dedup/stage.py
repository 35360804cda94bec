"""The stage `dedup`: exact and near-duplicates, each compared before it goes.

    python -m pipelines.dedup --params params.yaml

Signatures stay in files; between workers travel exact keys, band keys and document numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import apache_beam as beam
import polars as pl
import pyarrow as pa

from lineage.register_files import load_policies
from lineage.storage import disk
from pipelines.corpus import stage_tables
from pipelines.corpus.stage_tables import Corpus, DocumentStage
from pipelines.dedup import (
    contamination,
    duplicates,
    passages_job,
    release_index,
    source_losses,
    source_ranking,
)
from pipelines.dedup.boilerplate_lines import Removed
from pipelines.dedup.candidate_pairs import Near, after
from pipelines.dedup.passages_job import Shared
from pipelines.dedup.plan import Plan
from pipelines.dedup.refused_copies import REFUSED, Refused
from pipelines.dedup.survivors import Settled
from pipelines.engine import batches, decisions, guard, shards
from pipelines.engine.command_line import command
from pipelines.engine.context import Context
from pipelines.engine.runners import Spread
from pipelines.engine.stage import Shard, ShardDoFn
from schemas.command_entry import with_exit_code
from schemas.errors import Invalid, Problem
from schemas.lawfulness import Use
from schemas.register import Register
from schemas.sections import DedupParams, GuardParams
from schemas.tables import DUPLICATES, FINDINGS

DECIDED = {
    "doc": pl.UInt64,
    "kept": pl.UInt64,
    "kept_doc_id": pl.String,
    "kept_source_id": pl.String,
    "similarity": pl.Float64,
    "kind": pl.String,
    "measure": pl.String,
    "cluster_id": pl.String,
    "refused_doc_id": pl.String,
}
APART: dict[str, type[pl.DataType] | pl.DataType] = {
    "doc": pl.UInt64,
    "other_doc_id": pl.String,
    "similarity": pl.Float64,
    "documents": pl.Int64,
    "number": pl.UInt32,
    "date": pl.UInt32,
    "docket": pl.UInt32,
    "at": pl.List(pl.Int64),
}


class Decide(ShardDoFn):
    """A shard and what was resolved of it -> its decisions and its rows of `duplicates`."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan.state)
        self.plan = plan

    def process(self, element, *sides):  # type: ignore[no-untyped-def]
        place, groups = element
        if place >= len(self.plan.shards):
            return  # of earlier releases nothing is decided
        one = batches.plan(shard=[self.plan.shards[place]])
        yield from super().process(one, place, groups)  # type: ignore[no-untyped-call]

    def work(self, shard: Shard, row: Mapping[str, Any], *sides: Any) -> None:
        place, groups = sides
        seen = self._resolved(place, groups)
        apart = nearest(batches.union(groups["apart"], APART))
        judged = _judge(seen, apart, self.plan.params)
        shared = batches.union(groups.get("shared", ()), passages_job.FOUND)
        if (spans := self.plan.params.spans) is not None:
            shared = passages_job.removed(shared, spans)
            judged = passages_job.told(judged, shared, spans)
            shard.write("passages", passages_job.findings(shared).to_arrow().cast(FINDINGS))
        decided = decisions.decisions(judged, Dedup.name, self.plan.run_id)
        clustered = self._clustered(seen)
        self._write(shard, decided, clustered)
        shard.finish(
            _figures(shard.name, decided, clustered),
            _counts(seen, decided, clustered)
            | ({"passages": passages_job.counts(shared)} if spans else {}),
        )

    def _resolved(self, place: int, groups: Mapping[str, Any]) -> pl.DataFrame:
        """A shard's documents with what was resolved of them."""
        signed = self.plan.signed(
            place, ["doc", "doc_id", "uri", "source_id", "contaminated", "contamination"]
        )
        decided = batches.union(groups["decided"], DECIDED)
        alone = batches.union(groups["refused"], REFUSED)
        return (
            signed.join(decided, on="doc", how="left", maintain_order="left")
            .join(alone, on="doc", how="left", suffix="_alone", maintain_order="left")
            .with_columns(
                pl.coalesce("refused_doc_id", "refused_doc_id_alone"),
                kept_release=released_in(pl.col("kept"), self.plan),
            )
        )

    def _clustered(self, seen: pl.DataFrame) -> pl.DataFrame:
        """The documents that are members of a cluster, with their licences, by doc_id."""
        licence = pl.col("source_id").replace_strict(
            self.plan.licences, default=None, return_dtype=pl.String
        )
        members = seen.filter(pl.col("kept_doc_id").is_not_null())
        return members.with_columns(licence=licence).sort("doc_id")

    def _write(self, shard: Shard, decided: pl.DataFrame, clustered: pl.DataFrame) -> None:
        """Write the shard's tables; those that the job wrote before are only described."""
        shard.files.append(_described(self.plan.state, "signatures", shard.name))
        if self.plan.params.lines is not None:
            shard.files.append(_described(self.plan.state, "removals", shard.name))
        shard.write("decisions", decided.to_arrow())
        shard.write("duplicates", clustered.select(DUPLICATES.names).to_arrow().cast(DUPLICATES))


def _gone(clustered: pl.DataFrame) -> pl.DataFrame:
    """The members of clusters that do not stay."""
    return clustered.filter(pl.col("doc") != pl.col("kept"))


def _figures(shard: str, decided: pl.DataFrame, clustered: pl.DataFrame) -> dict[str, Any]:
    """The aggregates that the suite judges."""
    totals, gone = decisions.outcomes(decided), _gone(clustered)
    resolved = pl.col("reason").str.ends_with("-duplicate")
    explained = decided.filter(~resolved & (pl.col("outcome") == "drop")).height
    return {
        "shard": shard,
        "documents": decided.height,
        "keep": totals["keep"],
        "drop": totals["drop"],
        "duplicates": gone.height,
        "unresolved": totals["drop"] - explained - gone.height,
        "similarity_min": gone["similarity"].min(),
        "similarity_max": gone["similarity"].max(),
    }


def _counts(
    seen: pl.DataFrame, decided: pl.DataFrame, clustered: pl.DataFrame
) -> dict[str, dict[str, int]]:
    """Counters of decisions, and of sources: kept, handed in, lost to each other."""
    kept = seen.join(decided.filter(pl.col("outcome") == "keep"), on="doc_id", how="semi")
    return decisions.counts(decided) | {
        "source": decisions.count(kept["source_id"]),
        "source before": decisions.count(seen["source_id"]),
        "source lost": decisions.count(source_losses.named(_gone(clustered))),
    }


def released_in(docs: pl.Expr, plan: Plan) -> pl.Expr:
    """The earlier releases that hold documents, by number; null for those of this run."""
    names = {n: e.release for n, e in enumerate(plan.known, len(plan.shards))}
    return (docs // (1 << duplicates.ROW_BITS)).replace_strict(
        names, default=None, return_dtype=pl.String
    )


def nearest(apart: pl.DataFrame) -> pl.DataFrame:
    """Rows of `duplicates.kept_apart`, several per document -> one per document."""
    ordered = apart.sort("doc", "similarity", "other_doc_id", descending=[False, True, False])
    return ordered.group_by("doc", maintain_order=True).agg(
        pl.exclude("documents").first(), pl.col("documents").sum()
    )


def _judge(seen: pl.DataFrame, apart: pl.DataFrame, params: DedupParams) -> pl.DataFrame:
    """Documents with what was resolved of them -> decisions, with what was measured."""
    held = pl.col("contaminated")
    gone = (pl.col("kept").is_not_null() & (pl.col("kept") != pl.col("doc"))).fill_null(False)
    barred = ~gone & pl.col("refused_doc_id").is_not_null()
    return seen.join(apart, on="doc", how="left", suffix="_apart", maintain_order="left").select(
        "doc_id",
        "uri",
        outcome=pl.when(gone | barred | held.is_not_null())
        .then(pl.lit("drop"))
        .otherwise(pl.lit("keep")),
        reason=pl.when(gone)
        .then(pl.concat_str("kind", pl.lit("-duplicate")))
        .when(barred)
        .then(pl.lit("published-under-refusal"))
        .when(held.is_not_null())
        .then(pl.concat_str(pl.lit("contaminated:"), held)),
        rule=pl.lit(Dedup.name),
        rule_version=pl.lit(duplicates.RULE_VERSION),
        evidence=_evidence(barred, params.threshold),
    )


def _evidence(barred: pl.Expr, threshold: float) -> pl.Expr:
    """The evidence of a decision, as JSON.

    Of documents that figures keep apart it has no figures: how many differ, of what kinds, and the
    places of the first of these words in the key view of the document's text.
    """
    cluster: list[Any] = [
        *("kept_doc_id", "cluster_id", "kind", "measure", "similarity"),
        pl.lit(threshold).alias("threshold"),
    ]
    apart = pl.struct(
        documents="documents",
        nearest="other_doc_id",
        similarity="similarity_apart",
        differing=pl.struct("number", "date", "docket"),
        at="at",
    ).alias("apart")
    clustered, lonely = pl.col("kept_doc_id").is_not_null(), pl.col("documents").is_null()
    return (
        pl.when(barred)
        .then(pl.struct(refused="refused_doc_id").struct.json_encode())
        .when(pl.col("contaminated").is_not_null())
        .then(pl.concat_str(pl.lit('{"runs":'), "contamination", pl.lit("}")))
        .when(pl.col("kept_release").is_not_null())
        .then(pl.struct(*cluster, release="kept_release").struct.json_encode())
        .when(clustered & lonely)
        .then(pl.struct(cluster).struct.json_encode())
        .when(clustered)
        .then(pl.struct(*cluster, apart).struct.json_encode())
        .when(~lonely)
        .then(pl.struct(apart).struct.json_encode())
        .otherwise(pl.lit("{}"))
    )


def _described(state: shards.State, table: str, shard: str) -> dict[str, Any]:
    path = state.path(table, shard)
    return {
        "file": f"{table}/{shard}.parquet",
        "rows": -1,
        "bytes": path.stat().st_size,
        "sha256": disk.sha256_file(path),
    }


def apart(register: Register, params: DedupParams) -> tuple[str, ...]:
    """The sources whose documents figures tell apart, by the kind of source."""
    return tuple(
        sorted(
            s.id for s in register.sources.values() if params.figures.get(s.kind) == "distinguish"
        )
    )


def wire(pipeline: beam.Pipeline, plan: Plan) -> None:
    """The job: near-duplicates, who stays, decisions."""
    numbered = [(i, batches.plan(shard=[n])) for i, n in enumerate(plan.shards)]
    places = (
        pipeline
        | "Places"
        >> beam.Create(numbered, reshuffle=False).with_output_types(tuple[int, pa.RecordBatch])
        | "Spread" >> Spread()
    )
    copies, edges, kept_apart = pipeline | "Near" >> Near(plan, places)
    no = places | "Refused" >> Refused(plan, copies)
    if plan.params.lines is not None:
        places = after(places, stage_tables.deal(pipeline, plan.shards) | "Lines" >> Removed(plan))
    decided = (copies, edges, no) | "Settled" >> Settled(plan)
    resolved = {"shard": places, "decided": decided, "refused": no}
    shared = {}
    if plan.params.spans is not None:
        shared = {"shared": resolved | "Shared" >> Shared(plan)}
    _ = (
        resolved
        | shared
        | {"apart": kept_apart}
        | "Decided" >> beam.CoGroupByKey()
        | "Decide" >> beam.ParDo(Decide(plan)).with_output_types(pa.RecordBatch)
    )


class Dedup(DocumentStage):
    """Exact keys, bands, verified edges, survivors by right."""

    name = "dedup"

    def __init__(self, context: Context) -> None:
        self.known = release_index.load(context.params)
        use = Use.of(context.params, load_policies(context.params.policy.path))
        self.rights = release_index.Rights.of(context.register, use)
        contamination.check(context.params.dedup.decontaminate, context.params.path)
        strange = sorted({*context.params.dedup.sources} - context.register.sources.keys())
        if strange:
            problem = f"not in the register: {', '.join(strange)}"
            raise Invalid([Problem(str(context.params.path), None, "dedup.sources", problem)])

    def inputs(self, context: Context) -> dict[str, str]:
        sets = {
            f"evaluation set {s.name}": disk.sha256_file(Path(s.path))
            for s in context.params.dedup.decontaminate
        }
        earlier = {f"index {e.release}": e.digest for e in self.known}
        if self.known:
            earlier["lawful sources"] = self.rights.digest
        return super().inputs(context) | sets | earlier

    def build(
        self, pipeline: beam.Pipeline, context: Context, state: shards.State, run_id: str
    ) -> None:
        params, register = context.params, context.register
        plan = Plan(
            state,
            Corpus(str(params.work)),
            tuple(stage_tables.shards(context)),
            params.dedup,
            source_ranking.ranks(register, params.dedup.sources),
            {s.id: s.licence.spdx for s in register.sources.values()},
            apart(register, params.dedup),
            run_id,
            self.expected(context),
            self.known,
            self.rights,
            params.policy.duplicates == "all-lawful",
        )
        wire(pipeline, plan)

    def check(
        self, context: Context, state: shards.State, totals: Mapping[str, Mapping[str, int]]
    ) -> None:
        """Stop where a source loses more to another than the parameters allow."""
        _stop_at_losses(state, totals, context.params.guard)

    def published(self, context: Context) -> None:
        """The same for what is taken up: the guard is no part of what the stage depends on."""
        folder = context.folder(self.name)
        totals = disk.read_json(folder / "stage.json")["totals"]
        _stop_at_losses(shards.State(str(folder)), totals, context.params.guard)


def _stop_at_losses(
    state: shards.State, totals: Mapping[str, Mapping[str, int]], params: GuardParams
) -> None:
    guard.stop_if_short(
        source_losses.counts(totals),
        params,
        stage=Dedup.name,
        explain=partial(source_losses.examples, state),
    )


@with_exit_code
def main(argv: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    return command(Dedup, __doc__ or "", argv)
