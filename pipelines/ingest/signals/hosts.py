"""What the captures of a crawl say of a URL, by host and time.

RFC 9309 binds a robots.txt to its scheme, host and port.  Here the captures of every scheme and
port of a host speak for the host: for each such variant one capture is chosen, and the most
restrictive of what they say stands.  A subdomain is another host.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from pipelines.ingest.signals import rsl
from pipelines.ingest.signals.bodies import load_body
from pipelines.ingest.signals.captures import (
    Variant,
    host_and_variant,
    resolve_captures,
    sort_key,
    timestamp,
)
from pipelines.ingest.signals.observed import (
    LINKED,
    RESERVED,
    UNSAID,
    Capture,
    Observation,
    PathObserver,
    Protocol,
)
from pipelines.ingest.signals.registry import PROTOCOLS
from pipelines.ingest.signals.uris import Parts, split_uri

#: So many compiled captures are held.
READERS = 4096
MODES = ("fetch", "latest", "strictest")


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
        self._documents: dict[Parts, list[Capture]] = {}
        for capture in resolve_captures(captures):
            if where := host_and_variant(capture):
                name, variant = where
                if capture.kind == "rsl":  # told apart by address, not by scheme and port
                    variant = capture.uri, ""
                    if parts := split_uri(capture.uri):
                        self._documents.setdefault(_without_scheme(parts), []).append(capture)
                held = self._held.setdefault((name, capture.kind), {})
                held.setdefault(variant, []).append(capture)
        self.hosts = frozenset(name for name, _ in self._held)
        self._changing = {
            name
            for (name, _), held in self._held.items()
            if any(len(captures) > 1 for captures in held.values())
        }
        if any(len(captures) > 1 for captures in self._documents.values()):
            self._changing |= self.hosts  # any of them may link to it
        self._readers: dict[tuple[str, Capture], PathObserver] = {}

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_readers": {}}

    def observations(self, uri: str, captured_at: str) -> list[Observation]:
        """What the host's captures say of the URL, at most one observation a protocol: a
        reservation if there is one.  Empty where the host has no captures.

        An observation bears in `compared` what stood at the fetch and what stands in the latest
        capture, where these differ; `unsaid` where a protocol speaks at one of the two alone.
        """
        parts = split_uri(uri)
        if parts is None or parts.host not in self.hosts:
            return []
        when, out = timestamp(captured_at), []
        for protocol in PROTOCOLS:
            said = self._said(protocol, parts, when, self.mode)
            if parts.host in self._changing and protocol.KINDS:
                at, last = (self._said(protocol, parts, when, m) for m in ("fetch", "latest"))
                said = _add_comparison(protocol, said, at, last)
            if said:
                out.append(said)
        return out

    def follow(
        self, observations: Iterable[Observation], uri: str, captured_at: str
    ) -> list[Observation]:
        """Observations with links replaced by what the captures at their ends say of the URL;
        a link whose end is not in the crawl reserves."""
        seen = list(observations)
        if all(o.value != LINKED for o in seen):
            return seen
        parts, when = split_uri(uri), timestamp(captured_at)
        return [f for o in seen for f in self._followed(o, parts, when, self.mode)]

    def _followed(
        self, linked: Observation, parts: Parts | None, when: float | None, mode: str
    ) -> list[Observation]:
        if linked.value != LINKED:
            return [linked]
        target = split_uri(linked.link or "")
        ends = self._documents.get(_without_scheme(target), []) if target else []
        if not ends or parts is None:
            return [replace(linked, value=RESERVED, raw=f"{linked.raw} (not in the crawl)")]
        return [
            replace(o, link=linked.link)
            for capture in _choose_captures(ends, when, mode)
            for o in rsl.observe_terms(load_body(capture), parts.host, parts.path)
        ]

    def _said(
        self, protocol: Protocol, parts: Parts, when: float | None, mode: str
    ) -> Observation | None:
        seen = [
            found
            for kind in protocol.KINDS
            for captures in self._held.get((parts.host, kind), {}).values()
            for capture in _choose_captures(captures, when, mode)
            for o in self._reader(protocol, capture)(parts.path)
            for found in self._followed(o, parts, when, mode)
        ]
        return next((o for o in seen if o.value == RESERVED), seen[-1]) if seen else None

    def _reader(self, protocol: Protocol, capture: Capture) -> PathObserver:
        key = (protocol.NAME, capture)
        if key not in self._readers:
            if len(self._readers) >= READERS:  # of hosts that were read long ago, mostly
                self._readers.clear()
            self._readers[key] = protocol.path_observer(load_body(capture), self.agents)
        return self._readers[key]


def _without_scheme(parts: Parts) -> Parts:
    return parts._replace(scheme="")


def _choose_captures(captures: list[Capture], when: float | None, mode: str) -> list[Capture]:
    if len(captures) == 1 or mode == "strictest" or (when is None and mode == "fetch"):
        return captures
    times = [sort_key(c)[0] for c in captures]
    last = -1
    if mode == "fetch" and when is not None:
        last = max(bisect_right(times, when) - 1, 0)
    return [c for c, t in zip(captures, times, strict=True) if t == times[last]]


def _add_comparison(
    protocol: Protocol, said: Observation | None, at: Observation | None, last: Observation | None
) -> Observation | None:
    value = [o.value if o else UNSAID for o in (at, last)]
    if value[0] == value[1]:
        return said
    brief = {
        name: {"value": UNSAID}
        if o is None
        else {"value": o.value, "raw": o.raw, "observed_at": o.observed_at, "capture": o.capture}
        for name, o in (("fetch", at), ("latest", last))
    }
    if said is None:
        where = next(o.where for o in (at, last) if o)
        said = Observation(protocol.NAME, protocol.VERSION, where, None, UNSAID, "")
    return replace(said, compared=brief)
