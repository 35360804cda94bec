"""WARC records of a crawl, as tests write them."""

from __future__ import annotations

from helpers.compressed import gzip_bytes

SHUT = b"User-agent: *\nDisallow: /\n"

OPEN = b"User-agent: *\nAllow: /\n"


def crawl_record(
    uri: str,
    body: bytes,
    *http: str,
    at: str = "2026-10-01T00:00:00Z",
    kind: str = "response",
    fields: tuple[str, ...] = (),
    status: int = 200,
) -> bytes:
    answer = "\r\n".join([f"HTTP/1.1 {status} OK", *http, "", ""]).encode() + body
    head = [
        "WARC/1.1",
        f"WARC-Type: {kind}",
        f"WARC-Target-URI: {uri}",
        f"WARC-Date: {at}",
        "Content-Type: application/http",
        f"Content-Length: {len(answer)}",
        *fields,
        "",
        "",
    ]
    return gzip_bytes("\r\n".join(head).encode() + answer + b"\r\n\r\n")
