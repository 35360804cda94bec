"""The register of governed sources: its typed entries, and the source that governs a record."""

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

#: Kind of source -> how its text was acquired, if the entry does not say.
ACQUIRED_AS: Final = {"web": "crawled", "institutional": "licensed"}


@dataclass(frozen=True)
class Licence:
    """The licence of a source's texts."""

    spdx: str  # normalised SPDX expression
    url: str | None = None
    attribution: str | None = None


@dataclass(frozen=True)
class Basis:
    """The lawful basis of a source.  `expires_on` is the last valid day, `withdrawn_on` the first day
    that is not valid.  `url_scope` narrows the match; empty: the whole match is granted."""

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
    """A register entry.  `entry_json` is the canonical JSON of the whole entry."""

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
    """A recorded withdrawal (`register/withdrawals.yaml`).  It bars its scope from each run."""

    scope: str  # source | url | domain | document | text
    value: str
    recorded_on: date
    ground: str
    reason: str = "withdrawn"  # withdrawn | licence-conflict: the reason of its refusals
    case: str | None = None  # the case that decided or lifted it
    documents: tuple[str, ...] = ()  # scope text: the records that held it
    parts: tuple[str, ...] = ()  # scope text: parts that were it, with their records

    @property
    def sha256(self) -> str:
        """Identifies the withdrawal where its value and ground, which can hold personal data, must not appear."""
        entry = [self.scope, self.value, self.recorded_on.isoformat(), self.ground]
        return hashlib.sha256(json.dumps(entry).encode()).hexdigest()


@dataclass(frozen=True)
class Register:
    """All sources, licence terms and recorded withdrawals.  `lifted` withdrawals bar nothing."""

    sources: Mapping[str, Source]
    licences: Mapping[str, LicenceTerms]
    withdrawals: tuple[Withdrawal, ...]
    sha256: str
    lifted: tuple[Withdrawal, ...] = ()

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
        return {
            w.value.strip(): w for w in reversed(recorded)
        }  # of several entries the first one counts

    def match(self, uris: pl.Series, collection: str) -> pl.Series:
        """Return the source_id (String) that governs each URI; null: none does.

        The longest URL prefix takes precedence over the longest domain, and a domain over the
        collection.  URLs are compared in the normal form of `schemas.urls`.  A URI that is not an
        http, https or ftp URL is matched only by its collection.  A prefix ends with a path segment:
        see `urls.prefixes`.
        """
        return self._index.match(uris, collection)
