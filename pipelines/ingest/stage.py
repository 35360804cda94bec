"""The stage `ingest`: read raw containers, judge each record at the gate, extract documents.

    python -m pipelines.ingest --params params.yaml

First all containers are scanned. So a host's robots.txt applies to pages in other files, and
records with the same id get different ones. Then the records are judged and read, unit by unit.
Each record gets one decision in the ledger.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import polars as pl
import pyarrow as pa

from lineage.register_files import load_policies
from lineage.storage import redacted_names
from pipelines.engine import batches, decisions, shards
from pipelines.engine.command_line import command
from pipelines.engine.context import Context
from pipelines.engine.runners import Spread
from pipelines.engine.stage import Shard, ShardDoFn, Stage
from pipelines.ingest import crawl_signals, inventory, judge_records, scan
from pipelines.ingest.gate import Gate
from pipelines.ingest.signals.hosts import HostSignals
from schemas.command_entry import with_exit_code
from schemas.params import Params
from schemas.policy import Packs
from schemas.register import Register
from schemas.snapshot import sources_table
from schemas.tables import DOCUMENTS, RECORDS

#: The assumed size of a stored record, from which the number of records is estimated.
RECORD_BYTES = 4096


@dataclass(frozen=True)
class IngestPlan:
    """What all steps of the job share. It is pickled and sent to workers.

    Attributes:
      state: the state of unfinished shards.
      params, register, packs: parameters, register and policy packs of the run.
      tasks: the tasks by their keys.
      run_id: the id of the run.
      secret: the key of the HMACs of redacted names.
      partitions: the number of partitions of ids.
    """

    state: shards.State
    params: Params
    register: Register
    packs: Packs
    tasks: Mapping[str, scan.Task]
    run_id: str
    secret: bytes
    partitions: int

    def index(self, key: str) -> pl.LazyFrame:
        """Return the index of a task."""
        return pl.scan_parquet(self.state.path("index", key))

    def bodies(self, key: str) -> Path:
        """Return the path for the bodies of a task's signal captures."""
        return Path(self.state.root) / "bodies" / key


class ScanContainers(beam.DoFn):
    """Writes the index of a task to disk; yields its units, its signal captures and its ids."""

    def __init__(self, plan: IngestPlan) -> None:
        self.plan = plan

    def process(self, element: pa.RecordBatch) -> Iterator[Any]:
        plan, options = self.plan, self.plan.params.ingest
        for key in element.column("task").to_pylist():
            task = plan.tasks[key]
            path = plan.state.path("index", key)
            if not path.exists():
                rows = scan.index_batches(task, options.max_record_bytes)
                shards.write_batches(path, scan.INDEX, rows)
            index = plan.index(key)
            places = index.select("container", "locator", "length").collect()
            cuts = scan.unit_ranges(places.to_arrow(), options.unit_bytes)
            if cuts:
                units = batches.work_rows(
                    shard=[f"{key}-{number:05d}" for number in range(len(cuts))],
                    task=[key] * len(cuts),
                    start=[start for start, _ in cuts],
                    stop=[stop for _, stop in cuts],
                )
                # A stream that must be unpacked from its start is read by one worker, once.
                yield from batches.split_rows(
                    units, len(cuts) if scan.is_sequential(task, places) else 1
                )
            for batch in batches.record_batches(
                crawl_signals.collect_captures(path, plan.bodies(key))
            ):
                yield beam.pvalue.TaggedOutput("signals", batch)
            ids = index.select("base_id", "container", "offset").collect()
            for part in _ids_by_partition(ids, task, plan.partitions):
                yield beam.pvalue.TaggedOutput("ids", part)


class FindCoincidingIds(beam.DoFn):
    """Yields the ids of a partition that several records share, with a level of `scan.doc_id`."""

    def process(self, element: tuple[int, Iterable[pa.RecordBatch]]) -> Iterator[pa.RecordBatch]:
        ids = batches.frame(element[1])
        shared = ids.filter(pl.col("base_id").is_duplicated())
        if shared.height:
            copied = pl.struct("base_id", "sha256", "offset").is_duplicated()
            levels = (
                shared.group_by("base_id")
                .agg(level=pl.when(copied.any()).then(2).otherwise(1).first())
                .sort("base_id")
            )
            yield from batches.record_batches(levels)


class FollowRedirects(beam.DoFn):
    """Yields the other records of the crawl that redirects of signal captures lead to."""

    def __init__(self, plan: IngestPlan) -> None:
        self.plan = plan

    def process(
        self, element: pa.RecordBatch, signals: Iterable[pa.RecordBatch]
    ) -> Iterator[pa.RecordBatch]:
        plan = self.plan
        targets = crawl_signals.redirect_targets(
            crawl_signals.to_captures(signals),
            plan.tasks.values(),
            plan.index,
            plan.params.ingest.max_record_bytes,
            plan.bodies("redirected"),
        )
        yield from batches.record_batches(targets)


class JudgeUnits(ShardDoFn):
    """Writes the records, decisions and documents of a unit."""

    def __init__(self, plan: IngestPlan) -> None:
        super().__init__(plan.state)
        self.plan = plan
        self._judge: judge_records.RecordJudge | None = None

    def judge(
        self,
        signals: Iterable[pa.RecordBatch],
        redirected: Iterable[pa.RecordBatch],
        coinciding: Iterable[pa.RecordBatch],
    ) -> judge_records.RecordJudge:
        """Return the judge of this worker; it is built from the side inputs once."""
        if self._judge is None:
            params = self.plan.params
            captures = crawl_signals.to_captures([*signals, *redirected])
            levels = {
                row["base_id"]: row["level"] for batch in coinciding for row in batch.to_pylist()
            }
            self._judge = judge_records.RecordJudge(
                gate=Gate(params, self.plan.register, self.plan.packs),
                register=self.plan.register,
                signals=HostSignals(captures, params.robots_agents, params.signals),
                coinciding=levels,
                max_record_bytes=params.ingest.max_record_bytes,
                extractor=params.ingest.extractor,
            )
        return self._judge

    def teardown(self) -> None:
        if self._judge is not None:
            self._judge.cursor.close()

    def work(self, shard: Shard, row: Mapping[str, Any], *sides: Any) -> None:
        """Write the tables of a unit and its counts; `row` names its task and range of rows."""
        judge = self.judge(*sides)
        rows = self.plan.index(row["task"]).slice(row["start"], row["stop"] - row["start"])
        index = rows.drop("signal_body").collect()
        intake = judge.judge_unit(self.plan.tasks[row["task"]], index)
        records, decided, documents = judge_records.to_tables(
            intake, self.plan.run_id, self.plan.secret
        )
        shard.write("records", records.to_arrow().cast(RECORDS))
        shard.write("decisions", decided.to_arrow())
        shard.write("documents", documents.to_arrow().cast(DOCUMENTS))
        known = sum(
            decisions.is_known_reason(o, r)
            for o, r in decided.select("outcome", "reason").iter_rows()
        )
        shard.finish(
            {
                "shard": shard.name,
                "records": index.height,
                **decisions.outcome_counts(decided),
                "documents": documents.height,
                "null_doc_ids": records["doc_id"].null_count(),
                "repeated_doc_ids": records.height - records["doc_id"].n_unique(),
                "null_texts": documents["text"].null_count(),
                "null_sources": documents["source_id"].null_count(),
                "unknown_reasons": decided.height - known,
            },
            decisions.decision_counts(decided)
            | {
                "source": decisions.value_counts(records["source_id"]),
                "source_outcome": _count_by_source(records, decided),
                "charset": dict(intake.charsets),
            },
        )


def _count_by_source(records: pl.DataFrame, decided: pl.DataFrame) -> dict[str, int]:
    """Count the outcomes of each source: `<source> <outcome>`, `-` for ungoverned records."""
    pairs = records.join(decided, on="doc_id").select(
        pl.concat_str(pl.col("source_id").fill_null("-"), pl.lit(" "), "outcome")
    )
    return decisions.value_counts(pairs.to_series())


def _ids_by_partition(
    index: pl.DataFrame, task: scan.Task, partitions: int
) -> Iterator[tuple[int, pa.RecordBatch]]:
    """Yield the ids of a task with offset and container digest, by partition."""
    digests = [c.sha256 or c.uri for c in task.containers]
    ids = index.select(
        "base_id",
        "offset",
        sha256=pl.col("container").replace_strict(dict(enumerate(digests)), return_dtype=pl.String),
    )
    keys = np.array([int(i[:15], 16) for i in ids["base_id"]], np.uint64)
    for batch in batches.record_batches(ids):
        yield from batches.partition(batch, keys, partitions)


class Ingest(Stage):
    """The stage: wires scan, ids, redirects and judgement."""

    name = "ingest"

    def __init__(self, context: Context) -> None:
        self.containers = context.containers
        self.packs = load_policies(context.params.policy.path)

    def inputs(self, context: Context) -> dict[str, str]:
        return {
            **inventory.digests(self.containers),
            "register": context.register.sha256,
            "policy": self.packs.sha256,
        }

    def expected(self, context: Context) -> int:
        home = context.params.work / ".state" / self.name
        return sum(
            pl.scan_parquet(path).select(pl.len()).collect().item()
            for path in home.glob("*/index/*.parquet")
        )

    def _plan(self, context: Context, state: shards.State, run_id: str) -> IngestPlan:
        tasks = scan.plan_tasks(self.containers, context.params.ingest.unit_bytes)
        return IngestPlan(
            state=state,
            params=context.params,
            register=context.register,
            packs=self.packs,
            tasks={task.key: task for task in tasks},
            run_id=run_id,
            secret=redacted_names.lookup_key(context.params.work / "keys"),
            partitions=batches.partition_count(
                sum(c.size for c in self.containers) // RECORD_BYTES
            ),
        )

    def build(
        self, pipeline: beam.Pipeline, context: Context, state: shards.State, run_id: str
    ) -> None:
        plan = self._plan(context, state, run_id)
        keys = list(plan.tasks)
        todo = list(batches.split_rows(batches.work_rows(task=keys))) if keys else []
        scanned = (
            pipeline
            | "Tasks" >> beam.Create(todo, reshuffle=False).with_output_types(pa.RecordBatch)
            | "Spread" >> Spread()
            | "Scan"
            >> beam.ParDo(ScanContainers(plan)).with_outputs("signals", "ids", main="units")
        )
        coinciding = (
            scanned.ids
            | "Keyed" >> beam.Map(lambda kv: kv).with_output_types(tuple[int, pa.RecordBatch])
            | "ById" >> beam.GroupByKey()
            | "Coincide" >> beam.ParDo(FindCoincidingIds()).with_output_types(pa.RecordBatch)
        )
        signals = scanned.signals | "Signals" >> beam.Map(lambda b: b).with_output_types(
            pa.RecordBatch
        )
        redirected = (
            pipeline
            | "Once" >> beam.Create([batches.work_rows(step=["redirected"])], reshuffle=False)
            | "Redirected"
            >> beam.ParDo(FollowRedirects(plan), beam.pvalue.AsList(signals)).with_output_types(
                pa.RecordBatch
            )
        )
        (
            scanned.units
            | "Units" >> beam.Map(lambda b: b).with_output_types(pa.RecordBatch)
            | "Deal" >> Spread()
            | "Read"
            >> beam.ParDo(
                JudgeUnits(plan),
                beam.pvalue.AsList(signals),
                beam.pvalue.AsList(redirected),
                beam.pvalue.AsList(coinciding),
            ).with_output_types(pa.RecordBatch)
        )

    def finish(
        self,
        context: Context,
        state: shards.State,
        markers: Sequence[Mapping[str, Any]],
        run: Mapping[str, Any],
    ) -> list[str]:
        """Write a snapshot of the register, which `tamga sources check` compares with."""
        return [state.write("sources", "part-00000", sources_table(context.register))["file"]]


@with_exit_code
def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    return command(Ingest, __doc__ or "", argv, inventory.containers)
