"""A text that is also published under a refusal stays or is dropped, by parameter."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from helpers import dedup_job

from pipelines.dedup.refused_copies import REFUSAL_REASONS
from schemas.reasons import REASONS

TEXT = "A text of which one publisher says yes and the other one says no"
DOCUMENTS = {
    "a": ("x", TEXT),  # the best right, with other bytes than the refused record
    "b": ("y", TEXT.upper()),
    "c": ("y", "another text that nobody refused"),
    "d": ("y", "a third text, alone with its refusal"),
}
NO = {"n1": ("opted-out:robots", TEXT.upper()), "n2": ("consent-withdrawn", DOCUMENTS["d"][1])}


def test_all_copies_must_be_lawful(tmp_path: Path) -> None:
    found = dedup_job.run_dedup(tmp_path, DOCUMENTS, refused=NO)
    assert found.kept == {"c"}
    reasons = dict(found.decisions.select("doc_id", "reason").iter_rows())
    assert reasons == {
        "a": "published-under-refusal",  # its copy has the bytes of the refused record
        "b": "exact-duplicate",
        "c": None,
        "d": "published-under-refusal",
    }
    assert found.evidence["a"] == {"refused": "n1"} and found.evidence["d"] == {"refused": "n2"}
    assert set(found.duplicates["kept_doc_id"]) == {"a"}


def test_any_lawful_copy_may_stay(tmp_path: Path) -> None:
    assert dedup_job.run_dedup(tmp_path, DOCUMENTS).kept == {"a", "c", "d"}


@pytest.mark.parametrize("reason", ["ungoverned", "licence-not-allowed", "residency"])
def test_a_source_without_permission_is_not_a_refusal(tmp_path: Path, reason: str) -> None:
    found = dedup_job.run_dedup(tmp_path, DOCUMENTS, refused={"n": (reason, TEXT)})
    assert found.kept == {"a", "c", "d"}


def test_refusals_are_reasons_of_the_gate() -> None:
    assert {*REFUSAL_REASONS} <= {*REASONS["refuse"]}


def test_no_documents_and_no_refusals(tmp_path: Path) -> None:
    assert dedup_job.run_dedup(tmp_path / "a", {}, number=1, refused={}).decisions.is_empty()
    found = dedup_job.run_dedup(tmp_path / "b", DOCUMENTS, refused={})
    assert (
        found.kept == {"a", "c", "d"} and found.decisions.filter(pl.col("reason") == "").is_empty()
    )
