"""From the records of a WARC file to what its signals say of a page."""

from __future__ import annotations

import gzip
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from pipelines import ingest, scan
from pipelines.inventory import Container
from pipelines.signals import Capture, HostSignals, reservations
from schemas.register import Basis, Licence, Register, Source

SHUT = b"User-agent: *\nDisallow: /\n"
OPEN = b"User-agent: *\nAllow: /\n"
BARS = b"<rsl><content url='/'><license><prohibits type='usage'>all</prohibits></license></content></rsl>"


def record(
    uri: str,
    body: bytes,
    *http: str,
    at: str = "2026-10-01T00:00:00Z",
    kind: str = "response",
    fields: tuple[str, ...] = (),
) -> bytes:
    answer = "\r\n".join(["HTTP/1.1 200 OK", *http, "", ""]).encode() + body
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
    return gzip.compress("\r\n".join(head).encode() + answer + b"\r\n\r\n", mtime=0)


@pytest.fixture
def register() -> Register:
    basis = Basis("licence", "1", "e", None, None, (), ("pretraining",), date(2025, 1, 1), None)
    source = Source(
        "a", "t", "p", "c", "KZ", "web", ("kk",), "crawled", ("a.kz",), (), (),
        Licence("CC-BY-4.0"), basis, "honour", "scrub", None, "{}", "0" * 64, "1" * 64,
    )  # fmt: skip
    return Register({"a": source}, {}, (), "0" * 64)


def reasons(path: Path, register: Register, *records: bytes) -> list[str]:
    """The protocols that reserve https://a.kz/x, fetched in December."""
    (path / "a.warc.gz").write_bytes(b"".join(records))
    file = path / "a.warc.gz"
    one = Container("web", "warc", str(file), "raw/a", file.stat().st_size, "0" * 64, ())
    index = pl.from_arrow(scan.index(scan.Task("t", (one,)), 1 << 20))
    assert isinstance(index, pl.DataFrame)
    captures = ingest._captures(index)
    signals = HostSignals([Capture(**row) for row in captures.to_dicts()], ("*", "GPTBot"))
    return list(reservations(signals.observations("https://a.kz/x", "2026-12-01T00:00:00Z")))


ROBOTS = "https://a.kz/robots.txt"


def test_files_of_signals(tmp_path: Path, register: Register) -> None:
    assert reasons(tmp_path, register, record(ROBOTS, SHUT)) == ["robots"]
    assert reasons(tmp_path, register, record("https://a.kz/ai.txt", SHUT)) == ["ai-txt"]
    tdm = b'[{"location": "/", "tdm-reservation": 1}]'
    found = reasons(tmp_path, register, record("https://a.kz/.well-known/tdmrep.json", tdm))
    assert found == ["tdmrep"]
    assert reasons(tmp_path, register, record("https://b.kz/robots.txt", SHUT)) == []


def test_terms_on_a_host_that_nobody_governs(tmp_path: Path, register: Register) -> None:
    robots = record(ROBOTS, b"License: https://b.kz/l.xml\n")
    assert reasons(tmp_path, register, robots) == ["rsl"]
    terms = record("https://b.kz/l.xml", BARS.replace(b"prohibits", b"permits"))
    assert reasons(tmp_path, register, robots, terms) == []
    packed = record("https://b.kz/l.xml", gzip.compress(BARS), "Content-Encoding: gzip")
    assert reasons(tmp_path, register, robots, packed) == ["rsl"]


def test_revisits(tmp_path: Path, register: Register) -> None:
    def again(digest: str) -> bytes:
        fields = (f"WARC-Payload-Digest: {digest}",)
        return record(ROBOTS, b"", at="2026-11-01T00:00:00Z", kind="revisit", fields=fields)

    first = record(ROBOTS, SHUT, fields=("WARC-Payload-Digest: sha1:A",))
    second = record(
        ROBOTS, OPEN, at="2026-10-15T00:00:00Z", fields=("WARC-Payload-Digest: sha1:B",)
    )
    assert reasons(tmp_path, register, first, second) == []
    assert reasons(tmp_path, register, first, second, again("sha1:A")) == ["robots"]
    assert reasons(tmp_path, register, first, second, again("sha1:B")) == []
    assert reasons(tmp_path, register, again("sha1:A")) == ["robots"]  # not known: unanswered


def test_what_cannot_be_read_refuses(tmp_path: Path, register: Register) -> None:
    broken = record(ROBOTS, b"\x1f\x8bnothing", "Content-Encoding: gzip")
    assert reasons(tmp_path, register, broken) == ["robots"]
    utf16 = record(ROBOTS, SHUT.decode().encode("utf-16"))
    assert reasons(tmp_path, register, utf16) == ["robots"]
    large = record(ROBOTS, OPEN + b"#" * (600 << 10) + b"\nUser-agent: *\nDisallow: /\n")
    assert reasons(tmp_path, register, large) == []  # what stands beyond the limit is not read
