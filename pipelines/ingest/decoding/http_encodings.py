"""Undo the transfer and content codings of HTTP bodies, within a size limit."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterator

Headers = tuple[tuple[str, str], ...]

_SIZE = rb"[0-9A-Fa-f]{1,8}[ \t]*(?:;[^\r\n]{0,200})?\r\n"
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\r\n]{0,200})?\r\n")
_FRAME = re.compile(rb"\r\n(?=" + _SIZE + rb")")
_CONTROL = re.compile(rb"[\0-\x08\x0e-\x1a\x1c-\x1f]")
#: A body with more nested codings is treated as an attack.
MAX_CODINGS = 5
_NOTHING = ("", "identity", "none", "utf-8")


def decode_body(
    payload: bytes, headers: Headers, max_bytes: int
) -> tuple[bytes, tuple[str, str] | None]:
    """Undo Transfer-Encoding and Content-Encoding.

    A named coding that was not applied is ignored: some crawlers undo the coding and keep the
    header.

    Args:
      payload: the body as stored.
      headers: the HTTP headers.
      max_bytes: the limit of the decoded body.

    Returns:
      The decoded body and None; or empty bytes and (reason, detail).
    """
    transfer = [c for c in _codings(headers, "transfer-encoding") if c not in _NOTHING]
    if "chunked" in transfer:
        payload = join_chunks(payload)
        transfer.remove("chunked")
    codings = [*(c for c in _codings(headers, "content-encoding") if c not in _NOTHING), *transfer]
    if len(codings) > MAX_CODINGS:
        return b"", ("undecodable", f"{len(codings)} codings")
    for coding in reversed(codings):
        decode = _DECODERS.get(coding)
        if decode is None:
            return b"", ("undecodable", f"Content-Encoding {coding[:20]}")
        decoded = decode(payload, max_bytes) if payload else payload
        if decoded is None:
            return b"", ("undecodable", f"broken {coding}")
        payload = decoded
        if len(payload) > max_bytes:
            return b"", ("too-large", f"more than {max_bytes} bytes decompressed")
    return payload, None


def join_chunks(payload: bytes) -> bytes:
    """Return the data of a chunked body. A body without chunks is returned unchanged.

    If no chunk begins where a chunk ends, its size is wrong. Such a chunk extends to the next
    visible chunk head, or to the end of the body.
    """
    parts: list[bytes] = []
    position = 0
    while head := _CHUNK.match(payload, position):
        start, size = head.end(), int(head[1], 16)
        if not size:
            return b"".join(parts)
        end = start + size
        after = end + 2
        if not (
            payload[end:after] == b"\r\n"
            and (after >= len(payload) or _CHUNK.match(payload, after))
        ):
            frame = _FRAME.search(payload, start)
            end = frame.start() if frame else len(payload)
            after = end + 2
        parts.append(payload[start:end])
        position = after
    return b"".join(parts) if parts else payload


def header_value(headers: Headers, name: str) -> str | None:
    """Return the first value of a header, by its lower-case name; None if it is missing."""
    return next((v for k, v in headers if k.lower() == name), None)


def _codings(headers: Headers, name: str) -> Iterator[str]:
    """Yield the codings that all headers of a name list, in the order of their application."""
    for key, value in headers:
        if key.lower() == name:
            yield from (c.strip() for c in value.lower().split(","))


def _gzip(payload: bytes, limit: int) -> bytes | None:
    return _inflate(payload, 47, limit) if payload[:2] == b"\x1f\x8b" else payload


def _deflate(payload: bytes, limit: int) -> bytes | None:
    """Undo `deflate`: with a zlib header, as specified, or raw, as some servers send it."""
    for window in (47, -15):
        inflated = _inflate(payload, window, limit)
        if inflated is not None:
            return inflated
    return _if_not_encoded(payload)


def _inflate(payload: bytes, window: int, limit: int) -> bytes | None:
    """Inflate all members of a body, up to `limit` + 1 bytes; None if one is broken or truncated.

    Args:
      window: the `wbits` of zlib: 47 detects gzip and zlib headers, -15 is raw deflate.
    """
    out, rest = bytearray(), payload
    try:
        while rest and len(out) <= limit:
            inflater = zlib.decompressobj(window)
            out += inflater.decompress(rest, limit + 1 - len(out))
            if not inflater.eof and len(out) <= limit:
                return None
            rest = inflater.unused_data if inflater.unused_data[:2] == b"\x1f\x8b" else b""
    except zlib.error:
        return None
    return bytes(out)


def _brotli(payload: bytes, limit: int) -> bytes | None:
    """Undo `br`. Brotli has no magic bytes: text that does not decode was never coded."""
    import brotli

    decoder, out, rest = brotli.Decompressor(), bytearray(), payload
    try:
        while not decoder.is_finished() and len(out) <= limit:
            part = decoder.process(rest, output_buffer_limit=limit + 1 - len(out))
            if not part and not rest:
                return _if_not_encoded(payload)  # truncated
            out += part
            rest = b""
    except brotli.error:
        return _if_not_encoded(payload)
    return bytes(out[: limit + 1])


def _zstd(payload: bytes, limit: int) -> bytes | None:
    """Undo `zstd`, all frames of a body, up to `limit` + 1 bytes; a body without magic is kept."""
    from backports import zstd

    if payload[:4] != b"\x28\xb5\x2f\xfd" and payload[1:4] != b"\x2a\x4d\x18":
        return payload
    out, rest = bytearray(), payload
    try:
        while rest and len(out) <= limit:
            decoder = zstd.ZstdDecompressor()
            out += decoder.decompress(rest, limit + 1 - len(out))
            if not decoder.eof and len(out) <= limit:
                return None
            rest = decoder.unused_data if decoder.eof else b""
    except zstd.ZstdError:
        return None
    return bytes(out)


def _if_not_encoded(payload: bytes) -> bytes | None:
    """Return a body that is markup or UTF-8 text already; None for any other."""
    if _CONTROL.search(payload, 0, 4096):
        return None
    try:
        return payload if payload.lstrip()[:1] == b"<" or payload.decode() else None
    except UnicodeDecodeError:
        return None


_DECODERS: dict[str, Callable[[bytes, int], bytes | None]] = {
    "gzip": _gzip,
    "x-gzip": _gzip,
    "deflate": _deflate,
    "br": _brotli,
    "zstd": _zstd,
}
