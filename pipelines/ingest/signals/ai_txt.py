"""ai.txt as Spawning's generator writes it: robots.txt lines that speak of media types.

A group says of files by their extension whether they may be mined (`Disallow: *.txt`), and of
everything with `/` or `*`.  Pages seldom have an extension, so each path is also asked about as
`.txt` and as `.html`: a file that bars either bars text.  No specification says more; status and
precedence are read as in robots.txt, except that only a 2xx answer says anything; a capture that
could not be read (status 0) bars.
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
    """Whether text at a path may be mined by all agents; nothing where no group names one."""
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
    found = robots.merge_rules(robots.parse_groups(capture.body, robots.ACCESS), (*agents, "*"))
    held = [(agent, robots.compile_access(rules)) for rules, agent in found.items() if rules]

    def read(path: str) -> list[Observation]:
        seen = []
        for agent, rules in held:
            for suffix in TEXT:
                rule = rules.deciding(path_forms(path + suffix))
                if rule:
                    said = "Allow" if rule.allows else "Disallow"
                    seen.append(
                        Observation(
                            NAME,
                            VERSION,
                            "ai.txt",
                            rule.pattern.text,
                            GRANTED if rule.allows else RESERVED,
                            f"User-agent: {agent}; {said}: {rule.pattern.text}",
                            capture.captured_at,
                            capture.doc_id,
                        )
                    )
        return [first_reservation(seen) or seen[0]] if seen else []

    return read


def page_observations(headers: Pairs, metas: Pairs, agents: Sequence[str]) -> list[Observation]:
    return []
