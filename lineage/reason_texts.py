"""Reasons in plain sentences: why a record ended as it did, and what would have to differ.

A function for each reason takes the decision's evidence and gives the two sentences.  A reason
that has none, of a stage to come, gets a general sentence that holds for any.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

Evidence = Mapping[str, Any]
#: Evidence -> why, and what would have to differ for the other outcome.
Sentences = Callable[[Evidence], tuple[str, str]]

#: What the law or specification behind an opt-out is called.
PROTOCOLS: Final = {
    "robots": "robots.txt (RFC 9309)",
    "tdmrep": "a TDM reservation (TDMRep)",
    "aipref": "a Content-Usage statement (AI preferences, an IETF draft)",
    "content-signal": "a Content-Signal statement",
    "noai": "a `noai` or `noml` mark (in common use, specified nowhere)",
    "rsl": "licence terms under RSL 1.0",
    "ai-txt": "ai.txt (in Spawning's form)",
}


def explain_reason(
    stage: str, reason: str, evidence: Evidence, rule: str, version: str
) -> tuple[str, str]:
    """Why a record ended with this reason, and what would have to differ."""
    for name in (reason, *(f for f in FAMILIES if reason.startswith(f))):
        if found := REASONS.get(name):
            return found({**evidence, "_reason": reason})
    return (
        f"The stage {stage} ended it with the reason `{reason}`, by the rule {rule} (version "
        f"{version}); it noted {evidence_text(evidence)}.",
        f"The rule {rule} would have to find otherwise, or another version of it decide otherwise.",
    )


def evidence_text(evidence: Evidence) -> str:
    """Evidence in words: each name with its value."""
    parts = [f"{k.replace('_', ' ')}: {in_words(v)}" for k, v in evidence.items() if k[0] != "_"]
    return "; ".join(parts) or "nothing else"


def in_words(value: Any) -> str:
    """A value of evidence, in words."""
    if isinstance(value, list):
        return ", ".join(map(in_words, value)) or "none"
    if isinstance(value, dict):
        return "(" + (", ".join(f"{k} {in_words(v)}" for k, v in value.items()) or "none") + ")"
    return "none" if value is None else str(value)


def recorded_value(evidence: Evidence, name: str) -> str:
    """What evidence has under a name."""
    return in_words(evidence[name]) if name in evidence else "(not recorded)"


def _withdrawn(e: Evidence) -> tuple[str, str]:
    named = f" {e['value']}" if "value" in e else ""
    if "scope" not in e:  # of a text, seen after personal data was replaced
        return (
            "The text, as it would have been released, was withdrawn: its SHA-256 stands in the "
            "register of withdrawals.",
            "It would pass only if that withdrawal were lifted.",
        )
    return (
        f"A withdrawal of the {e['scope']}{named}, recorded on {recorded_value(e, 'recorded_on')}, bars it, "
        "whatever day the release is made for.",
        "It would pass only if that withdrawal were lifted in the register.",
    )


def _ungoverned(e: Evidence) -> tuple[str, str]:
    return (
        "No entry of the register governs its address or collection, so nobody has granted its "
        "use.",
        "It would be judged further if an entry of the register, with a basis and its evidence, "
        "matched it.",
    )


def _consent_withdrawn(e: Evidence) -> tuple[str, str]:
    return (
        f"The right to use {recorded_value(e, 'source_id')} was withdrawn from {recorded_value(e, 'withdrawn_on')} on, "
        f"and the release was made for {recorded_value(e, 'as_of')}.",
        f"It would pass if the release were made for a day before {recorded_value(e, 'withdrawn_on')}, or if "
        "the publisher granted it anew.",
    )


def _consent_expired(e: Evidence) -> tuple[str, str]:
    if "granted_on" in e:
        return (
            f"The right to use {recorded_value(e, 'source_id')} begins on {e['granted_on']}, and the release "
            f"was made for {recorded_value(e, 'as_of')}.",
            f"It would pass for {e['granted_on']} or a later day.",
        )
    return (
        f"The right to use {recorded_value(e, 'source_id')} ended after {recorded_value(e, 'expires_on')}, and the "
        f"release was made for {recorded_value(e, 'as_of')}.",
        f"It would pass if the right were renewed, or for a day up to {recorded_value(e, 'expires_on')}.",
    )


def _purpose(e: Evidence) -> tuple[str, str]:
    purpose = recorded_value(e, "purpose")
    if "url_scope" in e:
        return (
            f"The grant of {recorded_value(e, 'source_id')} covers only addresses under "
            f"{in_words(e['url_scope'])}, and this one is outside.",
            "It would pass if `basis.url_scope` covered its address.",
        )
    if "licence_purposes" in e:
        return (
            f"The licence {recorded_value(e, 'licence')} serves {in_words(e['licence_purposes'])}, and the "
            f"release is for {purpose}.",
            f"It would pass under a licence that serves {purpose}.",
        )
    if "granted" in e:
        return (
            f"The basis of {recorded_value(e, 'source_id')} grants {in_words(e['granted'])}, and the release "
            f"is for {purpose}.",
            f"It would pass if `basis.purposes` named {purpose}, or in a release for "
            f"{in_words(e['granted'])}.",
        )
    return (
        f"Under the licence {recorded_value(e, 'licence')} no allowed choice serves {purpose}.",
        f"It would pass under a licence that is allowed and serves {purpose}.",
    )


def _licence(e: Evidence) -> tuple[str, str]:
    return (
        f"Its licence, {recorded_value(e, 'licence')}, is not among those that the parameters allow "
        f"({recorded_value(e, 'allow')}).",
        f"It would pass if {recorded_value(e, 'licence')} were in `licences.allow`, or if the source were "
        "licensed under one of those.",
    )


def _evidence(e: Evidence) -> tuple[str, str]:
    return (
        f"The file that proves the right to use {recorded_value(e, 'source_id')}, {recorded_value(e, 'evidence')}, is "
        "missing or empty.",
        f"It would pass once register/evidence/{recorded_value(e, 'evidence')} is there.",
    )


def _residency(e: Evidence) -> tuple[str, str]:
    return (
        f"Text of {recorded_value(e, 'source_id')} may be stored in {recorded_value(e, 'residency')} only, and the "
        f"release is stored in {recorded_value(e, 'storage_country')}.",
        f"It would pass if the release were stored in {recorded_value(e, 'residency')}, or if the grant "
        f"named {recorded_value(e, 'storage_country')}.",
    )


def _policy(e: Evidence) -> tuple[str, str]:
    pack = e.get("policy") or {}
    return (
        f"The policy pack {in_words(pack.get('pack'))} (version {in_words(pack.get('version'))}) bars "
        f"it: {recorded_value(e, 'barred')}.",
        "It would pass if what the rule asks for were met, or if packs only warned "
        "(`policy: {enforce: warn}`).",
    )


def _opted_out(e: Evidence) -> tuple[str, str]:
    name = e["_reason"].partition(":")[2]
    seen = e.get("observation") or {}
    where = f"{seen.get('where') or 'where it was read'}"
    if seen.get("location"):
        where += f", for {seen['location']}"
    when = f"seen on {seen['observed_at']}" if seen.get("observed_at") else "seen with the record"
    capture = f", in the capture {seen['capture']}" if seen.get("capture") else ""
    raw = f": “{seen['raw']}”" if seen.get("raw") else ""
    return (
        f"The publisher reserves it by {PROTOCOLS.get(name, name)} ({where}; {when}{capture}){raw}.",
        "It would pass if that statement were not there, or if a contract outranked it "
        "(`opt_out: overridden`); signals were taken as "
        f"`{e.get('signals', 'fetch')}` has it.",
    )


def _conflict(e: Evidence) -> tuple[str, str]:
    return (
        f"The page states {recorded_value(e, 'stated')}, and {recorded_value(e, 'stricter')} is stricter than "
        f"{recorded_value(e, 'declared')}, which the register declares.",
        "It would pass if the page's licence, or the register's, were corrected so that the page "
        "is not stricter.",
    )


def _unreadable(e: Evidence) -> tuple[str, str]:
    return (
        f"Its bytes cannot be read ({recorded_value(e, 'detail')}).",
        "It would be judged further from an undamaged copy.",
    )


def _too_large(e: Evidence) -> tuple[str, str]:
    return (
        f"It is larger than a record may be ({evidence_text(_without_policy(e))}).",
        "It would be read if `ingest.max_record_bytes` were raised.",
    )


def _media_type(e: Evidence) -> tuple[str, str]:
    return (
        f"Its media type, {recorded_value(e, 'media_type')}, is none that text is read from.",
        "It would be read if it were text, HTML or a document of a format that is read.",
    )


def _http_status(e: Evidence) -> tuple[str, str]:
    return (
        f"The server answered with the status {recorded_value(e, 'status')}, so there is no page.",
        "A capture that the server answered with 200 would be judged further.",
    )


def _undecodable(e: Evidence) -> tuple[str, str]:
    return (
        f"Its bytes are text in no charset that fits ({recorded_value(e, 'detail')}).",
        "It would be read if its bytes were whole, in the charset that they declare.",
    )


def _signal(e: Evidence) -> tuple[str, str]:
    return (
        "It is a capture of robots.txt, tdmrep.json, ai.txt or licence terms: it is read for what "
        "the host says, and its text is not used.",
        "Nothing would let it in: such files are no documents.",
    )


def _empty(e: Evidence) -> tuple[str, str]:
    if "chars" in e:
        return ("No text is left of it once markup is gone.", "It would pass if it had a text.")
    return (
        "It is a revisit: the crawler noted that the page was as in an earlier capture "
        f"({evidence_text(_without_policy(e))}), and kept no text.",
        "The earlier capture stands, or falls, for itself.",
    )


def _language(e: Evidence) -> tuple[str, str]:
    kind = e["_reason"].removeprefix("language-")
    lang, score, floor = (
        recorded_value(e, "lang"),
        recorded_value(e, "score"),
        recorded_value(e, "floor"),
    )
    if kind == "no-letters":
        return ("There are no letters in it to tell a language by.", "It would pass with a text.")
    if kind == "undetermined":
        return (
            f"Its language could not be determined: the best guess, {lang}, has a score of {score},"
            f" and at least {floor} is asked for.",
            f"It would pass with a score of {floor} or more, or if `language.floor` were {score} "
            "or less.",
        )
    if kind == "not-wanted":
        return (
            f"It is in {lang} (score {score}), which is not among the languages wanted.",
            f"It would pass if {lang} were in `language.allow`.",
        )
    return (
        f"It fell by its language ({kind}): {evidence_text(_without_policy(e))}.",
        "It would pass if what was measured were within the limits of the section `language`.",
    )


def _quality(e: Evidence) -> tuple[str, str]:
    kind = e["_reason"].removeprefix("quality-")
    wrong = [
        f"{recorded_value(one, 'statistic')} is {recorded_value(one, 'value')}, and {_BOUNDS.get(one.get('bound'))} "
        f"{recorded_value(one, 'threshold')} is asked for (rule {recorded_value(one, 'rule')})"
        for one in e.get("failed") or ()
    ]
    return (
        f"It fell short of the quality asked for ({kind}): {'; '.join(wrong) or evidence_text(_without_policy(e))}.",
        "It would pass if what was measured were within those limits, under other "
        "`quality.thresholds`, or under `quality.mode: annotate`.",
    )


_BOUNDS: Final = {"min": "at least", "max": "at most", None: "the limit"}


def _not_selected(e: Evidence) -> tuple[str, str]:
    return (
        f"The release's mixture does not take it up: {evidence_text(_without_policy(e))}. That is the trainer's "
        "choice, and no matter of right.",
        "It would be taken up if the mixture's `select` named its language, domain and source.",
    )


def _capped(e: Evidence) -> tuple[str, str]:
    return (
        f"The release's mixture has enough of its kind: {evidence_text(_without_policy(e))}. That is the trainer's "
        "choice, and no matter of right.",
        "It would be taken up under a higher cap, or if it came before others in the mixture's "
        "`order`.",
    )


def _duplicate(e: Evidence) -> tuple[str, str]:
    kept = recorded_value(e, "kept_doc_id")
    if e["_reason"] == "exact-duplicate":
        return (
            f"Its text is that of the document {kept}, which has the better right, or was captured "
            "earlier.",
            f"It would stay if {kept} were not in the release: were that withdrawn, this copy "
            "would be judged in its place.",
        )
    similarity, threshold = float(e.get("similarity", 0)), recorded_value(e, "threshold")
    return (
        f"Its text is nearly that of the document {kept}: similarity {similarity:.2f} ≥ "
        f"{threshold}, measured on their shingles of words.",
        f"It would stay if the similarity were below {threshold}, if `dedup.threshold` were above "
        f"{similarity:.4f}, or if {kept} were not in the release.",
    )


def _under_refusal(e: Evidence) -> tuple[str, str]:
    return (
        "The same payload, byte for byte, was also published where it is refused: "
        f"{evidence_text(_without_policy(e))}.",
        "It would stay under `policy.duplicates: any-lawful`, or if no refused record had its "
        "payload.",
    )


def _contaminated(e: Evidence) -> tuple[str, str]:
    name = e["_reason"].partition(":")[2]
    return (
        f"It has runs of words of the evaluation set {name}: {evidence_text(_without_policy(e))}.",
        f"It would stay if {name} were not in `dedup.decontaminate`, or with no such run.",
    )


def _personal(e: Evidence) -> tuple[str, str]:
    return (
        f"Personal data was found in it ({recorded_value(e, 'found')}), and its source says that such "
        "documents are dropped (`personal_data: drop-document`).",
        "It would pass, with placeholders in place of the data, under `personal_data: scrub`.",
    )


def _without_policy(evidence: Evidence) -> dict[str, Any]:
    """Evidence without what every decision of the gate has."""
    return {k: v for k, v in evidence.items() if k != "policy"}


REASONS: Final[dict[str, Sentences]] = {
    "withdrawn": _withdrawn,
    "ungoverned": _ungoverned,
    "consent-withdrawn": _consent_withdrawn,
    "consent-expired": _consent_expired,
    "purpose-not-granted": _purpose,
    "licence-not-allowed": _licence,
    "evidence-missing": _evidence,
    "residency": _residency,
    "policy:": _policy,
    "opted-out:": _opted_out,
    "licence-conflict": _conflict,
    "unreadable": _unreadable,
    "too-large": _too_large,
    "unsupported-media-type": _media_type,
    "http-status": _http_status,
    "undecodable": _undecodable,
    "signal": _signal,
    "empty": _empty,
    "language-": _language,
    "quality-": _quality,
    "exact-duplicate": _duplicate,
    "near-duplicate": _duplicate,
    "published-under-refusal": _under_refusal,
    "contaminated:": _contaminated,
    "personal-data": _personal,
    "not-selected": _not_selected,
    "mixture-cap": _capped,
}
#: Reasons that stand for all that begin so.
FAMILIES: Final = tuple(name for name in REASONS if name.endswith((":", "-")))
