"""The stage `quality`: what each document is like, its domain, and whether it is worth keeping.

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
#: What `find` adds to the table: the failures with their figures.
FAILURES = "failures"


class Assessor:
    """What a run judges documents by: rules, models, domains; loads models when first asked."""

    def __init__(self, params: Params) -> None:
        """Raises Invalid for a thresholds file or a model that cannot be used."""
        self.params: QualityParams = params.quality
        about = self.params
        self.thresholds = params.root / about.thresholds if about.thresholds else rules.THRESHOLDS
        scorer, tagger = about.classifier, about.domains.classifier
        try:
            self.rules = rules.load(self.thresholds)
            self.scorer = scorer and Classifier(params.root / scorer.model, "quality.classifier")
            self.tagger = tagger and Classifier(
                params.root / tagger.model, "quality.domains.classifier"
            )
            self.warm()
        except (rules.BadThresholds, ClassifierError) as error:
            raise Invalid([Problem(str(params.path), None, "quality", str(error))]) from None
        if scorer and scorer.floor is not None:
            floor: dict[tuple[str, str], float | None] = {(rules.ANY, rules.ANY): scorer.floor}
            self.rules.append(Rule("classifier", "score", "min", (), floor))

    def warm(self) -> None:
        """Load the models; raises ClassifierError."""
        about = self.params.classifier
        if self.scorer and about:
            self.scorer.check(about.label)
        if self.tagger:
            self.tagger.check()

    @property
    def models(self) -> dict[str, str]:
        """Name -> digest of all that is not code: thresholds and models."""
        named = {"classifier": self.scorer, "domains": self.tagger}
        found = {f"{name}:{one.path.name}": one.sha256 for name, one in named.items() if one}
        return {f"thresholds:{self.thresholds.name}": disk.sha256_file(self.thresholds)} | found

    def __getstate__(self) -> dict[str, Any]:
        """Without the models, which cannot travel."""
        again = {
            name: one and Classifier(one.path, one.key)
            for name, one in (("scorer", self.scorer), ("tagger", self.tagger))
        }
        return self.__dict__ | again

    def find(self, documents: pl.DataFrame) -> pl.DataFrame:
        """Measure, score, tag and judge a batch.

        Args:
          documents: doc_id, uri, source_id, text, lang, kind (of the source).

        Returns:
          doc_id, uri, the columns of `QUALITY`, and `FAILURES` (list of struct rule, statistic,
          value, bound, threshold).
        """
        texts, about = documents["text"], self.params
        score = (
            self.scorer.probability(texts, about.classifier.label or "")
            if self.scorer and about.classifier
            else pl.lit(None, pl.Float32)
        )
        labels = (
            self.tagger.best(texts, about.domains.classifier.floor or 0.0)
            if self.tagger and about.domains.classifier
            else None
        )
        measured = documents.select("doc_id", "uri", "lang", "kind").hstack(
            [
                *measure(texts, documents["lang"].to_list()),
                *domains.tag(documents, about.domains.sources, about.domains.urls, labels),
            ]
        )
        judged = rules.find_failures(measured.with_columns(score=score), self.rules)
        failed = pl.col(FAILURES).list.eval(pl.element().struct.field("rule"))
        return judged.with_columns(failed=failed).select("uri", FAILURES, *QUALITY.names)


def decide(found: pl.DataFrame, mode: str) -> pl.DataFrame:
    """Decide about documents by the rules that they failed.

    Args:
      found: doc_id, uri, failures.
      mode: `drop`, or `annotate`, which keeps all.

    Returns:
      doc_id, uri, outcome, reason, rule, rule_version, evidence; the reason is the first rule
      that failed, the evidence has all of them with value and threshold.
    """
    failed = pl.col(FAILURES).list.len() > 0
    first = pl.col(FAILURES).list.first().struct.field("rule")
    drops = failed & pl.lit(mode == "drop")
    return found.select(
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
    """Judges the documents of a shard, batch by batch."""

    def __init__(
        self, state: shards.State, source: Corpus, by: Assessor, register: Register, run_id: str
    ) -> None:
        super().__init__(state)
        self.source, self.by, self.run_id = source, by, run_id
        self.kinds = {i: s.kind for i, s in register.sources.items()}

    def setup(self) -> None:
        self.by.warm()

    def work(self, shard: Shard, row: Mapping[str, Any], *sides: Any) -> None:
        labels = self.source.table("language", "language", shard.name, ["doc_id", "lang"])
        columns = ["doc_id", "uri", "source_id", "text"]
        empty = pl.DataFrame(schema=dict.fromkeys((*columns, "lang", "kind"), pl.String))
        found = [self.by.find(empty)]
        for batch in self.source.handed_to("quality", shard.name, columns):
            kinds = pl.col("source_id").replace_strict(
                self.kinds, default="web", return_dtype=pl.String
            )
            batch = batch.join(labels, on="doc_id", how="left", maintain_order="left")
            found.append(self.by.find(batch.with_columns(kind=kinds)))
        judged = pl.concat(found).sort("doc_id")
        decided = decisions.decisions(decide(judged, self.by.params.mode), "quality", self.run_id)
        shard.write("quality", judged.select(QUALITY.names).to_arrow().cast(QUALITY))
        shard.write("decisions", decided.to_arrow())
        shares = judged.select(pl.col(name) for name in STATISTICS if name.endswith("_share"))
        totals = decisions.outcomes(decided)
        shard.finish(
            {
                "shard": shard.name,
                "documents": judged.height,
                "keep": totals["keep"],
                "drop": totals["drop"],
                "null_words": judged["n_words"].null_count(),
                "share_min": shares.min().min_horizontal().item(),
                "share_max": shares.max().max_horizontal().item(),
                "score_min": judged["score"].min(),
                "score_max": judged["score"].max(),
                "repeated_doc_ids": judged.height - judged["doc_id"].n_unique(),
            },
            decisions.counts(decided, domain=judged["domain"])
            | {"failed": decisions.count(judged["failed"].list.explode(empty_as_null=False))},
        )


class Quality(DocumentStage):
    """Measure, tag, then keep or drop."""

    name = "quality"

    def __init__(self, context: Context) -> None:
        self.by = Assessor(context.params)
        unknown = set(context.params.quality.domains.sources) - set(context.register.sources)
        if unknown:
            path, key = str(context.params.path), "quality.domains.sources"
            message = "no such source in the register"
            raise Invalid([Problem(path, None, key, message, name) for name in sorted(unknown)])
        self.models = self.by.models

    def build(
        self, pipeline: beam.Pipeline, context: Context, state: shards.State, run_id: str
    ) -> None:
        source = Corpus(str(context.params.work))
        work = AssessShard(state, source, self.by, context.register, run_id)
        stage_tables.deal(pipeline, stage_tables.shards(context)) | "Judge" >> beam.ParDo(
            work
        ).with_output_types(pa.RecordBatch)


@with_exit_code
def main(argv: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    args = list(sys.argv[1:] if argv is None else argv)
    if args[:1] == ["train"]:
        from pipelines.quality import train_command

        return train_command.main(args[1:])
    return command(Quality, __doc__ or "", args)
