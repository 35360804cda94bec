"""AIPREF: `Content-Usage` in response headers and robots.txt (IETF drafts, no consensus yet).

Any `n` wins over statements elsewhere (vocab, "Combining Preferences").  Labels of earlier drafts
and Content-Signal's spelling are understood too: they can only reserve what training would use.
"""

from __future__ import annotations

from collections.abc import Sequence

from pipelines.ingest.signals import robots
from pipelines.ingest.signals.observed import (
    Capture,
    Observation,
    Pairs,
    Reader,
    any_reserved,
    dictionary,
    in_headers,
    preference,
)

NAME = "aipref"
VERSION = "draft-ietf-aipref-vocab-07, draft-ietf-aipref-attach-05"
KINDS = ("robots",)
resolve = any_reserved

LABELS = ("train-ai", "ai-train", "train-genai", "genai", "ai", "tdm")


def statement(text: str) -> str | None:
    """What a usage preference says of training: `reserved`, `granted` or None."""
    return preference(dictionary(text), LABELS)


def host(capture: Capture, agents: Sequence[str]) -> Reader:
    return robots.usage(capture, agents, "content-usage", NAME, VERSION, statement)


def page(headers: Pairs, metas: Pairs, agents: Sequence[str]) -> list[Observation]:
    return in_headers(headers, "Content-Usage", NAME, VERSION, statement)
