"""What is decided about a document by the personal data found in it."""

from __future__ import annotations

from collections.abc import Collection

import polars as pl

RULE_VERSION = "1"


def decide(
    documents: pl.DataFrame,
    findings: pl.DataFrame,
    barred: Collection[str] = (),
    max_density: float | None = None,
) -> pl.DataFrame:
    """Decide about documents by what was found in them.

    Args:
      documents: doc_id, uri, policy (the source's `personal_data`), chars.
      findings: rows of `schemas.tables.FINDINGS`.
      barred: doc_id of those whose text, as it would be released, was withdrawn.
      max_density: how many findings a document may hold per 1,000 characters (None: any).

    Returns:
      doc_id, uri, outcome, reason, rule, rule_version, evidence (classes and how many of each).
    """
    classes = findings.group_by("doc_id", "entity_type").len("n").sort("doc_id", "entity_type")
    told = classes.group_by("doc_id", maintain_order=True).agg(
        found=pl.concat_str(pl.lit('"'), "entity_type", pl.lit('":'), "n").str.join(","),
        n=pl.col("n").sum().cast(pl.Float64),
    )
    seen = documents.join(told, on="doc_id", how="left", maintain_order="left")
    withdrawn = pl.col("doc_id").is_in(list(barred))
    dense = (
        pl.lit(False) if max_density is None else pl.col("n") * 1000 > max_density * pl.col("chars")
    )
    gone = (pl.col("found").is_not_null() & (pl.col("policy") == "drop-document")) | (
        dense.fill_null(value=False)
    )
    ends = pl.when(withdrawn).then(pl.lit("refuse")).when(gone).then(pl.lit("drop"))
    reasons = pl.when(withdrawn).then(pl.lit("withdrawn")).when(gone).then(pl.lit("personal-data"))
    return seen.select(
        "doc_id",
        "uri",
        outcome=ends.otherwise(pl.lit("keep")),
        reason=reasons,
        rule=pl.lit("privacy"),
        rule_version=pl.lit(RULE_VERSION),
        evidence=pl.concat_str(
            pl.lit('{"found":{'),
            pl.col("found").fill_null(""),
            pl.lit('},"policy":"'),
            "policy",
            pl.lit('"'),
            pl.lit("" if max_density is None else f',"densest":{max_density:g}'),
            pl.lit("}"),
        ),
    )
