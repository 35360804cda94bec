"""Bodies: encodings are undone within limits, media types, and the stored view of a text."""

from __future__ import annotations

import zlib

import brotli
import pytest
from backports import zstd
from helpers.compressed import gzip_bytes
from helpers.office_files import (
    TDM,
    docx_paragraph,
    make_docx,
    make_epub,
    make_odt,
    make_pdf,
    make_zip,
)
from hypothesis import given
from hypothesis import strategies as st

from pipelines.ingest.decoding.http_encodings import decode_body
from pipelines.ingest.readers.records import Content
from pipelines.ingest.text_extraction import charset_evidence, extract_document, is_supported

BODY = "<html><p>Ауа райы ертең жылы болады, кешке қарай жаңбыр жауады деп күтілуде.</p></html>"
RAW = BODY.encode()
TEXT = "Ауа райы ертең жылы болады, кешке қарай жаңбыр жауады деп күтілуде."
LIMIT = 100_000
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


def deflate(body: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(body) + packer.flush()


def chunked(body: bytes, size: int = 20, extension: bytes = b"") -> bytes:
    parts = [body[n : n + size] for n in range(0, len(body), size)]
    return b"".join(b"%x%s\r\n%s\r\n" % (len(p), extension, p) for p in parts) + b"0\r\n\r\n"


def read(
    payload: bytes,
    *headers: tuple[str, str],
    media_type: str | None = "text/html",
    limit: int = LIMIT,
) -> tuple[str, str | None]:
    document = extract_document(
        Content(payload=payload, media_type=media_type, headers=headers), limit
    )
    return document.text, document.error


@pytest.mark.parametrize(
    "payload, coding",
    [
        (gzip_bytes(RAW), "gzip"),
        (gzip_bytes(RAW), "X-GZIP"),
        (zlib.compress(RAW), "deflate"),
        (deflate(RAW), "deflate"),
        (RAW, "identity"),
        (RAW, ""),
        (RAW, "gzip"),
        (RAW, "br"),
        (RAW, "zstd"),
        (RAW, "deflate"),
        (brotli.compress(RAW), "br"),
        (zstd.compress(RAW), "zstd"),
        (zstd.compress(RAW[:40]) + zstd.compress(RAW[40:]), "ZSTD"),
        (gzip_bytes(brotli.compress(zstd.compress(RAW))), "zstd, br, gzip"),
        (gzip_bytes(gzip_bytes(RAW)), "gzip, gzip"),
        (gzip_bytes(zlib.compress(RAW)), "deflate , gzip"),
        (gzip_bytes(RAW[:40]) + gzip_bytes(RAW[40:]), "gzip"),
    ],
)
def test_content_encodings(payload, coding):
    assert read(payload, ("Content-Encoding", coding)) == (TEXT, None)


@pytest.mark.parametrize(
    "payload, coding, reason",
    [
        (brotli.compress(RAW)[:-9], "br", "undecodable"),
        (zstd.compress(RAW)[:-9], "zstd", "undecodable"),
        (RAW, "dcz", "undecodable"),
        (RAW, ", ".join(["gzip"] * 6), "undecodable"),
        (RAW, "x" * 9000, "undecodable"),
        (gzip_bytes(RAW)[:-9], "gzip", "undecodable"),
        (b"\x1f\x8bnothing", "gzip", "undecodable"),
        (deflate(RAW * 50)[:-9], "deflate", "undecodable"),
        (b"\x07" + RAW, "deflate", "undecodable"),
        (b"\x07" + RAW, "br", "undecodable"),
        (brotli.compress(b"a" * 50_000_000), "br", "too-large"),
        (zstd.compress(b"a" * 50_000_000), "zstd", "too-large"),
        (zstd.compress(b"a" * LIMIT) + zstd.compress(b"a"), "zstd", "too-large"),
        (gzip_bytes(brotli.compress(b"a" * 50_000_000)), "br, gzip", "too-large"),
        (gzip_bytes(RAW)[:20] + b"\xff" * 40, "gzip", "undecodable"),
        (gzip_bytes(b"a" * (LIMIT + 1)), "gzip", "too-large"),
        (gzip_bytes(b"a" * 50_000_000), "gzip", "too-large"),
        (deflate(b"a" * 50_000_000), "deflate", "too-large"),
        (gzip_bytes(b"a" * LIMIT) + gzip_bytes(b"a"), "gzip", "too-large"),
        (gzip_bytes(gzip_bytes(b"\0" * 50_000_000)), "gzip,gzip", "too-large"),
    ],
)
def test_encodings_that_cannot_be_undone(payload, coding, reason):
    assert read(payload, ("content-encoding", coding)) == ("", reason)


def test_a_body_of_exactly_the_limit_is_read():
    body, error = decode_body(gzip_bytes(b"a" * LIMIT), (("Content-Encoding", "gzip"),), LIMIT)
    assert (len(body), error) == (LIMIT, None)


@pytest.mark.parametrize(
    "payload, expected",
    [
        (chunked(RAW), RAW),
        (chunked(RAW, 7, b";name=value"), RAW),
        (RAW, RAW),
        (chunked(RAW)[:-5], RAW),
        (chunked(RAW, 1000)[:-30], RAW[: -30 + 7]),
        (b"", b""),
        (b"0\r\n\r\n", b""),
        (b"-5\r\nabc", b"-5\r\nabc"),
        (b"1_0\r\nabc", b"1_0\r\nabc"),
        (b"ffffffff\r\nabc", b"abc"),
        (b"f" * 60 + b"\r\nabc", b"f" * 60 + b"\r\nabc"),
        (chunked(RAW)[:50] + b"zz\r\n", RAW[:40] + b"zz\r\n"),
        (chunked(RAW).replace(b"14\r\n", b"9\r\n"), RAW),
        (chunked(RAW).replace(b"14\r\n", b"ffff\r\n"), RAW),
        (b"5\r\n" + RAW, RAW),
    ],
)
def test_chunks(payload, expected):
    body, error = decode_body(payload, (("Transfer-Encoding", "chunked"),), LIMIT)
    assert error is None and (body == expected or (expected.startswith(body) and len(body) >= 20))


def test_chunks_around_gzip():
    assert read(
        chunked(gzip_bytes(RAW)), ("Transfer-Encoding", "chunked"), ("Content-Encoding", "gzip")
    ) == (TEXT, None)


def test_several_headers_and_transfer_codings():
    headers = (("Content-Encoding", "br"), ("Content-Encoding", "gzip"))
    assert decode_body(gzip_bytes(brotli.compress(RAW)), headers, LIMIT) == (RAW, None)
    wrapped = (("Transfer-Encoding", "gzip, chunked"), ("Content-Encoding", "br"))
    payload = chunked(gzip_bytes(brotli.compress(RAW)))
    assert decode_body(payload, wrapped, LIMIT) == (RAW, None)


@given(
    st.binary(max_size=200),
    st.sampled_from(["gzip", "deflate", "gzip, deflate", "br", "zstd", "br, zstd"]),
    st.sampled_from(["chunked", ""]),
)
def test_any_body(payload, coding, transfer):
    headers = (("Content-Encoding", coding), ("Transfer-Encoding", transfer))
    body, error = decode_body(payload, headers, 1000)
    assert len(body) <= max(1000, len(payload)) and (error is None or body == b"")
    extract_document(Content(payload=payload, media_type="text/html", headers=headers), 1000)


def test_media_types():
    assert is_supported(None) and is_supported("text/html") and is_supported("text/plain")
    assert is_supported("application/pdf") and not is_supported("image/png")
    assert read(RAW, media_type=None) == (TEXT, None)
    assert read(b"%PDF-1.7", media_type=None) == ("", "unreadable")
    assert read(b"GIF89a", media_type=None) == ("", "unsupported-media-type")
    assert read(RAW, media_type="text/plain") == (BODY, None)


RSS = "<rss><channel><item><title>a</title><description>{}</description></item></channel></rss>"
DOCX = make_docx(docx_paragraph(TEXT))
RTF = rb"{\rtf1\ansi text}"


@pytest.mark.parametrize(
    "media_type, body, expected",
    [
        ("application/pdf", make_pdf([[(60, 700, "text")]]), ("text", None)),
        ("application/octet-stream", make_pdf([[(60, 700, "text")]]), ("text", None)),
        (None, make_pdf([[(60, 700, "text")]]), ("text", None)),
        ("application/octet-stream", DOCX, (TEXT, None)),
        ("application/zip", DOCX, (TEXT, None)),
        ("application/msword", DOCX, (TEXT, None)),
        ("application/vnd.oasis.opendocument.text", DOCX, (TEXT, None)),
        ("application/octet-stream", make_odt(f"<text:p>{TEXT}</text:p>"), (TEXT, None)),
        ("application/epub+zip", make_epub([BODY]), (TEXT, None)),
        ("application/octet-stream", make_epub([BODY]), (TEXT, None)),
        ("application/msword", RTF, ("text", None)),
        ("text/rtf", RTF, ("text", None)),
        ("text/plain", RTF, ("text", None)),
        ("application/xhtml+xml", RAW, (TEXT, None)),
        ("text/xml", b"<?xml version='1.0'?><!-- a --><!DOCTYPE html>" + RAW, (TEXT, None)),
        ("application/msword", RAW, (TEXT, None)),
        ("application/rss+xml", RSS.format(TEXT).encode(), (TEXT, None)),
        ("text/xml", RSS.format(TEXT).encode(), (TEXT, None)),
        ("application/xml", b"<urlset><url/></urlset>", ("", "unsupported-media-type")),
        ("application/rss+xml", b"<urlset><url/></urlset>", ("", "unsupported-media-type")),
        ("application/octet-stream", b"\x7fELF", ("", "unsupported-media-type")),
        ("application/zip", make_zip({"a.txt": "text"}), ("", "unsupported-media-type")),
        ("application/msword", OLE + b"\0" * 600, ("", "unsupported-media-type")),
        ("application/pdf", RAW, ("", "unreadable")),
        ("application/rtf", b"", ("", "unreadable")),
    ],
)
def test_documents_in_bodies(media_type, body, expected):
    assert read(body, media_type=media_type) == expected


def test_a_feed_is_one_document():
    feed = RSS.format(TEXT).replace("</channel>", "<item><title>Екінші</title></item></channel>")
    assert read(feed.encode(), media_type="text/xml") == (f"{TEXT}\n\nЕкінші", None)


def test_a_document_through_content_encoding_and_its_metadata():
    body = make_pdf([[(60, 700, "text")]], TDM.format('tdm:reservation="1"/>').encode())
    headers = (("Content-Encoding", "gzip"),)
    stored = Content(payload=gzip_bytes(body), media_type="application/pdf", headers=headers)
    assert extract_document(stored, LIMIT).metas == (("tdm:reservation", "1"),)


def test_errors_of_readers_are_passed_on():
    document = extract_document(Content(error="unreadable", detail="gone"), LIMIT)
    assert (document.error, document.detail) == ("unreadable", "gone")
    assert extract_document(Content(), LIMIT).error == "unsupported-media-type"


def test_the_stored_view():
    text = "\ufeffe\u0301 \ud800\0x\r\n\r\n\r\ny "
    document = extract_document(Content(text=text, title="\0 \ud800t "), LIMIT)
    assert (document.text, document.title, document.error) == ("é x\n\ny", "t", None)
    assert extract_document(Content(text="", title="\0"), LIMIT).title is None


@pytest.mark.parametrize("mark", ["\r", "\x0c", "\x0b", "\x85", "\u2028", "\u2029", "\r\n"])
def test_every_line_break_is_a_line_feed(mark):
    assert extract_document(Content(text=f"one{mark}two{mark}{mark} three{mark}"), LIMIT).text == (
        "one\ntwo\n\nthree"
    )
    payload = f"{TEXT}{mark}{TEXT}".encode()
    document = extract_document(
        Content(payload=payload, media_type="text/plain", headers=()), LIMIT
    )
    assert document.text == f"{TEXT}\n{TEXT}"


def test_line_breaks_inside_a_paragraph_of_a_page_are_blanks():
    assert "one two three four" in read(b"<p>one\ftwo\vthree\rfour</p>")[0]


def test_half_a_letter_is_not_a_line_break():
    """In UTF-8 read as Latin-1 `х` ends in U+0085."""
    text = "Хорошая погода, хлеб и хор: их слышно в холодных горах. " * 4
    document = extract_document(Content(text=text.encode().decode("latin-1")), LIMIT)
    assert document.text == text.strip()


def test_bytes_that_are_not_text():
    noise = bytes(range(1, 256)) * 40
    assert read(noise, ("Content-Type", "text/html; charset=utf-8"))[1] in (None, "undecodable")
    assert read(b"", media_type="text/html") == ("", None)


def test_the_declarations_of_a_page_come_with_its_text():
    markup = (
        f'<meta name=robots content=noai><script type="application/ld+json">{{}}</script>{BODY}'
    )
    document = extract_document(
        Content(payload=markup.encode(), media_type="text/html", headers=()), LIMIT
    )
    assert (document.text, document.metas, document.jsonld) == (
        TEXT,
        (("robots", "noai"),),
        ("{}",),
    )


def test_an_overruled_charset_is_in_the_evidence():
    page = BODY.replace("</p>", " " + TEXT * 2 + "</p>").encode("kz1048")
    headers = (("Content-Type", "text/html; charset=windows-1251"),)
    document = extract_document(
        Content(payload=page, media_type="text/html", headers=headers), LIMIT
    )
    assert TEXT in document.text and document.overruled
    assert charset_evidence(document) == {"declared": "cp1251", "used": "kz1048", "overruled": True}


@pytest.mark.parametrize("markup", [True, False])
def test_mojibake_is_undone_and_in_the_evidence(markup):
    broken = (
        (BODY if markup else TEXT).encode().decode("cp1251", "replace").replace("\ufffd", "\x98")
    )
    if markup:
        title = "Ауа".encode().decode("cp1251")
        broken = broken.replace("<p>", f"<head><title>{title}</title></head><p>")
        document = extract_document(Content(payload=broken.encode(), media_type="text/html"), LIMIT)
        assert document.title == "Ауа"
    else:
        document = extract_document(Content(text=broken), LIMIT)
    assert document.text == TEXT and not document.overruled
    evidence = charset_evidence(document)
    assert evidence["repaired"] == ["utf-8 read as cp1251"]
    assert evidence["characters"] == sum(not c.isascii() for c in TEXT)


def test_a_good_text_has_no_charset_evidence():
    document = extract_document(Content(payload=RAW, media_type="text/html"), LIMIT)
    assert charset_evidence(document) == {}
