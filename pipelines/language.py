"""The stage `language`: which language and script each document is in.

python -m pipelines.language --params params.yaml
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import apache_beam as beam
import polars as pl
import pyarrow as pa

from pipelines import batches, corpus, identify, ledger, shards
from pipelines.command import command
from pipelines.corpus import Corpus, DocumentStage
from pipelines.stage import Context, Shard, ShardDoFn
from schemas.params import LanguageParams
from schemas.tables import LANGUAGE

RULE_VERSION = "1"


def judge(found: pl.DataFrame, params: LanguageParams) -> pl.DataFrame:
    """Decide about documents by their language.

    Args:
      found: doc_id, uri, lang, script, score.
      params: `floor` and `floors` are the least score by language; `allow` the languages wanted.

    Returns:
      doc_id, uri, outcome, reason, rule, rule_version, evidence.
    """
    floor = pl.col("lang").replace_strict(
        dict(params.floors), default=params.floor, return_dtype=pl.Float64
    )
    wanted = pl.lit(True) if params.allow is None else pl.col("lang").is_in(list(params.allow))
    reason = (
        pl.when(pl.col("lang").is_null())
        .then(pl.lit("language-no-letters"))
        .when(pl.col("score") < floor)
        .then(pl.lit("language-undetermined"))
        .when(~wanted)
        .then(pl.lit("language-not-wanted"))
    )
    evidence = pl.struct(
        "lang", "script", pl.col("score").cast(pl.Float64).round(4), floor=floor
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


class IdentifyShard(ShardDoFn):
    """Identifies the documents of a shard, batch by batch."""

    def __init__(
        self, state: shards.State, source: Corpus, params: LanguageParams, model: str, run_id: str
    ) -> None:
        super().__init__(state)
        self.source, self.params, self.model, self.run_id = source, params, model, run_id

    def setup(self) -> None:
        from pathlib import Path

        self.identifier = identify.Identifier(Path(self.model), self.params.sample_chars)

    def work(self, shard: Shard, row: Mapping[str, Any], *sides: Any) -> None:
        found, source_ids = [], []
        for batch in self.source.documents(
            shard.name, "ingest", ["doc_id", "uri", "source_id", "text"]
        ):
            found.append(self.identifier.identify(batch).with_columns(batch["uri"]))
            source_ids.append(batch["source_id"])
        empty = batches.frame(LANGUAGE.empty_table()).with_columns(uri=pl.lit(None, pl.String))
        labelled = pl.concat(found) if found else empty
        decided = ledger.decisions(judge(labelled, self.params), "language", self.run_id)
        labelled = labelled.sort("doc_id")
        shard.write("language", labelled.select(LANGUAGE.names).to_arrow().cast(LANGUAGE))
        shard.write("decisions", decided.to_arrow())
        kept = labelled.join(
            decided.filter(pl.col("outcome") == "keep"),
            on="doc_id",
            how="semi",
            maintain_order="left",
        )
        totals = ledger.outcomes(decided)
        shard.finish(
            {
                "shard": shard.name,
                "documents": labelled.height,
                "keep": totals["keep"],
                "drop": totals["drop"],
                "null_langs": kept["lang"].null_count(),
                "null_scripts": kept["script"].null_count(),
                "score_min": labelled["score"].min(),
                "score_max": labelled["score"].max(),
                "repeated_doc_ids": labelled.height - labelled["doc_id"].n_unique(),
            },
            ledger.counts(decided)
            | {"lang": ledger.count(kept["lang"]), "script": ledger.count(kept["script"])},
        )


class Language(DocumentStage):
    """Identify, then keep or drop."""

    name = "language"
    sections = ("language",)

    def __init__(self, context: Context) -> None:
        self.model = identify.model_path(context.params.language.model, context.params.root)
        self.models = {self.model.name: identify.Identifier(self.model).sha256}

    def build(
        self, pipeline: beam.Pipeline, context: Context, state: shards.State, run_id: str
    ) -> None:
        work = IdentifyShard(
            state,
            Corpus(str(context.params.work)),
            context.params.language,
            str(self.model),
            run_id,
        )
        corpus.deal(pipeline, corpus.shards(context)) | "Identify" >> beam.ParDo(
            work
        ).with_output_types(pa.RecordBatch)


def main(argv: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    return command(Language, __doc__ or "", argv)


if __name__ == "__main__":
    from pipelines.language import main as run  # workers must find the DoFn under its own name

    sys.exit(run())
