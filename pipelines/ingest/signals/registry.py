"""Opt-out signals of a crawl: robots.txt, TDMRep, AIPREF, Content-Signal, noai, RSL, ai.txt.

A protocol is a module with

    NAME, VERSION   the name stands in the reason `opted-out:NAME`; the version goes into lineage
    KINDS           the captures it reads: of `robots`, `tdmrep`, `ai-txt`, `rsl`
    host(capture, agents) -> Reader         what the capture says of a path
    page(headers, metas, agents) -> list    what a response's headers and markup say
    resolve(observations) -> Observation | None   the reservation that stands, if any

and is added by naming it in `PROTOCOLS`.
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

#: What nearly every response has and no protocol reads.
_MUTE = frozenset({
    "accept-ranges", "age", "cache-control", "connection", "content-encoding", "content-language",
    "content-length", "content-type", "date", "etag", "expires", "last-modified", "server",
    "set-cookie", "strict-transport-security", "transfer-encoding", "vary", "x-powered-by",
})  # fmt: skip


def observe_response(headers: Pairs, metas: Pairs, agents: Sequence[str]) -> list[Observation]:
    """What a response's headers and `<meta name content>` pairs say, for all protocols."""
    headers = [pair for pair in headers if pair[0].lower() not in _MUTE]
    if not headers and not metas:
        return []
    return [o for protocol in PROTOCOLS for o in protocol.page_observations(headers, metas, agents)]


def reservations(observations: Iterable[Observation]) -> dict[str, Observation]:
    """The reservation that stands in each protocol, in the order of `PROTOCOLS`.

    Conflicts are resolved inside a protocol, by its own rule; protocols do not outrank one
    another.
    """
    seen = list(observations)
    if not seen:
        return {}
    standing = {p.NAME: p.resolve([o for o in seen if o.protocol == p.NAME]) for p in PROTOCOLS}
    return {name: o for name, o in standing.items() if o is not None}
