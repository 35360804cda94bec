"""From a record's body to its stored text, by media type."""

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
#: What must break a line besides a line feed: classes BK, CR and NL of Unicode's UAX #14.
_BREAKING = ("\r", "\f", "\v", "\x85", "\u2028", "\u2029")
_BREAKS = re.compile("\r\n|[\r\f\v\x85\u2028\u2029]")


@dataclass(frozen=True, slots=True)
class Document:
    """A stored text (NFC) and what was seen on the way; or the reason why there is none.
    `overruled`: the bytes contradict the charset declared; `repairs`: mojibake that was undone."""

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
    """Whether text of this media type can be read; None (nothing was said) is sniffed."""
    if media_type is None or media_type in HTML_TYPES or media_type in TEXT_TYPES:
        return True
    return documents.is_supported(media_type)


def extract_document(content: Content, max_bytes: int, extractor: str = "resiliparse") -> Document:
    """A body's text.  What cannot be read comes back with `error` and `detail`; raises only
    ImportError, for an `extractor` (see `html.extract`) that is not installed."""
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
    found = charset.decode(body, header_value(content.headers, "content-type"), markup)
    if found is None:
        return Document(error="undecodable", detail="no charset fits the bytes")
    if not markup:
        text, repairs = mojibake.repair(found.text)
        return Document(
            _to_stored_text(text),
            _to_stored_title(content.title),
            found.declared,
            found.used,
            found.overruled,
            repairs,
        )
    try:
        page = html.extract(found.text, extractor)
        repairs = mojibake.repair(page.text)[1]
        if repairs:  # anew, because extraction takes no-break spaces for spaces
            page = html.extract(_apply_repairs(found.text, repairs), extractor)
    except ImportError:
        raise
    except Exception as error:  # the parser's own classes
        return Document(error="unreadable", detail=f"HTML parser: {type(error).__name__}")
    return Document(
        _to_stored_text(page.text),
        _to_stored_title(page.title),
        found.declared,
        found.used,
        found.overruled,
        repairs,
        page.metas,
        page.links,
        page.jsonld,
    )


def charset_evidence(document: Document) -> dict[str, object]:
    """What became of a text's charset, for the ledger; empty where nothing was amiss."""
    if not (document.overruled or document.repairs):
        return {}
    found: dict[str, object] = {"declared": document.declared, "used": document.used}
    if document.overruled:
        found["overruled"] = True
    if document.repairs:
        found["repaired"] = [str(repair) for repair in document.repairs]
        found["characters"] = sum(repair.characters for repair in document.repairs)
    return found


def _apply_repairs(text: str, repairs: tuple[mojibake.Repair, ...]) -> str:
    for repair in repairs:
        text = repair.apply(text)
    return text


def _extract_file(body: bytes, media_type: str, title: str | None, max_bytes: int) -> Document:
    """The text of an office document or feed."""
    found = documents.extract_text(body, media_type, max_bytes)
    if found.error:
        return Document(error=found.error, detail=found.detail)
    return Document(
        _to_stored_text(found.text),
        _to_stored_title(title or found.title),
        metas=found.metas,
        links=found.links,
    )


def _is_html(media_type: str | None, body: bytes) -> bool:
    if media_type is not None:
        return media_type in HTML_TYPES
    head = body[:1024].lstrip().lower()
    return head.startswith((b"<!doctype html", b"<html")) or b"<html" in head or b"<head" in head


def _to_stored_text(text: str) -> str:
    """The stored view: NFC, tidy white space, every line break a line feed, without what UTF-8
    cannot hold.  Comes after the repair of mojibake, in which U+0085 is half of a letter."""
    text = views.to_stored(text).removeprefix("\ufeff")
    if any(mark in text for mark in _BREAKING):
        text = _BREAKS.sub("\n", text)
    return html.tidy(text)


def _to_stored_title(title: str | None) -> str | None:
    return (views.to_stored(title).strip() or None) if title else None
