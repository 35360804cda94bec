"""RSL 1.0: `License:` lines, `Link: rel=license`, and the XML terms that they lead to.

Terms are linked or in the page, and are read from captures of the crawl. A link whose document is
missing or unreadable reserves: by RSL 4.3, content without a valid document is unlicensed. Training
is open only if the terms grant it to all, free or for attribution. It is reserved if the terms
prohibit or sell it, or require a licence server, a report, a user class or a country. Of several
statements the most restrictive counts (4.9).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from urllib.parse import urljoin

from pipelines.ingest.signals import robots
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
from pipelines.ingest.signals.stated_licences import identify_licence
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
    """Return the observation of a link. A link to a known licence's own page grants directly."""
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
    except ValueError:  # a malformed address
        return url


def path_observer(capture: Capture, agents: Sequence[str]) -> PathObserver:
    """Return an observer of the links in a robots.txt, or of the terms that the host serves."""
    if capture.kind == "rsl":
        return lambda path: observe_terms(capture, capture.host, path)
    fields = robots.ACCESS | {"license"}
    groups = robots.parse_groups(capture.body, fields) if 200 <= capture.status < 300 else []
    for_all = groups[0].rules if groups else []
    links: dict[str, Observation] = {}
    for rules, agent in robots.merge_rules(groups, agents).items():
        own = [value for field, value in rules if field == "license"]
        # A group's own lines replace the lines for all (4.4.2).
        for value in own or [v for f, v in for_all if f == "license"]:
            url = value.split()[0].strip("<>") if value else ""
            if "/" in url or identify_licence(value):
                raw = f"User-agent: {agent}; License: {value}"
                target = value if identify_licence(value) else _absolute_url(capture.uri, url)
                links.setdefault(target, _link_observation("robots.txt", raw, target, capture))
    observations = list(links.values())
    return lambda path: observations


def page_observations(headers: Pairs, metas: Pairs, agents: Sequence[str]) -> list[Observation]:
    """Return the observations of links and of documents in the page.

    RSL links and documents are metas under their media type.
    """
    observations = [
        _link_observation("header", f"Link: <{target}>", target)
        for value in values(headers, "link")
        for target, more in _LINK.findall(value)
        if _LICENSE.search(more) and _TYPE.search(more)
    ]
    for value in values(metas, MEDIA_TYPE):
        if "<" not in value:
            observations.append(_link_observation("html", f"link: {value}", value))
        else:
            contents = parse_document(value.encode("utf-8", "replace"))
            observations += _term_observations("html", contents, None) or [
                _reservation("html", "no terms in it", None)
            ]
    return observations


def _reservation(where: str, raw: str, capture: Capture | None) -> Observation:
    time, doc_id = (capture.captured_at, capture.doc_id) if capture else (None, None)
    return Observation(NAME, VERSION, where, None, RESERVED, raw, time, doc_id)


def _term_observations(
    where: str, contents: Iterable[Content] | None, capture: Capture | None
) -> list[Observation]:
    """Return the observations of a document's contents; None is an unreadable document."""
    if contents is None:
        return [_reservation(where, "no RSL document that can be read", capture)]
    time, doc_id = (capture.captured_at, capture.doc_id) if capture else (None, None)
    return [
        Observation(
            NAME,
            VERSION,
            where,
            content.url or None,
            RESERVED if content.bars else GRANTED,
            content.bars or "training is permitted",
            time,
            doc_id,
            licence=identify_licence(content.standard) if content.standard else None,
        )
        for content in contents
    ]


def observe_terms(capture: Capture, name: str, path: str) -> list[Observation]:
    """Return what a captured document says about a path: its narrowest contents that cover it.

    Args:
      capture: the capture of the document.
      name: the host of the path.
      path: the path.

    Returns:
      An observation for each content; empty if none covers the path.
    """
    if not 200 <= capture.status < 300:
        return [_reservation("rsl", f"HTTP {capture.status}", capture)]
    contents = parse_document(capture.body)
    if contents is None:
        return _term_observations("rsl", None, capture)
    forms, covering = path_forms(path), []
    for content in contents:
        parts = split_uri(content.url) or Parts("", "", "", content.url or "/")
        if parts.host and parts.host.removeprefix("www.") != name.removeprefix("www."):
            continue
        pattern = compile_pattern(parts.path)
        if pattern.matches(forms):
            covering.append((pattern.length, content))
    longest = max((length for length, _ in covering), default=0)
    narrowest = [content for length, content in covering if length == longest]
    return _term_observations("rsl", narrowest, capture)


def resolve(observations: Iterable[Observation]) -> Observation | None:
    """Return the first reservation, or None; a link that was not followed reserves."""
    return next((o for o in observations if o.value in (RESERVED, LINKED)), None)
