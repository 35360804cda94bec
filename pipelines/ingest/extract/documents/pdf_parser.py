"""Parse PDF files with PDFium, in a process of its own (see `pdf`).

PDFium is C++: a hostile file must not crash a worker. Run as a module, this reads requests (two
lengths and a PDF) from standard input and answers each with JSON, until the input ends.
"""

from __future__ import annotations

import json
import re
import resource
import struct
import sys
from itertools import pairwise
from typing import Any, BinaryIO

import pypdfium2
import pypdfium2.raw as pdfium

from pipelines.ingest.extract.documents.layout import Line, Page, join_paragraphs

MEMORY = 1 << 30  # bytes of address space
FRAME = struct.Struct(">QQ")
COPY = 0x10  # ISO 32000-1, table 22: bit 5
_END = re.compile(r"\r\n|\n|\r")
_CONTROL = re.compile("[\x01-\x08\x0b\x0e-\x1f]")
_PRODUCER = re.compile(r"(?:Microsoft (?:Office )?(?:Word|PowerPoint|Excel) - )|^untitled$", re.I)


def extract_pdf(payload: bytes, limit: int) -> dict[str, Any]:
    """Extract text and title of a PDF.

    Args:
      payload: the bytes of the file.
      limit: the most characters of text.

    Returns:
      `text`, `title` and `protected` (whether the file is encrypted); or `error` and `detail`.
    """
    try:
        document = pypdfium2.PdfDocument(payload)
    except pypdfium2.PdfiumError:
        code = pdfium.FPDF_GetLastError()
        locked = code == pdfium.FPDF_ERR_PASSWORD
        return {
            "error": "unreadable",
            "detail": "encrypted" if locked else "no PDF can be made of it",
        }
    protected = pdfium.FPDF_GetSecurityHandlerRevision(document) != -1
    if protected and not pdfium.FPDF_GetDocPermissions(document) & COPY:
        return {"error": "unreadable", "detail": "encrypted: copying is not permitted"}
    pages, size, broken = [], 0, 0
    for number in range(len(document)):
        try:
            page = document[number]
            pages.append(_read_page(page))
            page.close()
        except pypdfium2.PdfiumError:
            broken += 1
            continue
        size += sum(len(line.text) for line in pages[-1].lines)
        if size > limit:
            return {"error": "too-large", "detail": f"more than {limit} characters"}
    if broken and not pages:
        return {"error": "unreadable", "detail": "none of its pages can be read"}
    text = join_paragraphs(pages)
    if len(_CONTROL.findall(text)) > len(text) / 100:
        return {"error": "undecodable", "detail": "its fonts do not say which letters they draw"}
    title = document.get_metadata_value("Title") or ""
    return {"text": text, "title": _PRODUCER.sub("", title).strip(), "protected": protected}


def _read_page(page: pypdfium2.PdfPage) -> Page:
    textpage = page.get_textpage()
    page_text = textpage.get_text_range()
    ends = [0, *(m.end() for m in _END.finditer(page_text)), len(page_text)]
    lines = [
        line
        for start, stop in pairwise(ends)
        if (line := _read_line(textpage, page_text, start, stop))
    ]
    return Page(lines, page.get_height())


def _read_line(
    textpage: pypdfium2.PdfTextPage, page_text: str, start: int, stop: int
) -> Line | None:
    text = page_text[start:stop].rstrip()
    start += len(text) - len(text := text.lstrip())
    if not text:
        return None
    first, last = _character_box(textpage, start), _character_box(textpage, start + len(text) - 1)
    return Line(text, first[0], last[2], first[1], last[1], max(first[3] - first[1], 1.0))


def _character_box(
    textpage: pypdfium2.PdfTextPage, position: int
) -> tuple[float, float, float, float]:
    """Return left, bottom, right and top of a character; zeros if it has no position."""
    index = pdfium.FPDFText_GetCharIndexFromTextIndex(textpage, position)
    try:
        return textpage.get_charbox(index, loose=True) if index >= 0 else (0.0,) * 4
    except pypdfium2.PdfiumError:
        return (0.0,) * 4


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer requests until the input ends."""
    while len(head := requests.read(FRAME.size)) == FRAME.size:
        length, limit = FRAME.unpack(head)
        payload = requests.read(length)
        if len(payload) < length:
            return
        try:
            answer = extract_pdf(payload, limit)
        except Exception as error:
            answer = {"error": "unreadable", "detail": type(error).__name__}
        body = json.dumps(answer).encode()
        answers.write(FRAME.pack(len(body), 0) + body)
        answers.flush()


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    serve(sys.stdin.buffer, sys.stdout.buffer)
