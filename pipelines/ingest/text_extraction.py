"""Extract the stored text of a record's body, by its media type."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pipelines.ingest.decoding import charset, mojibake
from pipelines.ingest.decoding.http_encodings import decode_body, header_value
from pipelines.ingest.extract import html
from pipelines.ingest.extract.documents import registry as documents
from pipelines.ingest.readers.records import Content
from pipelines.text import views

HTML_TYPES = frozenset({"text/html", "application/xhtml+xml"})
TEXT_TYPES = frozenset({"text/plain"})
#: Characters besides a line feed that must break a line: BK, CR and NL of Unicode's UAX #14.
_BREAKING = ("\r", "\f", "\v", "\x85", "\u2028", "\u2029")
_BREAKS = re.compile("\r\n|[\r\f\v\x85\u2028\u2029]")


@dataclass(frozen=True, slots=True)
class Document:
    """The stored text of a record, or why it has none.

    Attributes:
      text: the text, in NFC.
      title: the title; None if there is none.
      declared, used: the declared charset, and the one used.
      overruled: whether the bytes contradict the declared charset.
      repairs: the repairs of mojibake.
      metas, links, jsonld: as in `html.Page`.
      error: a reason of the ledger; None for a body that was read.
      detail: what was observed.
    """

    text: str = ""
    title: str | None = None
    declared: str | None = None
    used: str | None = None
    overruled: bool = False
    repairs: tuple[mojibake.Repair, ...] = ()
    metas: tuple[tuple[str, str], ...] = ()
    links: tuple[tuple[str, str], ...] = ()
    jsonld: tuple[str, ...] = ()
    error: str | None = None
    detail: str | None = None


def is_supported(media_type: str | None) -> bool:
    """Whether text of a media type can be read. For None (not declared) the bytes decide later."""
    if media_type is None or media_type in HTML_TYPES or media_type in TEXT_TYPES:
        return True
    return documents.is_supported(media_type)


def extract_document(content: Content, max_bytes: int, extractor: str = "resiliparse") -> Document:
    """Extract the text of a body. A body that cannot be read gives `error` and `detail`.

    Args:
      content: the body.
      max_bytes: the most bytes of the decoded body.
      extractor: `resiliparse` or `trafilatura` (see `html.extract`).

    Raises:
      ImportError: the extractor is not installed.
    """
    if content.error:
        return Document(error=content.error, detail=content.detail)
    if content.text is not None:
        text, repairs = mojibake.repair(content.text)
        title = _apply_repairs(content.title or "", repairs)
        return Document(
            _to_stored_text(text), _to_stored_title(title), used="utf-8", repairs=repairs
        )
    body, error = decode_body(content.payload or b"", content.headers, max_bytes)
    if error:
        return Document(error=error[0], detail=error[1])
    media_type = documents.effective_media_type(content.media_type, body)
    if media_type is not None and documents.is_supported(media_type):
        return _extract_file(body, media_type, content.title, max_bytes)
    markup = _is_html(media_type, body)
    if media_type is None and not markup:
        return Document(error="unsupported-media-type", detail="no media type, and no HTML")
    decoded = charset.decode(body, header_value(content.headers, "content-type"), markup)
    if decoded is None:
        return Document(error="undecodable", detail="no charset fits the bytes")
    if markup:
        return _extract_page(decoded, extractor)
    text, repairs = mojibake.repair(decoded.text)
    return Document(
        _to_stored_text(text),
        _to_stored_title(content.title),
        decoded.declared,
        decoded.used,
        decoded.overruled,
        repairs,
    )


def _extract_page(decoded: charset.DecodedText, extractor: str) -> Document:
    """Extract the main text of an HTML page."""
    try:
        page = html.extract(decoded.text, extractor)
        repairs = mojibake.repair(page.text)[1]
        if repairs:  # repaired before extraction, which replaces no-break spaces by spaces
            page = html.extract(_apply_repairs(decoded.text, repairs), extractor)
    except ImportError:
        raise
    except Exception as error:  # the parser raises classes of its own
        return Document(error="unreadable", detail=f"HTML parser: {type(error).__name__}")
    return Document(
        _to_stored_text(page.text),
        _to_stored_title(page.title),
        decoded.declared,
        decoded.used,
        decoded.overruled,
        repairs,
        page.metas,
        page.links,
        page.jsonld,
    )


def charset_evidence(document: Document) -> dict[str, object]:
    """Return the evidence on the charset; empty if it was neither overruled nor repaired."""
    if not (document.overruled or document.repairs):
        return {}
    evidence: dict[str, object] = {"declared": document.declared, "used": document.used}
    if document.overruled:
        evidence["overruled"] = True
    if document.repairs:
        evidence["repaired"] = [str(repair) for repair in document.repairs]
        evidence["characters"] = sum(repair.characters for repair in document.repairs)
    return evidence


def _apply_repairs(text: str, repairs: tuple[mojibake.Repair, ...]) -> str:
    for repair in repairs:
        text = repair.apply(text)
    return text


def _extract_file(body: bytes, media_type: str, title: str | None, max_bytes: int) -> Document:
    """Extract the text of an office document or feed."""
    read = documents.extract_text(body, media_type, max_bytes)
    if read.error:
        return Document(error=read.error, detail=read.detail)
    return Document(
        _to_stored_text(read.text),
        _to_stored_title(title or read.title),
        metas=read.metas,
        links=read.links,
    )


def _is_html(media_type: str | None, body: bytes) -> bool:
    if media_type is not None:
        return media_type in HTML_TYPES
    head = body[:1024].lstrip().lower()
    return head.startswith((b"<!doctype html", b"<html")) or b"<html" in head or b"<head" in head


def _to_stored_text(text: str) -> str:
    """Return the stored view: NFC, tidy white space, line feeds as line breaks, valid in UTF-8.

    Mojibake is repaired before, because U+0085 is half of a letter there.
    """
    text = views.to_stored(text).removeprefix("\ufeff")
    if any(mark in text for mark in _BREAKING):
        text = _BREAKS.sub("\n", text)
    return html.tidy(text)


def _to_stored_title(title: str | None) -> str | None:
    return (views.to_stored(title).strip() or None) if title else None
