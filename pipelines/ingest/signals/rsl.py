"""RSL 1.0: `License:` lines, `Link: rel=license` and the XML terms that they lead to.

Terms are linked or stand in the page, and are read from the crawl's own captures.  A link whose
document is not there, or cannot be read, reserves: RSL 4.3 has content without a valid document
count as unlicensed.  Terms leave training open only if they grant it to everyone for nothing or
for attribution; what they prohibit, sell, or tie to a licence server, a report, a user class or a
country is reserved.  Of several places that speak the most restrictive stands (4.9).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from urllib.parse import urljoin

from pipelines.ingest.signals import robots
from pipelines.ingest.signals.licences import identify_licence
from pipelines.ingest.signals.observed import (
    GRANTED,
    LINKED,
    RESERVED,
    Capture,
    Observation,
    Pairs,
    PathObserver,
    values,
)
from pipelines.ingest.signals.patterns import compile_pattern, path_forms
from pipelines.ingest.signals.rsl_terms import MEDIA_TYPE, Content, parse_document
from pipelines.ingest.signals.uris import Parts, split_uri

NAME = "rsl"
VERSION = "RSL 1.0"
KINDS = ("robots", "rsl")

_LINK = re.compile(r"<([^>]*)>((?:[^,\"]|\"[^\"]*\")*)")
_LICENSE = re.compile(r";\s*rel\s*=\s*(?:\"[^\"]*\blicense\b[^\"]*\"|license\b)", re.IGNORECASE)
_TYPE = re.compile(rf";\s*type\s*=\s*\"?{re.escape(MEDIA_TYPE)}", re.IGNORECASE)


def _link_observation(
    where: str, raw: str, link: str, capture: Capture | None = None
) -> Observation:
    """What a link says before it is followed: a known licence's own page needs no following."""
    known = identify_licence(link)
    return Observation(
        NAME,
        VERSION,
        where,
        None,
        GRANTED if known else LINKED,
        raw,
        capture.captured_at if capture else None,
        capture.doc_id if capture else None,
        link=None if known else link,
        licence=known,
    )


def _absolute_url(base: str, url: str) -> str:
    try:
        return urljoin(base, url)
    except ValueError:  # of a malformed address
        return url


def path_observer(capture: Capture, agents: Sequence[str]) -> PathObserver:
    """The links of a robots.txt, or the terms of a document that the host itself serves."""
    if capture.kind == "rsl":
        return lambda path: observe_terms(capture, capture.host, path)
    fields = robots.ACCESS | {"license"}
    found = robots.parse_groups(capture.body, fields) if 200 <= capture.status < 300 else []
    everyone = found[0].rules if found else []
    links: dict[str, Observation] = {}
    for rules, agent in robots.merge_rules(found, agents).items():
        own = [value for field, value in rules if field == "license"]
        # a group's own lines stand instead of those for all (4.4.2)
        for value in own or [v for f, v in everyone if f == "license"]:
            url = value.split()[0].strip("<>") if value else ""
            if "/" in url or identify_licence(value):
                raw = f"User-agent: {agent}; License: {value}"
                target = value if identify_licence(value) else _absolute_url(capture.uri, url)
                links.setdefault(target, _link_observation("robots.txt", raw, target, capture))
    seen = list(links.values())
    return lambda path: seen


def page_observations(headers: Pairs, metas: Pairs, agents: Sequence[str]) -> list[Observation]:
    """Links with the media type, and documents in the page: metas bear them under its name."""
    seen = [
        _link_observation("header", f"Link: <{target}>", target)
        for value in values(headers, "link")
        for target, more in _LINK.findall(value)
        if _LICENSE.search(more) and _TYPE.search(more)
    ]
    for value in values(metas, MEDIA_TYPE):
        if "<" not in value:
            seen.append(_link_observation("html", f"link: {value}", value))
        else:
            found = parse_document(value.encode("utf-8", "replace"))
            seen += _term_observations("html", found, None) or [
                _reservation("html", "no terms in it", None)
            ]
    return seen


def _reservation(where: str, raw: str, capture: Capture | None) -> Observation:
    at, by = (capture.captured_at, capture.doc_id) if capture else (None, None)
    return Observation(NAME, VERSION, where, None, RESERVED, raw, at, by)


def _term_observations(
    where: str, found: Iterable[Content] | None, capture: Capture | None
) -> list[Observation]:
    if found is None:
        return [_reservation(where, "no RSL document that can be read", capture)]
    at, by = (capture.captured_at, capture.doc_id) if capture else (None, None)
    return [
        Observation(
            NAME,
            VERSION,
            where,
            one.url or None,
            RESERVED if one.bars else GRANTED,
            one.bars or "training is permitted",
            at,
            by,
            licence=identify_licence(one.standard) if one.standard else None,
        )
        for one in found
    ]


def observe_terms(capture: Capture, name: str, path: str) -> list[Observation]:
    """What a captured document says of a path of the host `name`: its narrowest contents that
    cover it.  Empty: nothing of it."""
    if not 200 <= capture.status < 300:
        return [_reservation("rsl", f"HTTP {capture.status}", capture)]
    found = parse_document(capture.body)
    if found is None:
        return _term_observations("rsl", None, capture)
    target, covering = path_forms(path), []
    for one in found:
        parts = split_uri(one.url) or Parts("", "", "", one.url or "/")
        if parts.host and parts.host.removeprefix("www.") != name.removeprefix("www."):
            continue
        pattern = compile_pattern(parts.path)
        if pattern.matches(target):
            covering.append((pattern.length, one))
    narrowest = max((length for length, _ in covering), default=0)
    return _term_observations(
        "rsl", [one for length, one in covering if length == narrowest], capture
    )


def resolve(observations: Iterable[Observation]) -> Observation | None:
    """The first reservation; a link that was not followed is one."""
    return next((o for o in observations if o.value in (RESERVED, LINKED)), None)
