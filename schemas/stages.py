"""The stages of a run, in order.

A stage is one entry in `TABLE` and one class in `pipelines.run.CLASSES`.  The stage's name leads to
the rest: `pipelines/<name>/stage.py` (its module and command), `expectations/<name>.json` (its suite),
`work/<name>` (its folder).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

#: The sections of the parameters that decide which records are lawful.
_RIGHTS: Final = (
    "as_of",
    "purpose",
    "storage_country",
    "inputs",
    "licences",
    "signals",
    "robots_agents",
    "policy",
)


@dataclass(frozen=True)
class StageEntry:
    """The description of a stage.

    Attributes:
      name: the name of its command, its decisions, its folder under `work` and its suite.
      summary: what the stage does, for `tamga --help`.
      sections: the sections of the parameters that its output depends on.
      leaves: what its folder holds until `tamga clean` removes it; None: nothing to remove.
      texts: which texts its folder holds: those of `all` records, of `split` records, or `none`.
    """

    name: str
    summary: str
    sections: tuple[str, ...]
    leaves: str | None = None
    texts: Literal["all", "split", "none"] = "none"

    @property
    def suite(self) -> str:
        """The path of the stage's expectations in this package."""
        return f"expectations/{self.name}.json"


_DECIDING: Final = (
    StageEntry(
        "ingest",
        "raw containers through the gate to documents",
        sections=(*_RIGHTS, "ingest"),
        leaves="texts as they were read",
        texts="all",
    ),
    StageEntry(
        "language",
        "which language and script each document is in",
        sections=("language",),
        leaves="labels of documents, and the texts of those that were split",
        texts="split",
    ),
    StageEntry(
        "quality",
        "what documents are like; or `quality train`: a classifier",
        sections=("quality",),
        leaves="measures of documents",
    ),
    StageEntry(
        "dedup",
        "exact and near-duplicates, each compared before it goes",
        sections=("dedup", "policy"),
        leaves="signatures and clusters of documents",
    ),
    StageEntry(
        "privacy",
        "where personal data stands; or `privacy preview`: a page to look at",
        sections=("privacy",),
        leaves="positions and classes of personal data in the texts",
    ),
)


def _distinct(entries: Iterable[StageEntry]) -> tuple[str, ...]:
    """Return the sections that at least one of the stages depends on, each once."""
    return tuple(dict.fromkeys(name for entry in entries for name in entry.sections))


#: All stages.  The last one writes the release, whose manifest covers all parameters.
TABLE: Final = (
    *_DECIDING,
    StageEntry(
        "release",
        "shards by language, lineage tables, manifest",
        sections=(*_distinct(_DECIDING), "release", "tokens", "guard"),
    ),
)

STAGES: Final = tuple(stage.name for stage in TABLE)
#: The stages before the release.  Each decides about each document that it receives.
DECIDING: Final = STAGES[:-1]
FIRST: Final = STAGES[0]
RELEASE: Final = STAGES[-1]
#: The stages that write texts: all texts as ingest read them, then those of split records.
TEXTS: Final = tuple(stage.name for stage in TABLE if stage.texts != "none")
#: The sections of the parameters that at least one stage depends on.
SECTIONS: Final = TABLE[-1].sections

_ENTRIES: Final = {stage.name: stage for stage in TABLE}


def entry(name: str) -> StageEntry:
    """Return the entry of a stage.

    Raises:
      KeyError: if no stage has this name.
    """
    return _ENTRIES[name]


def earlier(name: str) -> tuple[str, ...]:
    """Return the stages before a stage, in order."""
    return STAGES[: STAGES.index(name)]


def previous(name: str) -> str:
    """Return the stage directly before a stage: its documents are the stage's input."""
    return earlier(name)[-1]
