"""The register of governed sources: its records, and which source governs which record."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Final

import polars as pl

from schemas.licences import LicenceTerms
from schemas.matching import MatchIndex

#: How a source's text was acquired if its entry does not say.
ACQUIRED_AS: Final = {"web": "crawled", "institutional": "licensed"}


@dataclass(frozen=True)
class Licence:
    spdx: str  # normalised SPDX expression
    url: str | None = None
    attribution: str | None = None


@dataclass(frozen=True)
class Basis:
    """Why the text may be used.  `expires_on` is the last good day, `withdrawn_on` the first
    bad one; `url_scope` narrows the match (empty: all of it)."""

    kind: str  # licence | consent | contract | statute
    reference: str
    evidence: str  # path below register/evidence/
    verified_by: str | None
    verified_on: date | None
    url_scope: tuple[str, ...]
    purposes: tuple[str, ...]
    granted_on: date
    expires_on: date | None = None
    withdrawn_on: date | None = None


@dataclass(frozen=True)
class Source:
    """A register entry; `entry_json` is the canonical JSON of the entry as it stands."""

    id: str
    title: str
    publisher: str
    contact: str
    jurisdiction: str
    kind: str  # web | institutional
    languages: tuple[str, ...]
    acquired_as: str  # default: crawled (web), licensed (institutional)
    domains: tuple[str, ...]
    url_prefixes: tuple[str, ...]
    collections: tuple[str, ...]
    licence: Licence
    basis: Basis
    opt_out: str  # honour | overridden
    personal_data: str  # scrub | drop-document | none-expected
    residency: tuple[str, ...] | None  # None: any country
    entry_json: str
    entry_sha256: str
    evidence_sha256: str | None  # None: missing, empty or outside the evidence folder


@dataclass(frozen=True)
class Withdrawal:
    """A recorded withdrawal (`register/withdrawals.yaml`): what it bars from every run."""

    scope: str  # source | url | domain | document | text
    value: str
    recorded_on: date
    ground: str
    reason: str = "withdrawn"  # withdrawn | licence-conflict: what its refusals are called
    case: str | None = None  # the case by which it was decided, or lifted
    documents: tuple[str, ...] = ()  # of a text: the records that it was read from
    parts: tuple[str, ...] = ()  # of a text: parts that it was, and the records they were cut from

    @property
    def sha256(self) -> str:
        """Names it where its ground and value, which may hold personal data, must not stand."""
        entry = [self.scope, self.value, self.recorded_on.isoformat(), self.ground]
        return hashlib.sha256(json.dumps(entry).encode()).hexdigest()


@dataclass(frozen=True)
class Register:
    sources: Mapping[str, Source]
    licences: Mapping[str, LicenceTerms]
    withdrawals: tuple[Withdrawal, ...]
    sha256: str
    lifted: tuple[Withdrawal, ...] = ()  # they bar nothing any more

    @cached_property
    def _index(self) -> MatchIndex:
        index = MatchIndex()
        for id, source in self.sources.items():
            index.add(id, source.domains, source.url_prefixes, source.collections)
        return index

    @cached_property
    def withdrawn_sources(self) -> Mapping[str, Withdrawal]:
        """The recorded withdrawal of each source that has one, by the source's id."""
        recorded = [w for w in self.withdrawals if w.scope == "source"]
        return {w.value.strip(): w for w in reversed(recorded)}  # the first entry counts

    def match(self, uris: pl.Series, collection: str) -> pl.Series:
        """The source_id (String) that governs each uri, null where none does.

        The longest URL prefix wins over the longest domain, and that over the collection.
        URLs are compared as `schemas.urls` normalises them; what is no http, https or ftp URL
        is matched by its collection alone.  A prefix ends with a path segment: see
        `urls.prefixes`."""
        return self._index.match(uris, collection)
