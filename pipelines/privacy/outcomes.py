"""Decide about documents by the personal data found in them."""

from __future__ import annotations

from collections.abc import Collection

import polars as pl

RULE_VERSION = "1"


def decide(
    documents: pl.DataFrame,
    findings: pl.DataFrame,
    withdrawn_ids: Collection[str] = (),
    max_density: float | None = None,
) -> pl.DataFrame:
    """Keep, drop or refuse documents by their findings.

    Args:
      documents: doc_id, uri, policy (the source's `personal_data`), chars.
      findings: rows of `schemas.tables.FINDINGS`.
      withdrawn_ids: doc_id of documents whose text was withdrawn in the form of the release.
      max_density: the most findings per 1,000 characters (None: no limit).

    Returns:
      doc_id, uri, outcome, reason, rule, rule_version, evidence (JSON: findings per class, policy).
    """
    classes = findings.group_by("doc_id", "entity_type").len("n").sort("doc_id", "entity_type")
    per_document = classes.group_by("doc_id", maintain_order=True).agg(
        found=pl.concat_str(pl.lit('"'), "entity_type", pl.lit('":'), "n").str.join(","),
        n=pl.col("n").sum().cast(pl.Float64),
    )
    counted = documents.join(per_document, on="doc_id", how="left", maintain_order="left")
    withdrawn = pl.col("doc_id").is_in(list(withdrawn_ids))
    dense = (
        pl.lit(False) if max_density is None else pl.col("n") * 1000 > max_density * pl.col("chars")
    )
    drop_policy = pl.col("policy") == "drop-document"
    dropped = (pl.col("found").is_not_null() & drop_policy) | dense.fill_null(value=False)
    outcome = pl.when(withdrawn).then(pl.lit("refuse")).when(dropped).then(pl.lit("drop"))
    reason = pl.when(withdrawn).then(pl.lit("withdrawn"))
    return counted.select(
        "doc_id",
        "uri",
        outcome=outcome.otherwise(pl.lit("keep")),
        reason=reason.when(dropped).then(pl.lit("personal-data")),
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
