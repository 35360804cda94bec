"""Extract text from ODT (ISO/IEC 26300): paragraphs, headings, table cells, notes.

Comments and deleted text are left out.
"""

from __future__ import annotations

from collections.abc import Mapping

from pipelines.ingest.extract.documents import xml
from pipelines.ingest.extract.documents.archive import Archive
from pipelines.ingest.extract.documents.document_text import DocumentError, DocumentText
from pipelines.ingest.extract.documents.docx import element_text
from pipelines.ingest.extract.documents.paragraphs import Paragraphs

_SKIPPED = frozenset(
    {
        "tracked-changes",
        "annotation",
        "note-citation",
        "forms",
        "title",
        "desc",
        "binary-data",
        "ruby-text",
    }
)
_CHARACTERS = {"tab": "\t", "line-break": "\n"}


class _Body(xml.Handler):
    """Collects the paragraphs of a document; those of notes apart."""

    def __init__(self) -> None:
        self.text, self.notes = Paragraphs(), Paragraphs()
        self.skipped, self.open_notes = 0, 0

    @property
    def out(self) -> Paragraphs:
        """Where text goes now."""
        return self.notes if self.open_notes else self.text

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        if self.skipped or name in _SKIPPED:
            self.skipped += 1
        elif name in ("p", "h"):
            self.out.begin()
        elif name == "note":
            self.open_notes += 1
        elif name == "table-row":
            self.out.row()
        elif name == "table-cell":
            self.out.cell()
        elif name == "s":
            self.out.add(" ")  # one for any number of blanks
        elif name in _CHARACTERS:
            self.out.add(_CHARACTERS[name])

    def end(self, name: str) -> None:
        if self.skipped:
            self.skipped -= 1
        elif name in ("p", "h"):
            self.out.finish()
        elif name == "note":
            self.open_notes -= 1
        elif name == "table-row":
            self.out.finish_row()

    def data(self, text: str) -> None:
        if not self.skipped:
            self.out.add(text)


def extract_text(payload: bytes, limit: int) -> DocumentText:
    """Extract the text of an ODT file; its notes come last. `limit` bounds the unpacked bytes."""
    archive = Archive(payload, limit)
    if b"encryption-data" in (archive.read_optional("META-INF/manifest.xml") or b""):
        raise DocumentError("unreadable", "encrypted")
    body = _Body()
    xml.parse(archive.read("content.xml"), body)
    texts = [text for text in (body.text.text(), body.notes.text()) if text]
    title = element_text(archive.read_optional("meta.xml"), "title")
    return DocumentText("\n\n".join(texts), title)
