"""From a record's body to its stored text, by media type."""
from __future__ import annotations

import unicodedata
import zlib
from dataclasses import dataclass

from pipelines import charset, html
from pipelines.readers import Content

HTML_TYPES = frozenset({"text/html", "application/xhtml+xml"})
TEXT_TYPES = frozenset({"text/plain"})


@dataclass(frozen=True, slots=True)
class Document:
    """A stored text (NFC) and what was seen on the way; or the reason why there is none."""

    text: str = ""
    title: str | None = None
    declared: str | None = None
    used: str | None = None
    metas: tuple[tuple[str, str], ...] = ()
    links: tuple[tuple[str, str], ...] = ()
    error: str | None = None
    detail: str | None = None


def supported(media_type: str | None) -> bool:
    """Whether text of this media type can be read; None (nothing was said) is sniffed."""
    return media_type is None or media_type in HTML_TYPES or media_type in TEXT_TYPES


def document(content: Content, max_bytes: int) -> Document:
    """A body's text.  Never raises: what cannot be read comes back with `error` and `detail`."""
    if content.error:
        return Document(error=content.error, detail=content.detail)
    if content.text is not None:
        return Document(_stored(content.text), content.title, used="utf-8")
    body, error = decoded_body(content.payload or b"", content.headers, max_bytes)
    if error:
        return Document(error=error[0], detail=error[1])
    markup = _is_html(content.media_type, body)
    if content.media_type is None and not markup:
        return Document(error="unsupported-media-type", detail="no media type, and no HTML")
    found = charset.decode(body, _header(content.headers, "content-type"), markup)
    if found is None:
        return Document(error="undecodable", detail="no charset fits the bytes")
    if not markup:
        return Document(_stored(found.text), None, found.declared, found.used)
    try:
        page = html.extract(found.text)
    except Exception as error:  # the parser's own classes
        return Document(error="unreadable", detail=f"HTML parser: {type(error).__name__}")
    return Document(_stored(page.text), page.title, found.declared, found.used, page.metas, page.links)


def decoded_body(
    payload: bytes, headers: tuple[tuple[str, str], ...], max_bytes: int
) -> tuple[bytes, tuple[str, str] | None]:
    """Undo Transfer-Encoding and Content-Encoding, never past `max_bytes`.

    Returns:
      The body, and None or (reason, detail).
    """
    if "chunked" in (_header(headers, "transfer-encoding") or "").lower():
        payload = _dechunked(payload)
    for coding in reversed([c.strip().lower() for c in (_header(headers, "content-encoding") or "").split(",")]):
        if coding in ("", "identity", "none", "utf-8"):
            continue
        if coding not in ("gzip", "x-gzip", "deflate"):
            return b"", ("undecodable", f"Content-Encoding {coding[:20]}")
        # not everything that says gzip is: a crawler may have undone it
        if coding != "deflate" and payload[:2] != b"\x1f\x8b":
            continue
        inflated = _inflated(payload, (47,) if coding != "deflate" else (47, -15), max_bytes)
        if inflated is None:
            return b"", ("undecodable", f"broken {coding}")
        payload = inflated
        if len(payload) > max_bytes:
            return b"", ("too-large", f"more than {max_bytes} bytes decompressed")
    return payload, None


def _inflated(payload: bytes, windows: tuple[int, ...], max_bytes: int) -> bytes | None:
    for window in windows:
        try:
            return zlib.decompressobj(window).decompress(payload, max_bytes + 1)
        except zlib.error:
            continue
    return None


def _dechunked(payload: bytes) -> bytes:
    """The data of a chunked body; one that is not chunked after all comes back as it is."""
    parts, position = [], 0
    while (end := payload.find(b"\r\n", position, position + 64)) != -1:
        try:
            size = int(payload[position:end].partition(b";")[0], 16)
        except ValueError:
            return b"".join(parts) if parts else payload
        if size <= 0:
            return b"".join(parts)
        parts.append(payload[end + 2:end + 2 + size])
        position = end + 2 + size + 2
    return b"".join(parts) if parts else payload


def _is_html(media_type: str | None, body: bytes) -> bool:
    if media_type is not None:
        return media_type in HTML_TYPES
    head = body[:1024].lstrip().lower()
    return head.startswith((b"<!doctype html", b"<html")) or b"<html" in head or b"<head" in head


def _header(headers: tuple[tuple[str, str], ...], name: str) -> str | None:
    return next((v for k, v in headers if k.lower() == name), None)


def _stored(text: str) -> str:
    """The stored view: NFC, tidy white space, without what UTF-8 cannot hold."""
    if not text.isascii():
        text = unicodedata.normalize("NFC", text.encode("utf-8", "ignore").decode())
    return html.tidy(text.replace("\0", "").removeprefix("\ufeff"))
