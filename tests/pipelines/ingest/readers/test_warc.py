"""Sound WARC files: each record is found, in any packing."""

from __future__ import annotations

import gzip
import hashlib
import json
import zlib

import lz4.frame
import pytest
from backports import zstd
from helpers.compressed import gzip_bytes
from helpers.warc_files import (
    ALL,
    INFO,
    MIB,
    PAGES,
    REQUEST,
    envelope_errors,
    gzip_in_pieces,
    gzip_members,
    http_response,
    scan_warc,
    sound_uris,
    unpack_bytes,
    warc_record,
    write_source,
    zstd_with_dictionary,
)

from pipelines.ingest.readers import warc
from pipelines.ingest.readers.records import MAX_SIGNAL_BYTES, Content
from pipelines.ingest.text_extraction import extract_document


@pytest.mark.parametrize(
    "pack",
    [
        gzip_members,
        lambda *r: b"".join(r),
        lambda *r: gzip_bytes(b"".join(r)),
        lambda *r: gzip_bytes(b"".join(r[:3])) + gzip_bytes(b"".join(r[3:])),
        lambda *r: gzip_in_pieces(b"".join(r)),
        lambda *r: b"".join(map(zstd.compress, r)),
        lambda *r: zstd.compress(b"".join(r)),
        zstd_with_dictionary,
        lambda *r: b"".join(map(lz4.frame.compress, r)),
        lambda *r: lz4.frame.compress(b"".join(r)),
    ],
    ids=[
        "members", "plain", "one-member", "two-streams", "cut-anywhere",
        "zstd", "zstd-whole", "zstd-dictionary", "lz4", "lz4-whole",
    ],
)  # fmt: skip
def test_records_and_only_records_are_found(tmp_path, pack):
    container = pack(INFO, REQUEST, *PAGES, warc_record(b"a: b", kind="metadata"))
    envelopes = scan_warc(tmp_path, container)
    assert sound_uris(envelopes) == ALL and not envelope_errors(envelopes)
    for envelope, raw in zip(envelopes, PAGES, strict=True):
        unpacked = container if envelope.locator == "member" else unpack_bytes(tmp_path, container)
        cut = unpacked[envelope.offset : envelope.offset + envelope.length]
        cut = gzip.decompress(cut) if envelope.locator == "member" else cut
        assert cut.strip() == raw.strip()
        assert (envelope.http_status, envelope.media_type) == (200, "text/html")
        assert envelope.captured_at == "2026-10-01T00:00:00Z"
        body = raw.partition(b"\r\n\r\n")[2].partition(b"\r\n\r\n")[2].removesuffix(b"\r\n\r\n")
        assert envelope.payload_sha256 == hashlib.sha256(body).hexdigest()


@pytest.mark.parametrize("size", [warc.members.CHUNK - 300, 3 * warc.members.CHUNK])
def test_a_stream_is_detected_by_a_first_record_of_any_length(tmp_path, size):
    first = warc_record(
        b"x: " + b"y" * size, None, "warcinfo", content_type="application/warc-fields"
    )
    assert sound_uris(scan_warc(tmp_path, gzip_bytes(first + b"".join(PAGES)))) == ALL


def test_types_of_records(tmp_path):
    resource = warc_record(b"plain text", "urn:r", "resource", content_type="text/plain")
    conversion = warc_record(b"converted", "urn:c", "conversion", content_type="text/plain")
    revisit = warc_record(http_response(b""), "urn:v", "revisit")
    bare = warc_record(http_response(b"x"), "urn:b", content_type=None)
    envelopes = scan_warc(tmp_path, gzip_members(resource, conversion, revisit, bare))
    assert sound_uris(envelopes) == ["urn:r", "urn:c", "urn:v", "urn:b"]
    assert [e.http_status for e in envelopes] == [None, None, 200, 200]
    assert [e.media_type for e in envelopes][:2] == ["text/plain"] * 2


@pytest.mark.parametrize("kind", ["unknown", "respAnse", "continuation", None])
def test_an_unknown_type_is_damage(tmp_path, kind):
    envelopes = scan_warc(
        tmp_path, gzip_members(warc_record(http_response(b"x"), kind=kind), PAGES[0])
    )
    assert envelope_errors(envelopes) == ["unreadable"] and sound_uris(envelopes) == ALL[:1]


def test_a_conversion_is_text_for_training(tmp_path):
    """A WET file holds such records."""
    text = "Жиналыс дүйсенбіде өтті.\n\nКелесі жиын сәрсенбіде болады."
    wet = warc_record(text.encode(), ALL[0], "conversion", content_type="text/plain")
    for pack in (gzip_bytes, zstd.compress):
        source = write_source(tmp_path / "a", pack(INFO) + pack(wet))
        (envelope,) = warc.scan(source)
        (body,) = warc.contents(source, [(envelope.offset, envelope.length)])
        document = extract_document(body, MIB)
        assert (document.text, document.error, envelope.http_status) == (text, None, None)


def test_a_revisit_names_its_original(tmp_path):
    fields = (
        "WARC-Refers-To-Target-URI: <https://a.kz/0>\r\nWARC-Refers-To-Date: 2026-01-01T00:00:00Z\r\n"
        "WARC-Payload-Digest: sha1:ABC\r\nWARC-Profile: urn:same\r\n"
    )
    envelopes = scan_warc(
        tmp_path,
        gzip_members(warc_record(http_response(b""), kind="revisit", extra=fields), PAGES[0]),
    )
    assert json.loads(envelopes[0].revisit or "") == {
        "refers_to_uri": "https://a.kz/0",
        "refers_to_date": "2026-01-01T00:00:00Z",
        "payload_digest": "sha1:ABC",
        "profile": "urn:same",
    }
    assert envelopes[1].revisit is None


def test_uris_are_not_changed(tmp_path):
    uris = ["https://a.kz/x>y", "https://a.kz/ю", "urn: with blank"]
    wrapped = [warc_record(http_response(b"x"), f"<{uri}>") for uri in uris]
    bare = [warc_record(http_response(b"x"), uri) for uri in uris]
    assert sound_uris(scan_warc(tmp_path, gzip_members(*wrapped, *bare))) == uris * 2


def test_missing_uri_and_date(tmp_path):
    envelopes = scan_warc(tmp_path, gzip_members(warc_record(http_response(b"x"), None, date=None)))
    assert (envelopes[0].uri, envelopes[0].captured_at, envelopes[0].error) == (None, None, None)


@pytest.mark.parametrize(
    "block, status, error",
    [
        (b"HTTP/1.1 404 Not Found\r\n\r\n", 404, None),
        (b"HTTP/1.1 200\n\nbody", 200, None),
        (b"HTTP/2 200\r\nA: b\r\n\r\n", 200, None),
        (b"ICY 200 OK\r\n\r\nx", 200, None),
        (b"", None, None),
        (b"HTTP/1.1 abc\r\n\r\nbody", None, "unreadable"),
        (b"HTTP/1.1 99999999999 OK\r\n\r\nbody", None, "unreadable"),
        (b"no HTTP at all", None, "unreadable"),
        (b"HTTP/1.1 200 OK", 200, None),
    ],
)
def test_status_lines(tmp_path, block, status, error):
    envelopes = scan_warc(tmp_path, gzip_members(warc_record(block)))
    assert [(e.http_status, e.error) for e in envelopes] == [(status, error)]


def test_http_headers(tmp_path):
    block = http_response(b"x", "X-One: a", "X-One: b", "Folded: a", "\tb", "no colon", ": no name")
    envelopes = scan_warc(tmp_path, gzip_members(warc_record(block)))
    assert [h for h in envelopes[0].headers if h[0] != "Content-Type"] == [
        ("X-One", "a"),
        ("X-One", "b"),
        ("Folded", "a b"),
    ]


def test_an_empty_file_has_no_records(tmp_path):
    assert scan_warc(tmp_path, b"") == []
    assert scan_warc(tmp_path, gzip_members(INFO)) == []


def test_bodies_of_signals_are_kept(tmp_path):
    rules = b"User-agent: *\nDisallow: /\n"
    coded = http_response(gzip_bytes(rules), "Content-Encoding: gzip")
    large = http_response(b"#" * (MAX_SIGNAL_BYTES + 5))
    envelopes = scan_warc(
        tmp_path,
        gzip_members(
            warc_record(http_response(rules), "https://a.kz/robots.txt"),
            warc_record(coded, "https://b.kz/robots.txt"),
            warc_record(large, "https://c.kz/robots.txt"),
            warc_record(http_response(b""), "https://d.kz/robots.txt", "revisit"),
            warc_record(http_response(b"{}"), "https://a.kz/.well-known/tdmrep.json"),
            PAGES[0],
            warc_record(http_response(b"x"), "https://a.kz/other/robots.txt"),
            warc_record(http_response(b"x"), "http://[/robots.txt"),
        ),
    )
    assert [e.signal for e in envelopes] == ["robots"] * 4 + ["tdmrep"] + [None] * 3
    assert [e.signal_body for e in envelopes[:2]] == [rules, rules]
    assert len(envelopes[2].signal_body or b"") == MAX_SIGNAL_BYTES
    assert envelopes[3].signal_body is None  # a revisit has no body


def test_a_scan_can_be_stopped(tmp_path):
    for content in (gzip_members(*PAGES), b"".join(PAGES), gzip_bytes(b"".join(PAGES))):
        envelopes = warc.scan(write_source(tmp_path / "a.warc", content))
        assert next(envelopes).uri == ALL[0]
        envelopes.close()  # type: ignore[attr-defined]


def test_content_is_returned_as_stored(tmp_path):
    stored = zlib.compress(b"<p>x</p>")
    source = write_source(
        tmp_path / "a.warc",
        gzip_members(warc_record(http_response(stored, "Content-Encoding: deflate"))),
    )
    (envelope,) = warc.scan(source)
    (body,) = warc.contents(source, [(envelope.offset, envelope.length)])
    assert isinstance(body, Content) and body.payload == stored
    assert ("Content-Encoding", "deflate") in body.headers
