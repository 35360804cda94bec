"""Observe what the signal captures of a crawl say about a URL, by host and time.

RFC 9309 binds a robots.txt to its scheme, host and port. Here the captures of all schemes and ports
apply to the host: one capture is chosen for each of these variants, and the most restrictive
statement counts. A subdomain is another host.
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
    first_reservation,
)
from pipelines.ingest.signals.registry import PROTOCOLS
from pipelines.ingest.signals.uris import Parts, split_uri

#: The most compiled captures in memory.
MAX_OBSERVERS = 4096
MODES = ("fetch", "latest", "strictest")


class HostSignals:
    """The signal captures of a crawl's hosts. It can be pickled; rules are compiled on first use.

    Args:
      captures: all signal captures.
      agents: the names of the agents that robots.txt is read for.
      mode: `fetch`: the latest capture at or before the record's time, else the earliest after it;
        `latest`: the newest capture; `strictest`: any capture that reserves. A record without a
        readable time is judged as `strictest`.
    """

    def __init__(
        self, captures: Iterable[Capture], agents: Sequence[str], mode: str = "fetch"
    ) -> None:
        if mode not in MODES:
            raise ValueError(f"mode {mode}: unknown; allowed are {', '.join(MODES)}")
        self.agents, self.mode = tuple(agents), mode
        self._captures: dict[tuple[str, str], dict[Variant, list[Capture]]] = {}
        self._documents: dict[Parts, list[Capture]] = {}
        for capture in resolve_captures(captures):
            if place := host_and_variant(capture):
                name, variant = place
                if capture.kind == "rsl":  # a host can have several documents
                    variant = capture.uri, ""
                    if parts := split_uri(capture.uri):
                        self._documents.setdefault(_without_scheme(parts), []).append(capture)
                variants = self._captures.setdefault((name, capture.kind), {})
                variants.setdefault(variant, []).append(capture)
        self.hosts = frozenset(name for name, _ in self._captures)
        self._changing = {
            name
            for (name, _), variants in self._captures.items()
            if any(len(captures) > 1 for captures in variants.values())
        }
        if any(len(captures) > 1 for captures in self._documents.values()):
            self._changing |= self.hosts  # each of them may link to the document
        self._observers: dict[tuple[str, Capture], PathObserver] = {}

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_observers": {}}

    def observations(self, uri: str, captured_at: str) -> list[Observation]:
        """Return what the host's captures say about a URL.

        Each protocol has at most one observation: a reservation if there is one. If the statement
        at the fetch differs from the latest one, the observation holds both in `compared`. Its
        value is `unsaid` if the protocol has a statement at the other time only.

        Args:
          uri: the URL of the record.
          captured_at: the capture time of the record; empty if it is unknown.
        """
        parts = split_uri(uri)
        if parts is None or parts.host not in self.hosts:
            return []
        when, observations = timestamp(captured_at), []
        for protocol in PROTOCOLS:
            observation = self._observe(protocol, parts, when, self.mode)
            if parts.host in self._changing and protocol.KINDS:
                at_fetch, latest = (
                    self._observe(protocol, parts, when, mode) for mode in ("fetch", "latest")
                )
                observation = _add_comparison(protocol, observation, at_fetch, latest)
            if observation:
                observations.append(observation)
        return observations

    def follow(
        self, observations: Iterable[Observation], uri: str, captured_at: str
    ) -> list[Observation]:
        """Replace links to terms by what the captured terms say about a URL.

        A link whose target is not in the crawl reserves.
        """
        given = list(observations)
        if all(o.value != LINKED for o in given):
            return given
        parts, when = split_uri(uri), timestamp(captured_at)
        return [f for o in given for f in self._follow_link(o, parts, when, self.mode)]

    def _follow_link(
        self, linked: Observation, parts: Parts | None, when: float | None, mode: str
    ) -> list[Observation]:
        """Return the observations of linked terms; any other observation unchanged."""
        if linked.value != LINKED:
            return [linked]
        target = split_uri(linked.link or "")
        documents = self._documents.get(_without_scheme(target), []) if target else []
        if not documents or parts is None:
            return [replace(linked, value=RESERVED, raw=f"{linked.raw} (not in the crawl)")]
        return [
            replace(o, link=linked.link)
            for capture in _choose_captures(documents, when, mode)
            for o in rsl.observe_terms(load_body(capture), parts.host, parts.path)
        ]

    def _observe(
        self, protocol: Protocol, parts: Parts, when: float | None, mode: str
    ) -> Observation | None:
        """Return the observation of a protocol: the first reservation, else the last statement."""
        observations = [
            followed
            for kind in protocol.KINDS
            for captures in self._captures.get((parts.host, kind), {}).values()
            for capture in _choose_captures(captures, when, mode)
            for o in self._observer(protocol, capture)(parts.path)
            for followed in self._follow_link(o, parts, when, mode)
        ]
        return first_reservation(observations) or (observations[-1] if observations else None)

    def _observer(self, protocol: Protocol, capture: Capture) -> PathObserver:
        key = (protocol.NAME, capture)
        if key not in self._observers:
            if len(self._observers) >= MAX_OBSERVERS:  # mostly of hosts that are done
                self._observers.clear()
            self._observers[key] = protocol.path_observer(load_body(capture), self.agents)
        return self._observers[key]


def _without_scheme(parts: Parts) -> Parts:
    return parts._replace(scheme="")


def _choose_captures(captures: list[Capture], when: float | None, mode: str) -> list[Capture]:
    """Return the captures that count at a time, by the mode of `HostSignals`."""
    if len(captures) == 1 or mode == "strictest" or (when is None and mode == "fetch"):
        return captures
    times = [sort_key(c)[0] for c in captures]
    last = -1
    if mode == "fetch" and when is not None:
        last = max(bisect_right(times, when) - 1, 0)
    return [c for c, t in zip(captures, times, strict=True) if t == times[last]]


def _add_comparison(
    protocol: Protocol,
    observation: Observation | None,
    at_fetch: Observation | None,
    latest: Observation | None,
) -> Observation | None:
    """Return an observation with the statements at the fetch and now, if these differ."""
    values = [o.value if o else UNSAID for o in (at_fetch, latest)]
    if values[0] == values[1]:
        return observation
    compared = {
        name: {"value": UNSAID}
        if o is None
        else {"value": o.value, "raw": o.raw, "observed_at": o.observed_at, "capture": o.capture}
        for name, o in (("fetch", at_fetch), ("latest", latest))
    }
    if observation is None:
        where = next(o.where for o in (at_fetch, latest) if o)
        observation = Observation(protocol.NAME, protocol.VERSION, where, None, UNSAID, "")
    return replace(observation, compared=compared)
