"""Tests of withdrawals that match no record of a run."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from pipelines.withdrawal.unmatched import unmatched_withdrawals
from schemas.register import Withdrawal

DAY = date(2026, 11, 1)
URI = "https://www.a.kz/news/1"


def withdrawal(scope: str, value: str, day: date = DAY) -> Withdrawal:
    return Withdrawal(scope, value, day, "request")


def ingest(folder: Path, *barred_by: Withdrawal, uri: str = URI) -> Path:
    """Write ingest's output: a record that the first withdrawal bars, and one that is kept."""
    evidence = json.dumps({"withdrawal_sha256": barred_by[0].sha256}) if barred_by else "{}"
    reason = "withdrawn" if barred_by else None
    rows = [("d" * 32, "a", uri, reason, evidence), ("e" * 32, "b", "https://b.kz/", None, "{}")]
    schema = dict.fromkeys(("doc_id", "source_id", "uri", "reason", "evidence"), pl.String)
    decided = pl.DataFrame(rows, schema=schema, orient="row")
    records = decided.select("doc_id", "source_id", "uri")
    for name, frame in (("records", records), ("decisions", decided.drop("source_id"))):
        (folder / name).mkdir()
        frame.write_parquet(folder / name / "a.parquet")
    return folder


@pytest.mark.parametrize(
    ("scope", "value"),
    [("source", "a"), ("document", "D" * 32), ("domain", "A.kz"), ("domain", "www.a.kz"),
     ("url", "http://WWW.a.kz/news/./1#x")],
)  # fmt: skip
def test_a_withdrawal_of_a_record_that_another_bars_matches(
    tmp_path: Path, scope: str, value: str
) -> None:
    first, second = withdrawal("source", "a"), withdrawal(scope, value)
    assert unmatched_withdrawals([first, second], ingest(tmp_path, first)) == []


@pytest.mark.parametrize(
    ("scope", "value"),
    [("source", "b"), ("document", "e" * 32), ("domain", "b.kz"), ("domain", "ww.a.kz"),
     ("url", "https://www.a.kz/news/"), ("url", "urn:x"), ("text", "f" * 64)],
)  # fmt: skip
def test_a_withdrawal_that_bars_nothing_is_unmatched(
    tmp_path: Path, scope: str, value: str
) -> None:
    first, second = withdrawal("source", "a"), withdrawal(scope, value)
    assert unmatched_withdrawals([first, second], ingest(tmp_path, first)) == [second]


def test_the_evidence_of_decisions_is_enough(tmp_path: Path) -> None:
    text = withdrawal("text", "f" * 64)
    assert (
        unmatched_withdrawals([text], ingest(tmp_path, text, uri="https://a.kz/<EMAIL_ADDRESS>"))
        == []
    )


def test_of_two_equal_withdrawals_one_match_is_enough(tmp_path: Path) -> None:
    once, twice = withdrawal("domain", "a.kz"), withdrawal("domain", "a.kz", date(2026, 11, 2))
    assert unmatched_withdrawals([once, twice], ingest(tmp_path, once)) == []


def test_without_barred_records_all_are_unmatched(tmp_path: Path) -> None:
    recorded = [withdrawal("domain", "a.kz"), withdrawal("url", "urn:x")]
    assert unmatched_withdrawals(recorded, ingest(tmp_path)) == recorded
    assert unmatched_withdrawals([], tmp_path / "nowhere") == []
