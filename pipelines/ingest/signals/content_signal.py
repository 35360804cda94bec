"""Content-Signal: `search=yes, ai-train=no` in robots.txt groups and in response headers."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pipelines.ingest.signals import robots
from pipelines.ingest.signals.observed import (
    Capture,
    Observation,
    Pairs,
    Reader,
    any_reserved,
    in_headers,
    preference,
)

NAME = "content-signal"
VERSION = "contentsignals.org 2025-09"
KINDS = ("robots",)
resolve = any_reserved

LABELS = ("ai-train", "train-ai")
_MEMBER = re.compile(r"([a-z-]+)\s*=\s*([a-z]+)")


def statement(text: str) -> str | None:
    """What the signals say of training: `reserved`, `granted` or None; the last one counts."""
    return preference(dict(_MEMBER.findall(text.lower())), LABELS)


def host(capture: Capture, agents: Sequence[str]) -> Reader:
    return robots.usage(capture, agents, "content-signal", NAME, VERSION, statement)


def page(headers: Pairs, metas: Pairs, agents: Sequence[str]) -> list[Observation]:
    return in_headers(headers, "Content-Signal", NAME, VERSION, statement)
