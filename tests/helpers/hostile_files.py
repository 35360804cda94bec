"""Hostile raw files: wrong lengths, bombs, escaping paths, torn ends; with the outcomes they must get.

Each is built on demand, since some unpack to hundreds of megabytes.
"""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from backports import zstd
from helpers.compressed import gzip_bytes
from helpers.office_files import docx_paragraph, make_docx, make_encrypted_pdf, make_zip

BURST = 200 << 20  # bytes that a bomb unpacks to
KEEP, EMPTY = "keep", "drop empty"
UNREADABLE, LARGE = "damaged unreadable", "damaged too-large"
WORDS = "The council of the district opened a new library on the left bank, file {}. "

#: Name -> (its bytes, the outcomes of its records in the order of their places).
Hostile = dict[str, tuple[Callable[[], bytes], Sequence[str]]]


def distinct_text(mark: str) -> bytes:
    """A short English text that differs for each mark."""
    return (WORDS.format(mark) * 4).encode()


def warc_response(
    body: bytes,
    uri: str = "https://a.example.kz/x",
    *headers: str,
    date: str = "2026-05-01T00:00:00Z",
    length: int | None = None,
) -> bytes:
    """A WARC record of an HTTP response; `length` is the length that its header declares."""
    fields = ["HTTP/1.1 200 OK", "Content-Type: text/html", *headers, "", ""]
    http = "\r\n".join(fields).encode()
    size = len(http) + len(body) if length is None else length
    head = (
        f"WARC/1.1\r\nWARC-Type: response\r\nWARC-Target-URI: {uri}\r\nWARC-Date: {date}\r\n"
        f"Content-Type: application/http; msgtype=response\r\nContent-Length: {size}\r\n\r\n"
    )
    return head.encode() + http + body + b"\r\n\r\n"


def html_page(mark: str) -> bytes:
    return b"<html><body><p>" + distinct_text(mark) + b"</p></body></html>"


def page_response(mark: str, uri: str = "https://a.example.kz/x", **envelope: Any) -> bytes:
    """A WARC record of `html_page(mark)`."""
    return warc_response(html_page(mark), uri, **envelope)


def gzip_members(*records: bytes) -> bytes:
    return b"".join(gzip_bytes(r) for r in records)


def compressed_zeros(head: bytes = b"", tail: bytes = b"", packer: Any = None) -> bytes:
    """`head`, `BURST` zeros and `tail`, compressed (by default with gzip) piece by piece."""
    packer = packer or zlib.compressobj(9, wbits=31)
    parts: Iterator[bytes] = iter([head, *[bytes(1 << 20)] * (BURST >> 20), tail])
    return b"".join(packer.compress(part) for part in parts) + packer.flush()


def _line(value: dict[str, object]) -> bytes:
    return json.dumps(value).encode() + b"\n"


def _lines() -> bytes:
    """Two sound rows with a row of 200 MB between them."""
    first, last = (
        gzip_bytes(_line({"uri": f"urn:line:{n}", "text": distinct_text(f"line {n}").decode()}))
        for n in "ab"
    )
    return first + compressed_zeros(b'{"text": "', b'"}\n') + last


def _table() -> bytes:
    rows = [b"uri,text\n", b"urn:csv:a," + distinct_text("csv a") + b"\n"]
    return gzip_bytes(b"".join(rows)) + compressed_zeros(b"urn:csv:b,", b"\nurn:csv:c,short text\n")


def _surrogates() -> bytes:
    return (
        b'{"uri": "urn:\\ud800:1", "text": "%b \\udfff"}\n' % distinct_text("surrogates")
        + b'{"uri": "urn:nul", "text": "a \\u0000 b %b"}\n' % distinct_text("json nul")
        + b'{"uri": "urn:utf8", "text": "\xff\xfe\x80 broken"}\n'
        + b'{"uri": "urn:torn", "text": "\\ud8'
    )


def _climbing() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        for name in (
            "../../escaped.warc.gz",
            "/etc/escaped.warc.gz",
            "archive/../../escaped.warc.gz",
        ):
            file.writestr(name, gzip_members(page_response(f"climbing {name}")))
    return out.getvalue()


def _xml_bomb() -> bytes:
    entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))
    body = f'<!DOCTYPE d [<!ENTITY e0 "lol">{entities}]><d>&e9;</d>'
    return make_zip({"[Content_Types].xml": "<Types/>", "word/document.xml": body})


def _uris() -> bytes:
    odd = (
        "http://",
        "http://[::1",
        "https://exa mple.kz/ü?q=%zz",
        "::::",
        "\x01\x02",
        "//x",
        "a" * 5000,
    )
    return gzip_members(*(page_response(f"uri {n}", uri) for n, uri in enumerate(odd)))


def _dates() -> bytes:
    odd = (
        *("1969-12-31T23:59:59Z", "0001-01-01T00:00:00+14:00", "0000-00-00T00:00:00Z", "-5"),
        *("2099-01-01T00:00:00Z", "9999-12-31T23:59:59-12:00", "yesterday", ""),
    )
    return gzip_members(
        *(
            page_response(f"date {n}", f"https://a.example.kz/{n}", date=d)
            for n, d in enumerate(odd)
        )
    )


HOSTILE: Hostile = {
    "length-lies.warc.gz": (
        lambda: gzip_members(page_response("lies", length=9**9), page_response("after the lie")),
        [UNREADABLE, KEEP],
    ),
    "length-is-short.warc": (
        lambda: page_response("short", length=120) + page_response("after the short one"),
        [UNREADABLE, KEEP],
    ),
    "torn.warc.gz": (
        lambda: gzip_members(page_response("before the tear"), page_response("torn"))[:-40],
        [KEEP, UNREADABLE],
    ),
    "torn.jsonl.gz": (
        lambda: gzip_bytes(
            b"".join(_line({"uri": f"urn:torn:{n}", "text": distinct_text(f"torn {n}").decode()}) for n in "ab")
        )[:-10],
        [KEEP, UNREADABLE],
    ),
    "bomb-member.warc.gz": (
        lambda: compressed_zeros(warc_response(b"")[:-4]) + gzip_members(page_response("after the bomb")),
        [LARGE, KEEP],
    ),
    "bomb-coding.warc.gz": (
        lambda: gzip_members(
            warc_response(compressed_zeros(), "urn:coded", "Content-Encoding: gzip"),
            page_response("next"),
        ),
        [LARGE, KEEP],
    ),
    "bomb-zstd-coding.warc.gz": (
        lambda: gzip_members(
            warc_response(compressed_zeros(packer=zstd.ZstdCompressor()), "urn:zstd", "Content-Encoding: zstd"),
            page_response("after zstd"),
        ),
        [LARGE, KEEP],
    ),
    "bomb.docx": (
        lambda: make_docx(docx_paragraph("x" * (BURST >> 2))),
        [LARGE],
    ),
    "nested.html": (
        lambda: b"<html><body>" + b"<div>" * 100_000 + b"<p>" + distinct_text("nested") + b"</p>",
        [KEEP],
    ),
    "nul.html": (lambda: b"<html><body><p>\0" + distinct_text("nul") + b"\0\0</p>\0<p>end</p>", [KEEP]),
    "nul.txt": (lambda: distinct_text("nul text") + b"\0\0\0\x01\x02", [KEEP]),
    "not-utf8.txt": (lambda: distinct_text("not utf-8") + b"\xff\xc3\x28\xe2\x82 \xf0\x90\x80 end", [KEEP]),
    "surrogates.jsonl": (_surrogates, [KEEP, KEEP, UNREADABLE, UNREADABLE]),
    "long-line.jsonl.gz": (_lines, [KEEP, LARGE, KEEP]),
    "long-line.csv.gz": (_table, [KEEP, LARGE, KEEP]),
    "climbing.wacz": (_climbing, [KEEP]),
    "climbing.docx": (
        lambda: make_zip({"../../escaped": "x", "/etc/escaped": "x", "word/document.xml": "<w/>"}),
        [EMPTY],
    ),
    "locked.pdf": (lambda: make_encrypted_pdf(b"secret", -4), [UNREADABLE]),
    "lol.docx": (_xml_bomb, [UNREADABLE]),
    "uris.warc.gz": (_uris, [KEEP] * 7),
    "dates.warc.gz": (_dates, [KEEP] * 8),
}  # fmt: skip
