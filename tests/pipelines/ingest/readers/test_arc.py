"""ARC: header lines, both versions, each packing; damage affects only the damaged record."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from backports import zstd
from helpers.compressed import gzip_bytes
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lineage import evidence
from pipelines.ingest.readers import arc
from pipelines.ingest.readers.records import ContainerSource, Envelope

VERSION = b"1 0 Crawl\nURL IP-address Archive-date Content-type Archive-length\n"
BODY = b"<p>The assembly met on Monday.</p>"
HTTP = b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n\r\n" + BODY


def record(
    uri: str,
    block: bytes = HTTP,
    length: str | None = None,
    kind: str = "text/html",
    more: str = "",
) -> bytes:
    size = len(block) if length is None else length
    return f"{uri} 10.0.0.1 20140216050221 {kind} {more}{size}\n".encode() + block + b"\n"


INFO = record("filedesc://a.arc", VERSION, kind="text/plain")
PAGES = [record(f"https://a.kz/{n}") for n in range(4)]
ALL = [f"https://a.kz/{n}" for n in range(4)]


def scan(folder: Path, content: bytes) -> list[Envelope]:
    """Return all envelopes, and check body and evidence of each readable one."""
    path = folder / "a.arc"
    path.write_bytes(content)
    source = ContainerSource(path, "a.arc", {}, 1 << 20)
    envelopes = list(arc.scan(source))
    good = [e for e in envelopes if not e.error]
    for envelope, body in zip(
        good, arc.contents(source, [(e.offset, e.length) for e in good]), strict=True
    ):
        digest = hashlib.sha256(body.payload or b"").hexdigest()
        assert digest == envelope.payload_sha256
        row = {k: getattr(envelope, k) for k in ("locator", "offset", "length", "payload_sha256")}
        assert evidence.check(row | {"container": "a.arc"}, folder).payload_matches
    return envelopes


def uris(envelopes: list[Envelope]) -> list[str | None]:
    return [e.uri for e in envelopes if not e.error]


@pytest.mark.parametrize(
    "pack",
    [
        lambda *r: b"".join(map(gzip_bytes, r)),
        lambda *r: b"".join(r),
        lambda *r: gzip_bytes(b"".join(r)),
        lambda *r: b"".join(map(zstd.compress, r)),
    ],
    ids=["members", "plain", "stream", "zstd"],
)
def test_packings(tmp_path, pack):
    envelopes = scan(tmp_path, pack(INFO, *PAGES))
    assert uris(envelopes) == ALL and len(envelopes) == 4
    assert {e.captured_at for e in envelopes} == {"2014-02-16T05:02:21Z"}
    assert {(e.http_status, e.media_type) for e in envelopes} == {(200, "text/html")}
    assert envelopes[0].payload_sha256 == hashlib.sha256(BODY).hexdigest()


def test_version_two_and_unusual_urls(tmp_path):
    odd = [
        "https://a.kz/with blanks in it",
        "https://a.kz/10.0.0.1 20140216050221 text/html",
        "https://a.kz/қазақ",
    ]
    envelopes = scan(tmp_path, INFO + b"".join(record(u) for u in odd))
    assert uris(envelopes) == odd
    second = record("https://a.kz/2", more="200 sha1:ABC - 135 a.arc ")
    kind = record("https://a.kz/3", kind="text/html; charset=utf-8")
    assert uris(scan(tmp_path, second + kind)) == ["https://a.kz/2", "https://a.kz/3"]


def test_records_without_http(tmp_path):
    envelopes = scan(tmp_path, record("dns:a.kz", b"20140216 a.kz 10.0.0.1", kind="text/dns"))
    assert (envelopes[0].uri, envelopes[0].media_type, envelopes[0].http_status) == (
        "dns:a.kz",
        "text/dns",
        None,
    )
    assert [e.error for e in scan(tmp_path, record("http://a.kz/", b"no status"))] == ["unreadable"]


@pytest.mark.parametrize("length", ["-1", "abc", "99999999", "3", "0"])
@pytest.mark.parametrize("zipped", [False, True])
def test_a_wrong_length_affects_only_its_record(tmp_path, length, zipped):
    parts = [INFO, *PAGES[:2], record("urn:liar", length=length), *PAGES[2:]]
    envelopes = scan(tmp_path, b"".join(map(gzip_bytes, parts) if zipped else parts))
    assert uris(envelopes) == ALL
    assert [(e.uri, e.error) for e in envelopes if e.error] == [("urn:liar", "unreadable")]


def test_robots_is_a_signal(tmp_path):
    (envelope,) = scan(tmp_path, record("https://a.kz/robots.txt"))
    assert (envelope.signal, envelope.signal_body) == ("robots", BODY)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.binary(max_size=200), st.sampled_from([b"", INFO, INFO + PAGES[0], gzip_bytes(INFO)]))
def test_any_bytes(tmp_path, content, before):
    for envelope in scan(tmp_path, before + content):
        assert envelope.error in (None, "unreadable", "too-large")
