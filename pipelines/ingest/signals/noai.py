"""`noai` and `noml` in X-Robots-Tag headers and `<meta>`: in common use, specified nowhere.

`noimageai` speaks of images and does not bar text.  A statement that names an agent
(`GPTBot: noai`, `<meta name="GPTBot">`) counts when that agent is one of ours.
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
    """(agent, directive) pairs of a header's value; an agent holds until the next one."""
    agent = "*"
    for part in text.lower().split(","):
        name, colon, rest = part.partition(":")
        if colon and name.strip() not in _WITH_VALUE:
            agent, part = name.strip(), rest
        yield from ((agent, word) for word in re.split(r"[\s;]+", part))


def path_observer(capture: Capture, agents: Sequence[str]) -> PathObserver:
    return observe_nothing


def page_observations(headers: Pairs, metas: Pairs, agents: Sequence[str]) -> list[Observation]:
    ours = _relevant_agents(tuple(agents))
    seen = []
    for name, value in headers:
        if name.strip().lower() == "x-robots-tag" and any(
            agent in ours and word in BARRING for agent, word in _directives(value)
        ):
            seen.append(("header", f"X-Robots-Tag: {value}"))
    for name, value in metas:
        if name.strip().lower() in ours and BARRING & set(re.split(r"[\s,;]+", value.lower())):
            seen.append(("html", f"{name}: {value}"))
    return [Observation(NAME, VERSION, where, None, RESERVED, raw) for where, raw in seen]
