"""What stages count: nested counters, added up, and what is shown of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lineage.storage import disk


def add(counts: Sequence[Mapping[str, Mapping[str, int]]]) -> dict[str, dict[str, int]]:
    """Nested counters, added up."""
    totals: dict[str, Counter[str]] = {}
    for one in counts:
        for kind, values in one.items():
            totals.setdefault(kind, Counter()).update(values)
    return {kind: dict(sorted(values.items())) for kind, values in sorted(totals.items())}


def made(totals: Mapping[str, Mapping[str, int]]) -> int:
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
