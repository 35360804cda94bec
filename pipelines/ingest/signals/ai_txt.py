"""ai.txt, in the form of Spawning's generator: lines of robots.txt for media types.

A rule names files by their extension (`Disallow: *.txt`), or everything with `/` or `*`. Pages
seldom have an extension, so each path is also tested with `.txt` and `.html`: a rule for either
reserves text. There is no specification. Precedence is as in robots.txt. Only an answer with status
2xx counts. A capture that could not be read (status 0) reserves.
"""

from __future__ import annotations

from collections.abc import Sequence

from pipelines.ingest.signals import robots
from pipelines.ingest.signals.observed import (
    GRANTED,
    RESERVED,
    Capture,
    Observation,
    Pairs,
    PathObserver,
    first_reservation,
    observe_nothing,
)
from pipelines.ingest.signals.patterns import path_forms

NAME = "ai-txt"
VERSION = "Spawning ai.txt 2023"
KINDS = ("ai-txt",)
resolve = first_reservation

TEXT = ("", ".txt", ".html")


def path_observer(capture: Capture, agents: Sequence[str]) -> PathObserver:
    """Return an observer of whether all agents may mine text at a path.

    It observes nothing if no group applies to an agent.
    """
    if not capture.status:
        unknown = Observation(
            NAME,
            VERSION,
            "ai.txt",
            None,
            RESERVED,
            "could not be read",
            capture.captured_at,
            capture.doc_id,
        )
        return lambda path: [unknown]
    if not 200 <= capture.status < 300:
        return observe_nothing
    merged = robots.merge_rules(robots.parse_groups(capture.body, robots.ACCESS), (*agents, "*"))
    access = [(agent, robots.compile_access(rules)) for rules, agent in merged.items() if rules]

    def observe(path: str) -> list[Observation]:
        observations = []
        for agent, rules in access:
            for suffix in TEXT:
                rule = rules.deciding_rule(path_forms(path + suffix))
                if rule:
                    field = "Allow" if rule.allows else "Disallow"
                    observations.append(
                        Observation(
                            NAME,
                            VERSION,
                            "ai.txt",
                            rule.pattern.text,
                            GRANTED if rule.allows else RESERVED,
                            f"User-agent: {agent}; {field}: {rule.pattern.text}",
                            capture.captured_at,
                            capture.doc_id,
                        )
                    )
        return [first_reservation(observations) or observations[0]] if observations else []

    return observe


def page_observations(headers: Pairs, metas: Pairs, agents: Sequence[str]) -> list[Observation]:
    """Return no observations: the protocol has only a file."""
    return []
