"""Replace redirects and revisits among signal captures by the captures that they refer to.

A revisit, or an answer with status 304, is replaced by its original. A revisit refers to marks:
payload digest, record id, or address and time. The original is the nearest earlier capture with
such a mark. If the crawl has none, it is the last earlier capture of the same address, unless both
have a digest. Without an original the content is unknown, and the revisit counts as unanswered
(status 0). For robots.txt this refuses, unless the host has other captures of that kind.

If a server fails to return tdmrep.json (5xx), it "does not implement this protocol" (TDMRep 3,
section on the file at the origin). But "absence MUST not reset current values", so that capture is
ignored, and earlier and later captures count.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import urldefrag, urljoin

from pipelines.ingest.signals.observed import TARGET, Capture
from pipelines.ingest.signals.uris import Parts, split_uri

DIGEST = "digest "  # the prefix of a mark that is a payload digest
REDIRECTS = 5  # the most redirects that are followed (RFC 9309, 2.3.1.2)

Variant = tuple[str, str]  # scheme, port
_ByUri = dict[tuple[str, Parts | None], list[Capture]]


def timestamp(when: str) -> float | None:
    """Return the seconds since 1970 of an ISO 8601 time, by default in UTC; None if malformed."""
    try:
        moment = datetime.fromisoformat(when.strip())
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def sort_key(capture: Capture) -> tuple[float, str]:
    """Return a sort key: time, then id, so that the order is total. No time comes first."""
    when = timestamp(capture.captured_at)
    return float("-inf") if when is None else when, capture.doc_id


def host_and_variant(capture: Capture) -> tuple[str, Variant] | None:
    """Return the host and the variant (scheme, port) of a capture; None if its host is invalid."""
    if parts := split_uri(capture.uri):
        return parts.host, (parts.scheme, parts.port)
    parts = split_uri(f"https://{capture.host}/")
    return (parts.host, ("", parts.port)) if parts else None


def read_marks(fields: Mapping[str, str]) -> tuple[str, str | None]:
    """Return the marks of a record, and the marks that it refers to.

    A mark of a payload digest includes the host. So equal files of different hosts, like empty
    ones, are not originals of each other.

    Args:
      fields: the WARC fields of the record, by lower-case name.

    Returns:
      (marks, refers), one mark a line. A revisit has no marks; `refers` is None for other records.
    """
    uri = fields.get("warc-target-uri", "").strip("<>")
    digest = fields.get("warc-payload-digest", "").strip().lower()
    if fields.get("warc-type", "").strip().lower() != "revisit":
        record, date = fields.get("warc-record-id", "").strip(), fields.get("warc-date", "")
        return _format_marks(digest, [uri], record, uri, date), None
    if "not-modified" in fields.get("warc-profile", ""):
        digest = ""  # the digest of an answer without a body
    refers = fields.get("warc-refers-to-target-uri", "").strip("<>")
    record, date = fields.get("warc-refers-to", "").strip(), fields.get("warc-refers-to-date", "")
    return "", _format_marks(digest, [uri, refers], record, refers or uri, date)


def _format_marks(digest: str, uris: Sequence[str], record: str, uri: str, date: str) -> str:
    """Return marks, one a line: digest on the hosts of `uris`, record id, address and time."""
    hosts = dict.fromkeys(parts.host for address in uris if (parts := split_uri(address)))
    marks = [f"{DIGEST}{digest} {host}" for host in hosts if digest]
    marks += [f"record {record}"] if record else []
    return "\n".join([*marks, f"at {uri} {date.strip()}"] if uri and date else marks)


def resolve_captures(captures: Iterable[Capture]) -> list[Capture]:
    """Return the captures in order of time, with revisits and redirects replaced.

    Redirects without a target in the crawl are left out, and so are captures of the kind `TARGET`.
    """
    every = sorted(captures, key=sort_key)
    ordered = [c for c in every if c.kind != TARGET]
    originals = [c for c in ordered if not _is_repeat(c)]
    by_mark: dict[tuple[str, str], list[Capture]] = {}
    for capture in originals:
        for mark in capture.marks.splitlines():
            by_mark.setdefault((capture.kind, mark), []).append(capture)
    by_uri = _group_by_uri(originals)
    known: list[Capture] = []
    unknown: list[Capture] = []
    for capture in ordered:
        original = _find_original(capture, by_mark, by_uri) if _is_repeat(capture) else capture
        (known if original else unknown).append(original or capture)
    by_uri = _group_by_uri(known + [c for c in every if c.kind == TARGET])
    resolved = []
    for capture in known:
        redirected = 300 <= capture.status < 400
        final = _follow_redirect(capture, by_uri) if redirected else capture
        if final and not (final.kind == "tdmrep" and final.status >= 500):
            resolved.append(final)
    answered = {(c.kind, place[0]) for c in resolved if (place := host_and_variant(c))}
    for capture in unknown:
        place = host_and_variant(capture)
        if place and (capture.kind, place[0]) not in answered:
            resolved.append(replace(capture, status=0, body=b""))
    return sorted(resolved, key=sort_key)


def _is_repeat(capture: Capture) -> bool:
    return capture.refers is not None or capture.status == 304


def _group_by_uri(captures: Iterable[Capture]) -> _ByUri:
    groups: _ByUri = {}
    for capture in captures:
        if parts := split_uri(capture.uri):
            groups.setdefault((capture.kind, parts), []).append(capture)
    return groups


def _find_original(
    revisit: Capture, by_mark: Mapping[tuple[str, str], list[Capture]], by_uri: _ByUri
) -> Capture | None:
    """Return a revisit with the answer of its original; None if the crawl has no original."""
    for mark in (revisit.refers or "").splitlines():
        if marked := by_mark.get((revisit.kind, mark)):
            before = bisect_left(marked, sort_key(revisit), key=sort_key)
            return _answer_revisit(revisit, marked[max(before - 1, 0)])
    same = by_uri.get((revisit.kind, split_uri(revisit.uri)), [])
    earlier = same[: bisect_left(same, sort_key(revisit), key=sort_key)]
    last = earlier[-1] if earlier else None
    if last is None or (DIGEST in last.marks and DIGEST in (revisit.refers or "")):
        return None  # the digests differ, else the mark would have matched
    return _answer_revisit(revisit, last)


def _answer_revisit(revisit: Capture, original: Capture) -> Capture:
    answered = _with_answer(revisit, original)
    return replace(answered, location=original.location, refers=None)


def _with_answer(capture: Capture, other: Capture) -> Capture:
    """Return a capture with the answer of another."""
    return replace(
        capture,
        status=other.status,
        body=other.body,
        body_location=other.body_location,
        doc_id=other.doc_id,
    )


def redirect_address(redirect: Capture) -> str | None:
    """Return the address that a redirect leads to; None if it is not a redirect or names none."""
    if not (300 <= redirect.status < 400 and redirect.location):
        return None
    try:
        return urldefrag(urljoin(redirect.uri, redirect.location)).url
    except ValueError:  # a malformed address
        return None


def _follow_redirect(capture: Capture, by_uri: _ByUri) -> Capture | None:
    """Return the capture with the answer at the end of its redirects; None if there is none.

    Of several captures of a target, the first after the redirect is used, else the last before it.
    """
    target = capture
    for _ in range(REDIRECTS):
        address = redirect_address(target)
        parts = split_uri(address) if address else None
        candidates: Sequence[Capture] = by_uri.get((capture.kind, parts)) or by_uri.get(
            (TARGET, parts), []
        )
        if not candidates:
            return None
        after = bisect_left(candidates, sort_key(target), key=sort_key)
        target = candidates[min(after, len(candidates) - 1)]
        if not 300 <= target.status < 400:
            return _with_answer(capture, target)
    return None
