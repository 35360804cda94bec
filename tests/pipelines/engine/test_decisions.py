"""Rows of the ledger, the reasons that it allows, and the counts of decisions."""

from __future__ import annotations

import json
from datetime import date

import polars as pl
import pytest

from pipelines.engine import decisions
from schemas.reasons import REASONS
from schemas.tables import DECISIONS, OUTCOMES


def frame(*rows: tuple[str, str, str | None]) -> pl.DataFrame:
    content = [
        {
            "doc_id": i,
            "uri": None,
            "outcome": o,
            "reason": r,
            "rule": "x",
            "rule_version": "1",
            "evidence": "{}",
        }
        for i, o, r in rows
    ]
    return pl.DataFrame(
        content,
        schema=dict.fromkeys(
            ("doc_id", "uri", "outcome", "reason", "rule", "rule_version", "evidence"), pl.String
        ),
    )


@pytest.mark.parametrize(
    "outcome, reason, good",
    [
        ("keep", None, True),
        ("keep", "empty", False),
        ("refuse", None, False),
        ("refuse", "ungoverned", True),
        ("refuse", "opted-out:robots", True),
        ("refuse", "ungoverned-x", False),
        ("drop", "language-uncertain", True),
        ("drop", "unreadable", False),
        ("damaged", "unreadable", True),
        ("lost", "empty", False),
    ],
)
def test_reasons_by_outcome(outcome, reason, good):
    assert decisions.is_known_reason(outcome, reason) is good


def test_every_outcome_has_its_reasons():
    assert set(REASONS) == set(OUTCOMES)


def test_the_schema_of_decisions():
    table = decisions.decisions(frame(("b", "keep", None), ("a", "drop", "empty")), "ingest", "run")
    assert table.columns == DECISIONS.names and table["doc_id"].to_list() == ["a", "b"]
    assert set(table["stage"]) == {"ingest"} and set(table["run_id"]) == {"run"}
    assert set(table.dtypes) == {pl.String}
    assert decisions.decisions(frame(), "ingest", "run").columns == DECISIONS.names


def test_counts_add_up():
    decided = frame(
        ("a", "keep", None),
        ("b", "drop", "empty"),
        ("c", "drop", "empty"),
        ("d", "damaged", "unreadable"),
    )
    counted = decisions.decision_counts(
        decided, source=pl.Series([None, "x", "x", None], dtype=pl.String)
    )
    assert counted == {
        "outcome": {"drop": 2, "keep": 1, "damaged": 1},
        "reason": {"drop empty": 2, "damaged unreadable": 1},
        "source": {"x": 2, "-": 2},
    }
    assert decisions.outcome_counts(decided) == {"keep": 1, "refuse": 0, "drop": 2, "damaged": 1}
    assert decisions.decision_counts(frame()) == {"outcome": {}, "reason": {}}
    assert decisions.outcome_counts(frame()) == dict.fromkeys(OUTCOMES, 0)


def test_evidence_is_canonical():
    assert decisions.evidence({"b": date(2026, 1, 1), "a": "ә"}) == '{"a": "ә", "b": "2026-01-01"}'
    assert json.loads(decisions.evidence({})) == {}


def test_reasons_are_shown_in_proportion() -> None:
    ended = pl.DataFrame(
        {
            "doc_id": [f"{i:032x}" for i in range(20)],
            "stage": ["dedup"] * 16 + ["privacy"] * 4,
            "reason": ["near-duplicate"] * 16 + ["personal-data"] * 4,
            "rule": ["r"] * 20,
            "evidence": ["{}"] * 19 + ["x" * 999],
        }
    )
    counts, *lines = decisions.explain(ended)
    assert counts == "16 dedup near-duplicate, 4 privacy personal-data"
    assert len(lines) == 5 and sum("near-duplicate" in line for line in lines) == 4
    assert all(len(line) < 300 for line in decisions.explain(ended, 20)[1:])
    assert decisions.explain(ended.clear()) == []
