"""The index of raw records: ids, tasks and units; each record once, also damaged ones."""

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


def write_container(
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


def index_rows(*containers: Container) -> pl.DataFrame:
    table = scan.build_index(scan.Task("t", containers), LIMIT)
    assert table.schema == scan.INDEX
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    return frame


def digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def make_container(number: int = 0) -> Container:
    return Container("web", "warc", f"/x/{number}", f"raw/{number}", 1, "c" * 64, ())


def test_ids():
    sound = Envelope("member", 7, 9, "urn:a", "f" * 64, "2026-01-01T00:00:00Z")
    assert scan.doc_id(sound, make_container()) == digest("urn:a", "2026-01-01T00:00:00Z", "f" * 64)
    assert scan.doc_id(sound, make_container()) == scan.doc_id(sound, make_container(1))
    parts = ("urn:a", "2026-01-01T00:00:00Z", "f" * 64, "c" * 64, "7")
    assert (
        scan.doc_id(sound, make_container(), 1)
        == scan.doc_id(sound, make_container(1), 1)
        == digest(*parts)
    )
    assert scan.doc_id(sound, make_container(), 2) == digest(*parts, "raw/0")
    assert scan.doc_id(sound, make_container(), 2) != scan.doc_id(sound, make_container(1), 2)


def test_ids_of_unreadable_records():
    broken = Envelope("member", 7, 9, error="unreadable")
    missing = Container("web", "warc", "/x", "raw/x", 0, None, ())
    assert scan.doc_id(broken, make_container()) == digest("", "", "", "c" * 64, "7")
    assert scan.doc_id(broken, missing) == digest("", "", "", "raw/x", "7")
    odd = Envelope("bytes", 0, 1, "urn:\ud800", "f" * 64, None)
    assert len(scan.doc_id(odd, make_container())) == 32


def test_missing_and_empty_files(tmp_path):
    containers = [write_container(tmp_path / f"no-{f}", None, f) for f in readers.FORMATS]
    containers += [write_container(tmp_path / f, b"", f) for f in readers.FORMATS]
    rows = index_rows(*containers)
    assert rows["container"].to_list() == list(range(len(containers)))
    assert rows["base_id"].n_unique() == len(containers)
    # an empty text file is a record without text
    expected = [None if c.format == "text" and c.sha256 else "unreadable" for c in containers]
    assert rows["error"].to_list() == expected
    assert rows["uri"].to_list() == [c.uri for c in containers]


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
    ("format", "number"),
    [(name, n) for name, contents in BARE.items() for n in range(len(contents))],
)
def test_a_file_without_records_is_one_row(tmp_path, format, number):
    rows = index_rows(write_container(tmp_path / "a", BARE[format][number], format))
    assert rows["error"].to_list() == ["unreadable"]


def test_files_of_another_format_than_their_name(tmp_path):
    noise = bytes(range(1, 256)) * 3
    rows = index_rows(*(write_container(tmp_path / f, noise, f) for f in readers.FORMATS))
    assert set(rows["container"]) == set(range(len(readers.FORMATS)))
    # a file that is one record is judged when it is read; any bytes are rows of a CSV file
    sound = rows.filter(pl.col("error").is_null())["container"].unique()
    assert {readers.FORMATS[n] for n in sound} - {"csv"} == {*readers.FILES}


def test_a_removed_file_and_a_reader_that_fails(tmp_path, monkeypatch):
    removed, present = write_container(tmp_path / "a", b"x"), write_container(tmp_path / "b", b"y")
    (tmp_path / "a").unlink()
    assert index_rows(removed, present)["error"].to_list() == ["unreadable", None]

    class Broken:
        def scan(self, _: object):
            yield Envelope("bytes", 3, 1, payload_sha256="f" * 64)
            raise RuntimeError("secret text")

    monkeypatch.setattr(scan, "reader", lambda _: Broken())
    rows = index_rows(present)
    assert rows["error"].to_list() == [None, "unreadable"] and rows["offset"].to_list() == [3, 4]
    assert rows["detail"].to_list() == [None, "RuntimeError"]


def test_any_value_can_be_written_to_the_index(tmp_path):
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
    rows = index_rows(
        write_container(tmp_path / "a", odd, "jsonl"),
        write_container(tmp_path / "b", gzip_bytes(warc + http + b"\r\n\r\n"), "warc"),
    )
    assert rows.height == 3 and rows["http_status"].to_list()[-1] == 999


def test_a_field_of_another_form_is_not_stored(tmp_path):
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
    rows = index_rows(
        write_container(tmp_path / "a", lines, "jsonl"),
        write_container(tmp_path / "b", warc + http + b"\r\n\r\n", "warc"),
    )
    times = [None, "1962-03-01", "9999-12-31T00:00:00Z", None]
    assert rows["captured_at"].to_list() == times and rows["error"].null_count() == 4
    assert rows["media_type"].to_list() == ["text/plain"] * 3 + [declared_fields.UNKNOWN_TYPE]
    assert rows["base_id"][0] == digest("urn:1", "", hashlib.sha256(b"a").hexdigest())


def test_an_index_is_built_in_batches(tmp_path, monkeypatch):
    monkeypatch.setattr(scan, "BATCH_ROWS", 3)
    lines = b"".join(b'{"uri": "urn:%d", "text": "x"}\n' % n for n in range(8))
    task = scan.Task("t", (write_container(tmp_path / "a", lines, "jsonl"),))
    batches = list(scan.index_batches(task, LIMIT))
    assert [b.num_rows for b in batches] == [3, 3, 2]
    assert scan.build_index(task, LIMIT)["uri"].to_pylist() == [f"urn:{n}" for n in range(8)]
    empty = scan.build_index(scan.Task("t", ()), LIMIT)
    assert empty.schema == scan.INDEX and not empty.num_rows


def test_a_stream_is_read_by_one_worker(tmp_path):
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
        task = scan.Task("t", (write_container(tmp_path / "a", content, format),))
        rows = pl.DataFrame(pl.from_arrow(scan.build_index(task, LIMIT)))
        assert scan.is_sequential(task, rows) is expected


def make_containers(*sizes: int, collection: str = "web", format: str = "text") -> list[Container]:
    return [
        Container(collection, format, f"/{n}", f"raw/{n:03}", size, f"{n:064}", ())
        for n, size in enumerate(sizes)
    ]


def test_small_neighbours_share_a_task():
    sized = make_containers(10, 10, 10, 100, 10, 10)
    assert [len(t.containers) for t in scan.plan_tasks(sized, 30)] == [3, 1, 2]
    mixed = [
        *make_containers(1, 1),
        *make_containers(1, collection="other"),
        *make_containers(1, format="jsonl"),
    ]
    assert [len(t.containers) for t in scan.plan_tasks(mixed, 30)] == [2, 1, 1]
    assert scan.plan_tasks([], 30) == []


@given(st.lists(st.integers(0, 50), max_size=20), st.integers(1, 60))
def test_tasks_hold_each_container_once(sizes, unit):
    sized = make_containers(*sizes)
    tasks = scan.plan_tasks(sized, unit)
    assert [c for t in tasks for c in t.containers] == sized
    assert len({t.key for t in tasks}) == len(tasks)
    assert tasks == scan.plan_tasks(sized, unit)
    assert all(len(t.containers) == 1 or sum(c.size for c in t.containers) <= unit for t in tasks)


ROWS = st.lists(
    st.tuples(st.sampled_from(["member", "bytes", "row"]), st.integers(0, 5000)), max_size=40
)


@given(ROWS, st.integers(1, 6000))
def test_units_cover_all_rows_once(index, unit):
    table = pa.table(
        {
            "locator": pa.array([x for x, _ in index], pa.string()),
            "length": pa.array([n for _, n in index], pa.int64()),
        }
    )
    ranges = scan.unit_ranges(table, unit)
    assert [row for start, stop in ranges for row in range(start, stop)] == list(range(len(index)))
    assert all(start < stop for start, stop in ranges)
    for start, stop in ranges:  # no unit is much larger than its size
        sizes = [2048 if x == "row" else n for x, n in index[start:stop]]
        assert sum(sizes[:-1]) <= unit


@pytest.mark.parametrize("level", [0, 1, 2])
def test_ids_are_hex(level):
    doc_id = scan.doc_id(Envelope("row", 0, 1), make_container(), level)
    assert len(doc_id) == 32 and set(doc_id) <= set("0123456789abcdef")
