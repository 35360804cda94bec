"""TDMRep: `/.well-known/tdmrep.json`, `tdm-reservation` headers and `<meta>`.

The more specific statement stands: file, then header, then HTML; where one is absent or holds
anything but 0 or 1 (1.0 and `true` are taken for 1), it is unset and resets nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from pipelines.signals.observed import (
    GRANTED,
    RESERVED,
    UNREADABLE,
    Capture,
    Observation,
    Pairs,
    Reader,
    any_reserved,
    says_nothing,
    values,
)
from pipelines.signals.patterns import compile_pattern, subject
from pipelines.signals.uris import split

NAME = "tdmrep"
VERSION = "W3C CG TDMRep 3"
KIND = "tdmrep"

LIMIT = 4 << 20  # bytes
_VALUES = {"1": RESERVED, "1.0": RESERVED, "true": RESERVED, "0": GRANTED}


def _rule(entry: Any) -> tuple[str, str] | None:
    """(location, value) of a rule; None where the entry is none."""
    if not isinstance(entry, dict) or not isinstance(entry.get("location"), str):
        return None
    value = _VALUES.get(str(entry.get("tdm-reservation")).strip().lower())
    parts = split(entry["location"])
    location = parts.path if parts else entry["location"].strip()
    return (location, value) if value and location else None


def host(capture: Capture, agents: Sequence[str]) -> Reader:
    """The first rule of the file whose location matches; a damaged file is observed as such.

    Any status but 2xx means that the server does not implement the protocol.
    """
    if not 200 <= capture.status < 300:
        return says_nothing

    def observed(value: str, raw: str, location: str | None = None) -> Observation:
        return Observation(
            NAME, VERSION, "tdmrep.json", location, value, raw, capture.captured_at, capture.doc_id
        )

    try:
        if len(capture.body) > LIMIT:
            raise ValueError
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
                f"location: {rule[0]}; tdm-reservation: {int(rule[1] == RESERVED)}",
                rule[0],
            ),
        )
        for rule in map(_rule, entries)
        if rule
    ]

    def read(path: str) -> list[Observation]:
        target = subject(path)
        return [o for pattern, o in rules if pattern.matches(target)][:1]

    return read


def page(headers: Pairs, metas: Pairs, agents: Sequence[str]) -> list[Observation]:
    return [
        Observation(
            NAME,
            VERSION,
            where,
            None,
            _VALUES[value.strip().lower()],
            f"tdm-reservation: {value.strip()}",
        )
        for where, pairs in (("header", headers), ("html", metas))
        for value in values(pairs, "tdm-reservation", "tdm:reservation")
        if value.strip().lower() in _VALUES
    ]


def resolve(observations: Iterable[Observation]) -> Observation | None:
    """The reservation of the most specific place that says anything."""
    seen = [o for o in observations if o.value in (RESERVED, GRANTED)]
    for where in ("html", "header", "tdmrep.json"):
        if here := [o for o in seen if o.where == where]:
            return any_reserved(here)
    return None
