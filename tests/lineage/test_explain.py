"""Each outcome has plain sentences that state its cause and its condition."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from helpers import release_tables
from helpers.commands import tamga

from lineage import explain, keep_texts, reason_texts
from lineage.release_folder import ReleaseFolder
from pipelines.ingest.signals.registry import PROTOCOLS
from pipelines.withdrawal import command as withdraw
from schemas.reasons import REASONS, REGISTER

ALL = sorted({*REGISTER, *(r for rs in REASONS.values() for r in rs)})


@pytest.mark.parametrize("reason", ALL)
@pytest.mark.parametrize("evidence", [{}, {"policy": {"pack": None}, "found": {"IIN": 2}}], ids=len)
def test_every_reason_has_sentences(reason: str, evidence: dict[str, Any]) -> None:
    assert reason in reason_texts.REASONS
    full = f"{reason}x" if reason in reason_texts.FAMILIES else reason
    why, otherwise = reason_texts.explain_reason("ingest", full, evidence, "a rule", "1")
    assert why.endswith(".") and otherwise.endswith(".")
    assert "the rule a rule" not in why


def test_every_protocol_is_named() -> None:
    assert {p.NAME for p in PROTOCOLS} <= reason_texts.PROTOCOLS.keys()


def test_an_unknown_reason_gets_a_general_sentence() -> None:
    why, otherwise = reason_texts.explain_reason(
        "mixture", "over-quota", {"share": 0.4}, "mix", "3"
    )
    assert why == (
        "The stage mixture ended it with the reason `over-quota`, by the rule mix (version 3). "
        "Evidence: share: 0.4."
    )
    assert "mix" in otherwise


@pytest.mark.parametrize(
    ("reason", "evidence", "why", "otherwise"),
    [
        (
            "licence-not-allowed",
            {"licence": "CC-BY-NC-4.0", "allow": ["CC0-1.0"]},
            "CC-BY-NC-4.0, is not one of the licences that the parameters allow (CC0-1.0)",
            "if CC-BY-NC-4.0 were in `licences.allow`",
        ),
        (
            "near-duplicate",
            {"kept_doc_id": "ab", "similarity": 0.83, "threshold": 0.7},
            "similarity 0.83 ≥ 0.7",
            "below 0.7",
        ),
        (
            "consent-expired",
            {"source_id": "kz-a", "expires_on": "2026-06-30", "as_of": "2026-11-22"},
            "ended after 2026-06-30. The release was made for 2026-11-22",
            "up to 2026-06-30",
        ),
        ("withdrawn", {"found": {}, "policy": "scrub"}, "SHA-256", "lifted"),
        (
            "language-undetermined",
            {"lang": "tg", "score": 0.1, "floor": 0.2},
            "tg, has a score of 0.1; the minimum is 0.2",
            "0.2 or more",
        ),
    ],
    ids=["licence", "near", "expired", "withdrawn", "language"],
)
def test_the_sentences_have_the_values_of_the_evidence(
    reason: str, evidence: dict[str, Any], why: str, otherwise: str
) -> None:
    cause, condition = reason_texts.explain_reason("ingest", reason, evidence, "a rule", "1")
    assert why in cause and otherwise in condition


@pytest.mark.parametrize(
    ("number", "removed", "why"),
    [
        (
            1,
            True,
            "1 passage of 20 words or more is also in d0, word for word. It was removed from",
        ),
        (
            2,
            True,
            "2 passages of 20 words or more are also in d0, d1, word for word. They were rem",
        ),
        (1, False, "in d0, word for word. It was recorded, and stays in this document."),
        (9, False, "in d0, d1, d2 and others, word for word. They were recorded, and stay in"),
    ],
)
def test_shared_passages_are_a_sentence(number: int, removed: bool, why: str) -> None:
    shared = [{"kept_doc_id": f"d{n}", "start": n} for n in range(number)]
    passages = {"removed": removed, "number": number, "found": shared, "min_words": 20}
    for recorded in (passages, {k: v for k, v in passages.items() if k != "number"}):
        assert why in keep_texts.explain_keep("dedup", {"passages": recorded}, "dedup", "1")[0]


def test_long_evidence_is_shortened() -> None:
    evidence = {"found": [{"start": n, "end": n + 9} for n in range(1000)]}
    step = dict.fromkeys(("stage", "why", "rule", "rule_version", "run_id"), "x")
    one = dict.fromkeys(("outcome", "reason", "doc_id", "uri", "release", "document"))
    shown = "\n".join(
        explain._explanation_lines(
            one | {"steps": [step | {"evidence": evidence}], "copies": [], "otherwise": []}
        )
    )
    assert "start 1 " in shown.replace(",", " ") and "--json" in shown
    assert len(shown) < explain.SHOWN + 300


def test_every_record_of_the_sample_is_explained(sample_run: Path) -> None:
    release = ReleaseFolder(sample_run / "release/sample", sample_run, sample_run / "work/keys")
    assert release.entered is not None
    fates = release_tables.outcomes_by_document(release.folder)
    one_of_each = {fate: doc_id for doc_id, fate in fates.items()}
    for (outcome, reason), doc_id in one_of_each.items():
        explained = explain.explanation(release.chain(doc_id))
        assert (explained["outcome"], explained["reason"]) == (outcome, reason)
        causes = [step["why"] for step in explained["steps"]]
        assert all(why and reason_texts.NOT_RECORDED not in why for why in causes)
        conditions = " ".join(explained["otherwise"])
        assert conditions and reason_texts.NOT_RECORDED not in conditions


def test_a_copy_whose_kept_document_was_withdrawn(sample_copy: Path) -> None:
    params = sample_copy / "params.yaml"
    release = ReleaseFolder(sample_copy / "release/sample", sample_copy)
    copies = release_tables.read_table(release.folder, "duplicates").filter(kind="exact")
    copy = copies.filter(pl.col("doc_id") != pl.col("kept_doc_id")).row(0, named=True)
    chain = release.chain(copy["doc_id"])
    assert explain.outcomes_of_kept(release, chain) == {}
    order = ["--confirm", "--by", "counsel", "--ground", "letter 12/7", "--params", str(params)]
    assert withdraw.main(["document", copy["kept_doc_id"], *order]) == 0
    done = tamga("explain", copy["doc_id"], "--params", params)
    assert "But that document ended as refuse: withdrawn" in done.stdout, done.stderr
    assert f"Was kept for it, and ended as refuse: withdrawn: {copy['kept_doc_id']}" in done.stdout
    assert "* The next run judges this copy in its place." in done.stdout


@pytest.mark.parametrize("removed", [True, False])
def test_the_condition_names_what_would_keep_a_passage(removed: bool) -> None:
    shared = [{"kept_doc_id": "ab"}]
    evidence = {"passages": {"found": shared, "min_words": 50, "removed": removed}}
    _, condition = keep_texts.explain_keep("dedup", evidence, "a rule", "1")
    assert ("would keep its passages" in condition) == removed


def test_command(sample_run: Path) -> None:
    params = ("--params", sample_run / "params.yaml")
    url = "https://vestnik.example.ru/zakryto/ekspeditsiya.html"
    done = tamga("explain", url, *params)
    assert done.returncode == 0 and "robots.txt (RFC 9309)" in done.stdout, done.stderr
    explanations = json.loads(tamga("explain", url, *params, "--json").stdout)["explanations"]
    assert [entry["reason"] for entry in explanations] == ["opted-out:robots"]
    assert tamga("explain", "' OR 1=1 --", *params).returncode == 1
    assert tamga("explain", url, *params, "--release", "v9").returncode == 2
