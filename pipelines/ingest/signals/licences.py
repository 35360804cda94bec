"""Licences that a page states of itself, and whether they are stricter than the register's."""

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
    """The SPDX identifier of a licence's URL or name; None where it is not known here."""
    if found := _ZERO.search(text):
        return f"CC0-{found[2]}" if found[1].lower() == "zero" else f"CC-PDM-{found[2]}"
    if found := _SPDX.fullmatch(re.sub(r"^(?:https?:)?//(?:www\.)?", "", text.strip())):
        return found[1].upper()
    if found := _CC.search(text) or _NAMED.fullmatch(text.strip()):
        name = f"CC-{found[1].upper()}"
        return f"{name}-{found[2]}" if found[2] else f"LicenseRef-{name}"
    return ALL_RIGHTS_RESERVED if _CLOSED.search(text) else None


def _schema_org_licences(node: Any, depth: int = 0) -> Iterator[str]:
    """The `license` of schema.org items that are the page itself, not its pictures."""
    if depth > _DEPTH:
        return
    if isinstance(node, list):
        for item in node:
            yield from _schema_org_licences(item, depth + 1)
    elif isinstance(node, dict):
        if not _OTHER_WORKS.search(str(node.get("@type", ""))):
            licence = node.get("license")
            for one in licence if isinstance(licence, list) else [licence]:
                if isinstance(one, dict):
                    one = one.get("@id") or one.get("url")
                if isinstance(one, str):
                    yield one
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
    """SPDX identifiers of the licences a page states, in order, each once.

    `links` are (rel, href) of `a` and `link` elements, of which only `rel=license` states the
    page's own; `jsonld` the texts of its JSON-LD scripts.  Licences unknown here are left out.
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
    return list(dict.fromkeys(found for text in stated if (found := identify_licence(text))))


def is_stricter(detected: str, declared: str) -> bool:
    """Whether a page's licence bars what the register's expression does not.

    That is: no commercial use, no derivatives, or any use at all.
    """
    if detected == ALL_RIGHTS_RESERVED:
        return ALL_RIGHTS_RESERVED not in declared
    restricts = [{"NC", "ND"} & set(name.upper().split("-")) for name in (detected, declared)]
    return not restricts[0] <= restricts[1]
