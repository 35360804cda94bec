"""Content-Signal: `search=yes, ai-train=no` in robots.txt groups and in response headers."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pipelines.ingest.signals import robots
from pipelines.ingest.signals.observed import (
    Capture,
    Observation,
    Pairs,
    PathObserver,
    combine_preferences,
    first_reservation,
    header_observations,
)

NAME = "content-signal"
VERSION = "contentsignals.org 2025-09"
KINDS = ("robots",)
resolve = first_reservation

LABELS = ("ai-train", "train-ai")
_MEMBER = re.compile(r"([a-z-]+)\s*=\s*([a-z]+)")


def training_preference(text: str) -> str | None:
    """Return what the last signal says about training: `reserved`, `granted` or None."""
    return combine_preferences(dict(_MEMBER.findall(text.lower())), LABELS)


def path_observer(capture: Capture, agents: Sequence[str]) -> PathObserver:
    """Return the observer of the `Content-Signal` lines of a robots.txt."""
    return robots.usage_observer(
        capture,
        agents,
        field="content-signal",
        name=NAME,
        version=VERSION,
        meaning=training_preference,
    )


def page_observations(headers: Pairs, metas: Pairs, agents: Sequence[str]) -> list[Observation]:
    """Return the observations of `Content-Signal` headers."""
    return header_observations(headers, "Content-Signal", NAME, VERSION, training_preference)
