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
    Reader,
    any_reserved,
    says_nothing,
)
from pipelines.ingest.signals.patterns import subject

NAME = "ai-txt"
VERSION = "Spawning ai.txt 2023"
KINDS = ("ai-txt",)
resolve = any_reserved

TEXT = ("", ".txt", ".html")


def host(capture: Capture, agents: Sequence[str]) -> Reader:
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
        return says_nothing
    found = robots.rules_of(robots.groups(capture.body, robots.ACCESS), (*agents, "*"))
    held = [(agent, robots.access(rules)) for rules, agent in found.items() if rules]

    def read(path: str) -> list[Observation]:
        seen = []
        for agent, rules in held:
            for suffix in TEXT:
                rule = rules.deciding(subject(path + suffix))
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
        return [any_reserved(seen) or seen[0]] if seen else []

    return read


def page(headers: Pairs, metas: Pairs, agents: Sequence[str]) -> list[Observation]:
    return []
