"""The protocols that are read: to add one, name its module here."""

from __future__ import annotations

from typing import Final

from pipelines.signals import ai_txt, aipref, content_signal, noai, robots, rsl, tdmrep
from pipelines.signals.observed import Protocol

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
