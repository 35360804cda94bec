"""The opt-out protocols: robots.txt, TDMRep, AIPREF, Content-Signal, noai, RSL, ai.txt.

A protocol is a module with

    NAME, VERSION   the name is part of the reason `opted-out:NAME`; both go into lineage
    KINDS           the captures that it reads, of `robots`, `tdmrep`, `ai-txt`, `rsl`
    path_observer(capture, agents) -> PathObserver   observes what a capture says about a path
    page_observations(headers, metas, agents) -> list   what headers and markup of a response say
    resolve(observations) -> Observation | None   the reservation that counts; None if there is none

To add a protocol, add its module to `PROTOCOLS`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from pipelines.ingest.signals import ai_txt, aipref, content_signal, noai, robots, rsl, tdmrep
from pipelines.ingest.signals.observed import Observation, Pairs, Protocol

#: In the order of the gate's reasons.
PROTOCOLS: Final[tuple[Protocol, ...]] = (
    robots,
    tdmrep,
    aipref,
    content_signal,
    noai,
    rsl,
    ai_txt,
)

#: Headers of nearly all responses, which no protocol reads.
_MUTE = frozenset({
    "accept-ranges", "age", "cache-control", "connection", "content-encoding", "content-language",
    "content-length", "content-type", "date", "etag", "expires", "last-modified", "server",
    "set-cookie", "strict-transport-security", "transfer-encoding", "vary", "x-powered-by",
})  # fmt: skip


def observe_response(headers: Pairs, metas: Pairs, agents: Sequence[str]) -> list[Observation]:
    """Return what the headers and metas of a response say, for all protocols."""
    headers = [pair for pair in headers if pair[0].lower() not in _MUTE]
    if not headers and not metas:
        return []
    return [o for protocol in PROTOCOLS for o in protocol.page_observations(headers, metas, agents)]


def reservations(observations: Iterable[Observation]) -> dict[str, Observation]:
    """Return the reservation of each protocol that has one, in the order of `PROTOCOLS`.

    Each protocol resolves conflicts by its own rule. No protocol overrides another.
    """
    given = list(observations)
    if not given:
        return {}
    resolved = {p.NAME: p.resolve([o for o in given if o.protocol == p.NAME]) for p in PROTOCOLS}
    return {name: o for name, o in resolved.items() if o is not None}
