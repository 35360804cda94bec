"""The stages in their order, and the outcomes that they give; imports no library."""

from __future__ import annotations

from typing import Final

STAGES: Final = ("ingest", "language", "quality", "dedup", "privacy", "release")
#: The stages that write texts: as they were read, then those of documents that were split.
TEXTS: Final = STAGES[:2]
OUTCOMES: Final = ("keep", "refuse", "drop", "damaged")
