"""Parquet: each row is a record; unreadable rows are accounted for."""

from __future__ import annotations

import hashlib
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.ingest.readers import parquet
from pipelines.ingest.readers.records import ContainerSource, Content, Envelope

NAMES = {"uri": "identifier", "text": "content", "captured_at": "published"}


def write_source(
    path: Path,
    table: pa.Table,
    fields: dict[str, str] = NAMES,
    limit: int = 1 << 20,
    **options: Any,
) -> ContainerSource:
    pq.write_table(table, path, **options)
    return ContainerSource(path, "raw/a.parquet", fields, limit)


def table(texts: Any, **more: Any) -> pa.Table:
    number = len(texts)
    return pa.table(
        {
            "identifier": [f"urn:{n}" for n in range(number)],
            "content": texts,
            "published": ["2026-01-01"] * number,
            "other": [1] * number,
        }
        | more
    )


def read_source(source: ContainerSource) -> tuple[list[Envelope], list[Content]]:
    envelopes = list(parquet.scan(source))
    wanted = [(e.offset, e.length) for e in envelopes if not e.error]
    return envelopes, list(parquet.contents(source, wanted))


def test_rows(tmp_path):
    source = write_source(
        tmp_path / "a",
        table(["бір", None, "", "төрт"], title=["T", None, "", "U"]),
        row_group_size=3,
    )
    envelopes, bodies = read_source(source)
    assert [(e.locator, e.offset, e.length) for e in envelopes] == [("row", n, 1) for n in range(4)]
    assert [e.uri for e in envelopes] == [f"urn:{n}" for n in range(4)]
    assert envelopes[0].payload_sha256 == hashlib.sha256("бір".encode()).hexdigest()
    assert [b.text for b in bodies] == ["бір", "", "", "төрт"]
    assert [b.title for b in bodies] == ["T", None, "", "U"]
    selected = list(parquet.contents(source, [(1, 1), (3, 1)]))
    assert [b.text for b in selected] == ["", "төрт"]


@pytest.mark.parametrize(
    "kind",
    [
        pa.string(),
        pa.large_string(),
        pa.dictionary(pa.int32(), pa.string()),
        pa.binary(),
        pa.large_binary(),
        pa.string_view(),
    ],
    ids=str,
)
def test_types_of_text_columns(tmp_path, kind):
    texts = pa.array(["бір", "екі", "бір", None]).cast(kind)
    uris = pa.array(["urn:a", "urn:b", "urn:a", None]).cast(kind)
    envelopes, bodies = read_source(write_source(tmp_path / "a", table(texts, identifier=uris)))
    assert [b.text for b in bodies] == ["бір", "екі", "бір", ""]
    assert [e.uri for e in envelopes] == ["urn:a", "urn:b", "urn:a", None]


def test_strings_that_are_not_utf8(tmp_path):
    """Arrow does not check its strings: a column can hold any charset."""
    raw = "Ереже".encode("cp1251")
    bad = pa.Array.from_buffers(
        pa.string(),
        1,
        [
            None,
            pa.py_buffer((0).to_bytes(4, "little") + len(raw).to_bytes(4, "little")),
            pa.py_buffer(raw),
        ],
    )
    envelopes, bodies = read_source(write_source(tmp_path / "a", table(bad, identifier=bad)))
    assert envelopes[0].payload_sha256 == hashlib.sha256(raw).hexdigest() and not envelopes[0].error
    assert bodies[0].payload == raw and bodies[0].text is None


@pytest.mark.parametrize(
    "values, kind, expected",
    [
        (
            [datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)],
            pa.timestamp("us", "Asia/Almaty"),
            "2026-01-02T03:04:05Z",
        ),
        ([datetime(2026, 1, 2, 3, 4, 5)], pa.timestamp("ms"), "2026-01-02T03:04:05"),
        ([datetime(2026, 1, 2, 3, 4, 5, 600000)], pa.timestamp("us"), "2026-01-02T03:04:05.600000"),
        ([1_767_323_045_000_000_001], pa.timestamp("ns"), "2026-01-02T03:04:05.000000001"),
        ([date(2026, 1, 2)], pa.date32(), "2026-01-02"),
        ([20260102], pa.int64(), "20260102"),
    ],
)
def test_dates(tmp_path, values, kind, expected):
    dates = pa.array(values, kind)
    envelopes, _ = read_source(write_source(tmp_path / "a", table(["x"], published=dates)))
    assert envelopes[0].captured_at == expected


def test_a_year_beyond_the_range_of_python(tmp_path):
    dates = pa.array([2**62], pa.timestamp("ms"))
    envelopes, _ = read_source(write_source(tmp_path / "a", table(["x"], published=dates)))
    assert len(envelopes) == 1 and not envelopes[0].error


def test_missing_columns(tmp_path):
    envelopes, bodies = read_source(write_source(tmp_path / "a", pa.table({"other": [1, 2]})))
    assert [(e.uri, e.captured_at, e.error) for e in envelopes] == [(None, None, None)] * 2
    assert [b.text for b in bodies] == ["", ""]


@pytest.mark.parametrize("texts", [[1, 2], [[1], [2]], [{"a": "x"}, {"a": "y"}]])
def test_a_text_column_of_another_type(tmp_path, texts):
    envelopes, _ = read_source(write_source(tmp_path / "a", table(texts)))
    assert [e.error for e in envelopes] == ["unreadable"] * 2
    assert [e.uri for e in envelopes] == ["urn:0", "urn:1"]


def test_a_row_that_is_too_large(tmp_path):
    envelopes, bodies = read_source(
        write_source(tmp_path / "a", table(["x" * 50, "y" * 101, "z"]), limit=100)
    )
    assert [e.error for e in envelopes] == [None, "too-large", None]
    assert [b.text for b in bodies] == ["x" * 50, "z"]


def test_no_rows(tmp_path):
    assert read_source(write_source(tmp_path / "a", table(pa.array([], pa.string())))) == ([], [])


@pytest.mark.parametrize("content", [b"", b"PAR1", b"no Parquet at all", b"PAR1" + b"\0" * 9])
def test_not_a_parquet_file(tmp_path, content):
    (tmp_path / "a").write_bytes(content)
    envelopes = list(parquet.scan(ContainerSource(tmp_path / "a", "a", NAMES, 100)))
    assert [e.error for e in envelopes] == ["unreadable"]


def test_a_truncated_file_is_not_read(tmp_path):
    source = write_source(tmp_path / "a", table(["x"] * 1000))
    intact = source.path.read_bytes()
    for keep in (len(intact) - 1, len(intact) // 2, 10):
        source.path.write_bytes(intact[:keep])
        assert [e.error for e in parquet.scan(source)] == ["unreadable"]


def test_a_broken_row_group_affects_only_itself(tmp_path):
    texts = [hashlib.sha256(bytes([n % 256, n // 256])).hexdigest() for n in range(300)]
    source = write_source(
        tmp_path / "a", table(texts), row_group_size=100, compression="zstd", use_dictionary=False
    )
    raw = bytearray(source.path.read_bytes())
    column = pq.ParquetFile(source.path).metadata.row_group(1).column(1)
    start = column.data_page_offset
    raw[start : start + column.total_compressed_size] = b"\xff" * column.total_compressed_size
    source.path.write_bytes(raw)
    envelopes, bodies = read_source(source)
    good = [e for e in envelopes if not e.error]
    assert [e.offset for e in good] == [*range(100), *range(200, 300)]
    assert [(e.offset, e.length) for e in envelopes if e.error] == [(100, 100)]
    assert [b.text for b in bodies] == texts[:100] + texts[200:]
    selected = list(parquet.contents(source, [(5, 1), (150, 1), (250, 1)]))
    assert [b.error for b in selected] == [None, "unreadable", None]


def test_many_batches(tmp_path):
    number = parquet.BATCH_ROWS * 2 + 7
    envelopes, bodies = read_source(
        write_source(
            tmp_path / "a",
            table([str(n) for n in range(number)]),
            row_group_size=parquet.BATCH_ROWS + 3,
        )
    )
    assert [e.offset for e in envelopes] == [*range(number)]
    assert [b.text for b in bodies] == [str(n) for n in range(number)]


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=3))
def test_flipped_bytes_never_raise(tmp_path, flips):
    source = write_source(tmp_path / "a", table(["мәтін"] * 20), row_group_size=7)
    raw = bytearray(source.path.read_bytes())
    for where, value in flips:
        raw[min(int(where * len(raw)), len(raw) - 1)] = value
    source.path.write_bytes(raw)
    envelopes = list(parquet.scan(source))
    assert envelopes
    wanted = [(e.offset, e.length) for e in envelopes if not e.error]
    assert len(list(parquet.contents(source, wanted))) == len(wanted)


@pytest.mark.parametrize("kept", [0, 1, 5])
def test_bodies_of_a_file_that_changed(tmp_path, kept):
    source = write_source(tmp_path / "a", table(["мәтін"] * 9), row_group_size=4)
    wanted = [(e.offset, e.length) for e in parquet.scan(source)]
    write_source(source.path, table(["мәтін"] * kept), row_group_size=4)
    bodies = list(parquet.contents(source, wanted))
    assert [b.error for b in bodies] == [None] * kept + ["unreadable"] * (9 - kept)
    source.path.write_bytes(b"")
    assert {b.error for b in parquet.contents(source, wanted)} == {"unreadable"}
