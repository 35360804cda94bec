"""Count what a release's profile shows, from the columns of its tables.  No text is read here.

All results are JSON values.  They have the same form for an empty release and a large one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from lineage.release_folder import ReleaseFolder
from pipelines.profile import edges, tags
from schemas.stages import RELEASE, STAGES
from schemas.tables import OUTCOMES, REPEATED

#: Edges of the bins of lengths in characters, eight per power of ten: 1, 2, 3, 4, 6, 7, 10, … 10^9.
LENGTHS: Final = np.unique(np.round(10 ** np.arange(0, 9.125, 0.125)).astype(np.int64))
#: The most languages with a plot of lengths of their own.
DRAWN: Final = 12
#: The most reasons shown of a source.
_FEW: Final = 3


def count_release(release: ReleaseFolder, work: Path | None = None) -> dict[str, Any]:
    """Count a release.

    Args:
      release: the release.
      work: the work folder of its run, which holds the statistics of the stage `quality`.

    Returns:
      release (name, as_of, purpose, code_version), totals, stages, reasons, languages, sources,
      domains, lengths, scores, statistics, gauges, redactions.

    Raises:
      lineage.storage.release_tables.NoRelease: the folder holds no release.
    """
    manifest = release.manifest()
    ended = release.table("decisions").filter(pl.col("outcome") != "keep")
    records, documents = release.table("records"), release.table("documents")
    measurements = edges.read_measurements(release)
    return {
        "release": {k: manifest.get(k) for k in ("name", "as_of", "purpose", "code_version")},
        "totals": _totals(records, documents),
        "stages": count_stages(_count_by(release.table("decisions"), "stage", "outcome")),
        "reasons": _count_by(ended, "stage", "outcome", "reason").to_dicts(),
        "languages": _languages(documents, measurements),
        "sources": _sources(records, ended, documents),
        "domains": tags.domains(release),
        "lengths": _lengths(documents),
        "scores": tags.scores(release),
        "statistics": tags.statistics(release, work),
        "gauges": edges.gauges(measurements, tags.SCORES),
        "redactions": _count_by(
            release.table("redactions").filter(~pl.col("entity_type").is_in(REPEATED)),
            "entity_type",
        ).to_dicts(),
    }


def _count_by(table: pl.LazyFrame, *by: str) -> pl.DataFrame:
    """Count rows by the values of columns; the largest count first."""
    counted = table.group_by(by).agg(pl.len().alias("n")).collect()
    return counted.sort("n", *by, descending=[True, *[False] * len(by)], nulls_last=True)


def _totals(records: pl.LazyFrame, documents: pl.LazyFrame) -> dict[str, Any]:
    chars = pl.col("n_chars")
    row = documents.select(
        pl.len().alias("documents"),
        chars.sum().alias("chars"),
        chars.median().alias("median_chars"),
        chars.max().alias("longest"),
        pl.col("lang").n_unique().alias("languages"),
        pl.col("source_id").n_unique().alias("sources"),
    )
    seen = records.select(pl.len()).collect().item()
    return {"records": seen, **row.collect().to_dicts()[0]}


def count_stages(counted: pl.DataFrame) -> list[dict[str, Any]]:
    """Return the outcomes of each stage, in the order of stages.

    Args:
      counted: stage, outcome, n.  Of the stage `release` only drops are recorded.
    """
    numbers = {(stage, outcome): n for stage, outcome, n in counted.iter_rows()}
    out: list[dict[str, Any]] = []
    for stage in STAGES:
        row = {outcome: numbers.get((stage, outcome), 0) for outcome in OUTCOMES}
        if stage == RELEASE:
            row["keep"] = (out[-1]["keep"] if out else 0) - row["drop"]
        if any(row.values()):
            out.append({"stage": stage, **row})
    return out


def _languages(documents: pl.LazyFrame, measurements: pl.DataFrame) -> list[dict[str, Any]]:
    """Return per language: identified documents, released documents, and their lengths."""
    labelled = measurements.filter(pl.col("gauge") == "language").group_by("lang").len("identified")
    kept = documents.group_by("lang").agg(
        documents=pl.len(), chars=pl.col("n_chars").sum(), median_chars=pl.col("n_chars").median()
    )
    joined = labelled.join(kept.collect(), on="lang", how="full", coalesce=True)
    filled = joined.with_columns(pl.col("identified", "documents", "chars").fill_null(0))
    named = filled.filter(pl.col("lang").is_not_null())
    return named.sort("chars", "lang", descending=[True, False]).to_dicts()


def _sources(
    records: pl.LazyFrame, ended: pl.LazyFrame, documents: pl.LazyFrame
) -> list[dict[str, Any]]:
    """Return per source: the outcomes of its records, and the most frequent reasons."""
    fates = records.select("doc_id", "source_id").join(
        ended.select("doc_id", "outcome", "reason"), on="doc_id", how="left"
    )
    counted = fates.group_by("source_id", "outcome", "reason").agg(n=pl.len()).collect()
    sums = [
        pl.col("n").filter(pl.col("outcome") == o).sum().alias(o) for o in OUTCOMES if o != "keep"
    ]
    rows = counted.sort("n", "reason", descending=[True, False], nulls_last=True)
    by_source = rows.group_by("source_id", maintain_order=True).agg(
        pl.col("n").sum().alias("records"),
        pl.col("n").filter(pl.col("outcome").is_null()).sum().alias("keep"),
        *sums,
        pl.col("reason").drop_nulls().head(_FEW).alias("reasons"),
    )
    chars = documents.group_by("source_id").agg(chars=pl.col("n_chars").sum()).collect()
    joined = by_source.join(chars, on="source_id", how="left", nulls_equal=True)
    filled = joined.with_columns(pl.col("chars").fill_null(0))
    return filled.sort("records", "source_id", descending=[True, False], nulls_last=True).to_dicts()


def _lengths(documents: pl.LazyFrame) -> list[dict[str, Any]]:
    """Return histograms of lengths: of all documents (lang null), then of the largest languages."""
    step = pl.lit(pl.Series(LENGTHS)).search_sorted(pl.col("n_chars"), side="right") - 1
    binned = documents.select("lang", step=step.clip(0)).group_by("lang", "step").len("n").collect()
    total = binned.group_by("step").agg(pl.col("n").sum())
    largest = (
        binned.group_by("lang").agg(pl.col("n").sum()).sort("n", "lang", descending=[True, False])
    )
    groups = [(None, total)] + [
        (lang, binned.filter(pl.col("lang") == lang)) for lang in largest["lang"].head(DRAWN)
    ]
    steps = [int(n) for n in total["step"]]
    reach = range(min(steps), max(steps) + 1) if steps else range(0)
    return [{"lang": lang, "bins": _fill_bins(rows, reach)} for lang, rows in groups if rows.height]


def _fill_bins(rows: pl.DataFrame, reach: range) -> list[dict[str, int]]:
    """Return the bins of `reach`, empty ones included: least (characters), below, n."""
    numbers = dict(rows.select("step", "n").iter_rows())
    last = len(LENGTHS) - 1
    return [
        {
            "least": int(LENGTHS[i]),
            "below": int(LENGTHS[min(i + 1, last)]),
            "n": int(numbers.get(i, 0)),
        }
        for i in reach
    ]
