"""Signal captures are collected from a WARC file, and observed for a page."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import polars as pl
import pytest
from helpers.compressed import gzip_bytes
from helpers.crawl_records import OPEN, SHUT, crawl_record

from pipelines.engine import batches, shards
from pipelines.engine.input_files import Container
from pipelines.ingest import crawl_signals, scan
from pipelines.ingest.signals.bodies import load_body
from pipelines.ingest.signals.hosts import HostSignals
from pipelines.ingest.signals.registry import reservations

BARS = b"<rsl><content url='/'><license><prohibits type='usage'>all</prohibits></license></content></rsl>"


def reasons(path: Path, *records: bytes) -> list[str]:
    """Return the protocols that reserve https://a.kz/x, fetched in December."""
    (path / "a.warc.gz").write_bytes(b"".join(records))
    file = path / "a.warc.gz"
    container = Container("web", "warc", str(file), "raw/a", file.stat().st_size, "0" * 64, ())
    task = scan.Task("t", (container,))
    shards.write_batches(path / "index", scan.INDEX, scan.index_batches(task, 1 << 20))
    rows = crawl_signals.collect_captures(path / "index", path / "bodies")
    captures = crawl_signals.to_captures(batches.record_batches(rows))
    targets = crawl_signals.redirect_targets(
        captures, [task], lambda _: pl.scan_parquet(path / "index"), 1 << 20, path / "redirected"
    )
    captures += crawl_signals.to_captures(batches.record_batches(targets))
    assert not any(capture.body for capture in captures)
    signals = HostSignals(captures, ("*", "GPTBot"))
    return list(reservations(signals.observations("https://a.kz/x", "2026-12-01T00:00:00Z")))


ROBOTS = "https://a.kz/robots.txt"


def test_files_of_signals(tmp_path: Path) -> None:
    assert reasons(tmp_path, crawl_record(ROBOTS, SHUT)) == ["robots"]
    assert reasons(tmp_path, crawl_record("https://a.kz/ai.txt", SHUT)) == ["ai-txt"]
    tdm = b'[{"location": "/", "tdm-reservation": 1}]'
    tdmrep = crawl_record("https://a.kz/.well-known/tdmrep.json", tdm)
    assert reasons(tmp_path, tdmrep) == ["tdmrep"]
    assert reasons(tmp_path, crawl_record("https://b.kz/robots.txt", SHUT)) == []


def test_terms_on_an_ungoverned_host(tmp_path: Path) -> None:
    robots = crawl_record(ROBOTS, b"License: https://b.kz/l.xml\n")
    assert reasons(tmp_path, robots) == ["rsl"]
    terms = crawl_record("https://b.kz/l.xml", BARS.replace(b"prohibits", b"permits"))
    assert reasons(tmp_path, robots, terms) == []
    packed = crawl_record("https://b.kz/l.xml", gzip_bytes(BARS), "Content-Encoding: gzip")
    assert reasons(tmp_path, robots, packed) == ["rsl"]


def test_revisits(tmp_path: Path) -> None:
    def again(digest: str) -> bytes:
        fields = (f"WARC-Payload-Digest: {digest}",)
        return crawl_record(ROBOTS, b"", at="2026-11-01T00:00:00Z", kind="revisit", fields=fields)

    first = crawl_record(ROBOTS, SHUT, fields=("WARC-Payload-Digest: sha1:A",))
    second = crawl_record(
        ROBOTS, OPEN, at="2026-10-15T00:00:00Z", fields=("WARC-Payload-Digest: sha1:B",)
    )
    assert reasons(tmp_path, first, second) == []
    assert reasons(tmp_path, first, second, again("sha1:A")) == ["robots"]
    assert reasons(tmp_path, first, second, again("sha1:B")) == []
    assert reasons(tmp_path, again("sha1:A")) == ["robots"]  # its content is unknown


def test_an_unreadable_capture_refuses(tmp_path: Path) -> None:
    broken = crawl_record(ROBOTS, b"\x1f\x8bnothing", "Content-Encoding: gzip")
    assert reasons(tmp_path, broken) == ["robots"]
    utf16 = crawl_record(ROBOTS, SHUT.decode().encode("utf-16"))
    assert reasons(tmp_path, utf16) == ["robots"]
    large = crawl_record(ROBOTS, OPEN + b"#" * (600 << 10) + b"\nUser-agent: *\nDisallow: /\n")
    assert reasons(tmp_path, large) == []  # lines beyond the limit are not read


# Redirects to records that are not signals themselves (RFC 9309, 2.3.1.2)


def redirect(uri: str, to: str) -> bytes:
    return crawl_record(uri, b"", f"Location: {to}", status=302)


def test_a_redirect_to_a_file_of_another_name(tmp_path: Path) -> None:
    for name in ("/robots.txt?v=1", "/ru/robots.php", "https://cdn.b.kz/a.kz.txt#top"):
        uri = name.partition("#")[0] if "://" in name else f"https://a.kz{name}"
        assert reasons(tmp_path, crawl_record(uri, SHUT)) == []
        assert reasons(tmp_path, crawl_record(uri, SHUT), redirect(ROBOTS, name)) == ["robots"]
        assert reasons(tmp_path, crawl_record(uri, OPEN), redirect(ROBOTS, name)) == []
        assert reasons(tmp_path, crawl_record(uri, b"", status=503), redirect(ROBOTS, name)) == [
            "robots"
        ]
        assert reasons(tmp_path, crawl_record(uri, b"", status=404), redirect(ROBOTS, name)) == []


@pytest.mark.parametrize(("hops", "followed"), [(1, True), (5, True), (6, False)])
def test_at_most_five_redirects_in_a_row_are_followed(
    tmp_path: Path, hops: int, followed: bool
) -> None:
    places = [ROBOTS, *(f"https://a.kz/{n}" for n in range(1, hops + 1))]
    chain = [redirect(first, second) for first, second in pairwise(places)]
    end = crawl_record(places[-1], SHUT)
    assert reasons(tmp_path, *chain, end) == (["robots"] if followed else [])
    assert reasons(tmp_path, *chain) == []


def test_redirects_in_a_circle_and_to_nowhere(tmp_path: Path) -> None:
    circle = (redirect(ROBOTS, "/1"), redirect("https://a.kz/1", "/robots.txt"))
    assert reasons(tmp_path, *circle) == []
    for nowhere in ("http://[", "", "mailto:x", "/none"):
        assert reasons(tmp_path, redirect(ROBOTS, nowhere)) == []


def test_a_redirect_target_does_not_bind_its_own_host(tmp_path: Path) -> None:
    rules = "https://a.kz/rules"
    assert (
        reasons(tmp_path, redirect("https://b.kz/robots.txt", rules), crawl_record(rules, SHUT))
        == []
    )


def test_an_unreadable_redirect_target_refuses(tmp_path: Path) -> None:
    broken = crawl_record("https://a.kz/rules", b"\x1f\x8bnothing", "Content-Encoding: gzip")
    assert reasons(tmp_path, redirect(ROBOTS, "/rules"), broken) == ["robots"]


# Bodies


def test_missing_bodies_refuse(tmp_path: Path) -> None:
    assert reasons(tmp_path, crawl_record(ROBOTS, OPEN)) == []
    index, bodies = tmp_path / "index", tmp_path / "bodies"
    captures = crawl_signals.to_captures(
        batches.record_batches(crawl_signals.collect_captures(index, bodies))
    )
    load_body.cache_clear()
    bodies.write_bytes(b"")
    signals = HostSignals(captures, ("*",))
    observations = signals.observations("https://a.kz/x", "2026-12-01T00:00:00Z")
    assert list(reservations(observations)) == ["robots"]


def test_equal_bodies_are_stored_once(tmp_path: Path) -> None:
    records = [crawl_record(f"https://{n}.kz/robots.txt", SHUT) for n in range(9)]
    reasons(tmp_path, *records, crawl_record("https://x.kz/robots.txt", OPEN))
    assert (tmp_path / "bodies").read_bytes() == SHUT + OPEN
