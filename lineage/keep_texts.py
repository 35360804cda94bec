"""Plain sentences on why each stage kept a record."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from lineage.reason_texts import (
    Evidence,
    Sentences,
    Writer,
    evidence_text,
    fill,
    in_words,
    value_of,
    write_sentences,
)


def explain_keep(stage: str, evidence: Evidence, rule: str, version: str) -> Sentences:
    """Why a stage kept a record, and what would have ended the record there.

    Args:
      stage, evidence: of the decision.
      rule, version: the rule that decided; only the general sentence names them.
    """
    if texts := KEPT.get(stage):
        return write_sentences(texts, evidence)
    return (
        f"The stage {stage} kept it, by the rule {rule} (version {version}). Evidence: "
        f"{evidence_text(evidence)}.",
        f"It would end there if the rule {rule} decided otherwise.",
    )


def _kept_by_gate(evidence: Evidence) -> Sentences:
    signals = [f"{o.get('protocol')} {o.get('value')}" for o in evidence.get("observations") or ()]
    overridden = "; a contract overrides {overridden}" if evidence.get("overridden") else ""
    return fill(
        {**evidence, "signals": signals},
        "It passed the gate for {purpose} on {as_of}. Source: {source_id}. Lawful basis: {basis} "
        "({reference}). Licence: {licence}. SHA-256 of the evidence on file: {evidence_sha256}. "
        "Opt-out signals seen: {signals}" + overridden + ".",
        "It would be refused if the right were withdrawn or expired, if the right did not cover the "
        "purpose, if the licence were not in `licences.allow`, if the evidence were missing, or if "
        "the publisher reserved its use.",
    )


def _kept_by_language(evidence: Evidence) -> Sentences:
    cause = "Its language is {lang} in the script {script}: score {score}, minimum {floor}."
    if "part_of" in evidence:
        cause += " It is a part of {part_of}, a record that was split by language."
    return fill(
        evidence,
        cause,
        "It would be dropped if the score were below {floor}, or if {lang} were not one of the "
        "languages wanted.",
    )


def _kept_by_quality(evidence: Evidence) -> Sentences:
    failed = [value_of(rule, "rule") for rule in evidence.get("failed") or ()]
    return (
        f"It failed these quality rules and was kept nevertheless: {in_words(failed)}."
        if failed
        else "It failed no quality rule.",
        "It would be dropped if a measured value were outside the limits of `quality.thresholds`.",
    )


def _kept_by_dedup(evidence: Evidence) -> Sentences:
    cause = (
        "It is the best of its copies: by right, then by time of capture."
        if "cluster_id" in evidence
        else "No other document was found that has the same or nearly the same text."
    )
    condition = "It would be dropped if a copy with a better right came in."
    if passages := evidence.get("passages"):
        cause += " " + _passages_sentence(passages)
        if passages.get("removed"):
            condition += (
                " It would keep its passages under `dedup.spans.mode: annotate`, or if the "
                "documents that keep them were not in the release."
            )
    return cause, condition


def _passages_sentence(passages: Evidence) -> str:
    """How many passages the document shares with which documents, and what was done."""
    shared = passages["found"]
    number = passages.get("number", len(shared))
    several = number != 1
    count = f"{number} passages" if several else "1 passage"
    place = f"{'are' if several else 'is'} also in {_keepers(shared)}, word for word"
    it, was = ("They", "were") if several else ("It", "was")
    action = (
        f"{was} removed from this document; where personal data crosses the edge of a passage, its "
        "placeholder stays"
        if passages["removed"]
        else f"{was} recorded, and {'stay' if several else 'stays'} in this document"
    )
    return f"{count} of {passages['min_words']} words or more {place}. {it} {action}."


def _keepers(shared: Sequence[Evidence]) -> str:
    """The documents that keep passages: the first three by id."""
    ids = sorted({passage["kept_doc_id"] for passage in shared})
    return in_words(ids[:3]) + (" and others" if len(ids) > 3 else "")


def _kept_by_privacy(evidence: Evidence) -> Sentences:
    return fill(
        evidence,
        "Personal data was found and replaced by placeholders: {found}."
        if evidence.get("found")
        else "No personal data was found in it.",
        "It would be dropped if personal data were found, and its source required that "
        "(`personal_data: drop-document`).",
    )


#: Stage -> the sentences on its `keep`.
KEPT: Final[dict[str, Sentences | Writer]] = {
    "ingest": _kept_by_gate,
    "language": _kept_by_language,
    "quality": _kept_by_quality,
    "dedup": _kept_by_dedup,
    "privacy": _kept_by_privacy,
}
