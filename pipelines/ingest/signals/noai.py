"""`noai` and `noml` in X-Robots-Tag headers and `<meta>`: in common use, without a specification.

`noimageai` is about images and does not reserve text. A statement for one agent (`GPTBot: noai`,
`<meta name="GPTBot">`) counts if the agent is in `robots_agents`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

from pipelines.ingest.signals.observed import (
    RESERVED,
    Capture,
    Observation,
    Pairs,
    PathObserver,
    first_reservation,
    observe_nothing,
)

NAME = "noai"
VERSION = "de facto"
KINDS = ()
resolve = first_reservation

BARRING = frozenset({"noai", "noml"})
_FOR_ALL = frozenset({"robots", "ai", "*"})
_WITH_VALUE = frozenset(
    {"unavailable_after", "max-snippet", "max-image-preview", "max-video-preview"}
)


@lru_cache(16)
def _relevant_agents(agents: tuple[str, ...]) -> frozenset[str]:
    return _FOR_ALL | {agent.strip().lower() for agent in agents}


def _directives(text: str) -> Iterator[tuple[str, str]]:
    """Yield the (agent, directive) pairs of a header; an agent applies until the next one."""
    agent = "*"
    for part in text.lower().split(","):
        name, colon, rest = part.partition(":")
        if colon and name.strip() not in _WITH_VALUE:
            agent, part = name.strip(), rest
        yield from ((agent, word) for word in re.split(r"[\s;]+", part))


def path_observer(capture: Capture, agents: Sequence[str]) -> PathObserver:
    """Return an observer of nothing: the protocol has no file."""
    return observe_nothing


def page_observations(headers: Pairs, metas: Pairs, agents: Sequence[str]) -> list[Observation]:
    """Return the reservations in headers and metas."""
    relevant = _relevant_agents(tuple(agents))
    reserving = []
    for name, value in headers:
        if name.strip().lower() == "x-robots-tag" and any(
            agent in relevant and word in BARRING for agent, word in _directives(value)
        ):
            reserving.append(("header", f"X-Robots-Tag: {value}"))
    for name, value in metas:
        if name.strip().lower() in relevant and BARRING & set(re.split(r"[\s,;]+", value.lower())):
            reserving.append(("html", f"{name}: {value}"))
    return [Observation(NAME, VERSION, where, None, RESERVED, raw) for where, raw in reserving]
