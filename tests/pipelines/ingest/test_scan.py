"""The index of raw records: ids, tasks and units; each record once, whatever is wrong."""

from __future__ import annotations

import codecs
import hashlib
import io
import zipfile
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from backports import zstd
from helpers.compressed import gzip_bytes
from hypothesis import given
from hypothesis import strategies as st

from pipelines.engine.input_files import Container
from pipelines.ingest import declared_fields, scan
from pipelines.ingest.readers import registry as readers
from pipelines.ingest.readers.records import Envelope

LIMIT = 1 << 20


def container(
    path: Path,
    content: bytes | None,
    format: str = "text",
    collection: str = "web",
    fields: tuple[tuple[str, str], ...] = (),
) -> Container:
    digest = None
    if content is not None:
        path.write_bytes(content)
        digest = hashlib.sha256(content).hexdigest()
    return Container(
        collection, format, str(path), f"raw/{path.name}", len(content or b""), digest, fields
    )


def index(*containers: Container) -> pl.DataFrame:
    table = scan.build_index(scan.Task("t", containers), LIMIT)
    assert table.schema == scan.INDEX
    found = pl.from_arrow(table)
    assert isinstance(found, pl.DataFrame)
    return found


def digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def held(number: int = 0) -> Container:
    return Container("web", "warc", f"/x/{number}", f"raw/{number}", 1, "c" * 64, ())


def test_ids():
    whole = Envelope("member", 7, 9, "urn:a", "f" * 64, "2026-01-01T00:00:00Z")
    assert scan.doc_id(whole, held()) == digest("urn:a", "2026-01-01T00:00:00Z", "f" * 64)
    assert scan.doc_id(whole, held()) == scan.doc_id(whole, held(1))
    parts = ("urn:a", "2026-01-01T00:00:00Z", "f" * 64, "c" * 64, "7")
    assert scan.doc_id(whole, held(), 1) == scan.doc_id(whole, held(1), 1) == digest(*parts)
    assert scan.doc_id(whole, held(), 2) == digest(*parts, "raw/0")
    assert scan.doc_id(whole, held(), 2) != scan.doc_id(whole, held(1), 2)


def test_ids_of_what_cannot_be_read():
    broken = Envelope("member", 7, 9, error="unreadable")
    missing = Container("web", "warc", "/x", "raw/x", 0, None, ())
    assert scan.doc_id(broken, held()) == digest("", "", "", "c" * 64, "7")
    assert scan.doc_id(broken, missing) == digest("", "", "", "raw/x", "7")
    odd = Envelope("bytes", 0, 1, "urn:\ud800", "f" * 64, None)
    assert len(scan.doc_id(odd, held())) == 32


def test_missing_and_empty_files(tmp_path):
    some = [container(tmp_path / f"no-{f}", None, f) for f in readers.FORMATS]
    some += [container(tmp_path / f, b"", f) for f in readers.FORMATS]
    found = index(*some)
    assert found["container"].to_list() == list(range(len(some)))
    assert found["base_id"].n_unique() == len(some)
    # an empty text is a document without text
    expected = [None if c.format == "text" and c.sha256 else "unreadable" for c in some]
    assert found["error"].to_list() == expected
    assert found["uri"].to_list() == [c.uri for c in some]


def warcinfo() -> bytes:
    return b"WARC/1.0\r\nWARC-Type: warcinfo\r\nContent-Length: 0\r\n\r\n\r\n\r\n"


def wacz(**entries: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in entries.items():
            archive.writestr(f"archive/{name}.warc", content)
    return out.getvalue()


def parquet(rows: int) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.table({"uri": ["urn:a"] * rows, "text": ["x"] * rows}), out)
    return out.getvalue()


BARE = {
    "jsonl": [b"\n", b" \r\n\t\n", codecs.BOM_UTF8, gzip_bytes(b""), gzip_bytes(b"\n \n")],
    "csv": [b"\n", b"\r\n\r\n", b"uri,text\n", b"uri,text", codecs.BOM_UTF8, gzip_bytes(b"")],
    "parquet": [b"\n", parquet(0)],
    "warc": [b"\r\n\r\n", warcinfo(), gzip_bytes(warcinfo()), gzip_bytes(b"")],
    "arc": [b"\n\n", b"filedesc://a 0.0.0.0 20140216050221 text/plain 4\n1 0\n\n"],
    "wacz": [b"\n", wacz(), wacz(a=b""), wacz(a=warcinfo()), wacz(a=warcinfo(), b=b"")],
    "feed": [b"\n", b"<rss/>", b"<rss><channel/></rss>"],
}


@pytest.mark.parametrize(
    ("format", "number"), [(name, n) for name, some in BARE.items() for n in range(len(some))]
)
def test_a_file_without_records_is_one_row(tmp_path, format, number):
    found = index(container(tmp_path / "a", BARE[format][number], format))
    assert found["error"].to_list() == ["unreadable"]


def test_files_that_are_not_what_they_are_called(tmp_path):
    noise = bytes(range(1, 256)) * 3
    found = index(*(container(tmp_path / f, noise, f) for f in readers.FORMATS))
    assert set(found["container"]) == set(range(len(readers.FORMATS)))
    # of a file that is a record more is known when it is read; any bytes are rows of some CSV
    sound = found.filter(pl.col("error").is_null())["container"].unique()
    assert {readers.FORMATS[n] for n in sound} - {"csv"} == {*readers.FILES}


def test_a_file_that_went_away_or_a_reader_that_fails(tmp_path, monkeypatch):
    gone, there = container(tmp_path / "a", b"x"), container(tmp_path / "b", b"y")
    (tmp_path / "a").unlink()
    assert index(gone, there)["error"].to_list() == ["unreadable", None]

    class Broken:
        def scan(self, _: object):
            yield Envelope("bytes", 3, 1, payload_sha256="f" * 64)
            raise RuntimeError("secret text")

    monkeypatch.setattr(scan, "reader", lambda _: Broken())
    found = index(there)
    assert found["error"].to_list() == [None, "unreadable"] and found["offset"].to_list() == [3, 4]
    assert found["detail"].to_list() == [None, "RuntimeError"]


def test_what_goes_into_the_index_can_be_written(tmp_path):
    odd = (
        b'{"uri": "\\ud800", "text": "\\ud800", "captured_at": "\\ud800"}\n'
        b'{"uri": "a\\u0000b", "text": "", "captured_at": 1e400}\n'
    )
    http = b"HTTP/1.1 999 \xff\r\nContent-Type: \xff\xfe/\x00\r\n\r\nx"
    warc = (
        b"WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: \xff\xfe\r\n"
        b"WARC-Date: \xed\xa0\x80\r\nContent-Type: application/http\r\n"
        b"Content-Length: %d\r\n\r\n" % len(http)
    )
    found = index(
        container(tmp_path / "a", odd, "jsonl"),
        container(tmp_path / "b", gzip_bytes(warc + http + b"\r\n\r\n"), "warc"),
    )
    assert found.height == 3 and found["http_status"].to_list()[-1] == 999


def test_a_field_that_holds_something_else_is_not_taken_over(tmp_path):
    lines = (
        b'{"uri": "urn:1", "text": "a", "captured_at": "Aliya Bekova"}\n'
        b'{"uri": "urn:2", "text": "a", "captured_at": "1962-03-01"}\n'
        b'{"uri": "urn:3", "text": "a", "captured_at": "9999-12-31T00:00:00Z"}\n'
    )
    http = b"HTTP/1.1 200 OK\r\nContent-Type: Aliya Bekova\r\n\r\nx"
    warc = (
        b"WARC/1.0\r\nWARC-Type: response\r\nWARC-Date: yesterday\r\n"
        b"Content-Type: application/http\r\nContent-Length: %d\r\n\r\n" % len(http)
    )
    found = index(
        container(tmp_path / "a", lines, "jsonl"),
        container(tmp_path / "b", warc + http + b"\r\n\r\n", "warc"),
    )
    times = [None, "1962-03-01", "9999-12-31T00:00:00Z", None]
    assert found["captured_at"].to_list() == times and found["error"].null_count() == 4
    assert found["media_type"].to_list() == ["text/plain"] * 3 + [declared_fields.UNKNOWN_TYPE]
    assert found["base_id"][0] == digest("urn:1", "", hashlib.sha256(b"a").hexdigest())


def test_an_index_is_made_batch_by_batch(tmp_path, monkeypatch):
    monkeypatch.setattr(scan, "BATCH_ROWS", 3)
    lines = b"".join(b'{"uri": "urn:%d", "text": "x"}\n' % n for n in range(8))
    task = scan.Task("t", (container(tmp_path / "a", lines, "jsonl"),))
    made = list(scan.index_batches(task, LIMIT))
    assert [b.num_rows for b in made] == [3, 3, 2]
    assert scan.build_index(task, LIMIT)["uri"].to_pylist() == [f"urn:{n}" for n in range(8)]
    empty = scan.build_index(scan.Task("t", ()), LIMIT)
    assert empty.schema == scan.INDEX and not empty.num_rows


def test_what_is_unpacked_from_its_front_is_read_in_one_go(tmp_path):
    line = b'{"uri": "urn:a", "text": "x"}\n'
    record = b"WARC/1.0\r\nWARC-Type: resource\r\nContent-Length: 1\r\n\r\nx\r\n\r\n"
    for content, format, expected in (
        (line, "jsonl", False),
        (gzip_bytes(line), "jsonl", True),
        (zstd.compress(line), "jsonl", True),
        (record, "warc", False),
        (gzip_bytes(record) * 2, "warc", False),
        (gzip_bytes(record * 2), "warc", True),
        (zstd.compress(record), "warc", True),
    ):
        task = scan.Task("t", (container(tmp_path / "a", content, format),))
        found = pl.DataFrame(pl.from_arrow(scan.build_index(task, LIMIT)))
        assert scan.is_sequential(task, found) is expected


def containers(*sizes: int, collection: str = "web", format: str = "text") -> list[Container]:
    return [
        Container(collection, format, f"/{n}", f"raw/{n:03}", size, f"{n:064}", ())
        for n, size in enumerate(sizes)
    ]


def test_small_neighbours_share_a_task():
    some = containers(10, 10, 10, 100, 10, 10)
    assert [len(t.containers) for t in scan.plan_tasks(some, 30)] == [3, 1, 2]
    mixed = containers(1, 1) + containers(1, collection="other") + containers(1, format="jsonl")
    assert [len(t.containers) for t in scan.plan_tasks(mixed, 30)] == [2, 1, 1]
    assert scan.plan_tasks([], 30) == []


@given(st.lists(st.integers(0, 50), max_size=20), st.integers(1, 60))
def test_tasks_hold_each_container_once(sizes, unit):
    some = containers(*sizes)
    dealt = scan.plan_tasks(some, unit)
    assert [c for t in dealt for c in t.containers] == some
    assert len({t.key for t in dealt}) == len(dealt)
    assert dealt == scan.plan_tasks(some, unit)
    assert all(len(t.containers) == 1 or sum(c.size for c in t.containers) <= unit for t in dealt)


ROWS = st.lists(
    st.tuples(st.sampled_from(["member", "bytes", "row"]), st.integers(0, 5000)), max_size=40
)


@given(ROWS, st.integers(1, 6000))
def test_units_cover_all_rows_once(rows, unit):
    table = pa.table(
        {
            "locator": pa.array([x for x, _ in rows], pa.string()),
            "length": pa.array([n for _, n in rows], pa.int64()),
        }
    )
    found = scan.unit_ranges(table, unit)
    assert [row for start, stop in found for row in range(start, stop)] == list(range(len(rows)))
    assert all(start < stop for start, stop in found)
    for start, stop in found:  # no unit goes far beyond its size
        sizes = [2048 if x == "row" else n for x, n in rows[start:stop]]
        assert sum(sizes[:-1]) <= unit


@pytest.mark.parametrize("level", [0, 1, 2])
def test_ids_are_hex(level):
    made = scan.doc_id(Envelope("row", 0, 1), held(), level)
    assert len(made) == 32 and set(made) <= set("0123456789abcdef")
