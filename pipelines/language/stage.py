"""The stage `language`: which language and script each document is in.

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
from schemas.withdrawal_index import Withdrawals, withdrawal_evidence

RULE_VERSION = "2"
#: Labels of no document: `LANGUAGE`, with the address.
_NOTHING = batches.frame(LANGUAGE.empty_table()).with_columns(uri=pl.lit(None, pl.String))


def decide(found: pl.DataFrame, params: LanguageParams) -> pl.DataFrame:
    """Decide about documents by their language.

    Args:
      found: doc_id, uri, lang, script, score, langs (largest share first).
      params: `floors` are the least score by language, or by language and script (`uz-Cyrl`), and
        go before those of `pipelines/language/floors.tsv`, `floor` that of all others; `allow`
        the languages wanted; with `mixed: drop` the main language must hold `main_share`.

    Returns:
      doc_id, uri, outcome, reason, rule, rule_version, evidence.
    """
    floor = (
        pl.format("{}-{}", "lang", "script")
        .replace_strict(floors(params), default=None, return_dtype=pl.Float64)
        .fill_null(params.floor)
    )
    wanted = pl.lit(True) if params.allow is None else pl.col("lang").is_in(list(params.allow))
    share = pl.col("langs").list.first().struct.field("share")
    reason = (
        pl.when(pl.col("lang").is_null())
        .then(pl.lit("language-no-letters"))
        .when(pl.col("score") < floor)
        .then(pl.lit("language-undetermined"))
        .when(~wanted)
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
    return found.with_columns(reason=reason, evidence=evidence).select(
        "doc_id",
        "uri",
        "reason",
        "evidence",
        outcome=pl.when(pl.col("reason").is_null()).then(pl.lit("keep")).otherwise(pl.lit("drop")),
        rule=pl.lit("language"),
        rule_version=pl.lit(RULE_VERSION),
    )


def count_mixed(found: pl.DataFrame, params: LanguageParams) -> int:
    """How many documents, labelled as in `judge`, hold less than `main_share` of their main
    language."""
    share = pl.col("langs").list.first().struct.field("share")
    return found.filter(share < params.main_share).height


def decide_parts(decided: pl.DataFrame, parts: RecordParts, barred: Withdrawals) -> pl.DataFrame:
    """Decisions in which the evidence of parts names the record that they were cut from, and those
    are refused that a withdrawal names, by id or by text: the gate sees only the whole record."""
    rows = []
    if barred.scopes & {"document", "part", "text"}:
        records = set(parts.records["part_of"])
        for doc_id, text in parts.documents.select("doc_id", "text").iter_rows():
            by_id = barred.by_value.get(("document", doc_id))
            if doc_id not in records:  # the main part has the record's id
                by_id = by_id or barred.by_value.get(("part", doc_id))
            if one := by_id or barred.of_text(sha256(text.encode()).hexdigest()):
                rows.append((doc_id, decisions.evidence(withdrawal_evidence(one))))
    found = pl.DataFrame(rows, {"doc_id": pl.String, "why": pl.String}, orient="row")
    out = pl.col("why").is_not_null()
    told = pl.coalesce("why", "evidence")
    # null where it is no part
    named = told.str.strip_suffix("}") + pl.lit(',"part_of":"') + pl.col("part_of") + pl.lit('"}')
    return (
        decided.join(found, on="doc_id", how="left", maintain_order="left")
        .join(parts.records, on="doc_id", how="left", maintain_order="left")
        .with_columns(
            outcome=pl.when(out).then(pl.lit("refuse")).otherwise("outcome"),
            reason=pl.when(out).then(pl.lit("withdrawn")).otherwise("reason"),
            evidence=pl.coalesce(named, told),
        )
        .select(decided.columns)
    )


def decide_records(
    decided: pl.DataFrame, records: pl.DataFrame, barred: Withdrawals
) -> pl.DataFrame:
    """Decisions in which a record is refused, with all its parts, of which a part was withdrawn by
    its text, and which is not cut so that this part stands by itself.

    Args:
      decided: decisions, those of parts as `of_parts` has them.
      records: doc_id, part_of of the parts.
      barred: what was withdrawn.
    """
    rows = [
        (id, one.sha256, decisions.evidence(withdrawal_evidence(one)))
        for (scope, id), one in barred.by_value.items()
        if scope == "part"
    ]
    if not rows:
        return decided
    named = pl.DataFrame(rows, dict.fromkeys(("record", "by", "why"), pl.String), orient="row")
    told = (
        decided.join(records, on="doc_id", how="left", maintain_order="left")
        .with_columns(record=pl.coalesce("part_of", "doc_id"))
        .join(named, on="record", how="left", maintain_order="left")
    )
    done = pl.col("evidence").str.json_path_match("$.withdrawal_sha256") == pl.col("by")
    out = pl.col("by").is_not_null() & ~done.any().over("record")
    return told.with_columns(
        outcome=pl.when(out).then(pl.lit("refuse")).otherwise("outcome"),
        reason=pl.when(out).then(pl.lit("withdrawn")).otherwise("reason"),
        evidence=pl.when(out).then("why").otherwise("evidence"),
    ).select(decided.columns)


def floors(params: LanguageParams) -> dict[str, float]:
    """`language-Script` -> the least score: as shipped, then as the parameters have it."""
    data = files("pipelines.language").joinpath("floors.tsv").read_text("utf-8")
    rows = [line.split("\t") for line in data.splitlines() if not line.startswith("#")]
    found = {f"{language}-{script}": float(floor) for language, script, floor, _ in rows}
    for key, floor in params.floors.items():
        keys = [key] if "-" in key else [f"{key}-{script}" for script in SCRIPTS]
        found |= dict.fromkeys(keys, floor)
    return found


class IdentifyShard(ShardDoFn):
    """Identifies the documents of a shard, batch by batch."""

    def __init__(
        self,
        state: shards.State,
        source: Corpus,
        params: LanguageParams,
        model: str,
        mapping: Mapping[str, str],
        barred: Withdrawals,
        run_id: str,
    ) -> None:
        super().__init__(state)
        self.source, self.params, self.run_id = source, params, run_id
        self.model, self.mapping, self.barred = model, mapping, barred

    def setup(self) -> None:
        self.identifier = identifier.Identifier(
            Path(self.model), self.params.sample_chars, self.mapping
        )

    def work(self, shard: Shard, row: Mapping[str, Any], *sides: Any) -> None:
        found, cut = [_NOTHING], []
        for batch in self.source.handed_to("language", shard.name, DOCUMENTS.names):
            labels = self.identifier.identify(batch).with_columns(batch["uri"])
            if self.params.mixed == "split":
                parts = split_documents(batch, labels, self.identifier, self.params.main_share)
                labels = self._replaced(labels, parts)
                cut.append(parts)
            found.append(labels)
        labelled = pl.concat(found).sort("doc_id")
        decided = decisions.decisions(decide(labelled, self.params), "language", self.run_id)
        if (parts := concat_parts(cut)).documents.height:
            decided = decide_parts(decided, parts, self.barred)
            shard.write("documents", parts.documents.to_arrow().cast(DOCUMENTS))
            shard.write("parts", parts.ranges.to_arrow().cast(PARTS))
        decided = decide_records(decided, parts.records, self.barred)
        shard.write("language", labelled.select(LANGUAGE.names).to_arrow().cast(LANGUAGE))
        shard.write("decisions", decided.to_arrow())
        kept = labelled.join(
            decided.filter(pl.col("outcome") == "keep"),
            on="doc_id",
            how="semi",
            maintain_order="left",
        )
        totals = decisions.outcomes(decided)
        shard.finish(
            {
                "shard": shard.name,
                "documents": labelled.height,
                "keep": totals["keep"],
                "drop": totals["drop"] + totals["refuse"],
                "null_langs": kept["lang"].null_count(),
                "null_scripts": kept["script"].null_count(),
                "score_min": labelled["score"].min(),
                "score_max": labelled["score"].max(),
                "repeated_doc_ids": labelled.height - labelled["doc_id"].n_unique(),
            },
            decisions.counts(decided)
            | {"lang": decisions.count(kept["lang"]), "script": decisions.count(kept["script"])}
            | ({"parts": {"made": parts.others}} if parts.others else {})
            | ({"mixed": {"kept": whole}} if (whole := count_mixed(kept, self.params)) else {}),
        )

    def _replaced(self, labels: pl.DataFrame, parts: RecordParts) -> pl.DataFrame:
        """Labels with those of the parts in place of what was cut."""
        fresh = self.identifier.identify(parts.documents).with_columns(parts.documents["uri"])
        whole = labels.join(parts.records, on="doc_id", how="anti", maintain_order="left")
        return pl.concat([whole, fresh])


class Language(DocumentStage):
    """Identify, then keep or drop."""

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
            state,
            Corpus(str(context.params.work)),
            context.params.language,
            str(self.model),
            self.mapping,
            Withdrawals.of(context.register.withdrawals),
            run_id,
        )
        stage_tables.deal(pipeline, stage_tables.shards(context)) | "Identify" >> beam.ParDo(
            work
        ).with_output_types(pa.RecordBatch)


@with_exit_code
def main(argv: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    return command(Language, __doc__ or "", argv)
