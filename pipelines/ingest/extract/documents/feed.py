"""RSS 0.9 to 2.0, RDF and Atom feeds: items with title, link and text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape, unescape

from pipelines.ingest.decoding import charset
from pipelines.ingest.extract.documents import markup, xml
from pipelines.ingest.extract.documents.document_text import DocumentError, DocumentText

_DECLARED = re.compile(rb"<\?xml[^>]{0,100}?encoding\s*=\s*[\"']([\w.:-]{2,40})")
_INVALID = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")
_NAMED = re.compile(r"&(?!(?:amp|lt|gt|quot|apos);)([A-Za-z][A-Za-z0-9]{1,30});")
_CDATA = re.compile(r"(<!\[CDATA\[.*?\]\]>)", re.S)
_MARKUP = re.compile(r"</?[a-zA-Z][^<>]{0,2000}>|&(?:[a-zA-Z]{2,30}|#x?[0-9a-fA-F]{1,7});")
_EMPTY = frozenset({"br", "hr", "img"})
_ITEMS = frozenset({"item", "entry"})
#: Best first: the whole text where a feed gives it.
_TEXTS = ("full-text", "encoded", "content", "description", "summary")
_CONTENT = "http://purl.org/rss/1.0/modules/content/"
_YANDEX = "news.yandex.ru"
_FEEDS = frozenset(
    {
        "",
        "http://www.w3.org/2005/Atom",
        "http://purl.org/atom/ns#",
        "http://purl.org/rss/1.0/",
        "http://my.netscape.com/rdf/simple/0.9/",
        "http://backend.userland.com/rss2",
        "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    }
)


@dataclass(slots=True)
class Item:
    """An item of a feed; `uri` is its link, else its guid."""

    title: str | None = None
    uri: str | None = None
    text: str = ""


@dataclass(slots=True)
class Feed:
    """The items of a feed, its own title, its licence links (rel, href), and what broke it off."""

    items: list[Item] = field(default_factory=list)
    title: str | None = None
    links: list[tuple[str, str]] = field(default_factory=list)
    error: DocumentError | None = None


@dataclass(slots=True)
class _Field:
    kind: str
    parts: list[str] = field(default_factory=list)


class _Reader(xml.Handler):
    def __init__(self) -> None:
        self.feed, self.depth, self.at = Feed(), 0, 0
        self.fields: dict[str, _Field] = {}
        self.link: str | None = None
        self.open: _Field | None = None
        self.open_at, self.root, self.heading = 0, "", list[str]()

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        self.depth += 1
        space, _, local = name.rpartition("}")
        if self.depth == 1:
            self.root = local.lower()
            if self.root not in ("rss", "feed", "rdf"):
                raise DocumentError("unsupported-media-type", "XML that is no feed")
        if self.open is not None:
            if self.open.kind == "xhtml":
                self.open.parts.append(f"<{local}>")
            return
        known = space in _FEEDS or space == _CONTENT or _YANDEX in space
        if local == "link" and known and "license" in attributes.get("rel", "").split():
            self.feed.links.append(("license", attributes.get("href", "")))
        if local in _ITEMS and space in _FEEDS and not self.at:
            self.at, self.fields, self.link = self.depth, {}, None
        elif known and self.at and self.depth == self.at + 1:
            if local == "link" and attributes.get("href"):
                if attributes.get("rel", "alternate") == "alternate":
                    self.link = self.link or attributes["href"]
            else:
                kind = attributes.get("type", "").lower()
                self.open = self.fields.setdefault(local, _Field(kind))
                self.open_at = self.depth
        elif local == "title" and known and not self.at and self.depth <= 3:
            self.open, self.open_at = _Field("", self.heading), self.depth

    def end(self, name: str) -> None:
        if self.open is not None:
            local = name.rpartition("}")[2]
            if self.depth == self.open_at:
                self.open = None
            elif self.open.kind == "xhtml" and local not in _EMPTY:
                self.open.parts.append(f"</{local}>")
        elif self.at == self.depth:
            self.at = 0
            self.feed.items.append(_to_item(self.fields, self.link))
        self.depth -= 1

    def data(self, text: str) -> None:
        if self.open is not None:
            self.open.parts.append(escape(text) if self.open.kind == "xhtml" else text)


def _to_item(fields: Mapping[str, _Field], href: str | None) -> Item:
    def plain(name: str) -> str:
        return "".join(fields[name].parts).strip() if name in fields else ""

    title = unescape(re.sub(r"<[^<>]{0,200}>", "", plain("title"))).strip()
    guid = plain("guid") or plain("id")
    found = next((t for n in _TEXTS if n in fields and (t := _field_text(fields[n]))), "")
    return Item(title or None, (href or plain("link") or guid) or None, found)


def _field_text(one: _Field) -> str:
    """A field's text; what is HTML, by its type or by its looks, as a page's."""
    content = "".join(one.parts).strip()
    if one.kind != "text" and _MARKUP.search(content):
        return markup.markup_text(content)
    return content


def parse_feed(payload: bytes) -> Feed:
    """The items of a feed.  What is not well-formed ends it: items before that are kept.

    Raises:
      Unread: `undecodable`; `unsupported-media-type` for XML of another kind.
    """
    declared = _DECLARED.match(payload[:300].lstrip())
    stated = f"charset={declared[1].decode()}" if declared else None
    found = charset.decode(payload, stated)
    if found is None:
        raise DocumentError("undecodable", "no charset fits the bytes")
    # as pages do, feeds use the entities of HTML, and let control characters slip in
    parts = _CDATA.split(_INVALID.sub("", found.text).removeprefix("\ufeff").lstrip())
    parts[::2] = [_NAMED.sub(_replace_entity, part) for part in parts[::2]]
    reader = _Reader()
    try:
        xml.parse("".join(parts), reader, namespaces=True)
    except DocumentError as error:
        if error.reason != "unreadable":
            raise
        reader.feed.error = error
    reader.feed.title = unescape("".join(reader.heading)).strip() or None
    return reader.feed


def _replace_entity(found: re.Match[str]) -> str:
    character = unescape(found[0])
    return escape(character) if character != found[0] else escape(found[0])


def extract_text(payload: bytes, limit: int) -> DocumentText:
    """A feed as one document: the texts of its items, of one without a text its title."""
    if len(payload) > limit:
        raise DocumentError("too-large", f"{len(payload)} bytes")
    feed = parse_feed(payload)
    if feed.error and not feed.items:
        raise feed.error
    texts = (item.text or item.title or "" for item in feed.items)
    whole = "\n\n".join(text for text in texts if text)
    return DocumentText(whole, feed.title, links=tuple(feed.links))
