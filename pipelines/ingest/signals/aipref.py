"""AIPREF: `Content-Usage` in response headers and robots.txt (IETF drafts, no consensus yet).

Any `n` overrides other statements (vocab, "Combining Preferences"). Labels of earlier drafts and
of Content-Signal are also read, because they can only reserve what training would use.
"""

from __future__ import annotations

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
    parse_dictionary,
)

NAME = "aipref"
VERSION = "draft-ietf-aipref-vocab-07, draft-ietf-aipref-attach-05"
KINDS = ("robots",)
resolve = first_reservation

LABELS = ("train-ai", "ai-train", "train-genai", "genai", "ai", "tdm")


def training_preference(text: str) -> str | None:
    """Return what a usage preference says about training: `reserved`, `granted` or None."""
    return combine_preferences(parse_dictionary(text), LABELS)


def path_observer(capture: Capture, agents: Sequence[str]) -> PathObserver:
    """Return the observer of the `Content-Usage` lines of a robots.txt."""
    return robots.usage_observer(
        capture,
        agents,
        field="content-usage",
        name=NAME,
        version=VERSION,
        meaning=training_preference,
    )


def page_observations(headers: Pairs, metas: Pairs, agents: Sequence[str]) -> list[Observation]:
    """Return the observations of `Content-Usage` headers."""
    return header_observations(headers, "Content-Usage", NAME, VERSION, training_preference)
