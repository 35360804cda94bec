"""Captures that stand for others: redirects, and revisits that repeat an earlier answer.

A revisit (or an answer 304) counts as its original: of the captures that bear a name it refers
to (payload digest, record, address and time), the nearest before it; where it names none that
is in the crawl, the last one before it of the same address, unless the digests tell them apart.
Where there is no such capture, what it said is not known: it counts as unanswered (status 0),
which for robots.txt refuses, unless the host has other captures of that kind, which then speak.

Where a server failed to give tdmrep.json (5xx), it "does not implement this protocol" (TDMRep 3,
section on the file at the origin); since "absence MUST not reset current values", what an earlier
or later capture says stands as if that one were not there.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import urldefrag, urljoin

from pipelines.ingest.signals.observed import TARGET, Capture
from pipelines.ingest.signals.uris import Parts, split_uri

DIGEST = "digest "  # begins the mark that is a payload digest
REDIRECTS = 5  # that are followed, RFC 9309 2.3.1.2

Variant = tuple[str, str]  # scheme, port
_ByUri = dict[tuple[str, Parts | None], list[Capture]]


def timestamp(when: str) -> float | None:
    """Seconds since 1970 of an ISO 8601 time (UTC where it names no zone); None: unreadable."""
    try:
        moment = datetime.fromisoformat(when.strip())
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def sort_key(capture: Capture) -> tuple[float, str]:
    """By time, then by id, so that no two are alike; what has no time comes first."""
    when = timestamp(capture.captured_at)
    return float("-inf") if when is None else when, capture.doc_id


def host_and_variant(capture: Capture) -> tuple[str, Variant] | None:
    """Host and variant of a capture; None where its host is no host's name."""
    if parts := split_uri(capture.uri):
        return parts.host, (parts.scheme, parts.port)
    parts = split_uri(f"https://{capture.host}/")
    return (parts.host, ("", parts.port)) if parts else None


def read_marks(fields: Mapping[str, str]) -> tuple[str, str | None]:
    """(marks, refers) of a record, by its WARC fields (lower-case names); refers is None for
    what is no revisit.  A payload digest names a capture on its own host alone: files that are
    empty everywhere are not one another's originals."""
    uri = fields.get("warc-target-uri", "").strip("<>")
    digest = fields.get("warc-payload-digest", "").strip().lower()
    if fields.get("warc-type", "").strip().lower() != "revisit":
        record, date = fields.get("warc-record-id", "").strip(), fields.get("warc-date", "")
        return _format_marks(digest, [uri], record, uri, date), None
    if "not-modified" in fields.get("warc-profile", ""):
        digest = ""  # of an answer that has no body
    refers = fields.get("warc-refers-to-target-uri", "").strip("<>")
    record, date = fields.get("warc-refers-to", "").strip(), fields.get("warc-refers-to-date", "")
    return "", _format_marks(digest, [uri, refers], record, refers or uri, date)


def _format_marks(digest: str, uris: Sequence[str], record: str, uri: str, date: str) -> str:
    hosts = dict.fromkeys(parts.host for one in uris if (parts := split_uri(one)))
    names = [f"{DIGEST}{digest} {host}" for host in hosts if digest]
    names += [f"record {record}"] if record else []
    return "\n".join([*names, f"at {uri} {date.strip()}"] if uri and date else names)


def resolve_captures(captures: Iterable[Capture]) -> list[Capture]:
    """The captures by time, revisits and redirects replaced by what they stand for; redirects
    that lead nowhere are left out, and so is what is there for redirects alone (`TARGET`)."""
    every = sorted(captures, key=sort_key)
    ordered = [c for c in every if c.kind != TARGET]
    whole = [c for c in ordered if not _is_repeat(c)]
    by_mark: dict[tuple[str, str], list[Capture]] = {}
    for capture in whole:
        for mark in capture.marks.splitlines():
            by_mark.setdefault((capture.kind, mark), []).append(capture)
    by_uri = _group_by_uri(whole)
    known: list[Capture] = []
    unknown: list[Capture] = []
    for capture in ordered:
        original = _find_original(capture, by_mark, by_uri) if _is_repeat(capture) else capture
        (known if original else unknown).append(original or capture)
    by_uri = _group_by_uri(known + [c for c in every if c.kind == TARGET])
    out = []
    for capture in known:
        redirected = 300 <= capture.status < 400
        found = _follow_redirect(capture, by_uri) if redirected else capture
        if found and not (found.kind == "tdmrep" and found.status >= 500):
            out.append(found)
    told = {(c.kind, where[0]) for c in out if (where := host_and_variant(c))}
    for capture in unknown:
        where = host_and_variant(capture)
        if where and (capture.kind, where[0]) not in told:
            out.append(replace(capture, status=0, body=b""))
    return sorted(out, key=sort_key)


def _is_repeat(capture: Capture) -> bool:
    return capture.refers is not None or capture.status == 304


def _group_by_uri(captures: Iterable[Capture]) -> _ByUri:
    found: _ByUri = {}
    for capture in captures:
        if parts := split_uri(capture.uri):
            found.setdefault((capture.kind, parts), []).append(capture)
    return found


def _find_original(
    revisit: Capture, by_mark: Mapping[tuple[str, str], list[Capture]], by_uri: _ByUri
) -> Capture | None:
    named = (revisit.refers or "").splitlines()
    for mark in named:
        if found := by_mark.get((revisit.kind, mark)):
            before = bisect_left(found, sort_key(revisit), key=sort_key)
            return _answer_revisit(revisit, found[max(before - 1, 0)])
    same = by_uri.get((revisit.kind, split_uri(revisit.uri)), [])
    earlier = same[: bisect_left(same, sort_key(revisit), key=sort_key)]
    last = earlier[-1] if earlier else None
    if last is None or (DIGEST in last.marks and DIGEST in (revisit.refers or "")):
        return None  # two digests, which were not the same
    return _answer_revisit(revisit, last)


def _answer_revisit(revisit: Capture, original: Capture) -> Capture:
    said = _with_answer(revisit, original)
    return replace(said, location=original.location, refers=None)


def _with_answer(capture: Capture, other: Capture) -> Capture:
    """A capture with the answer of another."""
    return replace(
        capture,
        status=other.status,
        body=other.body,
        body_location=other.body_location,
        doc_id=other.doc_id,
    )


def redirect_address(redirect: Capture) -> str | None:
    """The address that a redirect leads to; None for what is no redirect, or names none."""
    if not (300 <= redirect.status < 400 and redirect.location):
        return None
    try:
        return urldefrag(urljoin(redirect.uri, redirect.location)).url
    except ValueError:  # a malformed address
        return None


def _follow_redirect(capture: Capture, by_uri: _ByUri) -> Capture | None:
    """The capture that a redirect leads to: the first one after it, else the last before."""
    target = capture
    for _ in range(REDIRECTS):
        address = redirect_address(target)
        parts = split_uri(address) if address else None
        found: Sequence[Capture] = by_uri.get((capture.kind, parts)) or by_uri.get(
            (TARGET, parts), []
        )
        if not found:
            return None
        after = bisect_left(found, sort_key(target), key=sort_key)
        target = found[min(after, len(found) - 1)]
        if not 300 <= target.status < 400:
            return _with_answer(capture, target)
    return None
