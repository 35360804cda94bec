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


def of(stage: str, reason: str, evidence: Evidence, rule: str, version: str) -> tuple[str, str]:
    """Why a record ended with this reason, and what would have to differ."""
    for name in (reason, *(f for f in FAMILIES if reason.startswith(f))):
        if found := REASONS.get(name):
            return found({**evidence, "_reason": reason})
    return (
        f"The stage {stage} ended it with the reason `{reason}`, by the rule {rule} (version "
        f"{version}); it noted {told(evidence)}.",
        f"The rule {rule} would have to find otherwise, or another version of it decide otherwise.",
    )


def told(evidence: Evidence) -> str:
    """Evidence in words: each name with its value."""
    parts = [f"{k.replace('_', ' ')}: {_value(v)}" for k, v in evidence.items() if k[0] != "_"]
    return "; ".join(parts) or "nothing else"


def _value(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_value, value)) or "none"
    if isinstance(value, dict):
        return "(" + (", ".join(f"{k} {_value(v)}" for k, v in value.items()) or "none") + ")"
    return "none" if value is None else str(value)


def _get(evidence: Evidence, name: str) -> str:
    return _value(evidence[name]) if name in evidence else "(not recorded)"


def _withdrawn(e: Evidence) -> tuple[str, str]:
    named = f" {e['value']}" if "value" in e else ""
    if "scope" not in e:  # of a text, seen after personal data was replaced
        return (
            "The text, as it would have been released, was withdrawn: its SHA-256 stands in the "
            "register of withdrawals.",
            "It would pass only if that withdrawal were lifted.",
        )
    return (
        f"A withdrawal of the {e['scope']}{named}, recorded on {_get(e, 'recorded_on')}, bars it, "
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
        f"The right to use {_get(e, 'source_id')} was withdrawn from {_get(e, 'withdrawn_on')} on, "
        f"and the release was made for {_get(e, 'as_of')}.",
        f"It would pass if the release were made for a day before {_get(e, 'withdrawn_on')}, or if "
        "the publisher granted it anew.",
    )


def _consent_expired(e: Evidence) -> tuple[str, str]:
    if "granted_on" in e:
        return (
            f"The right to use {_get(e, 'source_id')} begins on {e['granted_on']}, and the release "
            f"was made for {_get(e, 'as_of')}.",
            f"It would pass for {e['granted_on']} or a later day.",
        )
    return (
        f"The right to use {_get(e, 'source_id')} ended after {_get(e, 'expires_on')}, and the "
        f"release was made for {_get(e, 'as_of')}.",
        f"It would pass if the right were renewed, or for a day up to {_get(e, 'expires_on')}.",
    )


def _purpose(e: Evidence) -> tuple[str, str]:
    purpose = _get(e, "purpose")
    if "url_scope" in e:
        return (
            f"The grant of {_get(e, 'source_id')} covers only addresses under "
            f"{_value(e['url_scope'])}, and this one is outside.",
            "It would pass if `basis.url_scope` covered its address.",
        )
    if "licence_purposes" in e:
        return (
            f"The licence {_get(e, 'licence')} serves {_value(e['licence_purposes'])}, and the "
            f"release is for {purpose}.",
            f"It would pass under a licence that serves {purpose}.",
        )
    if "granted" in e:
        return (
            f"The basis of {_get(e, 'source_id')} grants {_value(e['granted'])}, and the release "
            f"is for {purpose}.",
            f"It would pass if `basis.purposes` named {purpose}, or in a release for "
            f"{_value(e['granted'])}.",
        )
    return (
        f"Under the licence {_get(e, 'licence')} no allowed choice serves {purpose}.",
        f"It would pass under a licence that is allowed and serves {purpose}.",
    )


def _licence(e: Evidence) -> tuple[str, str]:
    return (
        f"Its licence, {_get(e, 'licence')}, is not among those that the parameters allow "
        f"({_get(e, 'allow')}).",
        f"It would pass if {_get(e, 'licence')} were in `licences.allow`, or if the source were "
        "licensed under one of those.",
    )


def _evidence(e: Evidence) -> tuple[str, str]:
    return (
        f"The file that proves the right to use {_get(e, 'source_id')}, {_get(e, 'evidence')}, is "
        "missing or empty.",
        f"It would pass once register/evidence/{_get(e, 'evidence')} is there.",
    )


def _residency(e: Evidence) -> tuple[str, str]:
    return (
        f"Text of {_get(e, 'source_id')} may be stored in {_get(e, 'residency')} only, and the "
        f"release is stored in {_get(e, 'storage_country')}.",
        f"It would pass if the release were stored in {_get(e, 'residency')}, or if the grant "
        f"named {_get(e, 'storage_country')}.",
    )


def _policy(e: Evidence) -> tuple[str, str]:
    pack = e.get("policy") or {}
    return (
        f"The policy pack {_value(pack.get('pack'))} (version {_value(pack.get('version'))}) bars "
        f"it: {_get(e, 'barred')}.",
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
        f"The page states {_get(e, 'stated')}, and {_get(e, 'stricter')} is stricter than "
        f"{_get(e, 'declared')}, which the register declares.",
        "It would pass if the page's licence, or the register's, were corrected so that the page "
        "is not stricter.",
    )


def _unreadable(e: Evidence) -> tuple[str, str]:
    return (
        f"Its bytes cannot be read ({_get(e, 'detail')}).",
        "It would be judged further from an undamaged copy.",
    )


def _too_large(e: Evidence) -> tuple[str, str]:
    return (
        f"It is larger than a record may be ({told(_own(e))}).",
        "It would be read if `ingest.max_record_bytes` were raised.",
    )


def _media_type(e: Evidence) -> tuple[str, str]:
    return (
        f"Its media type, {_get(e, 'media_type')}, is none that text is read from.",
        "It would be read if it were text, HTML or a document of a format that is read.",
    )


def _http_status(e: Evidence) -> tuple[str, str]:
    return (
        f"The server answered with the status {_get(e, 'status')}, so there is no page.",
        "A capture that the server answered with 200 would be judged further.",
    )


def _undecodable(e: Evidence) -> tuple[str, str]:
    return (
        f"Its bytes are text in no charset that fits ({_get(e, 'detail')}).",
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
        f"({told(_own(e))}), and kept no text.",
        "The earlier capture stands, or falls, for itself.",
    )


def _language(e: Evidence) -> tuple[str, str]:
    kind = e["_reason"].removeprefix("language-")
    lang, score, floor = _get(e, "lang"), _get(e, "score"), _get(e, "floor")
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
        f"It fell by its language ({kind}): {told(_own(e))}.",
        "It would pass if what was measured were within the limits of the section `language`.",
    )


def _quality(e: Evidence) -> tuple[str, str]:
    kind = e["_reason"].removeprefix("quality-")
    return (
        f"It fell short of the quality asked for ({kind}): {told(_own(e))}.",
        "It would pass if what was measured were within the limits of the section `quality`.",
    )


def _duplicate(e: Evidence) -> tuple[str, str]:
    kept = _get(e, "kept_doc_id")
    if e["_reason"] == "exact-duplicate":
        return (
            f"Its text is that of the document {kept}, which has the better right, or was captured "
            "earlier.",
            f"It would stay if {kept} were not in the release: were that withdrawn, this copy "
            "would be judged in its place.",
        )
    similarity, threshold = float(e.get("similarity", 0)), _get(e, "threshold")
    return (
        f"Its text is nearly that of the document {kept}: similarity {similarity:.2f} ≥ "
        f"{threshold}, measured on their shingles of words.",
        f"It would stay if the similarity were below {threshold}, if `dedup.threshold` were above "
        f"{similarity:.4f}, or if {kept} were not in the release.",
    )


def _personal(e: Evidence) -> tuple[str, str]:
    return (
        f"Personal data was found in it ({_get(e, 'found')}), and its source says that such "
        "documents are dropped (`personal_data: drop-document`).",
        "It would pass, with placeholders in place of the data, under `personal_data: scrub`.",
    )


def _own(evidence: Evidence) -> dict[str, Any]:
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
    "personal-data": _personal,
}
#: Reasons that stand for all that begin so.
FAMILIES: Final = tuple(name for name in REASONS if name.endswith((":", "-")))


def _passed_gate(e: Evidence) -> tuple[str, str]:
    seen = [f"{o.get('protocol')} {o.get('value')}" for o in e.get("observations") or ()]
    over = f"; outranked by contract: {_value(e['overridden'])}" if e.get("overridden") else ""
    return (
        f"It passed the gate for {_get(e, 'purpose')} on {_get(e, 'as_of')}: source "
        f"{_get(e, 'source_id')}, basis {_get(e, 'basis')} ({_get(e, 'reference')}), licence "
        f"{_get(e, 'licence')}, evidence on file with SHA-256 {_get(e, 'evidence_sha256')}; "
        f"opt-out signals seen: {_value(seen)}{over}.",
        "be refused if the right were withdrawn or expired, did not cover the purpose, the licence "
        "were not in `licences.allow`, the evidence were missing, or the publisher reserved it",
    )


def _passed_language(e: Evidence) -> tuple[str, str]:
    return (
        f"Its language is {_get(e, 'lang')} in the script {_get(e, 'script')}: score "
        f"{_get(e, 'score')}, and at least {_get(e, 'floor')} is asked for.",
        f"be dropped if the score were below {_get(e, 'floor')}, or {_get(e, 'lang')} were not "
        "among the languages wanted",
    )


def _passed_dedup(e: Evidence) -> tuple[str, str]:
    copies = (
        "It stays as the best of its copies (by right, then by time of capture)."
        if "cluster_id" in e
        else "No other document was found to have its text, or nearly so."
    )
    return copies, "be dropped if a copy with a better right came in"


def _passed_privacy(e: Evidence) -> tuple[str, str]:
    found = e.get("found") or {}
    told_ = (
        f"Personal data was found and replaced by placeholders: {_value(found)}."
        if found
        else "No personal data was found in it."
    )
    return told_, "be dropped if its source said `drop-document` and personal data were found"


#: Stage -> what its `keep` says, and when it would have ended there ("It would …").
PASSED: Final[dict[str, Sentences]] = {
    "ingest": _passed_gate,
    "language": _passed_language,
    "dedup": _passed_dedup,
    "privacy": _passed_privacy,
}


def passed(stage: str, evidence: Evidence, rule: str, version: str) -> tuple[str, str]:
    """What a stage that kept a record saw, and what would have ended it there."""
    if found := PASSED.get(stage):
        return found(evidence)
    return (
        f"The stage {stage} kept it, by the rule {rule} (version {version}); it noted "
        f"{told(evidence)}.",
        f"end there if the rule {rule} found otherwise",
    )
