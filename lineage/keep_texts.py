"""The grounds on which each stage kept a record, in plain sentences."""

from __future__ import annotations

from typing import Final

from lineage.reason_texts import Evidence, Sentences, evidence_text, in_words, recorded_value


def _kept_by_gate(e: Evidence) -> tuple[str, str]:
    seen = [f"{o.get('protocol')} {o.get('value')}" for o in e.get("observations") or ()]
    over = f"; outranked by contract: {in_words(e['overridden'])}" if e.get("overridden") else ""
    return (
        f"It passed the gate for {recorded_value(e, 'purpose')} on {recorded_value(e, 'as_of')}: source "
        f"{recorded_value(e, 'source_id')}, basis {recorded_value(e, 'basis')} ({recorded_value(e, 'reference')}), licence "
        f"{recorded_value(e, 'licence')}, evidence on file with SHA-256 {recorded_value(e, 'evidence_sha256')}; "
        f"opt-out signals seen: {in_words(seen)}{over}.",
        "be refused if the right were withdrawn or expired, did not cover the purpose, the licence "
        "were not in `licences.allow`, the evidence were missing, or the publisher reserved it",
    )


def _kept_by_language(e: Evidence) -> tuple[str, str]:
    return (
        f"Its language is {recorded_value(e, 'lang')} in the script {recorded_value(e, 'script')}: score "
        f"{recorded_value(e, 'score')}, and at least {recorded_value(e, 'floor')} is asked for.{_part_sentence(e)}",
        f"be dropped if the score were below {recorded_value(e, 'floor')}, or {recorded_value(e, 'lang')} were not "
        "among the languages wanted",
    )


def _part_sentence(e: Evidence) -> str:
    if "part_of" not in e:
        return ""
    return f" It is a part of {e['part_of']}, a record that was split by language."


def _kept_by_quality(e: Evidence) -> tuple[str, str]:
    failed = [recorded_value(one, "rule") for one in e.get("failed") or ()]
    return (
        f"Rules of quality that it failed, and was kept all the same: {in_words(failed)}."
        if failed
        else "It failed no rule of quality.",
        "be dropped if what was measured were outside the limits of `quality.thresholds`",
    )


def _passage_condition(e: Evidence) -> str:
    """When no passage would be taken out of a document that lost some."""
    if not (e.get("passages") or {}).get("removed"):
        return ""
    return (
        "; it would keep its passages under `dedup.spans.mode: annotate`, or if the documents "
        "that keep them were not in the release"
    )


def _kept_by_dedup(e: Evidence) -> tuple[str, str]:
    copies = (
        "It stays as the best of its copies (by right, then by time of capture)."
        if "cluster_id" in e
        else "No other document was found to have its text, or nearly so."
    )
    return copies + _passages_sentence(
        e
    ), "be dropped if a copy with a better right came in" + _passage_condition(e)


def _passages_sentence(e: Evidence) -> str:
    about = e.get("passages")
    if not about:
        return ""
    found, least = about["found"], about["min_words"]
    number = about.get("number", len(found))
    several = number != 1
    passages = f"{number} {'passages' if several else 'passage'}"
    stand = f"which {'stand' if several else 'stands'} word for word in {_keepers(found)}"
    were = "were" if several else "was"
    done = (
        f"{were} removed from it (personal data across an edge has its placeholder instead)"
        if about["removed"]
        else f"{were} recorded, and {'stay' if several else 'stays'} in it"
    )
    return f" {passages} of {least} words or more, {stand}, {done}."


def _keepers(found: list[Evidence]) -> str:
    """Who keeps passages: the first three by name."""
    ids = sorted({one["kept_doc_id"] for one in found})
    return in_words(ids[:3]) + (" and others" if len(ids) > 3 else "")


def _kept_by_privacy(e: Evidence) -> tuple[str, str]:
    found = e.get("found") or {}
    told_ = (
        f"Personal data was found and replaced by placeholders: {in_words(found)}."
        if found
        else "No personal data was found in it."
    )
    return told_, "be dropped if its source said `drop-document` and personal data were found"


#: Stage -> what its `keep` says, and when it would have ended there ("It would …").
KEPT: Final[dict[str, Sentences]] = {
    "ingest": _kept_by_gate,
    "language": _kept_by_language,
    "quality": _kept_by_quality,
    "dedup": _kept_by_dedup,
    "privacy": _kept_by_privacy,
}


def explain_keep(stage: str, evidence: Evidence, rule: str, version: str) -> tuple[str, str]:
    """What a stage that kept a record saw, and what would have ended it there."""
    if found := KEPT.get(stage):
        return found(evidence)
    return (
        f"The stage {stage} kept it, by the rule {rule} (version {version}); it noted "
        f"{evidence_text(evidence)}.",
        f"end there if the rule {rule} found otherwise",
    )
