"""Read RSS 0.9 to 2.0, RDF and Atom feeds: items with title, link and text."""

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
#: Elements that can hold an item's text, best first: the full text, then summaries.
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
    """An item of a feed. `uri` is its link, or its guid if it has no link."""

    title: str | None = None
    uri: str | None = None
    text: str = ""


@dataclass(slots=True)
class Feed:
    """A feed.

    Attributes:
      items: the items.
      title: the feed's own title.
      links: licence links (rel, href).
      error: why parsing stopped before the end; None if it did not.
    """

    items: list[Item] = field(default_factory=list)
    title: str | None = None
    links: list[tuple[str, str]] = field(default_factory=list)
    error: DocumentError | None = None


@dataclass(slots=True)
class _Field:
    """An element of an item: its `type` attribute, and the pieces of its text."""

    kind: str
    parts: list[str] = field(default_factory=list)


class _Reader(xml.Handler):
    """Collects the items of a feed.

    `depth` is the depth of the current element, `item_depth` that of the open item (0: none) and
    `open_depth` that of the open field.
    """

    def __init__(self) -> None:
        self.feed, self.depth, self.item_depth = Feed(), 0, 0
        self.fields: dict[str, _Field] = {}
        self.link: str | None = None
        self.open: _Field | None = None
        self.open_depth, self.root, self.heading = 0, "", list[str]()

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
        if local in _ITEMS and space in _FEEDS and not self.item_depth:
            self.item_depth, self.fields, self.link = self.depth, {}, None
        elif known and self.item_depth and self.depth == self.item_depth + 1:
            if local == "link" and attributes.get("href"):
                if attributes.get("rel", "alternate") == "alternate":
                    self.link = self.link or attributes["href"]
            else:
                kind = attributes.get("type", "").lower()
                self.open = self.fields.setdefault(local, _Field(kind))
                self.open_depth = self.depth
        elif local == "title" and known and not self.item_depth and self.depth <= 3:
            self.open, self.open_depth = _Field("", self.heading), self.depth

    def end(self, name: str) -> None:
        if self.open is not None:
            local = name.rpartition("}")[2]
            if self.depth == self.open_depth:
                self.open = None
            elif self.open.kind == "xhtml" and local not in _EMPTY:
                self.open.parts.append(f"</{local}>")
        elif self.item_depth == self.depth:
            self.item_depth = 0
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
    text = next((t for n in _TEXTS if n in fields and (t := _field_text(fields[n]))), "")
    return Item(title or None, (href or plain("link") or guid) or None, text)


def _field_text(field: _Field) -> str:
    """Return the text of a field. HTML, by its type or by its look, is read as a page is."""
    content = "".join(field.parts).strip()
    if field.kind != "text" and _MARKUP.search(content):
        return markup.markup_text(content)
    return content


def parse_feed(payload: bytes) -> Feed:
    """Parse a feed. Parsing stops where the XML is not well-formed; items before that are kept.

    Raises:
      DocumentError: `undecodable`; `unsupported-media-type` for XML that is not a feed.
    """
    declared = _DECLARED.match(payload[:300].lstrip())
    content_type = f"charset={declared[1].decode()}" if declared else None
    decoded = charset.decode(payload, content_type)
    if decoded is None:
        raise DocumentError("undecodable", "no charset fits the bytes")
    # Like pages, feeds use HTML entities and contain control characters by accident.
    pieces = _CDATA.split(_INVALID.sub("", decoded.text).removeprefix("\ufeff").lstrip())
    pieces[::2] = [_NAMED.sub(_replace_entity, piece) for piece in pieces[::2]]
    reader = _Reader()
    try:
        xml.parse("".join(pieces), reader, namespaces=True)
    except DocumentError as error:
        if error.reason != "unreadable":
            raise
        reader.feed.error = error
    reader.feed.title = unescape("".join(reader.heading)).strip() or None
    return reader.feed


def _replace_entity(match: re.Match[str]) -> str:
    """Return the character of an HTML entity; an unknown entity as text."""
    return escape(unescape(match[0]))


def extract_text(payload: bytes, limit: int) -> DocumentText:
    """Extract a feed as one document: the texts of its items, or an item's title if it has none."""
    if len(payload) > limit:
        raise DocumentError("too-large", f"{len(payload)} bytes")
    feed = parse_feed(payload)
    if feed.error and not feed.items:
        raise feed.error
    texts = (item.text or item.title or "" for item in feed.items)
    joined = "\n\n".join(text for text in texts if text)
    return DocumentText(joined, feed.title, links=tuple(feed.links))
