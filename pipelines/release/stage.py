"""The stage `release`: writes the data by language, the lineage tables, the manifest and reports.

    python -m pipelines.release --params params.yaml

It publishes the release once the guard, the expectations and the second scan have passed.
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
from pipelines.personal_data.uri_redaction import redact_uri
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
    """A shard of ingest -> its lineage tables: records, parts, decisions, duplicates.

    The side input is only a barrier: the mixture must be decided before.
    """

    def __init__(self, selection: Selection) -> None:
        super().__init__(selection.state)
        self.selection, self.corpus = selection, selection.corpus

    def work(self, shard: Shard, row: Mapping[str, Any], *sides: Any) -> None:
        name = row["shard"]
        _, *others = DECIDING
        before = pl.concat(
            [
                self.corpus.ingest_table("decisions", name),
                *(self.corpus.table(stage, "decisions", name) for stage in others),
            ]
        )
        left_out = self.selection.decisions(name, before)
        decided = pl.concat([before, left_out])
        order = pl.col("stage").replace_strict({s: i for i, s in enumerate(STAGES)})
        shard.write(
            "lineage/records",
            self.corpus.ingest_table("records", name).to_arrow().cast(RECORDS),
            level=3,
        )
        parts = self.corpus.record_parts(name)
        if parts.height:
            shard.write("lineage/parts", parts.to_arrow().cast(PARTS), level=3)
        shard.write(
            "lineage/decisions",
            decided.sort(pl.col("doc_id"), order).to_arrow().cast(DECISIONS),
            level=3,
        )
        shard.write(
            "lineage/duplicates",
            self.corpus.table("dedup", "duplicates", name).to_arrow().cast(DUPLICATES),
            level=3,
        )
        shard.finish({}, decisions.decision_counts(left_out))


class ReleaseStage(DocumentStage):
    """Writes and publishes a release."""

    name = "release"

    def __init__(self, context: Context) -> None:
        self.corpus = Corpus(str(context.params.work))
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
        selection = Selection(state, self.corpus, release.mixture, run_id)
        if self.tokens:
            self.tokens.copy_tokenizer(state)
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
        """Fail on an empty mixture, or if the second scan finds personal data."""
        outcome, reasons = totals.get("outcome", {}), totals.get("reason", {})
        if outcome.get("drop") and not outcome.get("keep"):
            dropped = ", ".join(f"{n} {reason}" for reason, n in reasons.items())
            raise StageError(
                f"release: the mixture leaves nothing ({dropped}); use wider filters, or shares "
                "that add up to 1 if they cover everything"
            )
        second_scan.stop_if_missed(context, state)

    def finish(
        self,
        context: Context,
        state: shards.State,
        markers: Sequence[Mapping[str, Any]],
        run: Mapping[str, Any],
    ) -> list[str]:
        """Write sources, runs, manifest, README and reports, and seal the release.

        Returns:
          The paths of the added files.
        """
        files = {f["file"]: f for m in markers for f in m["files"]}
        register = sources_table(context.register)
        sources = state.write("lineage/sources", "part-00000", register, level=3)
        files[sources["file"]] = sources
        run_rows = pa.Table.from_pylist(_run_rows(self.corpus, run), RUNS)
        runs = state.write("lineage/runs", "part-00000", run_rows, level=3)
        counts = _manifest_counts(self.corpus, markers) | {
            "yields": shortfalls.run_yields(context).as_json()
        }
        root = Path(state.root)
        tokenizers = [self.tokens.copy_tokenizer(state)] if self.tokens else []
        files |= {tokenizer["file"]: tokenizer for tokenizer in tokenizers}
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
        files |= {name: shards.write_file(root, name, text) for name, text in reports.items()}
        complete = build(files=files, counts=counts)
        written = shards.write_file(root, release_files.MANIFEST, disk.json_bytes(complete))
        # `lineage/runs` differs from run to run, so the manifest does not list it.
        digests = {release_files.MANIFEST: written["sha256"], runs["file"]: runs["sha256"]}
        sealed = signing.seal_release(context, root, complete, digests)
        return [
            *(added["file"] for added in (sources, runs, *tokenizers)),
            release_files.MANIFEST,
            "README.md",
            *reports,
            *sealed,
        ]

    def published(self, context: Context) -> None:
        """Enter the release into the log, the store and the duplicates' index, each once."""
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
                    self.corpus.path("dedup", "signatures", n)
                    for n in stage_tables.shard_names(context)
                ],
            )


def check_target(params: Params, target: Path) -> None:
    """Check that a release may replace the folder `target`: it is missing, empty or a release.

    Raises:
      Invalid: if the folder is something else, or holds the run's register, work or parameters.
    """
    folder = target.resolve()
    claimed = {"register": params.register, "work": params.work, "parameters": params.path}
    wrong = [name for name, path in claimed.items() if path.resolve().is_relative_to(folder)]
    message = f"the release would replace {target}, which holds the run's {' and '.join(wrong)}"
    if not wrong:
        foreign = target.is_file() or (
            target.is_dir() and any(target.iterdir()) and not manifest.is_release(target)
        )
        message = f"the release would replace {target}, which is not a release" if foreign else ""
    if message:
        problem = f"{message}; choose another `path` or `name`"
        raise Invalid([Problem(str(params.path), None, "release", problem)])


def _run_rows(corpus: Corpus, release: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the rows of `runs`. Names of raw files that hold personal data are redacted."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    rows = [disk.read_json(Path(corpus.work) / stage / "run.json") for stage in DECIDING]
    rows.append({**release, "ended": now, "outputs": None})
    return [
        {name: row.get(name) for name in RUNS.names}
        | {
            "models": decisions.evidence(row["models"]),
            # A list, because redacted names may be equal.
            "inputs": json.dumps([[redact_uri(k), v] for k, v in sorted(row["inputs"].items())]),
        }
        for row in rows
    ]


def _manifest_counts(corpus: Corpus, markers: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the manifest's counts of records, documents, characters, redactions and tokens."""
    totals = add_counts([m["figures"]["counts"] for m in markers])
    work = Path(corpus.work)
    records = disk.read_json(work / "ingest" / "stage.json")["totals"]["outcome"]
    record_parts = parts_added(disk.read_json(work / "language" / "stage.json")["totals"])
    return {
        "records": sum(records.values()),
        **({"parts": record_parts} if record_parts else {}),
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
    """Run the command line; return the exit code."""
    return command(ReleaseStage, __doc__ or "", argv)
