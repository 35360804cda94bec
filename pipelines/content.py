"""From a record's body to its stored text, by media type."""

from __future__ import annotations

import re
import unicodedata
import zlib
from dataclasses import dataclass

from pipelines import charset, html, mojibake
from pipelines.readers import Content

HTML_TYPES = frozenset({"text/html", "application/xhtml+xml"})
TEXT_TYPES = frozenset({"text/plain"})
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\r\n]{0,200})?\r\n")


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
        text, repairs = mojibake.repair(content.text)
        title = _repaired(content.title or "", repairs)
        return Document(_stored(text), _title(title), used="utf-8", repairs=repairs)
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
        text, repairs = mojibake.repair(found.text)
        return Document(
            _stored(text),
            _title(content.title),
            found.declared,
            found.used,
            found.overruled,
            repairs,
        )
    try:
        page = html.extract(found.text)
        repairs = mojibake.repair(page.text)[1]
        if repairs:  # anew, because extraction takes no-break spaces for spaces
            page = html.extract(_repaired(found.text, repairs))
    except Exception as error:  # the parser's own classes
        return Document(error="unreadable", detail=f"HTML parser: {type(error).__name__}")
    return Document(
        _stored(page.text),
        _title(page.title),
        found.declared,
        found.used,
        found.overruled,
        repairs,
        page.metas,
        page.links,
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


def _repaired(text: str, repairs: tuple[mojibake.Repair, ...]) -> str:
    for repair in repairs:
        text = repair.apply(text)
    return text


def decoded_body(
    payload: bytes, headers: tuple[tuple[str, str], ...], max_bytes: int
) -> tuple[bytes, tuple[str, str] | None]:
    """Undo Transfer-Encoding and Content-Encoding, never past `max_bytes`.

    Returns:
      The body, and None or (reason, detail).
    """
    if "chunked" in (_header(headers, "transfer-encoding") or "").lower():
        payload = _dechunked(payload)
    codings = (_header(headers, "content-encoding") or "").lower().split(",")
    for coding in (c.strip() for c in reversed(codings)):
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
    """All members of a body, the first `max_bytes` + 1 bytes of them; None for one that is
    broken or torn."""
    for window in windows:
        out, rest = bytearray(), payload
        try:
            while rest and len(out) <= max_bytes:
                inflater = zlib.decompressobj(window)
                out += inflater.decompress(rest, max_bytes + 1 - len(out))
                if not inflater.eof and len(out) <= max_bytes:
                    break
                rest = inflater.unused_data if inflater.unused_data[:2] == b"\x1f\x8b" else b""
            else:
                return bytes(out)
        except zlib.error:
            continue
    return None


def _dechunked(payload: bytes) -> bytes:
    """The data of a chunked body; one that is not chunked after all comes back as it is."""
    parts: list[bytes] = []
    position = 0
    while head := _CHUNK.match(payload, position):
        size, position = int(head[1], 16), head.end() + int(head[1], 16)
        if not size:
            return b"".join(parts)
        parts.append(payload[head.end() : position])
        position += 2
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
    return html.tidy(_clean(text).removeprefix("\ufeff"))


def _title(title: str | None) -> str | None:
    return (_clean(title).strip() or None) if title else None


def _clean(text: str) -> str:
    if not text.isascii():
        text = unicodedata.normalize("NFC", text.encode("utf-8", "ignore").decode())
    return text.replace("\0", "")
