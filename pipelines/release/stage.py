"""The stage `release`: shards by language, the lineage tables, the manifest.

    python -m pipelines.release --params params.yaml

Parts of a language follow the order of ingest's shards, so that a text moves once, from file to
file; what was found about it is applied on the way.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import apache_beam as beam
import polars as pl
import pyarrow as pa

from lineage import manifest
from lineage.reports.facts import Facts
from lineage.reports.files import contents
from lineage.storage import disk, release_files
from pipelines.corpus import stage_tables
from pipelines.corpus.stage_tables import Corpus, DocumentStage
from pipelines.dedup import release_index
from pipelines.engine import decisions, shards
from pipelines.engine.command_line import command
from pipelines.engine.context import Context
from pipelines.engine.decisions import add_counts, parts_added
from pipelines.engine.published import StageError, load
from pipelines.engine.runners import Spread
from pipelines.engine.stage import Shard, ShardDoFn
from pipelines.ingest.signals.registry import PROTOCOLS
from pipelines.personal_data.uris import redact_uri
from pipelines.release import second_scan, shortfalls, signing, token_shards
from pipelines.release.parts import DealParts, SplitByLanguage, WritePart
from pipelines.release.selection import Selection
from pipelines.search import index
from schemas.command_entry import with_exit_code
from schemas.errors import Invalid, Problem
from schemas.params import Params
from schemas.snapshot import sources_table
from schemas.stages import DECIDING, STAGES
from schemas.tables import DECISIONS, DUPLICATES, PARTS, RECORDS, RUNS


class WriteLineage(ShardDoFn):
    """A shard of ingest -> its records, and what all stages decided about them.

    What comes in beside it is not looked at: it says that the mixture is decided.
    """

    def __init__(self, selection: Selection) -> None:
        super().__init__(selection.state)
        self.selection, self.source = selection, selection.source

    def work(self, shard: Shard, row: Mapping[str, Any], *sides: Any) -> None:
        name = row["shard"]
        _, *others = DECIDING
        before = pl.concat(
            [
                self.source.ingest_table("decisions", name),
                *(self.source.table(stage, "decisions", name) for stage in others),
            ]
        )
        left_out = self.selection.decisions(name, before)
        decided = pl.concat([before, left_out])
        order = pl.col("stage").replace_strict({s: i for i, s in enumerate(STAGES)})
        shard.write(
            "lineage/records",
            self.source.ingest_table("records", name).to_arrow().cast(RECORDS),
            level=3,
        )
        parts = self.source.record_parts(name)
        if parts.height:
            shard.write("lineage/parts", parts.to_arrow().cast(PARTS), level=3)
        shard.write(
            "lineage/decisions",
            decided.sort(pl.col("doc_id"), order).to_arrow().cast(DECISIONS),
            level=3,
        )
        shard.write(
            "lineage/duplicates",
            self.source.table("dedup", "duplicates", name).to_arrow().cast(DUPLICATES),
            level=3,
        )
        shard.finish({}, decisions.decision_counts(left_out))


class ReleaseStage(DocumentStage):
    """Deal out, write, account."""

    name = "release"

    def __init__(self, context: Context) -> None:
        self.source = Corpus(str(context.params.work))
        check_target(context.params, self.target(context))
        shortfalls.last_release(context.params, self.target(context))
        self.tokens = token_shards.plan_tokens(context.params)
        self.models = {"tokenizer": self.tokens.about["sha256"]} if self.tokens else {}
        if not context.dry_run:
            signing.signing_key(context.params)

    def target(self, context: Context) -> Path:
        params = context.params
        return params.release_folder

    def build(
        self, pipeline: beam.Pipeline, context: Context, state: shards.State, run_id: str
    ) -> None:
        licences = {s.id: s.licence.spdx for s in context.register.sources.values()}
        release = context.params.release
        selection = Selection(state, self.source, release.mixture, run_id)
        if self.tokens:
            self.tokens.keep(state)
        dealt = stage_tables.deal_shards(pipeline, stage_tables.shard_names(context))
        decided = (
            dealt
            | "Split"
            >> beam.ParDo(SplitByLanguage(selection, licences)).with_output_types(
                tuple[int, pa.RecordBatch]
            )
            | "All" >> beam.GroupByKey()
            | "DealParts"
            >> beam.ParDo(DealParts(selection, release.shard_bytes)).with_output_types(
                pa.RecordBatch
            )
        )
        (
            decided
            | "SpreadParts" >> Spread()
            | "WritePart"
            >> beam.ParDo(WritePart(selection, self.tokens)).with_output_types(pa.RecordBatch)
        )
        dealt | "WriteLineage" >> beam.ParDo(
            WriteLineage(selection), beam.pvalue.AsList(decided)
        ).with_output_types(pa.RecordBatch)

    def admit(self, context: Context) -> None:
        shortfalls.stop_if_short(context, self.target(context))

    def check(
        self, context: Context, state: shards.State, totals: Mapping[str, Mapping[str, int]]
    ) -> None:
        """A mixture that leaves nothing is a slip of the pen; what was missed must not go out."""
        outcome, reasons = totals.get("outcome", {}), totals.get("reason", {})
        if outcome.get("drop") and not outcome.get("keep"):
            told = ", ".join(f"{n} {reason}" for reason, n in reasons.items())
            raise StageError(
                f"release: the mixture leaves nothing ({told}); wider filters help, or shares that "
                "add up to 1 where they cover everything"
            )
        second_scan.stop_if_missed(context, state)

    def finish(
        self,
        context: Context,
        state: shards.State,
        markers: Sequence[Mapping[str, Any]],
        run: Mapping[str, Any],
    ) -> list[str]:
        """Sources, runs, manifest, README, reports: the paths of what was added."""
        files = {f["file"]: f for m in markers for f in m["files"]}
        register = sources_table(context.register)
        added = state.write("lineage/sources", "part-00000", register, level=3)
        files[added["file"]] = added
        runs = pa.Table.from_pylist(_run_rows(self.source, run), RUNS)
        ran = state.write("lineage/runs", "part-00000", runs, level=3)
        counts = _manifest_counts(self.source, markers) | {
            "yields": shortfalls.run_yields(context).as_json()
        }
        root = Path(state.root)
        kept = [self.tokens.keep(state)] if self.tokens else []
        files |= {one["file"]: one for one in kept}
        build = partial(
            manifest.build_manifest,
            context.params,
            context.register,
            protocols={p.NAME: p.VERSION for p in PROTOCOLS},
            tokenizer=self.tokens.about if self.tokens else None,
        )
        entries = {s.id: json.loads(s.entry_json) for s in context.register.sources.values()}
        readme = manifest.readme(build(files={}, counts=counts), entries)
        files["README.md"] = shards.write_file(root, "README.md", readme.encode())
        reports = contents(Facts(root, build(files=files, counts=counts)))
        files |= {name: shards.write_file(root, name, made) for name, made in reports.items()}
        whole = build(files=files, counts=counts)
        about = shards.write_file(root, release_files.MANIFEST, disk.json_bytes(whole))
        sealed = signing.seal_release(
            context,
            root,
            whole,
            {release_files.MANIFEST: about["sha256"], ran["file"]: ran["sha256"]},
        )
        return [
            *(one["file"] for one in (added, ran, *kept)),
            release_files.MANIFEST,
            "README.md",
            *reports,
            *sealed,
        ]

    def published(self, context: Context) -> None:
        """Enter the release into the log, the store and the index of duplicates, once."""
        target = self.target(context)
        signing.enter_log(context, target)
        index.enter_into_store(target.parent)
        if context.params.dedup.index is not None:
            released = pl.read_parquet(target / "lineage/documents/*.parquet", columns=["doc_id"])
            release_index.index_release(
                context.params,
                load(context.folder(self.name), self.name).run_id,
                released["doc_id"],
                [
                    self.source.path("dedup", "signatures", n)
                    for n in stage_tables.shard_names(context)
                ],
            )


def check_target(params: Params, target: Path) -> None:
    """A release replaces the folder in its place: only an older release may stand there.

    Raises:
      Invalid: where the folder is something else, or holds what the run reads or works with.
    """
    folder = target.resolve()
    claimed = {"register": params.register, "work": params.work, "parameters": params.path}
    wrong = [name for name, path in claimed.items() if path.resolve().is_relative_to(folder)]
    message = f"the release would replace {target}, which holds the run's {' and '.join(wrong)}"
    if not wrong:
        strange = target.is_file() or (
            target.is_dir() and any(target.iterdir()) and not manifest.is_release(target)
        )
        message = f"the release would replace {target}, which is no release" if strange else ""
    if message:
        problem = f"{message}; choose another `path` or `name`"
        raise Invalid([Problem(str(params.path), None, "release", problem)])


def _run_rows(source: Corpus, release: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The rows of `runs`; names of raw files in which personal data is found are redacted."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    rows = [disk.read_json(Path(source.work) / stage / "run.json") for stage in DECIDING]
    rows.append({**release, "ended": now, "outputs": None})
    return [
        {name: row.get(name) for name in RUNS.names}
        | {
            "models": decisions.evidence(row["models"]),
            # a list: names that were redacted may be alike
            "inputs": json.dumps([[redact_uri(k), v] for k, v in sorted(row["inputs"].items())]),
        }
        for row in rows
    ]


def _manifest_counts(source: Corpus, markers: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    totals = add_counts([m["figures"]["counts"] for m in markers])
    work = Path(source.work)
    seen = disk.read_json(work / "ingest" / "stage.json")["totals"]["outcome"]
    spoken = disk.read_json(work / "language" / "stage.json")["totals"]
    return {
        "records": sum(seen.values()),
        **({"parts": parts_added(spoken)} if parts_added(spoken) else {}),
        "documents": totals.get("outcome", {}).get("keep", 0),
        "chars": sum(totals.get("chars", {}).values()),
        "by_language": totals.get("lang", {}),
        "by_source": totals.get("source", {}),
        "redactions": totals.get("entity", {}),
        **({"repeated": totals["repeated"]} if "repeated" in totals else {}),
        **token_shards.manifest_counts(totals),
    }


@with_exit_code
def main(argv: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    return command(ReleaseStage, __doc__ or "", argv)
