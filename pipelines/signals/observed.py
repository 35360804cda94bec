"""What a signal says, where it was captured, and the small grammar that signals share."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final
from typing import Protocol as Interface

#: (name, value) pairs: HTTP headers, `<meta>` name and content, `rel` and `href` of links.
Pairs = Sequence[tuple[str, str]]

RESERVED: Final = "reserved"
GRANTED: Final = "granted"
UNREADABLE: Final = "unreadable"

_EXCERPT = 200


@dataclass(frozen=True)
class Observation:
    """One statement of one protocol, as it was seen.

    `where` is `robots.txt`, `tdmrep.json`, `header` or `html`; `location` the path pattern that
    matched, if the statement has one; `value` is `reserved`, `granted` or `unreadable`; `raw` an
    excerpt; `observed_at` and `capture` (a doc_id) tell which capture said so: None, the record.
    """

    protocol: str
    version: str
    where: str
    location: str | None
    value: str
    raw: str
    observed_at: str | None = None
    capture: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "raw", self.raw[:_EXCERPT])
        if self.location is not None:
            object.__setattr__(self, "location", self.location[:_EXCERPT])


@dataclass(frozen=True)
class Capture:
    """A fetch of a host's robots.txt or tdmrep.json.

    `status` is 0 where nothing answered.  `uri` tells http, https and ports apart; `location` is
    the Location header of a redirect.
    """

    host: str
    kind: str  # robots | tdmrep
    status: int
    body: bytes
    captured_at: str
    doc_id: str
    uri: str = ""
    location: str = ""


#: What a capture says of a path (path and query, from `uris.split`).
Reader = Callable[[str], list[Observation]]


class Protocol(Interface):
    """What the module of a protocol offers; see `pipelines.signals`."""

    @property
    def NAME(self) -> str: ...
    @property
    def VERSION(self) -> str: ...
    @property
    def KIND(self) -> str | None: ...
    def host(self, capture: Capture, agents: Sequence[str]) -> Reader: ...
    def page(self, headers: Pairs, metas: Pairs, agents: Sequence[str]) -> list[Observation]: ...
    def resolve(self, observations: Iterable[Observation]) -> Observation | None: ...


def any_reserved(observations: Iterable[Observation]) -> Observation | None:
    """The first reservation: the most restrictive statement wins."""
    return next((o for o in observations if o.value == RESERVED), None)


def says_nothing(path: str) -> list[Observation]:
    """The reader of a capture without statements."""
    return []


def values(pairs: Pairs, *names: str) -> list[str]:
    """The values of the pairs that bear one of the (lower-case) names."""
    return [value for name, value in pairs if name.strip().lower() in names]


def preference(members: dict[str, str], labels: Iterable[str]) -> str | None:
    """`reserved` when any label says no, else `granted` when one says yes, else None."""
    said = {members.get(label) for label in labels}
    return RESERVED if said & {"n", "no"} else GRANTED if said & {"y", "yes"} else None


_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')


def dictionary(text: str) -> dict[str, str]:
    """The tokens of an RFC 9651 dictionary; parameters are dropped, the last of a key wins.

    More tolerant than the RFC, where one bad member voids the field: a member that cannot be
    read is passed over, and letters' case is ignored, so that a slip does not undo an opt-out.
    """
    members = (m.partition(";")[0].partition("=") for m in _QUOTED.sub('""', text).split(","))
    return {key.strip().lower(): value.strip().lower() for key, _, value in members if key.strip()}
