"""Extract text from DOCX (ECMA-376): paragraphs, table cells, footnotes and endnotes.

Comments and deleted text are left out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from pipelines.ingest.extract.documents import xml
from pipelines.ingest.extract.documents.archive import Archive
from pipelines.ingest.extract.documents.document_text import DocumentError, DocumentText
from pipelines.ingest.extract.documents.paragraphs import Paragraphs

#: Elements without text of the document, with text that was moved away, or with repeated text.
_SKIPPED = frozenset({"pPr", "sectPr", "tblPr", "trPr", "tcPr", "del", "moveFrom", "Fallback"})
_CHARACTERS = {"tab": "\t", "br": "\n", "cr": "\n", "noBreakHyphen": "\u2011", "ptab": "\t"}
_MAIN = re.compile(r"word/document\d*\.xml")


class _Body(xml.Handler):
    """Collects the paragraphs of a DOCX part."""

    def __init__(self, out: Paragraphs) -> None:
        self.out, self.skipped, self.in_text, self.hidden = out, 0, 0, False

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        if self.skipped or name in _SKIPPED:
            self.skipped += 1
        elif name == "t":
            self.in_text += 1
        elif name == "p":
            self.out.begin()
        elif name == "r":
            self.hidden = False
        elif name == "vanish":
            self.hidden = attributes.get("val", "1") not in ("0", "false", "off")
        elif name == "tr":
            self.out.row()
        elif name == "tc":
            self.out.cell()
        elif name in _CHARACTERS and not self.hidden:
            self.out.add(_CHARACTERS[name])

    def end(self, name: str) -> None:
        if self.skipped:
            self.skipped -= 1
        elif name == "t":
            self.in_text -= 1
        elif name == "p":
            self.out.finish()
        elif name == "r":
            self.hidden = False
        elif name == "tr":
            self.out.finish_row()

    def data(self, text: str) -> None:
        if self.in_text and not self.skipped and not self.hidden:
            self.out.add(text)


class _ElementText(xml.Handler):
    """Collects the text of the first element with a name."""

    def __init__(self, name: str) -> None:
        self.name, self.text, self.inside = name, "", False

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        self.inside = name == self.name and not self.text

    def end(self, name: str) -> None:
        self.inside = False

    def data(self, text: str) -> None:
        if self.inside:
            self.text += text


def element_text(payload: bytes | None, name: str) -> str | None:
    """Return the text of the first element `name`, for example a title in a file of properties.

    Returns:
      None if the XML cannot be read or has no such text.
    """
    handler = _ElementText(name)
    try:
        xml.parse(payload or b"", handler)
    except DocumentError:
        return None
    return handler.text.strip() or None


def extract_text(payload: bytes, limit: int) -> DocumentText:
    """Extract the text of a DOCX file; its notes come last. `limit` bounds the unpacked bytes."""
    archive = Archive(payload, limit)
    main = next((name for name in sorted(archive.names) if _MAIN.fullmatch(name)), None)
    if main is None:
        raise DocumentError("unreadable", "no word/document.xml in it")
    out = Paragraphs()
    xml.parse(archive.read(main), _Body(out))
    for name in ("word/footnotes.xml", "word/endnotes.xml"):
        if notes := archive.read_optional(name):
            xml.parse(notes, _Body(out))
    return DocumentText(
        out.text(), element_text(archive.read_optional("docProps/core.xml"), "title")
    )
