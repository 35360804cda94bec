"""WACZ: records of stored entries are read from the outer file, others from the unpacked entry."""

from __future__ import annotations

import gzip
import hashlib
import zipfile
from pathlib import Path

import pytest
from backports import zstd
from helpers.compressed import gzip_bytes
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lineage import evidence
from pipelines.ingest.readers import wacz
from pipelines.ingest.readers.records import ContainerSource, Cursor, Envelope


def record(number: int, body: bytes = b"<p>The assembly met.</p>") -> bytes:
    http = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n" + body
    head = (
        f"WARC/1.1\r\nWARC-Type: response\r\nWARC-Target-URI: https://a.kz/{number}\r\n"
        f"WARC-Date: 2026-10-01T00:00:00Z\r\nContent-Type: application/http\r\n"
        f"Content-Length: {len(http)}\r\n\r\n"
    )
    return head.encode() + http + b"\r\n\r\n"


def members(*numbers: int) -> bytes:
    return b"".join(gzip_bytes(record(n)) for n in numbers)


def scan(path: Path, **entries: tuple[bytes, int]) -> list[Envelope]:
    """Write a WACZ file with some entries, and return its verified envelopes."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("datapackage.json", "{}")
        for name, (content, method) in entries.items():
            archive.writestr(f"archive/{name}.warc.gz", content, method)
        archive.writestr("pages/pages.jsonl", "{}")
        archive.writestr("../archive.warc.gz", "not one of them")
    return scan_verified(path)


def scan_verified(path: Path) -> list[Envelope]:
    """Return all envelopes, and read and verify each readable record again."""
    source = ContainerSource(path, path.name, {}, 1 << 20, Cursor())
    envelopes = list(wacz.scan(source))
    good = [e for e in envelopes if not e.error]
    assert [e.offset for e in good] == sorted(e.offset for e in good)
    bodies = wacz.contents(source, [(e.offset, e.length) for e in good])
    for envelope, body in zip(good, bodies, strict=True):
        assert hashlib.sha256(body.payload or b"").hexdigest() == envelope.payload_sha256
        row = {k: getattr(envelope, k) for k in ("locator", "offset", "length", "payload_sha256")}
        assert evidence.check(row | {"container": path.name}, path.parent).payload_matches
    return envelopes


STORED, DEFLATED = zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED


@pytest.mark.parametrize(
    "content, method, locator",
    [
        (members(0, 1, 2), STORED, "member"),
        (record(0) + record(1) + record(2), STORED, "bytes"),
        (gzip_bytes(record(0) + record(1) + record(2)), STORED, "entry"),
        (zstd.compress(record(0) + record(1) + record(2)), STORED, "entry"),
        (members(0, 1, 2), DEFLATED, "entry"),
        (record(0) + record(1) + record(2), DEFLATED, "entry"),
    ],
)
def test_each_packing(tmp_path, content, method, locator):
    envelopes = scan(tmp_path / "a.wacz", data=(content, method))
    assert [e.uri for e in envelopes] == [f"https://a.kz/{n}" for n in range(3)]
    assert {(e.locator, e.error) for e in envelopes} == {(locator, None)}
    if locator == "member":
        raw = (tmp_path / "a.wacz").read_bytes()
        for number, e in enumerate(envelopes):
            assert gzip.decompress(raw[e.offset : e.offset + e.length]) == record(number)


def test_entries_of_all_packings_in_one_file(tmp_path):
    envelopes = scan(
        tmp_path / "a.wacz",
        a=(members(0, 1), STORED),
        b=(record(2) + record(3), STORED),
        c=(members(4, 5), DEFLATED),
        d=(members(6), DEFLATED),
    )
    assert [e.uri for e in envelopes] == [f"https://a.kz/{n}" for n in range(7)]


def test_damage(tmp_path):
    torn = members(0, 1)[:-30]
    envelopes = scan(
        tmp_path / "a.wacz", a=(torn, STORED), b=(torn, DEFLATED), c=(members(2), STORED)
    )
    # entries in place come first; of an unpacked one, the record and the stream have a row each
    assert [e.error for e in envelopes] == [
        None,
        "unreadable",
        None,
        None,
        "unreadable",
        "unreadable",
    ]
    for content in (b"PK\x03\x04", b"no zip", (tmp_path / "a.wacz").read_bytes()[:200]):
        (tmp_path / "b.wacz").write_bytes(content)
        assert [e.error for e in scan_verified(tmp_path / "b.wacz")] == ["unreadable"]
    assert [e.detail for e in scan(tmp_path / "c.wacz")] == ["no WARC file in it"]


def test_encrypted_entries_and_wrong_directories(tmp_path):
    scan(tmp_path / "a.wacz", a=(members(0), STORED))
    raw = bytearray((tmp_path / "a.wacz").read_bytes())
    at = raw.index(b"PK\x01\x02", raw.index(b"PK\x01\x02") + 4)
    raw[at + 8] |= 1
    (tmp_path / "b.wacz").write_bytes(raw)
    assert [e.detail for e in scan_verified(tmp_path / "b.wacz")] == ["the entry is encrypted"]
    raw[at + 8] ^= 1
    raw[at + 42 : at + 46] = b"\xff\xff\xff\x7f"
    (tmp_path / "b.wacz").write_bytes(raw)
    assert {e.error for e in scan_verified(tmp_path / "b.wacz")} == {"unreadable"}


def test_the_limit_of_a_bomb(tmp_path):
    bomb = gzip_bytes(record(0) + b"\0" * (300 << 20))
    envelopes = scan(tmp_path / "a.wacz", a=(bomb, DEFLATED), b=(members(1), STORED))
    assert "too-large" in {e.error for e in envelopes}
    assert [e.uri for e in envelopes if not e.error] == ["https://a.kz/1", "https://a.kz/0"]


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), max_size=6), st.integers(0, 40))
def test_a_damaged_zip_never_raises(tmp_path, edits, cut):
    path = tmp_path / "a.wacz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/a.warc.gz", members(0, 1), STORED)
        archive.writestr("archive/b.warc.gz", members(2), DEFLATED)
    raw = bytearray(path.read_bytes())
    for where, value in edits:
        raw[int(where * (len(raw) - 1))] = value
    path.write_bytes(raw[: len(raw) - cut])
    envelopes = list(wacz.scan(ContainerSource(path, path.name, {}, 1 << 20)))
    assert envelopes and {e.error for e in envelopes} <= {None, "unreadable", "too-large"}
