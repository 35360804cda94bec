"""Extract text from EPUB 2 and 3: the chapters in the order of the spine, each read as a page."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from urllib.parse import unquote

from pipelines.ingest.decoding import charset
from pipelines.ingest.extract import html
from pipelines.ingest.extract.documents import markup, xml
from pipelines.ingest.extract.documents.archive import Archive
from pipelines.ingest.extract.documents.document_text import DocumentError, DocumentText

_CHAPTERS = frozenset({"application/xhtml+xml", "text/html", "application/x-dtbook+xml"})
#: Algorithms that obfuscate fonts only. Such books are not encrypted.
_OBFUSCATED = ("http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC")


class _Container(xml.Handler):
    """Finds the path of the package in `META-INF/container.xml`."""

    def __init__(self) -> None:
        self.path = ""

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        if name == "rootfile":
            self.path = self.path or attributes.get("full-path", "")


class _Encryption(xml.Handler):
    """Collects the encrypted paths of `META-INF/encryption.xml`."""

    def __init__(self) -> None:
        self.algorithm, self.locked = "", set[str]()

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        if name == "EncryptionMethod":
            self.algorithm = attributes.get("Algorithm", "")
        elif name == "CipherReference" and self.algorithm not in _OBFUSCATED:
            self.locked.add(posixpath.normpath(unquote(attributes.get("URI", ""))))


class _Package(xml.Handler):
    """Collects items, spine, title and metadata of the package."""

    def __init__(self) -> None:
        self.items: dict[str, tuple[str, str, str]] = {}
        self.spine: list[str] = []
        self.title, self.metas = "", list[tuple[str, str]]()
        self.inside = ""

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        get = attributes.get
        self.inside = ""
        if name == "item":
            self.items[get("id", "")] = (
                get("href", ""),
                get("media-type", ""),
                get("properties", ""),
            )
        elif name == "itemref":
            self.spine.append(get("idref", ""))
        elif name == "title" and not self.title:
            self.inside = "title"
        elif name == "meta" and get("name"):
            self.metas.append((get("name", "").lower(), get("content", "")))
        elif name == "meta" and get("property"):
            self.inside = get("property", "").lower()
            self.metas.append((self.inside, ""))

    def end(self, name: str) -> None:
        self.inside = ""

    def data(self, text: str) -> None:
        if self.inside == "title":
            self.title += text
        elif self.inside:
            name, value = self.metas[-1]
            self.metas[-1] = name, value + text.strip()


def extract_text(payload: bytes, limit: int) -> DocumentText:
    """Extract the text of an EPUB. `limit` bounds the unpacked bytes.

    `metas` holds the metadata of the package and of the chapters: TDMRep puts `tdm:reservation`
    there.
    """
    archive = Archive(payload, limit)
    container, package, encryption = _Container(), _Package(), _Encryption()
    xml.parse(archive.read("META-INF/container.xml"), container)
    xml.parse(archive.read(container.path), package)
    if declaration := archive.read_optional("META-INF/encryption.xml"):
        xml.parse(declaration, encryption)
    texts, metas, links = [], package.metas, list[tuple[str, str]]()
    home, missing, read = posixpath.dirname(container.path), 0, set[str]()
    for reference in package.spine:
        href, kind, properties = package.items.get(reference, ("", "", ""))
        if kind not in _CHAPTERS or "nav" in properties.split():
            continue
        path = posixpath.normpath(posixpath.join(home, unquote(href)))
        if path in read:
            continue
        read.add(path)
        if path in encryption.locked:
            raise DocumentError("unreadable", "encrypted")
        chapter = archive.read_optional(path)
        decoded = charset.decode(chapter, None, True) if chapter is not None else None
        if decoded is None:
            missing += 1
            continue
        page = html.extract(decoded.text)
        texts.append(markup.markup_text(decoded.text))
        metas += page.metas
        links += page.links
    if not texts:
        raise DocumentError("unreadable", "no chapter in it can be read")
    return DocumentText(
        "\n\n".join(text for text in texts if text),
        package.title.strip() or None,
        detail=f"{missing} chapters cannot be read" if missing else None,
        metas=tuple(dict.fromkeys(metas)),
        links=tuple(dict.fromkeys(links)),
    )
