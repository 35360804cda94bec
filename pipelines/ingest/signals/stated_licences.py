"""Detect the licences that a page states for itself, and compare them with the register's."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from pipelines.ingest.signals.observed import Pairs, values

VERSION = "1"
ALL_RIGHTS_RESERVED = "LicenseRef-all-rights-reserved"

_CC = re.compile(
    r"creativecommons\.org(?::\d+)?/licen[sc]es/((?:by|nc|nd|sa|sampling)(?:-(?:nc|nd|sa))*)"
    r"(?:/(\d\.\d))?(?![\w.-])",
    re.IGNORECASE,
)
_ZERO = re.compile(
    r"creativecommons\.org(?::\d+)?/publicdomain/(zero|mark)/(\d\.\d)", re.IGNORECASE
)
_SPDX = re.compile(
    r"(?:spdx\.org/licenses/)?"
    r"(CC(?:0|-PDM|-BY(?:-(?:NC|ND|SA))*)-\d\.\d)(?:\.html|\.json)?/?",
    re.IGNORECASE,
)
_NAMED = re.compile(r"CC[ -](BY(?:-(?:NC|ND|SA))*)(?:[ -](\d\.\d))?", re.IGNORECASE)
_CLOSED = re.compile(
    r"rightsstatements\.org/(?:vocab|page)/InC|"
    r"^\s*(?:©.*)?all rights reserved\W*$",
    re.IGNORECASE,
)
_LINK = re.compile(r"<([^>]*)>([^<]*)")
_RELATION = re.compile(r"(?:^|[\s:])licen[sc]e$")
_OTHER_WORKS = re.compile(r"Image|Video|Audio|Media|Font|Logo", re.IGNORECASE)
_DEPTH = 8


def identify_licence(text: str) -> str | None:
    """Return the SPDX identifier of a licence's URL or name; None if the licence is unknown."""
    if match := _ZERO.search(text):
        return f"CC0-{match[2]}" if match[1].lower() == "zero" else f"CC-PDM-{match[2]}"
    if match := _SPDX.fullmatch(re.sub(r"^(?:https?:)?//(?:www\.)?", "", text.strip())):
        return match[1].upper()
    if match := _CC.search(text) or _NAMED.fullmatch(text.strip()):
        name = f"CC-{match[1].upper()}"
        return f"{name}-{match[2]}" if match[2] else f"LicenseRef-{name}"
    return ALL_RIGHTS_RESERVED if _CLOSED.search(text) else None


def _schema_org_licences(node: Any, depth: int = 0) -> Iterator[str]:
    """Yield the `license` of schema.org items that are the page itself, not its pictures."""
    if depth > _DEPTH:
        return
    if isinstance(node, list):
        for item in node:
            yield from _schema_org_licences(item, depth + 1)
    elif isinstance(node, dict):
        if not _OTHER_WORKS.search(str(node.get("@type", ""))):
            licence = node.get("license")
            for value in licence if isinstance(licence, list) else [licence]:
                if isinstance(value, dict):
                    value = value.get("@id") or value.get("url")
                if isinstance(value, str):
                    yield value
        for key in ("@graph", "mainEntity", "mainEntityOfPage"):
            yield from _schema_org_licences(node.get(key), depth + 1)


def _parse_json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def detect_licences(
    headers: Pairs = (), metas: Pairs = (), links: Pairs = (), jsonld: Sequence[str] = ()
) -> list[str]:
    """Return the SPDX identifiers of the licences that a page states, in order, each once.

    Unknown licences are left out.

    Args:
      headers: the HTTP headers.
      metas: (name, content) pairs.
      links: (rel, href) of `a` and `link` elements. Only `rel=license` states the page's licence.
      jsonld: the texts of JSON-LD scripts.
    """
    stated = [
        href for rel, href in links if any(_RELATION.search(token) for token in rel.lower().split())
    ]
    stated += [
        target
        for value in values(headers, "link")
        for target, more in _LINK.findall(value)
        if re.search(r"rel\s*=\s*\"?[^\";]*\blicense\b", more, re.IGNORECASE)
    ]
    stated += values(
        metas,
        "license",
        "dcterms.license",
        "dc.license",
        "dc.rights",
        "dcterms.rights",
        "dc.rights.license",
        "rights",
    )
    stated += [licence for text in jsonld for licence in _schema_org_licences(_parse_json(text))]
    return list(dict.fromkeys(spdx for text in stated if (spdx := identify_licence(text))))


def is_stricter(detected: str, declared: str) -> bool:
    """Whether a page's licence prohibits a use that the register's licence allows.

    Such uses are commercial use, derivatives, or any use.

    Args:
      detected: the SPDX identifier of the page's licence.
      declared: the SPDX expression of the register.
    """
    if detected == ALL_RIGHTS_RESERVED:
        return ALL_RIGHTS_RESERVED not in declared
    restricts = [{"NC", "ND"} & set(name.upper().split("-")) for name in (detected, declared)]
    return not restricts[0] <= restricts[1]
