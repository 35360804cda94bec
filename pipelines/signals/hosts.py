"""What the captures of a crawl say of a URL: robots.txt and tdmrep.json, by host and time.

RFC 9309 binds a robots.txt to its scheme, host and port.  Here the captures of every scheme and
port of a host speak for the host: for each such variant one capture is chosen, and the most
restrictive of what they say stands.  A subdomain is another host.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urljoin

from pipelines.signals.observed import RESERVED, Capture, Observation, Protocol, Reader
from pipelines.signals.protocols import PROTOCOLS
from pipelines.signals.uris import Parts, split

MODES = ("fetch", "latest", "strictest")
REDIRECTS = 5  # that are followed, RFC 9309 2.3.1.2

Variant = tuple[str, str]  # scheme, port
_ByUri = dict[tuple[str, Parts | None], list[Capture]]


def instant(when: str) -> float | None:
    """Seconds since 1970 of an ISO 8601 time (UTC where it names no zone); None: unreadable."""
    try:
        moment = datetime.fromisoformat(when.strip())
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _place(capture: Capture) -> tuple[str, Variant] | None:
    """Host and variant of a capture; None where its host is no host's name."""
    if parts := split(capture.uri):
        return parts.host, (parts.scheme, parts.port)
    parts = split(f"https://{capture.host}/")
    return (parts.host, ("", parts.port)) if parts else None


def _order(capture: Capture) -> tuple[float, str]:
    when = instant(capture.captured_at)
    return float("-inf") if when is None else when, capture.doc_id


def _followed(capture: Capture, by_uri: _ByUri) -> Capture | None:
    """The capture that a redirect leads to: the first one after it, else the last before."""
    target = capture
    for _ in range(REDIRECTS):
        try:
            parts = split(urljoin(target.uri, target.location))
        except ValueError:  # urljoin's, of a malformed address
            return None
        found = by_uri.get((capture.kind, parts), [])
        if not found or not target.location:
            return None
        after = bisect_left(found, _order(target), key=_order)
        target = found[min(after, len(found) - 1)]
        if not 300 <= target.status < 400:
            return replace(capture, status=target.status, body=target.body, doc_id=target.doc_id)
    return None


def _settled(captures: Sequence[Capture]) -> Iterable[Capture]:
    """The captures with redirects followed; those that lead nowhere are left out."""
    by_uri: _ByUri = {}
    for capture in captures:
        if parts := split(capture.uri):
            by_uri.setdefault((capture.kind, parts), []).append(capture)
    for capture in captures:
        redirected = 300 <= capture.status < 400
        found = _followed(capture, by_uri) if redirected else capture
        if found:
            yield found


class HostSignals:
    """The captures of a crawl's hosts, asked by URL.  Picklable; rules compile on first use.

    mode `fetch`: the latest capture at or before the record's own time, else the earliest after
    it; `latest`: the newest; `strictest`: any capture that reserves.  A record whose time cannot
    be read is judged as `strictest`.
    """

    def __init__(
        self, captures: Iterable[Capture], agents: Sequence[str], mode: str = "fetch"
    ) -> None:
        if mode not in MODES:
            raise ValueError(f"mode is one of {', '.join(MODES)}")
        self.agents, self.mode = tuple(agents), mode
        self._held: dict[tuple[str, str], dict[Variant, list[Capture]]] = {}
        for capture in _settled(sorted(captures, key=_order)):
            if place := _place(capture):
                name, variant = place
                held = self._held.setdefault((name, capture.kind), {})
                held.setdefault(variant, []).append(capture)
        self.hosts = frozenset(name for name, _ in self._held)
        self._readers: dict[tuple[str, Capture], Reader] = {}

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_readers": {}}

    def _chosen(self, name: str, kind: str, when: float | None) -> list[Capture]:
        chosen: list[Capture] = []
        for captures in self._held.get((name, kind), {}).values():
            if self.mode == "strictest" or (when is None and self.mode == "fetch"):
                chosen += captures
                continue
            times = [_order(c)[0] for c in captures]
            last = (
                max(bisect_right(times, when) - 1, 0)
                if self.mode == "fetch" and when is not None
                else -1
            )
            chosen += [c for c, t in zip(captures, times, strict=True) if t == times[last]]
        return chosen

    def _reader(self, protocol: Protocol, capture: Capture) -> Reader:
        key = (protocol.NAME, capture)
        if key not in self._readers:
            self._readers[key] = protocol.host(capture, self.agents)
        return self._readers[key]

    def observations(self, uri: str, captured_at: str) -> list[Observation]:
        """What the host's captures say of the URL, at most one observation a protocol: a
        reservation if there is one.  Empty where the host has no captures."""
        parts = split(uri)
        if parts is None or parts.host not in self.hosts:
            return []
        when = instant(captured_at)
        out = []
        for protocol in PROTOCOLS:
            if protocol.KIND is None:
                continue
            seen = [
                o
                for capture in self._chosen(parts.host, protocol.KIND, when)
                for o in self._reader(protocol, capture)(parts.path)
            ]
            if seen:
                out.append(next((o for o in seen if o.value == RESERVED), seen[-1]))
        return out
