"""Rows of the ledger: what a stage decided about each record, and the counts of decisions."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from lineage.storage import disk
from schemas.reasons import REASONS
from schemas.tables import DECISIONS, OUTCOMES, REPEATED

_encode = json.JSONEncoder(ensure_ascii=False, sort_keys=True, default=str).encode


def evidence(value: Mapping[str, Any]) -> str:
    """Encode evidence as canonical JSON."""
    return _encode(value)


def is_known_reason(outcome: str, reason: str | None) -> bool:
    """Whether the ledger allows this outcome with this reason."""
    if outcome == "keep":
        return reason is None
    names = REASONS.get(outcome, ())
    return reason is not None and any(
        reason.startswith(n) if n.endswith((":", "-")) else reason == n for n in names
    )


def decisions(frame: pl.DataFrame, stage: str, run_id: str) -> pl.DataFrame:
    """Convert a frame to the schema of the `decisions` table, sorted by doc_id.

    Args:
      frame: doc_id, uri, outcome, reason, rule, rule_version, evidence (JSON).
      stage: the stage that decided.
      run_id: of the stage's run.
    """
    return (
        frame.with_columns(stage=pl.lit(stage), run_id=pl.lit(run_id))
        .select(DECISIONS.names)
        .cast(dict.fromkeys(DECISIONS.names, pl.String))
        .sort("doc_id")
    )


def decision_counts(decided: pl.DataFrame, **more: pl.Series) -> dict[str, dict[str, int]]:
    """Count a shard's decisions.

    Args:
      decided: rows of the `decisions` table.
      more: further columns to count by: one value per decision; null counts as `-`.

    Returns:
      Nested counters: `outcome`, `reason`, and each name in `more` -> value -> number.
    """
    counters = {
        "outcome": value_counts(decided["outcome"]),
        "reason": value_counts(
            decided.filter(pl.col("outcome") != "keep")
            .select(pl.concat_str("outcome", pl.lit(" "), "reason"))
            .to_series()
        ),
    }
    return counters | {name: value_counts(values) for name, values in more.items()}


def outcome_counts(decided: pl.DataFrame) -> dict[str, int]:
    """Count the decisions of each outcome, zeros included."""
    counted = value_counts(decided["outcome"])
    return {name: counted.get(name, 0) for name in OUTCOMES}


def value_counts(values: pl.Series) -> dict[str, int]:
    """Count each value of a series, the most frequent first; null counts as `-`."""
    table = values.cast(pl.String).fill_null("-").value_counts(sort=True)
    return {str(k): int(n) for k, n in table.iter_rows()}


def redaction_counts(classes: pl.Series) -> dict[str, dict[str, int]]:
    """Count the classes of `redactions`.

    Returns:
      `entity`: the classes of personal data.  `repeated`, if there are any: the classes of text
      that was removed because other documents have it.
    """
    repeated = classes.is_in(REPEATED)
    counters = {"entity": value_counts(classes.filter(~repeated))}
    if repeated.any():
        counters["repeated"] = value_counts(classes.filter(repeated))
    return counters


def add_counts(counts: Sequence[Mapping[str, Mapping[str, int]]]) -> dict[str, dict[str, int]]:
    """Add up nested counters."""
    totals: dict[str, Counter[str]] = {}
    for counters in counts:
        for kind, values in counters.items():
            totals.setdefault(kind, Counter()).update(values)
    return {kind: dict(sorted(values.items())) for kind, values in sorted(totals.items())}


def parts_added(totals: Mapping[str, Mapping[str, int]]) -> int:
    """Return how many documents a stage added when it split documents into parts."""
    return sum(totals.get("parts", {}).values())


def write_metrics(work: Path, stage: str, totals: Mapping[str, Any], seconds: float) -> None:
    """Write the files that `dvc metrics` and `dvc plots` show for a stage."""
    outcome = totals.get("outcome", {})
    metrics = {
        "outcome": outcome,
        "reason": totals.get("reason", {}),
        "lang": totals.get("lang", {}),
        "seconds": round(seconds, 2),
        "per_second": round(sum(outcome.values()) / seconds, 1) if seconds else None,
    }
    disk.write_json(work / "metrics" / f"{stage}.json", {k: v for k, v in metrics.items() if v})
    rows = [
        {"kind": kind, "name": name, "count": count}
        for kind in ("outcome", "reason", "lang", "source")
        for name, count in sorted(totals.get(kind, {}).items())
    ]
    disk.write_json(work / "plots" / f"{stage}.json", rows)


def explain(ended: pl.DataFrame, number: int = 5) -> list[str]:
    """Explain why records ended: the number for each reason, then examples.

    Args:
      ended: doc_id, stage, reason, rule, evidence; any number of rows.
      number: how many examples to show; each reason gets its share of them.

    Returns:
      Lines with ids, reasons, rules and evidence; no personal data.
    """
    if not ended.height:
        return []
    keys = ["stage", "reason"]
    reasons = ended.group_by(keys).len("n").sort("n", *keys, descending=[True, False, False])
    counted = ", ".join(f"{n} {stage} {reason}" for stage, reason, n in reasons.head(8).iter_rows())
    rank = (pl.int_range(pl.len()).over(keys) + 0.5) / pl.len().over(keys)
    examples = ended.sort("doc_id").with_columns(rank=rank).sort("rank", "doc_id").head(number)
    return [
        counted,
        *map(
            _decision_line,
            examples.select(
                "doc_id", *keys, "rule", pl.col("evidence").fill_null("{}")
            ).iter_rows(),
        ),
    ]


def _decision_line(row: Sequence[Any]) -> str:
    doc_id, stage, reason, rule, evidence = row
    value = evidence if len(evidence) <= 200 else evidence[:199] + "…"
    return f"{doc_id} {stage} {reason}, by {rule}: {value}"
