"""The stage `privacy`: where personal data stands in each document, and what replaces it.

    python -m pipelines.privacy --params params.yaml

Findings are positions and classes beside the documents; the release puts the placeholders in.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import apache_beam as beam
import polars as pl
import pyarrow as pa

from pipelines.corpus import stage_tables
from pipelines.corpus.stage_tables import Corpus, DocumentStage
from pipelines.dedup.boilerplate_lines import merged
from pipelines.engine import decisions, shards
from pipelines.engine.command_line import command
from pipelines.engine.context import Context
from pipelines.engine.stage import Shard, ShardDoFn
from pipelines.personal_data import pseudonym_key
from pipelines.personal_data.names import RUSSIAN
from pipelines.personal_data.scrub import apply_findings, scrubber
from pipelines.privacy import whole_records
from pipelines.privacy.decisions import decide
from schemas.command_entry import with_exit_code
from schemas.privacy import PrivacyParams
from schemas.register import Register
from schemas.tables import FINDINGS, REPEATED


class ScrubShard(ShardDoFn):
    """Finds the personal data of a shard, batch by batch."""

    def __init__(
        self,
        state: shards.State,
        source: Corpus,
        register: Register,
        policy: PrivacyParams,
        run_id: str,
    ) -> None:
        super().__init__(state)
        self.source, self.policy, self.run_id = source, policy, run_id
        self.jurisdictions = {i: s.jurisdiction for i, s in register.sources.items()}
        self.policies = {i: s.personal_data for i, s in register.sources.items()}
        self.withdrawn = frozenset(
            w.value.lower() for w in register.withdrawals if w.scope == "text"
        )

    def setup(self) -> None:
        self.scrubber = scrubber(self.policy)

    def work(self, shard: Shard, row: Mapping[str, Any], *sides: Any) -> None:
        languages = self.source.table("language", "language", shard.name, ["doc_id", "lang"])
        found = [
            self.scrubber.find(
                pl.DataFrame(
                    schema=dict.fromkeys(("doc_id", "text", "lang", "jurisdiction"), pl.String)
                )
            )
        ]
        documents = [
            pl.DataFrame(
                schema=dict.fromkeys(("doc_id", "uri", "policy", "source_id"), pl.String)
                | {"chars": pl.UInt32}
            )
        ]
        removals = self.source.removals(shard.name)
        said = whole_records.find_in_records(
            self.source, shard.name, self.scrubber, self.jurisdictions
        )
        bad, barred = 0, set[str]()
        for batch in self.source.handed_to(
            "privacy", shard.name, ["doc_id", "uri", "source_id", "text"]
        ):
            batch = batch.join(
                languages, on="doc_id", how="left", maintain_order="left"
            ).with_columns(
                jurisdiction=pl.col("source_id").replace_strict(
                    self.jurisdictions, default=None, return_dtype=pl.String
                ),
                policy=pl.col("source_id").replace_strict(
                    self.policies, default="scrub", return_dtype=pl.String
                ),
                chars=pl.col("text").str.len_chars(),
            )
            findings = self.scrubber.find(batch, said)
            findings = merged(findings, removals.join(batch, on="doc_id", how="semi"), batch)
            bad += _bad_spans(batch, findings)
            barred |= _withdrawn(batch, findings, self.withdrawn)
            found.append(findings)
            documents.append(batch.select(documents[0].columns))
        findings, seen = pl.concat(found), pl.concat(documents)
        shard.write("findings", findings.to_arrow().cast(FINDINGS))
        findings = findings.filter(~pl.col("entity_type").is_in(REPEATED))  # no personal data
        decided = decisions.decisions(
            decide(seen, findings, barred, self.policy.drop_density), "privacy", self.run_id
        )
        shard.write("decisions", decided.to_arrow())
        totals = decisions.outcomes(decided)
        shard.finish(
            {
                "shard": shard.name,
                "documents": seen.height,
                "keep": totals["keep"],
                "drop": totals["drop"] + totals["refuse"],
                "findings": findings.height,
                "bad_spans": bad,
            },
            decisions.counts(decided) | {"entity": decisions.count(findings["entity_type"])},
        )


def _withdrawn(
    documents: pl.DataFrame, findings: pl.DataFrame, digests: frozenset[str]
) -> set[str]:
    """The documents whose text with its findings replaced has one of the digests: what a person
    reads in a release is what that person withdraws."""
    if not digests:
        return set()
    released = apply_findings(documents.select("doc_id", "text"), findings)[0]
    return {
        doc_id
        for doc_id, text in released.iter_rows()
        if hashlib.sha256(text.encode()).hexdigest() in digests
    }


def _bad_spans(documents: pl.DataFrame, findings: pl.DataFrame) -> int:
    """How many spans lie outside their text or overlap the one before."""
    sized = findings.join(
        documents.select("doc_id", chars=pl.col("text").str.len_chars().cast(pl.Int64)),
        on="doc_id",
        maintain_order="left",
    )
    outside = (
        (pl.col("start") < 0)
        | (pl.col("end") <= pl.col("start"))
        | (pl.col("end") > pl.col("chars"))
    )
    overlaps = (pl.col("start") < pl.col("end").shift(1).over("doc_id")).fill_null(False)
    return sized.filter(outside | overlaps).height


class Privacy(DocumentStage):
    """Find, then keep or drop by the source's policy."""

    name = "privacy"

    def __init__(self, context: Context) -> None:
        from importlib.metadata import version

        self.models = {
            "python-stdnum": version("python-stdnum"),
            "phonenumbers": version("phonenumbers"),
        }
        if RUSSIAN in context.params.privacy.names:
            self.models["natasha"] = version("natasha")
        if key := pseudonym_key.read(context.params.privacy.key):
            self.models["key"] = pseudonym_key.fingerprint(key)

    def build(
        self, pipeline: beam.Pipeline, context: Context, state: shards.State, run_id: str
    ) -> None:
        work = ScrubShard(
            state,
            Corpus(str(context.params.work)),
            context.register,
            context.params.privacy,
            run_id,
        )
        stage_tables.deal(pipeline, stage_tables.shards(context)) | "Scrub" >> beam.ParDo(
            work
        ).with_output_types(pa.RecordBatch)


@with_exit_code
def main(argv: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    args = list(sys.argv[1:] if argv is None else argv)
    if args[:1] == ["preview"]:
        from pipelines.privacy import preview_command

        return preview_command.main(args[1:])
    return command(Privacy, __doc__ or "", args)
