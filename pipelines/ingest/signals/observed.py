"""What a signal says, where it was captured, and the small grammar that signals share."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple
from typing import Protocol as Interface

#: (name, value) pairs: HTTP headers, `<meta>` name and content, `rel` and `href` of links.
Pairs = Sequence[tuple[str, str]]

RESERVED: Final = "reserved"
GRANTED: Final = "granted"
UNREADABLE: Final = "unreadable"
LINKED: Final = "linked"  # terms stand elsewhere, at `Observation.link`
UNSAID: Final = "unsaid"

_EXCERPT = 200
_DOUBTFUL: Final = re.compile(r"@|%40|[0-9](?:[^0-9a-z]{0,3}[0-9]){8}")


@dataclass(frozen=True)
class Observation:
    """One statement of one protocol, as it was seen.

    `where` is the file, `header`, `html` or `embedded`; `location` the path pattern that matched,
    if the statement has one; `value` is `reserved`, `granted`, `unreadable`, `linked` or `unsaid`;
    `raw` an excerpt; `observed_at` and `capture` (a doc_id) tell which capture said so: None, the
    record.  `link` is where linked terms stand; `licence` the SPDX identifier of a licence that
    the statement names; `compared` what stood at the fetch and stands in the latest capture,
    where the two differ.
    """

    protocol: str
    version: str
    where: str
    location: str | None
    value: str
    raw: str
    observed_at: str | None = None
    capture: str | None = None
    link: str | None = None
    licence: str | None = None
    compared: Mapping[str, Any] | None = field(default=None, hash=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "raw", self.raw[:_EXCERPT])
        if self.location is not None:
            object.__setattr__(self, "location", self.location[:_EXCERPT])

    def evidence(self) -> dict[str, Any]:
        """What goes into the ledger; what few statements have stands there only if it is set.  A
        publisher's rule may name a person (`Disallow: /users/…`): that is redacted."""
        rare = ("link", "licence", "compared")
        told = {k: v for k, v in vars(self).items() if v is not None or k not in rare}
        return told | {
            k: _redact_excerpt(told[k]) for k in ("raw", "location", "link") if told.get(k)
        }


def _redact_excerpt(excerpt: str) -> str:
    if not _DOUBTFUL.search(excerpt):
        return excerpt
    from pipelines.personal_data.uris import redact_uri  # loads the recognisers

    return redact_uri(excerpt)


class BodyLocation(NamedTuple):
    """Where a body lies."""

    path: str
    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class Capture:
    """A fetch of a host's robots.txt, tdmrep.json or ai.txt, or of RSL terms.

    `status` is 0 where nothing answered.  `uri` tells http, https and ports apart; `location` is
    the Location header of a redirect.  `marks` are names of the capture, one a line; a revisit
    has in `refers` those of the capture that it repeats (None: it is no revisit).  The body is in
    `body`, or in a file at `body_location` (`bodies.load_body` reads it).
    """

    host: str
    kind: str  # robots | tdmrep | ai-txt | rsl, or `TARGET`
    status: int
    body: bytes
    captured_at: str
    doc_id: str
    uri: str = ""
    location: str = ""
    marks: str = ""
    refers: str | None = None
    body_location: BodyLocation | None = None


#: The kind of a capture that is no signal of itself: redirects of signals lead to it.
TARGET: Final = "target"

#: What a capture says of a path (path and query, from `uris.split`).
PathObserver = Callable[[str], list[Observation]]


class Protocol(Interface):
    """What the module of a protocol offers; see `pipelines.ingest.signals.registry`."""

    @property
    def NAME(self) -> str: ...
    @property
    def VERSION(self) -> str: ...
    @property
    def KINDS(self) -> tuple[str, ...]: ...
    def path_observer(self, capture: Capture, agents: Sequence[str]) -> PathObserver: ...
    def page_observations(
        self, headers: Pairs, metas: Pairs, agents: Sequence[str]
    ) -> list[Observation]: ...
    def resolve(self, observations: Iterable[Observation]) -> Observation | None: ...


def first_reservation(observations: Iterable[Observation]) -> Observation | None:
    """The first reservation: the most restrictive statement wins."""
    return next((o for o in observations if o.value == RESERVED), None)


def observe_nothing(path: str) -> list[Observation]:
    """The reader of a capture without statements."""
    return []


def values(pairs: Pairs, *names: str) -> list[str]:
    """The values of the pairs that bear one of the (lower-case) names."""
    return [value for name, value in pairs if name.strip().lower() in names]


def combine_preferences(members: dict[str, str], labels: Iterable[str]) -> str | None:
    """`reserved` when any label says no, else `granted` when one says yes, else None."""
    said = {members.get(label) for label in labels}
    return RESERVED if said & {"n", "no"} else GRANTED if said & {"y", "yes"} else None


def header_observations(
    headers: Pairs, field: str, name: str, version: str, statement: Callable[[str], str | None]
) -> list[Observation]:
    """What the fields of a response say, where `statement` makes anything of them."""
    return [
        Observation(name, version, "header", None, value, f"{field}: {text}")
        for text in values(headers, field.lower())
        if (value := statement(text))
    ]


_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')


def parse_dictionary(text: str) -> dict[str, str]:
    """The tokens of an RFC 9651 dictionary; parameters are dropped, the last of a key wins.

    More tolerant than the RFC, where one bad member voids the field: a member that cannot be
    read is passed over, and letters' case is ignored, so that a slip does not undo an opt-out.
    """
    members = (m.partition(";")[0].partition("=") for m in _QUOTED.sub('""', text).split(","))
    return {key.strip().lower(): value.strip().lower() for key, _, value in members if key.strip()}
