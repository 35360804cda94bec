"""The types of signals (captures, observations, protocols), and the grammar that they share."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple
from typing import Protocol as Interface

#: (name, value) pairs: HTTP headers, name and content of `<meta>`, `rel` and `href` of links.
Pairs = Sequence[tuple[str, str]]

RESERVED: Final = "reserved"
GRANTED: Final = "granted"
UNREADABLE: Final = "unreadable"
LINKED: Final = "linked"  # the terms are at `Observation.link`
UNSAID: Final = "unsaid"

_EXCERPT = 200
_DOUBTFUL: Final = re.compile(r"@|%40|[0-9](?:[^0-9a-z]{0,3}[0-9]){8}")


@dataclass(frozen=True)
class Observation:
    """One statement of one protocol.

    Attributes:
      protocol, version: the protocol.
      where: the file that holds the statement, or `header`, `html` or `embedded`.
      location: the path pattern that matched; None if the statement has none.
      value: `reserved`, `granted`, `unreadable`, `linked` or `unsaid`.
      raw: an excerpt of the statement.
      observed_at, capture: time and doc_id of the capture with the statement; None: the record
        itself.
      link: the address of linked terms.
      licence: the SPDX identifier of a licence that the statement names.
      compared: the statements at the fetch and in the latest capture, if the two differ.
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
        """Return the observation as evidence for the ledger.

        `link`, `licence` and `compared` are left out if they are None. A publisher's rule may name
        a person (`Disallow: /users/…`), so personal data in excerpts is redacted.
        """
        rare = ("link", "licence", "compared")
        evidence = {k: v for k, v in vars(self).items() if v is not None or k not in rare}
        excerpts = [k for k in ("raw", "location", "link") if evidence.get(k)]
        return evidence | {k: _redact_excerpt(evidence[k]) for k in excerpts}


def _redact_excerpt(excerpt: str) -> str:
    if not _DOUBTFUL.search(excerpt):
        return excerpt
    from pipelines.personal_data.uri_redaction import redact_uri  # loads the recognisers

    return redact_uri(excerpt)


class BodyLocation(NamedTuple):
    """The location of a capture's body: a range of a file."""

    path: str
    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class Capture:
    """A capture of a host's robots.txt, tdmrep.json or ai.txt, or of RSL terms.

    Attributes:
      host: the host.
      kind: `robots`, `tdmrep`, `ai-txt`, `rsl`, or `TARGET`.
      status: the HTTP status; 0 if there was no answer, or it cannot be read.
      body: the body, unless it is in a file.
      captured_at: the capture time.
      doc_id: the id of the record.
      uri: the address, which gives scheme and port.
      location: the Location header of a redirect.
      marks: names of the capture, one a line.
      refers: the marks of the capture that a revisit repeats; None for other records.
      body_location: the location of the body in a file (`bodies.load_body` reads it).
    """

    host: str
    kind: str
    status: int
    body: bytes
    captured_at: str
    doc_id: str
    uri: str = ""
    location: str = ""
    marks: str = ""
    refers: str | None = None
    body_location: BodyLocation | None = None


#: The kind of a capture that is not a signal itself, but the target of a signal's redirect.
TARGET: Final = "target"

#: Returns what a capture says about a path (path and query, from `uris.split_uri`).
PathObserver = Callable[[str], list[Observation]]


class Protocol(Interface):
    """The interface of a protocol's module; see `pipelines.ingest.signals.registry`."""

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
    """Return the first reservation, or None: the most restrictive statement counts."""
    return next((o for o in observations if o.value == RESERVED), None)


def observe_nothing(path: str) -> list[Observation]:
    """Observe nothing: the observer of a capture without statements."""
    return []


def values(pairs: Pairs, *names: str) -> list[str]:
    """Return the values of pairs with one of the (lower-case) names."""
    return [value for name, value in pairs if name.strip().lower() in names]


def combine_preferences(members: dict[str, str], labels: Iterable[str]) -> str | None:
    """Return `reserved` if any label says no, else `granted` if one says yes, else None."""
    answers = {members.get(label) for label in labels}
    return RESERVED if answers & {"n", "no"} else GRANTED if answers & {"y", "yes"} else None


def header_observations(
    headers: Pairs, field: str, name: str, version: str, statement: Callable[[str], str | None]
) -> list[Observation]:
    """Return the observations of a header field.

    Args:
      headers: the HTTP headers.
      field: the name of the field.
      name, version: the protocol.
      statement: returns the value of an observation for a field's text; None for none.
    """
    return [
        Observation(name, version, "header", None, value, f"{field}: {text}")
        for text in values(headers, field.lower())
        if (value := statement(text))
    ]


_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')


def parse_dictionary(text: str) -> dict[str, str]:
    """Return the tokens of an RFC 9651 dictionary, without parameters; the last of a key counts.

    By the RFC, one malformed member voids the field. Here it is skipped, and case is ignored, so
    that a typing error does not undo an opt-out.
    """
    members = (m.partition(";")[0].partition("=") for m in _QUOTED.sub('""', text).split(","))
    return {key.strip().lower(): value.strip().lower() for key, _, value in members if key.strip()}
