"""Reasons in plain sentences: why a record ended as it did, and what would change the outcome.

Each reason has two sentences: the cause, and the condition for the other outcome.  Names in braces
are filled with the values of the decision's evidence.  A reason without an entry here gets a
general sentence.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

Evidence = Mapping[str, Any]
#: The cause and the condition.
Sentences = tuple[str, str]
#: Evidence -> its sentences, filled.
Writer = Callable[[Evidence], Sentences]

NOT_RECORDED: Final = "(not recorded)"

#: The name of the law or specification behind an opt-out.
PROTOCOLS: Final = {
    "robots": "robots.txt (RFC 9309)",
    "tdmrep": "a TDM reservation (TDMRep)",
    "aipref": "a Content-Usage statement (AI preferences, an IETF draft)",
    "content-signal": "a Content-Signal statement",
    "noai": "a `noai` or `noml` mark (in common use, without a specification)",
    "rsl": "licence terms under RSL 1.0",
    "ai-txt": "ai.txt (the form of Spawning)",
}


def explain_reason(
    stage: str, reason: str, evidence: Evidence, rule: str, version: str
) -> Sentences:
    """Why a record ended with this reason, and what would change the outcome.

    Args:
      stage, reason, evidence: of the decision.
      rule, version: the rule that decided; only the general sentence names them.
    """
    for name in (reason, *(family for family in FAMILIES if reason.startswith(family))):
        if texts := REASONS.get(name):
            return write_sentences(texts, {**evidence, "_reason": reason})
    return (
        f"The stage {stage} ended it with the reason `{reason}`, by the rule {rule} (version "
        f"{version}). Evidence: {evidence_text(evidence)}.",
        f"The rule {rule}, in this version or another, would have to decide otherwise.",
    )


def write_sentences(texts: Sentences | Writer, evidence: Evidence) -> Sentences:
    """The two sentences of an entry, filled with evidence."""
    return fill(evidence, *texts) if isinstance(texts, tuple) else texts(evidence)


def fill(evidence: Evidence, cause: str, condition: str) -> Sentences:
    """Two templates filled with evidence; a missing value becomes `(not recorded)`."""
    values = _Values(evidence)
    return cause.format_map(values), condition.format_map(values)


class _Values:
    """The values of evidence in words, by name."""

    def __init__(self, evidence: Evidence) -> None:
        self._evidence = evidence

    def __getitem__(self, name: str) -> str:
        return value_of(self._evidence, name)


def evidence_text(evidence: Evidence) -> str:
    """Evidence in words: each name with its value."""
    parts = [f"{k.replace('_', ' ')}: {in_words(v)}" for k, v in evidence.items() if k[0] != "_"]
    return "; ".join(parts) or "nothing else"


def in_words(value: Any) -> str:
    """A value of evidence in words."""
    if isinstance(value, list):
        return ", ".join(map(in_words, value)) or "none"
    if isinstance(value, dict):
        return "(" + (", ".join(f"{k} {in_words(v)}" for k, v in value.items()) or "none") + ")"
    return "none" if value is None else str(value)


def value_of(evidence: Evidence, name: str) -> str:
    """The value of a name in words, or `(not recorded)`."""
    return in_words(evidence[name]) if name in evidence else NOT_RECORDED


def _details(evidence: Evidence) -> str:
    """Evidence in words, without the policy ruling that every decision of the gate has."""
    return evidence_text({k: v for k, v in evidence.items() if k != "policy"})


def _with_details(cause: str, condition: str) -> Writer:
    """Sentences in which `{details}` is all of the evidence."""
    return lambda evidence: fill({**evidence, "details": _details(evidence)}, cause, condition)


def _withdrawn(evidence: Evidence) -> Sentences:
    if "scope" not in evidence:  # a text, judged after personal data was replaced
        return (
            "Its text was withdrawn: the SHA-256 of the text, as it would have been released, is in "
            "the register of withdrawals.",
            "It would pass only if that withdrawal were lifted.",
        )
    named = " {value}" if "value" in evidence else ""
    return fill(
        evidence,
        "A withdrawal of the {scope}"
        + named
        + ", recorded on {recorded_on}, bars it. A withdrawal "
        "applies to releases for every date.",
        "It would pass only if that withdrawal were lifted in the register.",
    )


def _consent_expired(evidence: Evidence) -> Sentences:
    if "granted_on" in evidence:
        return fill(
            evidence,
            "The right to use {source_id} begins on {granted_on}. The release was made for {as_of}.",
            "It would pass in a release for {granted_on} or a later day.",
        )
    return fill(
        evidence,
        "The right to use {source_id} ended after {expires_on}. The release was made for {as_of}.",
        "It would pass if the right were renewed, or in a release for a day up to {expires_on}.",
    )


def _purpose(evidence: Evidence) -> Sentences:
    if "url_scope" in evidence:
        return fill(
            evidence,
            "The grant of {source_id} covers only addresses under {url_scope}. This address is "
            "outside.",
            "It would pass if `basis.url_scope` covered its address.",
        )
    if "licence_purposes" in evidence:
        return fill(
            evidence,
            "The licence {licence} allows the purposes {licence_purposes}. The release is for "
            "{purpose}.",
            "It would pass under a licence that allows {purpose}.",
        )
    if "granted" in evidence:
        return fill(
            evidence,
            "The lawful basis of {source_id} grants the purposes {granted}. The release is for "
            "{purpose}.",
            "It would pass if `basis.purposes` named {purpose}, or in a release for {granted}.",
        )
    return fill(
        evidence,
        "The licence {licence} offers no allowed choice that serves {purpose}.",
        "It would pass under an allowed licence that serves {purpose}.",
    )


def _policy(evidence: Evidence) -> Sentences:
    policy = evidence.get("policy") or {}
    return fill(
        {**evidence, "pack": policy.get("pack"), "version": policy.get("version")},
        "The policy pack {pack} (version {version}) bars it: {barred}.",
        "It would pass if it met that rule, or if policy packs only warned "
        "(`policy: {{enforce: warn}}`).",
    )


def _opted_out(evidence: Evidence) -> Sentences:
    name = evidence["_reason"].partition(":")[2]
    seen = evidence.get("observation") or {}
    place = seen.get("where") or "where it was read"
    if seen.get("location"):
        place += f", for {seen['location']}"
    when = f"seen on {seen['observed_at']}" if seen.get("observed_at") else "seen with the record"
    capture = f", in the capture {seen['capture']}" if seen.get("capture") else ""
    raw = f": “{seen['raw']}”" if seen.get("raw") else ""
    return (
        f"The publisher reserves its use by {PROTOCOLS.get(name, name)} ({place}; {when}{capture})"
        f"{raw}.",
        "It would pass without that statement, or if a contract overrode it "
        "(`opt_out: overridden`). Opt-out signals were judged with "
        f"`signals: {evidence.get('signals', 'fetch')}`.",
    )


def _empty(evidence: Evidence) -> Sentences:
    if "chars" in evidence:
        return (
            "No text is left after its markup is removed.",
            "It would pass if it had text.",
        )
    return (
        "It is a revisit: the crawler noted that the page was the same as in an earlier capture "
        f"({_details(evidence)}), and stored no text.",
        "The earlier capture is judged on its own.",
    )


def _language(evidence: Evidence) -> Sentences:
    kind = evidence["_reason"].removeprefix("language-")
    if kind == "no-letters":
        return (
            "It has no letters, so its language cannot be determined.",
            "It would pass if it had text.",
        )
    if kind == "undetermined":
        return fill(
            evidence,
            "Its language could not be determined. The best guess, {lang}, has a score of {score}; "
            "the minimum is {floor}.",
            "It would pass with a score of {floor} or more, or if `language.floor` were {score} or "
            "less.",
        )
    if kind == "not-wanted":
        return fill(
            evidence,
            "It is in {lang} (score {score}), which is not one of the languages wanted.",
            "It would pass if {lang} were in `language.allow`.",
        )
    return (
        f"It was dropped for its language ({kind}): {_details(evidence)}.",
        "It would pass if the measured values were within the limits of the section `language`.",
    )


_BOUNDS: Final = {"min": "the minimum", "max": "the maximum"}


def _quality(evidence: Evidence) -> Sentences:
    kind = evidence["_reason"].removeprefix("quality-")
    failed = [
        f"{value_of(rule, 'statistic')} is {value_of(rule, 'value')}, and "
        f"{_BOUNDS.get(rule.get('bound'), 'the limit')} is {value_of(rule, 'threshold')} "
        f"(rule {value_of(rule, 'rule')})"
        for rule in evidence.get("failed") or ()
    ]
    return (
        f"It does not meet the quality rules ({kind}): {'; '.join(failed) or _details(evidence)}.",
        "It would pass if these values were within the limits, under other `quality.thresholds`, "
        "or under `quality.mode: annotate`.",
    )


def _duplicate(evidence: Evidence) -> Sentences:
    if evidence["_reason"] == "exact-duplicate":
        return fill(
            evidence,
            "It has the same text as the document {kept_doc_id}. That document has the better right, "
            "or was captured earlier.",
            "It would stay if {kept_doc_id} were not in the release. If {kept_doc_id} were "
            "withdrawn, this copy would be judged in its place.",
        )
    similarity = float(evidence.get("similarity", 0))
    return fill(
        {**evidence, "measured": f"{similarity:.2f}", "similarity": f"{similarity:.4f}"},
        "It has nearly the same text as the document {kept_doc_id}: similarity {measured} ≥ "
        "{threshold}, measured on shingles of words.",
        "It would stay if the similarity were below {threshold}, if `dedup.threshold` were above "
        "{similarity}, or if {kept_doc_id} were not in the release.",
    )


def _contaminated(evidence: Evidence) -> Sentences:
    name = evidence["_reason"].partition(":")[2]
    return (
        f"It shares sequences of words with the evaluation set {name}: {_details(evidence)}.",
        f"It would stay if {name} were not in `dedup.decontaminate`, or if it shared no such "
        "sequence.",
    )


#: Reason, or the beginning of a family of reasons -> its sentences.
REASONS: Final[dict[str, Sentences | Writer]] = {
    "withdrawn": _withdrawn,
    "ungoverned": (
        "No entry of the register matches its address or collection, so nobody has granted its "
        "use.",
        "It would be judged further if an entry of the register, with a lawful basis and its "
        "evidence, matched it.",
    ),
    "consent-withdrawn": (
        "The right to use {source_id} is withdrawn from {withdrawn_on} on. The release was made for "
        "{as_of}.",
        "It would pass in a release for a day before {withdrawn_on}, or if the publisher granted "
        "the right again.",
    ),
    "consent-expired": _consent_expired,
    "purpose-not-granted": _purpose,
    "licence-not-allowed": (
        "Its licence, {licence}, is not one of the licences that the parameters allow ({allow}).",
        "It would pass if {licence} were in `licences.allow`, or if the source had one of the "
        "allowed licences.",
    ),
    "evidence-missing": (
        "The evidence file of {source_id}, {evidence}, is missing or empty. This file proves the "
        "right to use the source.",
        "It would pass if register/evidence/{evidence} were there, with its content.",
    ),
    "residency": (
        "Text of {source_id} may be stored only in {residency}. The release is stored in "
        "{storage_country}.",
        "It would pass if the release were stored in {residency}, or if the grant named "
        "{storage_country}.",
    ),
    "policy:": _policy,
    "opted-out:": _opted_out,
    "licence-conflict": (
        "The page states {stated}. {stricter} is stricter than {declared}, which the register "
        "declares.",
        "It would pass if the page or the register were corrected, so that the page is not "
        "stricter.",
    ),
    "unreadable": (
        "Its bytes cannot be read ({detail}).",
        "An undamaged copy would be judged further.",
    ),
    "too-large": _with_details(
        "It is larger than the limit for a record ({details}).",
        "It would be read if `ingest.max_record_bytes` were raised.",
    ),
    "unsupported-media-type": (
        "Text is not read from its media type, {media_type}.",
        "It would be read if it were text, HTML or a document in a supported format.",
    ),
    "http-status": (
        "The server answered with the status {status}, so there is no page.",
        "A capture with the status 200 would be judged further.",
    ),
    "undecodable": (
        "Its bytes are not text in any charset that fits ({detail}).",
        "It would be read if its bytes were complete, and in the charset that they declare.",
    ),
    "signal": (
        "It is a capture of robots.txt, tdmrep.json, ai.txt or licence terms. It is read for the "
        "statements of its host, and its text is not used.",
        "Nothing would let it pass: such files are not documents.",
    ),
    "empty": _empty,
    "language-": _language,
    "quality-": _quality,
    "exact-duplicate": _duplicate,
    "near-duplicate": _duplicate,
    "published-under-refusal": _with_details(
        "The same payload, byte for byte, was also published where it is refused: {details}.",
        "It would stay under `policy.duplicates: any-lawful`, or if no refused record had its "
        "payload.",
    ),
    "contaminated:": _contaminated,
    "personal-data": (
        "Personal data was found in it ({found}). Its source requires that such documents are "
        "dropped (`personal_data: drop-document`).",
        "It would pass under `personal_data: scrub`, with placeholders in place of the data.",
    ),
    "not-selected": _with_details(
        "The mixture of the release does not select it: {details}. This is the trainer's choice, "
        "not a question of rights.",
        "It would be selected if the mixture's `select` named its language, domain and source.",
    ),
    "mixture-cap": _with_details(
        "The mixture of the release has enough documents of its kind: {details}. This is the "
        "trainer's choice, not a question of rights.",
        "It would be selected under a higher cap, or if it came before others in the mixture's "
        "`order`.",
    ),
}
#: Entries that hold for all reasons that begin so.
FAMILIES: Final = tuple(name for name in REASONS if name.endswith((":", "-")))
