"""The stage `quality`: measures documents, finds their domains, and drops those that fail rules.

python -m pipelines.quality --params params.yaml
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import apache_beam as beam
import polars as pl
import pyarrow as pa

from lineage.storage import disk
from pipelines.corpus import stage_tables
from pipelines.corpus.stage_tables import Corpus, DocumentStage
from pipelines.engine import decisions, shards
from pipelines.engine.command_line import command
from pipelines.engine.context import Context
from pipelines.engine.stage import Shard, ShardDoFn
from pipelines.quality import domains, rules
from pipelines.quality.classifier import Classifier, ClassifierError
from pipelines.quality.rules import Rule
from pipelines.quality.statistics import STATISTICS, measure
from schemas.command_entry import with_exit_code
from schemas.errors import Invalid, Problem
from schemas.params import Params
from schemas.register import Register
from schemas.sections import QualityParams
from schemas.tables import QUALITY

RULE_VERSION = "1"
#: The column of failures that `Assessor.assess` adds.
FAILURES = "failures"


class Assessor:
    """The rules, models and domains by which a run assesses documents."""

    def __init__(self, params: Params) -> None:
        """Load rules and models.

        Raises:
          Invalid: the thresholds file or a model cannot be used.
        """
        self.params: QualityParams = params.quality
        section = self.params
        self.thresholds = (
            params.root / section.thresholds if section.thresholds else rules.THRESHOLDS
        )
        scorer, tagger = section.classifier, section.domains.classifier
        try:
            self.rules = rules.load(self.thresholds)
            self.scorer = scorer and Classifier(params.root / scorer.model, "quality.classifier")
            self.tagger = tagger and Classifier(
                params.root / tagger.model, "quality.domains.classifier"
            )
            self.load_models()
        except (rules.BadThresholds, ClassifierError) as error:
            raise Invalid([Problem(str(params.path), None, "quality", str(error))]) from None
        if scorer and scorer.floor is not None:
            floor: dict[tuple[str, str], float | None] = {(rules.ANY, rules.ANY): scorer.floor}
            self.rules.append(Rule("classifier", "score", "min", (), floor))

    def load_models(self) -> None:
        """Load the models.

        Raises:
          ClassifierError: a model cannot be used.
        """
        classifier = self.params.classifier
        if self.scorer and classifier:
            self.scorer.check(classifier.label)
        if self.tagger:
            self.tagger.check()

    @property
    def models(self) -> dict[str, str]:
        """Name -> digest of the thresholds and the models."""
        named = {"classifier": self.scorer, "domains": self.tagger}
        digests = {
            f"{name}:{model.path.name}": model.sha256 for name, model in named.items() if model
        }
        return {f"thresholds:{self.thresholds.name}": disk.sha256_file(self.thresholds)} | digests

    def __getstate__(self) -> dict[str, Any]:
        """Leave out the loaded models, which cannot be pickled."""
        unloaded = {
            name: model and Classifier(model.path, model.key)
            for name, model in (("scorer", self.scorer), ("tagger", self.tagger))
        }
        return self.__dict__ | unloaded

    def assess(self, documents: pl.DataFrame) -> pl.DataFrame:
        """Measure, score and tag a batch of documents, and find the rules that they fail.

        Args:
          documents: doc_id, uri, source_id, text, lang, kind (of the source).

        Returns:
          doc_id, uri, the columns of `QUALITY`, and `FAILURES` (list of struct rule, statistic,
          value, bound, threshold).
        """
        texts, section = documents["text"], self.params
        score = (
            self.scorer.probability(texts, section.classifier.label or "")
            if self.scorer and section.classifier
            else pl.lit(None, pl.Float32)
        )
        labels = (
            self.tagger.best_label(texts, section.domains.classifier.floor or 0.0)
            if self.tagger and section.domains.classifier
            else None
        )
        measured = documents.select("doc_id", "uri", "lang", "kind").hstack(
            [
                *measure(texts, documents["lang"].to_list()),
                *domains.tag(documents, section.domains.sources, section.domains.urls, labels),
            ]
        )
        assessed = rules.find_failures(measured.with_columns(score=score), self.rules)
        failed = pl.col(FAILURES).list.eval(pl.element().struct.field("rule"))
        return assessed.with_columns(failed=failed).select("uri", FAILURES, *QUALITY.names)


def decide(assessed: pl.DataFrame, mode: str) -> pl.DataFrame:
    """Decide about documents by the rules that they failed.

    Args:
      assessed: doc_id, uri, failures.
      mode: `drop`; or `annotate`, which keeps all documents.

    Returns:
      doc_id, uri, outcome, reason, rule, rule_version, evidence.  The reason names the first rule
      that failed.  The evidence holds all of them with value and threshold.
    """
    failed = pl.col(FAILURES).list.len() > 0
    first = pl.col(FAILURES).list.first().struct.field("rule")
    drops = failed & pl.lit(mode == "drop")
    return assessed.select(
        "doc_id",
        "uri",
        outcome=pl.when(drops).then(pl.lit("drop")).otherwise(pl.lit("keep")),
        reason=pl.when(drops).then(pl.lit("quality-") + first),
        rule=pl.when(failed).then(first).otherwise(pl.lit("quality")),
        rule_version=pl.lit(RULE_VERSION),
        evidence=pl.when(failed)
        .then(pl.struct(failed=FAILURES).struct.json_encode())
        .otherwise(pl.lit("{}")),
    )


class AssessShard(ShardDoFn):
    """Assesses the documents of a shard batch by batch, and decides about them."""

    def __init__(
        self,
        state: shards.State,
        corpus: Corpus,
        assessor: Assessor,
        register: Register,
        run_id: str,
    ) -> None:
        super().__init__(state)
        self.corpus, self.assessor, self.run_id = corpus, assessor, run_id
        self.kinds = {id: source.kind for id, source in register.sources.items()}

    def setup(self) -> None:
        self.assessor.load_models()

    def work(self, shard: Shard, row: Mapping[str, Any], *sides: Any) -> None:
        labels = self.corpus.table("language", "language", shard.name, ["doc_id", "lang"])
        columns = ["doc_id", "uri", "source_id", "text"]
        empty = pl.DataFrame(schema=dict.fromkeys((*columns, "lang", "kind"), pl.String))
        batches = [self.assessor.assess(empty)]
        for batch in self.corpus.documents_for("quality", shard.name, columns):
            kinds = pl.col("source_id").replace_strict(
                self.kinds, default="web", return_dtype=pl.String
            )
            batch = batch.join(labels, on="doc_id", how="left", maintain_order="left")
            batches.append(self.assessor.assess(batch.with_columns(kind=kinds)))
        assessed = pl.concat(batches).sort("doc_id")
        decided = decisions.decisions(
            decide(assessed, self.assessor.params.mode), "quality", self.run_id
        )
        shard.write("quality", assessed.select(QUALITY.names).to_arrow().cast(QUALITY))
        shard.write("decisions", decided.to_arrow())
        shares = assessed.select(pl.col(name) for name in STATISTICS if name.endswith("_share"))
        totals = decisions.outcome_counts(decided)
        shard.finish(
            {
                "shard": shard.name,
                "documents": assessed.height,
                "keep": totals["keep"],
                "drop": totals["drop"],
                "null_words": assessed["n_words"].null_count(),
                "share_min": shares.min().min_horizontal().item(),
                "share_max": shares.max().max_horizontal().item(),
                "score_min": assessed["score"].min(),
                "score_max": assessed["score"].max(),
                "repeated_doc_ids": assessed.height - assessed["doc_id"].n_unique(),
            },
            decisions.decision_counts(decided, domain=assessed["domain"])
            | {
                "failed": decisions.value_counts(
                    assessed["failed"].list.explode(empty_as_null=False)
                )
            },
        )


class Quality(DocumentStage):
    """Measures and tags documents, then keeps or drops them."""

    name = "quality"

    def __init__(self, context: Context) -> None:
        self.assessor = Assessor(context.params)
        unknown = set(context.params.quality.domains.sources) - set(context.register.sources)
        if unknown:
            path, key = str(context.params.path), "quality.domains.sources"
            message = "the register has no such source"
            raise Invalid([Problem(path, None, key, message, name) for name in sorted(unknown)])
        self.models = self.assessor.models

    def build(
        self, pipeline: beam.Pipeline, context: Context, state: shards.State, run_id: str
    ) -> None:
        work = AssessShard(
            state=state,
            corpus=Corpus(str(context.params.work)),
            assessor=self.assessor,
            register=context.register,
            run_id=run_id,
        )
        stage_tables.deal_shards(
            pipeline, stage_tables.shard_names(context)
        ) | "Judge" >> beam.ParDo(work).with_output_types(pa.RecordBatch)


@with_exit_code
def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    args = list(sys.argv[1:] if argv is None else argv)
    if args[:1] == ["train"]:
        from pipelines.quality import train_command

        return train_command.main(args[1:])
    return command(Quality, __doc__ or "", args)
