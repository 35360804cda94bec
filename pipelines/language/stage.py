"""The stage `language`: identifies the language and script of each document.

python -m pipelines.language --params params.yaml
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import Any

import apache_beam as beam
import polars as pl
import pyarrow as pa

from lineage.storage import disk
from pipelines.corpus import stage_tables
from pipelines.corpus.stage_tables import Corpus, DocumentStage
from pipelines.engine import batches, decisions, shards
from pipelines.engine.command_line import command
from pipelines.engine.context import Context
from pipelines.engine.stage import Shard, ShardDoFn
from pipelines.language import identifier
from pipelines.language.alphabets import SCRIPTS
from pipelines.language.labels import load_mapping
from pipelines.language.split import RecordParts, concat_parts, split_documents
from schemas.command_entry import with_exit_code
from schemas.sections import LanguageParams
from schemas.tables import DOCUMENTS, LANGUAGE, PARTS
from schemas.withdrawal_index import WithdrawalIndex, withdrawal_evidence

RULE_VERSION = "2"
#: An empty table of `LANGUAGE` with the column `uri`.
_NO_LABELS = batches.frame(LANGUAGE.empty_table()).with_columns(uri=pl.lit(None, pl.String))


def decide(labels: pl.DataFrame, params: LanguageParams) -> pl.DataFrame:
    """Decide about documents by their language.

    Args:
      labels: doc_id, uri, lang, script, score, langs (largest share first).
      params: `floors` holds the least score by language, or by language and script (`uz-Cyrl`).
        It overrides `pipelines/language/floors.tsv`; `floor` is for all other languages.  `allow`
        lists the allowed languages.  With `mixed: drop` the main language must hold `main_share`.

    Returns:
      doc_id, uri, outcome, reason, rule, rule_version, evidence.
    """
    floor = (
        pl.format("{}-{}", "lang", "script")
        .replace_strict(floors(params), default=None, return_dtype=pl.Float64)
        .fill_null(params.floor)
    )
    allowed = pl.lit(True) if params.allow is None else pl.col("lang").is_in(list(params.allow))
    share = pl.col("langs").list.first().struct.field("share")
    reason = (
        pl.when(pl.col("lang").is_null())
        .then(pl.lit("language-no-letters"))
        .when(pl.col("score") < floor)
        .then(pl.lit("language-undetermined"))
        .when(~allowed)
        .then(pl.lit("language-not-wanted"))
        .when((share < params.main_share) & (params.mixed == "drop"))
        .then(pl.lit("language-mixed"))
    )
    evidence = pl.struct(
        "lang",
        "script",
        pl.col("score").cast(pl.Float64).round(4),
        floor=floor,
        share=share.cast(pl.Float64).round(4),
    ).struct.json_encode()
    return labels.with_columns(reason=reason, evidence=evidence).select(
        "doc_id",
        "uri",
        "reason",
        "evidence",
        outcome=pl.when(pl.col("reason").is_null()).then(pl.lit("keep")).otherwise(pl.lit("drop")),
        rule=pl.lit("language"),
        rule_version=pl.lit(RULE_VERSION),
    )


def count_mixed(labels: pl.DataFrame, params: LanguageParams) -> int:
    """Count the documents whose main language holds less than `main_share` of their letters.

    Args:
      labels: as in `decide`.
    """
    share = pl.col("langs").list.first().struct.field("share")
    return labels.filter(share < params.main_share).height


def decide_parts(
    decided: pl.DataFrame, parts: RecordParts, barred: WithdrawalIndex
) -> pl.DataFrame:
    """Complete the decisions about parts.

    The evidence of a part names the record that it was cut from.  A part that a withdrawal names,
    by id or by text, is refused here, because the gate sees only the whole record.

    Args:
      decided: decisions about documents and parts.
      parts: the parts.
      barred: what was withdrawn.
    """
    rows = []
    if barred.scopes & {"document", "part", "text"}:
        records = set(parts.part_ids["part_of"])
        for doc_id, text in parts.documents.select("doc_id", "text").iter_rows():
            by_id = barred.by_value.get(("document", doc_id))
            if doc_id not in records:  # the main part has the record's id
                by_id = by_id or barred.by_value.get(("part", doc_id))
            if withdrawal := by_id or barred.find_by_text(sha256(text.encode()).hexdigest()):
                rows.append((doc_id, decisions.evidence(withdrawal_evidence(withdrawal))))
    withdrawn = pl.DataFrame(rows, {"doc_id": pl.String, "why": pl.String}, orient="row")
    refused = pl.col("why").is_not_null()
    evidence = pl.coalesce("why", "evidence")
    # Null for a document that is not a part.
    with_record = (
        evidence.str.strip_suffix("}") + pl.lit(',"part_of":"') + pl.col("part_of") + pl.lit('"}')
    )
    return (
        decided.join(withdrawn, on="doc_id", how="left", maintain_order="left")
        .join(parts.part_ids, on="doc_id", how="left", maintain_order="left")
        .with_columns(
            outcome=pl.when(refused).then(pl.lit("refuse")).otherwise("outcome"),
            reason=pl.when(refused).then(pl.lit("withdrawn")).otherwise("reason"),
            evidence=pl.coalesce(with_record, evidence),
        )
        .select(decided.columns)
    )


def decide_records(
    decided: pl.DataFrame, part_ids: pl.DataFrame, barred: WithdrawalIndex
) -> pl.DataFrame:
    """Refuse each record that holds a withdrawn part which this run does not cut out.

    A withdrawal can name a part by its text.  If this run cuts the same part, `decide_parts`
    refused that part alone.  If not, the text is still inside the record, so the record is refused
    with all its parts.

    Args:
      decided: decisions, those about parts as `decide_parts` returns them.
      part_ids: doc_id, part_of of the parts.
      barred: what was withdrawn.
    """
    rows = [
        (id, withdrawal.sha256, decisions.evidence(withdrawal_evidence(withdrawal)))
        for (scope, id), withdrawal in barred.by_value.items()
        if scope == "part"
    ]
    if not rows:
        return decided
    withdrawn = pl.DataFrame(rows, dict.fromkeys(("record", "by", "why"), pl.String), orient="row")
    joined = (
        decided.join(part_ids, on="doc_id", how="left", maintain_order="left")
        .with_columns(record=pl.coalesce("part_of", "doc_id"))
        .join(withdrawn, on="record", how="left", maintain_order="left")
    )
    refused_alone = pl.col("evidence").str.json_path_match("$.withdrawal_sha256") == pl.col("by")
    refused = pl.col("by").is_not_null() & ~refused_alone.any().over("record")
    return joined.with_columns(
        outcome=pl.when(refused).then(pl.lit("refuse")).otherwise("outcome"),
        reason=pl.when(refused).then(pl.lit("withdrawn")).otherwise("reason"),
        evidence=pl.when(refused).then("why").otherwise("evidence"),
    ).select(decided.columns)


def floors(params: LanguageParams) -> dict[str, float]:
    """Return `language-Script` -> the least score: the parameters override `floors.tsv`."""
    data = files("pipelines.language").joinpath("floors.tsv").read_text("utf-8")
    rows = [line.split("\t") for line in data.splitlines() if not line.startswith("#")]
    scores = {f"{language}-{script}": float(floor) for language, script, floor, _ in rows}
    for key, floor in params.floors.items():
        keys = [key] if "-" in key else [f"{key}-{script}" for script in SCRIPTS]
        scores |= dict.fromkeys(keys, floor)
    return scores


class IdentifyShard(ShardDoFn):
    """Identifies the documents of a shard batch by batch, and decides about them."""

    def __init__(
        self,
        state: shards.State,
        corpus: Corpus,
        params: LanguageParams,
        model: str,
        mapping: Mapping[str, str],
        barred: WithdrawalIndex,
        run_id: str,
    ) -> None:
        super().__init__(state)
        self.corpus, self.params, self.run_id = corpus, params, run_id
        self.model, self.mapping, self.barred = model, mapping, barred

    def setup(self) -> None:
        self.identifier = identifier.Identifier(
            Path(self.model), self.params.sample_chars, self.mapping
        )

    def work(self, shard: Shard, row: Mapping[str, Any], *sides: Any) -> None:
        labels, parts = self._label(shard)
        decided = decisions.decisions(decide(labels, self.params), "language", self.run_id)
        if parts.documents.height:
            decided = decide_parts(decided, parts, self.barred)
            shard.write("documents", parts.documents.to_arrow().cast(DOCUMENTS))
            shard.write("parts", parts.ranges.to_arrow().cast(PARTS))
        decided = decide_records(decided, parts.part_ids, self.barred)
        shard.write("language", labels.select(LANGUAGE.names).to_arrow().cast(LANGUAGE))
        shard.write("decisions", decided.to_arrow())
        self._finish(shard, labels, decided, parts.new_ids)

    def _label(self, shard: Shard) -> tuple[pl.DataFrame, RecordParts]:
        """Return the labels of a shard's documents, and the parts of those that are split.

        The labels are rows of `LANGUAGE` with the column `uri`, by doc_id.
        """
        labels, parts = [_NO_LABELS], []
        for batch in self.corpus.documents_for("language", shard.name, DOCUMENTS.names):
            batch_labels = self.identifier.identify(batch).with_columns(batch["uri"])
            if self.params.mixed == "split":
                batch_parts = split_documents(
                    batch, batch_labels, self.identifier, self.params.main_share
                )
                batch_labels = self._replace_split(batch_labels, batch_parts)
                parts.append(batch_parts)
            labels.append(batch_labels)
        return pl.concat(labels).sort("doc_id"), concat_parts(parts)

    def _replace_split(self, labels: pl.DataFrame, parts: RecordParts) -> pl.DataFrame:
        """Replace the labels of split records by the labels of their parts."""
        fresh = self.identifier.identify(parts.documents).with_columns(parts.documents["uri"])
        unsplit = labels.join(parts.part_ids, on="doc_id", how="anti", maintain_order="left")
        return pl.concat([unsplit, fresh])

    def _finish(
        self, shard: Shard, labels: pl.DataFrame, decided: pl.DataFrame, new_parts: int
    ) -> None:
        """Finish a shard with its aggregates and counts."""
        kept = labels.join(
            decided.filter(pl.col("outcome") == "keep"),
            on="doc_id",
            how="semi",
            maintain_order="left",
        )
        totals, mixed = decisions.outcome_counts(decided), count_mixed(kept, self.params)
        shard.finish(
            {
                "shard": shard.name,
                "documents": labels.height,
                "keep": totals["keep"],
                "drop": totals["drop"] + totals["refuse"],
                "null_langs": kept["lang"].null_count(),
                "null_scripts": kept["script"].null_count(),
                "score_min": labels["score"].min(),
                "score_max": labels["score"].max(),
                "repeated_doc_ids": labels.height - labels["doc_id"].n_unique(),
            },
            decisions.decision_counts(decided)
            | {
                "lang": decisions.value_counts(kept["lang"]),
                "script": decisions.value_counts(kept["script"]),
            }
            | ({"parts": {"made": new_parts}} if new_parts else {})
            | ({"mixed": {"kept": mixed}} if mixed else {}),
        )


class Language(DocumentStage):
    """Identifies documents, then keeps or drops them."""

    name = "language"

    def __init__(self, context: Context) -> None:
        self.model = identifier.model_path(context.params.language.model, context.params.root)
        self.models = {self.model.name: disk.sha256_file(self.model)}
        named = context.params.language.labels
        self.mapping = load_mapping(named, context.params.root)
        if isinstance(named, str):
            labels = context.params.root / named
            self.models[labels.name] = disk.sha256_file(labels)

    def build(
        self, pipeline: beam.Pipeline, context: Context, state: shards.State, run_id: str
    ) -> None:
        work = IdentifyShard(
            state=state,
            corpus=Corpus(str(context.params.work)),
            params=context.params.language,
            model=str(self.model),
            mapping=self.mapping,
            barred=WithdrawalIndex.build(context.register.withdrawals),
            run_id=run_id,
        )
        stage_tables.deal_shards(
            pipeline, stage_tables.shard_names(context)
        ) | "Identify" >> beam.ParDo(work).with_output_types(pa.RecordBatch)


@with_exit_code
def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    return command(Language, __doc__ or "", argv)
