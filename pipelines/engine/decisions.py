"""Rows of the ledger: what a stage decided about each record, and the counts of it."""

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
    """Evidence as canonical JSON."""
    return _encode(value)


def is_known_reason(outcome: str, reason: str | None) -> bool:
    """Whether an outcome with this reason may stand in the ledger."""
    if outcome == "keep":
        return reason is None
    names = REASONS.get(outcome, ())
    return reason is not None and any(
        reason.startswith(n) if n.endswith((":", "-")) else reason == n for n in names
    )


def decisions(frame: pl.DataFrame, stage: str, run_id: str) -> pl.DataFrame:
    """Bring a frame with doc_id, uri, outcome, reason, rule, rule_version, evidence (JSON) into
    the shape of the `decisions` table, sorted by doc_id."""
    return (
        frame.with_columns(stage=pl.lit(stage), run_id=pl.lit(run_id))
        .select(DECISIONS.names)
        .cast(dict.fromkeys(DECISIONS.names, pl.String))
        .sort("doc_id")
    )


def decision_counts(decided: pl.DataFrame, **more: pl.Series) -> dict[str, dict[str, int]]:
    """Nested counters of a shard's decisions: by outcome, by reason, and by each series in `more`
    (one value per decision; nulls count as `-`)."""
    total = {
        "outcome": value_counts(decided["outcome"]),
        "reason": value_counts(
            decided.filter(pl.col("outcome") != "keep")
            .select(pl.concat_str("outcome", pl.lit(" "), "reason"))
            .to_series()
        ),
    }
    return total | {name: value_counts(values) for name, values in more.items()}


def outcome_counts(decided: pl.DataFrame) -> dict[str, int]:
    """How many decisions of each outcome, zeros included."""
    found = value_counts(decided["outcome"])
    return {name: found.get(name, 0) for name in OUTCOMES}


def value_counts(values: pl.Series) -> dict[str, int]:
    table = values.cast(pl.String).fill_null("-").value_counts(sort=True)
    return {str(k): int(n) for k, n in table.iter_rows()}


def redaction_counts(classes: pl.Series) -> dict[str, dict[str, int]]:
    """Classes of `redactions` -> how many of each: `entity`, personal data; `repeated`, where there
    are any, what went because others have it."""
    again = classes.is_in(REPEATED)
    counted = {"entity": value_counts(classes.filter(~again))}
    return counted | ({"repeated": value_counts(classes.filter(again))} if again.any() else {})


def add_counts(counts: Sequence[Mapping[str, Mapping[str, int]]]) -> dict[str, dict[str, int]]:
    """Nested counters, added up."""
    totals: dict[str, Counter[str]] = {}
    for one in counts:
        for kind, values in one.items():
            totals.setdefault(kind, Counter()).update(values)
    return {kind: dict(sorted(values.items())) for kind, values in sorted(totals.items())}


def parts_added(totals: Mapping[str, Mapping[str, int]]) -> int:
    """How many documents a stage made besides those that went in: parts of what it split."""
    return sum(totals.get("parts", {}).values())


def write_metrics(work: Path, stage: str, totals: Mapping[str, Any], seconds: float) -> None:
    """What `dvc metrics` and `dvc plots` show of a stage."""
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
    """What explains best why records ended: how many for each reason, then `number` of them, from
    each reason in proportion.

    Args:
      ended: doc_id, stage, reason, rule, evidence; any number of rows.

    Returns:
      Lines: ids, reasons, rules and evidence, no personal data.
    """
    if not ended.height:
        return []
    why = ["stage", "reason"]
    reasons = ended.group_by(why).len("n").sort("n", *why, descending=[True, False, False])
    counted = ", ".join(f"{n} {stage} {reason}" for stage, reason, n in reasons.head(8).iter_rows())
    rank = (pl.int_range(pl.len()).over(why) + 0.5) / pl.len().over(why)
    some = ended.sort("doc_id").with_columns(rank=rank).sort("rank", "doc_id").head(number)
    return [
        counted,
        *map(
            _decision_line,
            some.select("doc_id", *why, "rule", pl.col("evidence").fill_null("{}")).iter_rows(),
        ),
    ]


def _decision_line(row: Sequence[Any]) -> str:
    doc_id, stage, reason, rule, evidence = row
    value = evidence if len(evidence) <= 200 else evidence[:199] + "…"
    return f"{doc_id} {stage} {reason}, by {rule}: {value}"
