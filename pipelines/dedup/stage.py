"""The stage `dedup`: removes exact duplicates and near-duplicates.

    python -m pipelines.dedup --params params.yaml

Each document is compared with a kept document before it is removed. Signatures stay in files;
exact keys, band keys and document numbers travel between workers.
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
from pipelines.dedup.boilerplate_lines import RemoveBoilerplate
from pipelines.dedup.candidate_pairs import FindNearDuplicates, pass_after
from pipelines.dedup.passages_job import FindSharedPassages
from pipelines.dedup.plan import DedupPlan, Partitioned
from pipelines.dedup.refused_copies import REFUSED, FindRefusedCopies
from pipelines.dedup.survivors import ChooseSurvivors
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
    """A shard and its resolved documents -> its tables: decisions, duplicates, passages."""

    def __init__(self, plan: DedupPlan) -> None:
        super().__init__(plan.state)
        self.plan = plan

    def process(self, element, *sides):  # type: ignore[no-untyped-def]
        place, groups = element
        if place >= len(self.plan.shards):
            return  # documents of earlier releases get no decision
        work = batches.work_rows(shard=[self.plan.shards[place]])
        yield from super().process(work, place, groups)  # type: ignore[no-untyped-call]

    def work(self, shard: Shard, row: Mapping[str, Any], *sides: Any) -> None:
        place, groups = sides
        documents = self._resolved_documents(place, groups)
        apart = merge_apart(batches.union(groups["apart"], APART))
        outcomes = _decide(documents, apart, self.plan.params)
        passages = batches.union(groups.get("shared", ()), passages_job.PASSAGE_COLUMNS)
        if (spans := self.plan.params.spans) is not None:
            passages = passages_job.mark_removed(passages, spans)
            outcomes = passages_job.add_evidence(outcomes, passages, spans)
            removals = passages_job.removal_findings(passages)
            shard.write("passages", removals.to_arrow().cast(FINDINGS))
        decided = decisions.decisions(outcomes, Dedup.name, self.plan.run_id)
        members = self._cluster_members(documents)
        self._write(shard, decided, members)
        shard.finish(
            _aggregates(shard.name, decided, members),
            _counts(documents, decided, members)
            | ({"passages": passages_job.count_passages(passages)} if spans else {}),
        )

    def _resolved_documents(self, place: int, groups: Mapping[str, Any]) -> pl.DataFrame:
        """Join a shard's documents with their cluster and their refused copy, if any."""
        signed = self.plan.signed_shard(
            place, ["doc", "doc_id", "uri", "source_id", "contaminated", "contamination"]
        )
        decided = batches.union(groups["decided"], DECIDED)
        alone = batches.union(groups["refused"], REFUSED)
        return (
            signed.join(decided, on="doc", how="left", maintain_order="left")
            .join(alone, on="doc", how="left", suffix="_alone", maintain_order="left")
            .with_columns(
                pl.coalesce("refused_doc_id", "refused_doc_id_alone"),
                kept_release=earlier_release_names(pl.col("kept"), self.plan),
            )
        )

    def _cluster_members(self, documents: pl.DataFrame) -> pl.DataFrame:
        """Return the documents that are members of a cluster, with licences, sorted by doc_id."""
        licence = pl.col("source_id").replace_strict(
            self.plan.licences, default=None, return_dtype=pl.String
        )
        members = documents.filter(pl.col("kept_doc_id").is_not_null())
        return members.with_columns(licence=licence).sort("doc_id")

    def _write(self, shard: Shard, decided: pl.DataFrame, members: pl.DataFrame) -> None:
        """Write the shard's tables. Tables that earlier steps wrote are only described."""
        shard.files.append(_describe_file(self.plan.state, "signatures", shard.name))
        if self.plan.params.lines is not None:
            shard.files.append(_describe_file(self.plan.state, "removals", shard.name))
        shard.write("decisions", decided.to_arrow())
        shard.write("duplicates", members.select(DUPLICATES.names).to_arrow().cast(DUPLICATES))


def _removed_members(members: pl.DataFrame) -> pl.DataFrame:
    """Return the members of clusters that do not stay."""
    return members.filter(pl.col("doc") != pl.col("kept"))


def _aggregates(shard: str, decided: pl.DataFrame, members: pl.DataFrame) -> dict[str, Any]:
    """Compute the aggregates that the suite of expectations judges."""
    totals, removed = decisions.outcome_counts(decided), _removed_members(members)
    resolved = pl.col("reason").str.ends_with("-duplicate")
    explained = decided.filter(~resolved & (pl.col("outcome") == "drop")).height
    return {
        "shard": shard,
        "documents": decided.height,
        "keep": totals["keep"],
        "drop": totals["drop"],
        "duplicates": removed.height,
        "unresolved": totals["drop"] - explained - removed.height,
        "similarity_min": removed["similarity"].min(),
        "similarity_max": removed["similarity"].max(),
    }


def _counts(
    documents: pl.DataFrame, decided: pl.DataFrame, members: pl.DataFrame
) -> dict[str, dict[str, int]]:
    """Count decisions, and documents by source: kept, before the stage, lost to other sources."""
    kept = documents.join(decided.filter(pl.col("outcome") == "keep"), on="doc_id", how="semi")
    return decisions.decision_counts(decided) | {
        "source": decisions.value_counts(kept["source_id"]),
        "source before": decisions.value_counts(documents["source_id"]),
        "source lost": decisions.value_counts(source_losses.loss_names(_removed_members(members))),
    }


def earlier_release_names(docs: pl.Expr, plan: DedupPlan) -> pl.Expr:
    """Map document numbers to the name of their earlier release; null for documents of this run."""
    names = {n: e.release for n, e in enumerate(plan.earlier, len(plan.shards))}
    return (docs // (1 << duplicates.ROW_BITS)).replace_strict(
        names, default=None, return_dtype=pl.String
    )


def merge_apart(apart: pl.DataFrame) -> pl.DataFrame:
    """Merge the rows of `duplicates.summarize_apart` of several workers to one per document."""
    ordered = apart.sort("doc", "similarity", "other_doc_id", descending=[False, True, False])
    return ordered.group_by("doc", maintain_order=True).agg(
        pl.exclude("documents").first(), pl.col("documents").sum()
    )


def _decide(documents: pl.DataFrame, apart: pl.DataFrame, params: DedupParams) -> pl.DataFrame:
    """Decide the outcome of each document, with its reason and evidence.

    Args:
      documents: the shard's documents with their cluster.
      apart: `merge_apart`.
      params: the section `dedup`.
    """
    contaminated_by = pl.col("contaminated")
    removed = (pl.col("kept").is_not_null() & (pl.col("kept") != pl.col("doc"))).fill_null(False)
    barred = ~removed & pl.col("refused_doc_id").is_not_null()
    joined = documents.join(apart, on="doc", how="left", suffix="_apart", maintain_order="left")
    return joined.select(
        "doc_id",
        "uri",
        outcome=pl.when(removed | barred | contaminated_by.is_not_null())
        .then(pl.lit("drop"))
        .otherwise(pl.lit("keep")),
        reason=pl.when(removed)
        .then(pl.concat_str("kind", pl.lit("-duplicate")))
        .when(barred)
        .then(pl.lit("published-under-refusal"))
        .when(contaminated_by.is_not_null())
        .then(pl.concat_str(pl.lit("contaminated:"), contaminated_by)),
        rule=pl.lit(Dedup.name),
        rule_version=pl.lit(duplicates.RULE_VERSION),
        evidence=_evidence(barred, params.threshold),
    )


def _evidence(barred: pl.Expr, threshold: float) -> pl.Expr:
    """Return the evidence of a decision, as JSON.

    For documents that figures keep apart it holds no figures. It holds how many figures of each
    kind differ, and the word numbers of the first of them in the key view.
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


def _describe_file(state: shards.State, table: str, shard: str) -> dict[str, Any]:
    """Describe a table that is already on disk, as `Shard.write` does. Its rows are not counted."""
    path = state.path(table, shard)
    return {
        "file": f"{table}/{shard}.parquet",
        "rows": -1,
        "bytes": path.stat().st_size,
        "sha256": disk.sha256_file(path),
    }


def distinguishing_sources(register: Register, params: DedupParams) -> tuple[str, ...]:
    """Return the sources where different figures make different documents, by kind of source."""
    return tuple(
        sorted(
            s.id for s in register.sources.values() if params.figures.get(s.kind) == "distinguish"
        )
    )


def wire(pipeline: beam.Pipeline, plan: DedupPlan) -> None:
    """Wire the job: find near-duplicates, choose survivors, write decisions."""
    numbered = [(i, batches.work_rows(shard=[n])) for i, n in enumerate(plan.shards)]
    places = (
        pipeline
        | "Places" >> beam.Create(numbered, reshuffle=False).with_output_types(Partitioned)
        | "SpreadPlaces" >> Spread()
    )
    copies, edges, kept_apart = pipeline | "NearDuplicates" >> FindNearDuplicates(plan, places)
    refused = places | "RefusedCopies" >> FindRefusedCopies(plan, copies)
    if plan.params.lines is not None:
        dealt = stage_tables.deal_shards(pipeline, plan.shards)
        places = pass_after(places, dealt | "Boilerplate" >> RemoveBoilerplate(plan))
    decided = (copies, edges, refused) | "Survivors" >> ChooseSurvivors(plan)
    resolved = {"shard": places, "decided": decided, "refused": refused}
    shared = {}
    if plan.params.spans is not None:
        shared = {"shared": resolved | "SharedPassages" >> FindSharedPassages(plan)}
    _ = (
        resolved
        | shared
        | {"apart": kept_apart}
        | "Decided" >> beam.CoGroupByKey()
        | "Decide" >> beam.ParDo(Decide(plan)).with_output_types(pa.RecordBatch)
    )


class Dedup(DocumentStage):
    """Removes duplicates; of each cluster the document with the best right stays."""

    name = "dedup"

    def __init__(self, context: Context) -> None:
        self.earlier = release_index.load_index(context.params)
        use = Use.from_params(context.params, load_policies(context.params.policy.path))
        self.rights = release_index.ReleasedRights.of(context.register, use)
        contamination.check_sets(context.params.dedup.decontaminate, context.params.path)
        unknown = sorted({*context.params.dedup.sources} - context.register.sources.keys())
        if unknown:
            problem = f"not in the register: {', '.join(unknown)}"
            raise Invalid([Problem(str(context.params.path), None, "dedup.sources", problem)])

    def inputs(self, context: Context) -> dict[str, str]:
        sets = {
            f"evaluation set {s.name}": disk.sha256_file(Path(s.path))
            for s in context.params.dedup.decontaminate
        }
        earlier = {f"index {e.release}": e.digest for e in self.earlier}
        if self.earlier:
            earlier["lawful sources"] = self.rights.digest
        return super().inputs(context) | sets | earlier

    def build(
        self, pipeline: beam.Pipeline, context: Context, state: shards.State, run_id: str
    ) -> None:
        params, register = context.params, context.register
        plan = DedupPlan(
            state=state,
            corpus=Corpus(str(params.work)),
            shards=tuple(stage_tables.shard_names(context)),
            params=params.dedup,
            ranks=source_ranking.rank_sources(register, params.dedup.sources),
            licences={s.id: s.licence.spdx for s in register.sources.values()},
            distinguishing=distinguishing_sources(register, params.dedup),
            run_id=run_id,
            document_count=self.expected(context),
            earlier=self.earlier,
            rights=self.rights,
            all_lawful=params.policy.duplicates == "all-lawful",
        )
        wire(pipeline, plan)

    def check(
        self, context: Context, state: shards.State, totals: Mapping[str, Mapping[str, int]]
    ) -> None:
        """Stop if a source loses more documents to another than the parameters allow."""
        _stop_at_losses(state, totals, context.params.guard)

    def published(self, context: Context) -> None:
        """Check a stage that is reused too: the guard's parameters do not make the stage new."""
        folder = context.folder(self.name)
        totals = disk.read_json(folder / "stage.json")["totals"]
        _stop_at_losses(shards.State(str(folder)), totals, context.params.guard)


def _stop_at_losses(
    state: shards.State, totals: Mapping[str, Mapping[str, int]], params: GuardParams
) -> None:
    guard.stop_if_short(
        source_losses.loss_counts(totals),
        params,
        stage=Dedup.name,
        explain=partial(source_losses.loss_examples, state),
    )


@with_exit_code
def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    return command(Dedup, __doc__ or "", argv)
