"""The stages of a run, in order.

A stage is one entry in `TABLE` and one class in `pipelines.run.CLASSES`.  The rest is found by its
name: `pipelines/<name>/stage.py` (its module and command), `expectations/<name>.json` (its suite),
`work/<name>` (its folder).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

#: The sections of the parameters that say which records are lawful.
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
    """What is known of a stage without its code.

    Attributes:
      name: of its command, its decisions, its folder under `work` and its suite.
      summary: what it does, as `tamga --help` has it.
      sections: the sections of the parameters that its output depends on.
      leaves: what its folder holds until `tamga clean` removes it; None: nothing to remove.
      texts: whether its folder holds texts: of all records, of those that it split, or none.
    """

    name: str
    summary: str
    sections: tuple[str, ...]
    leaves: str | None = None
    texts: Literal["all", "split", "none"] = "none"

    @property
    def suite(self) -> str:
        """Its expectations, a file of this package."""
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
    """The sections that some of the stages depend on, each once."""
    return tuple(dict.fromkeys(name for one in entries for name in one.sections))


#: All stages.  The last one writes the release, whose manifest covers all parameters.
TABLE: Final = (
    *_DECIDING,
    StageEntry(
        "release",
        "shards by language, lineage tables, manifest",
        sections=(*_distinct(_DECIDING), "release", "tokens", "guard"),
    ),
)

STAGES: Final = tuple(one.name for one in TABLE)
#: The stages before the release: each decides about every document that it is handed.
DECIDING: Final = STAGES[:-1]
FIRST: Final = STAGES[0]
RELEASE: Final = STAGES[-1]
#: The stages that write texts: as they were read, then those of documents that were split.
TEXTS: Final = tuple(one.name for one in TABLE if one.texts != "none")
#: The sections of the parameters that some stage depends on.
SECTIONS: Final = TABLE[-1].sections

_ENTRIES: Final = {one.name: one for one in TABLE}


def entry(name: str) -> StageEntry:
    """The entry of a stage.

    Raises:
      KeyError: for a name that no stage has.
    """
    return _ENTRIES[name]


def earlier(name: str) -> tuple[str, ...]:
    """The stages before a stage, in order."""
    return STAGES[: STAGES.index(name)]


def previous(name: str) -> str:
    """The stage right before a stage, which hands its documents over."""
    return earlier(name)[-1]
