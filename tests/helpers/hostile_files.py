"""Raw files that lie, burst, climb or break off, each with what the ledger must say of its records.

Built when asked for: some unpack to hundreds of megabytes.
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
from helpers.office_files import docx, encrypted_pdf, packed, paragraph

BURST = 200 << 20  # bytes that a bomb unpacks to
KEEP, EMPTY = "keep", "drop empty"
UNREADABLE, LARGE = "damaged unreadable", "damaged too-large"
WORDS = "The council of the district opened a new library on the left bank, file {}. "

#: Name -> (its bytes, the outcomes of its records in the order of their places).
Hostile = dict[str, tuple[Callable[[], bytes], Sequence[str]]]


def text(mark: str) -> bytes:
    """Some words, other ones for each mark."""
    return (WORDS.format(mark) * 4).encode()


def warc(
    body: bytes,
    uri: str = "https://a.example.kz/x",
    *headers: str,
    date: str = "2026-05-01T00:00:00Z",
    length: int | None = None,
) -> bytes:
    """A WARC record of an HTTP response; `length` is what it says of its own length."""
    fields = ["HTTP/1.1 200 OK", "Content-Type: text/html", *headers, "", ""]
    http = "\r\n".join(fields).encode()
    size = len(http) + len(body) if length is None else length
    head = (
        f"WARC/1.1\r\nWARC-Type: response\r\nWARC-Target-URI: {uri}\r\nWARC-Date: {date}\r\n"
        f"Content-Type: application/http; msgtype=response\r\nContent-Length: {size}\r\n\r\n"
    )
    return head.encode() + http + body + b"\r\n\r\n"


def page(mark: str) -> bytes:
    return b"<html><body><p>" + text(mark) + b"</p></body></html>"


def members(*records: bytes) -> bytes:
    return b"".join(gzip_bytes(r) for r in records)


def zeros(head: bytes = b"", tail: bytes = b"", packer: Any = None) -> bytes:
    """`head`, `BURST` zeros and `tail`, compressed (gzip, if nothing else) without being held."""
    packer = packer or zlib.compressobj(9, wbits=31)
    parts: Iterator[bytes] = iter([head, *[bytes(1 << 20)] * (BURST >> 20), tail])
    return b"".join(packer.compress(part) for part in parts) + packer.flush()


def _line(value: dict[str, object]) -> bytes:
    return json.dumps(value).encode() + b"\n"


def _lines() -> bytes:
    """Two sound rows about one of 200 MB."""
    first, last = (
        gzip_bytes(_line({"uri": f"urn:line:{n}", "text": text(f"line {n}").decode()}))
        for n in "ab"
    )
    return first + zeros(b'{"text": "', b'"}\n') + last


def _table() -> bytes:
    rows = [b"uri,text\n", b"urn:csv:a," + text("csv a") + b"\n"]
    return gzip_bytes(b"".join(rows)) + zeros(b"urn:csv:b,", b"\nurn:csv:c,short text\n")


def _surrogates() -> bytes:
    return (
        b'{"uri": "urn:\\ud800:1", "text": "%b \\udfff"}\n' % text("surrogates")
        + b'{"uri": "urn:nul", "text": "a \\u0000 b %b"}\n' % text("json nul")
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
            file.writestr(name, members(warc(page(f"climbing {name}"))))
    return out.getvalue()


def _xml_bomb() -> bytes:
    entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))
    body = f'<!DOCTYPE d [<!ENTITY e0 "lol">{entities}]><d>&e9;</d>'
    return packed({"[Content_Types].xml": "<Types/>", "word/document.xml": body})


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
    return members(*(warc(page(f"uri {n}"), uri) for n, uri in enumerate(odd)))


def _dates() -> bytes:
    odd = (
        *("1969-12-31T23:59:59Z", "0001-01-01T00:00:00+14:00", "0000-00-00T00:00:00Z", "-5"),
        *("2099-01-01T00:00:00Z", "9999-12-31T23:59:59-12:00", "yesterday", ""),
    )
    return members(
        *(warc(page(f"date {n}"), f"https://a.example.kz/{n}", date=d) for n, d in enumerate(odd))
    )


HOSTILE: Hostile = {
    "length-lies.warc.gz": (
        lambda: members(warc(page("lies"), length=9**9), warc(page("after the lie"))),
        [UNREADABLE, KEEP],
    ),
    "length-is-short.warc": (
        lambda: warc(page("short"), length=120) + warc(page("after the short one")),
        [UNREADABLE, KEEP],
    ),
    "torn.warc.gz": (
        lambda: members(warc(page("before the tear")), warc(page("torn")))[:-40],
        [KEEP, UNREADABLE],
    ),
    "torn.jsonl.gz": (
        lambda: gzip_bytes(
            b"".join(_line({"uri": f"urn:torn:{n}", "text": text(f"torn {n}").decode()}) for n in "ab")
        )[:-10],
        [KEEP, UNREADABLE],
    ),
    "bomb-member.warc.gz": (
        lambda: zeros(warc(b"")[:-4]) + members(warc(page("after the bomb"))),
        [LARGE, KEEP],
    ),
    "bomb-coding.warc.gz": (
        lambda: members(warc(zeros(), "urn:coded", "Content-Encoding: gzip"), warc(page("next"))),
        [LARGE, KEEP],
    ),
    "bomb-zstd-coding.warc.gz": (
        lambda: members(
            warc(zeros(packer=zstd.ZstdCompressor()), "urn:zstd", "Content-Encoding: zstd"),
            warc(page("after zstd")),
        ),
        [LARGE, KEEP],
    ),
    "bomb.docx": (
        lambda: docx(paragraph("x" * (BURST >> 2))),
        [LARGE],
    ),
    "nested.html": (
        lambda: b"<html><body>" + b"<div>" * 100_000 + b"<p>" + text("nested") + b"</p>",
        [KEEP],
    ),
    "nul.html": (lambda: b"<html><body><p>\0" + text("nul") + b"\0\0</p>\0<p>end</p>", [KEEP]),
    "nul.txt": (lambda: text("nul text") + b"\0\0\0\x01\x02", [KEEP]),
    "not-utf8.txt": (lambda: text("not utf-8") + b"\xff\xc3\x28\xe2\x82 \xf0\x90\x80 end", [KEEP]),
    "surrogates.jsonl": (_surrogates, [KEEP, KEEP, UNREADABLE, UNREADABLE]),
    "long-line.jsonl.gz": (_lines, [KEEP, LARGE, KEEP]),
    "long-line.csv.gz": (_table, [KEEP, LARGE, KEEP]),
    "climbing.wacz": (_climbing, [KEEP]),
    "climbing.docx": (
        lambda: packed({"../../escaped": "x", "/etc/escaped": "x", "word/document.xml": "<w/>"}),
        [EMPTY],
    ),
    "locked.pdf": (lambda: encrypted_pdf(b"secret", -4), [UNREADABLE]),
    "lol.docx": (_xml_bomb, [UNREADABLE]),
    "uris.warc.gz": (_uris, [KEEP] * 7),
    "dates.warc.gz": (_dates, [KEEP] * 8),
}  # fmt: skip
