"""TDMRep: `/.well-known/tdmrep.json`, `tdm-reservation` headers and `<meta>`, EPUB and PDF.

A more specific statement overrides a less specific one. The order is file, header, HTML, embedded.
The values are 0 and 1; 1.0 and `true` are read as 1. A statement that is absent or has another
value does not count, and overrides nothing. EPUB and PDF readers put `("tdm:reservation", value)`
among the metas: a name with a colon is an embedded statement.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from pipelines.ingest.signals.observed import (
    GRANTED,
    RESERVED,
    UNREADABLE,
    Capture,
    Observation,
    Pairs,
    PathObserver,
    first_reservation,
    observe_nothing,
    values,
)
from pipelines.ingest.signals.patterns import compile_pattern, path_forms
from pipelines.ingest.signals.uris import split_uri

NAME = "tdmrep"
VERSION = "W3C CG TDMRep 3"
KINDS = ("tdmrep",)

LIMIT = 4 << 20  # the most bytes that are read
_VALUES = {"1": RESERVED, "1.0": RESERVED, "true": RESERVED, "0": GRANTED}


def _format_statement(value: str, policy: Any) -> str:
    also = f"; tdm-policy: {policy.strip()}" if isinstance(policy, str) and policy else ""
    return f"tdm-reservation: {int(value == RESERVED)}{also}"


def _parse_rule(entry: Any) -> tuple[str, str, Any] | None:
    """Return (location, value, policy) of a rule; None if the entry is not a valid rule."""
    if not isinstance(entry, dict) or not isinstance(entry.get("location"), str):
        return None
    value = _VALUES.get(str(entry.get("tdm-reservation")).strip().lower())
    parts = split_uri(entry["location"])
    location = parts.path if parts else entry["location"].strip()
    return (location, value, entry.get("tdm-policy")) if value and location else None


def path_observer(capture: Capture, agents: Sequence[str]) -> PathObserver:
    """Return an observer of the first rule whose location matches a path.

    A malformed file is observed as `unreadable`. A status other than 2xx means that the server does
    not implement the protocol. A capture that cannot be read (status 0), or is too long, reserves,
    because its content is unknown.
    """
    if capture.status and not 200 <= capture.status < 300:
        return observe_nothing

    def observed(value: str, raw: str, location: str | None = None) -> Observation:
        return Observation(
            NAME, VERSION, "tdmrep.json", location, value, raw, capture.captured_at, capture.doc_id
        )

    if not capture.status or len(capture.body) > LIMIT:
        unknown = observed(RESERVED, "could not be read whole")
        return lambda path: [unknown]
    try:
        document = json.loads(capture.body)
    except (ValueError, RecursionError):
        damaged = observed(UNREADABLE, "not a JSON document")
        return lambda path: [damaged]
    entries = document if isinstance(document, list) else [document]
    rules = [
        (
            compile_pattern(rule[0]),
            observed(
                rule[1],
                f"location: {rule[0]}; {_format_statement(rule[1], rule[2])}",
                rule[0],
            ),
        )
        for rule in map(_parse_rule, entries)
        if rule
    ]

    def observe(path: str) -> list[Observation]:
        forms = path_forms(path)
        return [o for pattern, o in rules if pattern.matches(forms)][:1]

    return observe


def page_observations(headers: Pairs, metas: Pairs, agents: Sequence[str]) -> list[Observation]:
    """Return the statements of headers, HTML metas and embedded metas."""
    observations = []
    for where, pairs, mark in (
        ("header", headers, "-"),
        ("html", metas, "-"),
        ("embedded", metas, ":"),
    ):
        policy = next(iter(values(pairs, f"tdm{mark}policy")), None)
        for text in values(pairs, f"tdm{mark}reservation"):
            if value := _VALUES.get(text.strip().lower()):
                raw = _format_statement(value, policy)
                observations.append(Observation(NAME, VERSION, where, None, value, raw))
    return observations


def resolve(observations: Iterable[Observation]) -> Observation | None:
    """Return the reservation of the most specific place with a statement; None if it grants."""
    statements = [o for o in observations if o.value in (RESERVED, GRANTED)]
    for where in ("embedded", "html", "header", "tdmrep.json"):
        if at_place := [o for o in statements if o.where == where]:
            return first_reservation(at_place)
    return None
