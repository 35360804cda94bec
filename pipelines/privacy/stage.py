"""The stage `privacy`: find the personal data of each document, and choose its replacements.

    python -m pipelines.privacy --params params.yaml

The stage writes findings beside the documents: positions, classes and replacements.  The stage
`release` puts the replacements into the texts.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final

import apache_beam as beam
import polars as pl
import pyarrow as pa

from pipelines.corpus import stage_tables
from pipelines.corpus.stage_tables import Corpus, DocumentStage
from pipelines.dedup.boilerplate_lines import merge_removals
from pipelines.engine import decisions, shards
from pipelines.engine.command_line import command
from pipelines.engine.context import Context
from pipelines.engine.stage import Shard, ShardDoFn
from pipelines.personal_data import pseudonym_key
from pipelines.personal_data.names import RUSSIAN
from pipelines.personal_data.scrub import apply_findings, scrubber
from pipelines.privacy import whole_records
from pipelines.privacy.outcomes import decide
from schemas.command_entry import with_exit_code
from schemas.privacy import PrivacyParams
from schemas.register import Register
from schemas.tables import FINDINGS, REPEATED

#: What a shard without documents has.
_NO_DOCUMENTS: Final = pl.DataFrame(
    schema=dict.fromkeys(("doc_id", "text", "lang", "jurisdiction"), pl.String)
)
_NO_DECIDED_DOCUMENTS: Final = pl.DataFrame(
    schema=dict.fromkeys(("doc_id", "uri", "policy", "source_id"), pl.String) | {"chars": pl.UInt32}
)


class ScrubShard(ShardDoFn):
    """Finds the personal data of a shard, batch by batch, and decides about its documents."""

    def __init__(
        self,
        state: shards.State,
        *,
        corpus: Corpus,
        register: Register,
        policy: PrivacyParams,
        run_id: str,
    ) -> None:
        super().__init__(state)
        self.corpus, self.policy, self.run_id = corpus, policy, run_id
        self.jurisdictions = {i: s.jurisdiction for i, s in register.sources.items()}
        self.source_policies = {i: s.personal_data for i, s in register.sources.items()}
        self.withdrawn_digests = frozenset(
            w.value.lower() for w in register.withdrawals if w.scope == "text"
        )

    def setup(self) -> None:
        self.scrubber = scrubber(self.policy)

    def work(self, shard: Shard, row: Mapping[str, Any], *sides: Any) -> None:
        languages = self.corpus.table("language", "language", shard.name, ["doc_id", "lang"])
        removals = self.corpus.removals(shard.name)
        record_spans = whole_records.find_in_records(
            self.corpus, shard.name, self.scrubber, self.jurisdictions
        )
        columns = ["doc_id", "uri", "source_id", "text"]
        all_findings = [self.scrubber.find(_NO_DOCUMENTS)]
        all_documents = [_NO_DECIDED_DOCUMENTS]
        bad_spans, withdrawn_ids = 0, set[str]()
        for batch in self.corpus.documents_for("privacy", shard.name, columns):
            documents = self._describe(batch, languages)
            findings = merge_removals(
                self.scrubber.find(documents, record_spans),
                removals.join(documents, on="doc_id", how="semi"),
                documents,
            )
            bad_spans += _count_bad_spans(documents, findings)
            withdrawn_ids |= _find_withdrawn(documents, findings, self.withdrawn_digests)
            all_findings.append(findings)
            all_documents.append(documents.select(_NO_DECIDED_DOCUMENTS.columns))
        findings, documents = pl.concat(all_findings), pl.concat(all_documents)
        shard.write("findings", findings.to_arrow().cast(FINDINGS))
        personal = findings.filter(~pl.col("entity_type").is_in(REPEATED))
        decided = decisions.decisions(
            decide(documents, personal, withdrawn_ids, self.policy.drop_density),
            "privacy",
            self.run_id,
        )
        shard.write("decisions", decided.to_arrow())
        totals = decisions.outcome_counts(decided)
        shard.finish(
            {
                "shard": shard.name,
                "documents": documents.height,
                "keep": totals["keep"],
                "drop": totals["drop"] + totals["refuse"],
                "findings": personal.height,
                "bad_spans": bad_spans,
            },
            decisions.decision_counts(decided)
            | {"entity": decisions.value_counts(personal["entity_type"])},
        )

    def _describe(self, batch: pl.DataFrame, languages: pl.DataFrame) -> pl.DataFrame:
        """Add lang, jurisdiction, policy (both of the source) and chars to a batch of documents."""
        source, texts = pl.col("source_id"), pl.String
        return batch.join(languages, on="doc_id", how="left", maintain_order="left").with_columns(
            jurisdiction=source.replace_strict(
                self.jurisdictions, default=None, return_dtype=texts
            ),
            policy=source.replace_strict(self.source_policies, default="scrub", return_dtype=texts),
            chars=pl.col("text").str.len_chars(),
        )


def _find_withdrawn(
    documents: pl.DataFrame, findings: pl.DataFrame, digests: frozenset[str]
) -> set[str]:
    """Return the ids of documents whose scrubbed text has one of the digests.

    A withdrawal names the digest of the text that a person reads in a release.
    """
    if not digests:
        return set()
    released = apply_findings(documents.select("doc_id", "text"), findings)[0]
    return {
        doc_id
        for doc_id, text in released.iter_rows()
        if hashlib.sha256(text.encode()).hexdigest() in digests
    }


def _count_bad_spans(documents: pl.DataFrame, findings: pl.DataFrame) -> int:
    """Count the spans that lie outside their text or overlap the span before."""
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
    """Finds personal data, then keeps or drops documents by the policy of their source."""

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
            corpus=Corpus(str(context.params.work)),
            register=context.register,
            policy=context.params.privacy,
            run_id=run_id,
        )
        stage_tables.deal_shards(
            pipeline, stage_tables.shard_names(context)
        ) | "Scrub" >> beam.ParDo(work).with_output_types(pa.RecordBatch)


@with_exit_code
def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    args = list(sys.argv[1:] if argv is None else argv)
    if args[:1] == ["preview"]:
        from pipelines.privacy import preview_command

        return preview_command.main(args[1:])
    return command(Privacy, __doc__ or "", args)
