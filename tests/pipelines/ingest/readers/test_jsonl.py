"""JSON lines: each line that is not blank is a record, also a damaged one."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from helpers.compressed import gzip_bytes
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lineage.storage import streams
from pipelines.ingest.readers import jsonl
from pipelines.ingest.readers.records import ContainerSource, Envelope

FIELDS = {"uri": "id", "text": "body", "captured_at": "date"}


def write_source(
    path: Path, content: bytes, fields: dict[str, str] | None = None, limit: int = 1 << 20
) -> ContainerSource:
    path.write_bytes(content)
    return ContainerSource(path, "raw/a.jsonl", FIELDS if fields is None else fields, limit)


def row(number: int, **more: object) -> dict[str, object]:
    return {"id": f"urn:{number}", "body": f"Мәтін {number}", "date": "2026-01-01"} | more


def lines(*rows: object, end: str = "\n") -> bytes:
    return "".join(json.dumps(r, ensure_ascii=False) + end for r in rows).encode()


def scan(tmp_path: Path, content: bytes, **more: object) -> list[Envelope]:
    return list(jsonl.scan(write_source(tmp_path / "a.jsonl", content, **more)))  # type: ignore[arg-type]


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_offsets_delimit_the_lines(tmp_path, zipped, end):
    plain = lines(*(row(n) for n in range(5)), end=end)
    source = write_source(tmp_path / "a", gzip_bytes(plain) if zipped else plain)
    envelopes = list(jsonl.scan(source))
    for number, envelope in enumerate(envelopes):
        cut = plain[envelope.offset : envelope.offset + envelope.length]
        assert json.loads(cut)["id"] == envelope.uri == f"urn:{number}"
        assert envelope.payload_sha256 == hashlib.sha256(f"Мәтін {number}".encode()).hexdigest()
        assert (envelope.locator, envelope.captured_at) == ("bytes", "2026-01-01")
    wanted = [(e.offset, e.length) for e in envelopes[1::2]]
    assert [c.text for c in jsonl.contents(source, wanted)] == ["Мәтін 1", "Мәтін 3"]


def test_broken_lines_affect_only_themselves(tmp_path):
    content = (
        lines(row(0))
        + b'{"id": "urn:broken", "body": "no closing\n'
        + b"\n \t \r\n"
        + b'["a list"]\n'
        + b'"text"\n'
        + b"12\n"
        + b"null\n"
        + b"\0\0\n"
        + b"\xff\xfe\n"
        + b"[" * 100_000
        + b"\n"
        + b'{"a":' * 5000
        + b"\n"
        + lines(row(1))
    )
    envelopes = scan(tmp_path, content)
    assert [e.uri for e in envelopes if not e.error] == ["urn:0", "urn:1"]
    broken = [e for e in envelopes if e.error]
    assert len(broken) == 9 and {e.error for e in broken} == {"unreadable"}
    assert broken[0].uri == "urn:broken"
    assert len({e.offset for e in envelopes}) == len(envelopes)


def test_last_line_without_an_end_and_a_byte_order_mark(tmp_path):
    envelopes = scan(tmp_path, b"\xef\xbb\xbf" + lines(row(0), row(1)).rstrip())
    assert [(e.uri, e.error) for e in envelopes] == [("urn:0", None), ("urn:1", None)]


def test_lone_surrogates_and_nul(tmp_path):
    content = (
        b'{"id": "urn:\\ud800", "body": "a \\udfff b", "date": "\\uD83D"}\n'
        b'{"id": "urn:1", "body": "a \\u0000 b", "note": "\\ud83d\\ude00"}\n'
        b'{"id": "urn:2", "body": "\\ud8'
    )
    source = write_source(tmp_path / "a", content)
    envelopes = list(jsonl.scan(source))
    assert [e.error for e in envelopes] == [None, None, "unreadable"]
    for envelope in envelopes:  # values of tables are valid Unicode
        assert (envelope.uri or "").encode() and (envelope.captured_at or "").encode() is not None
    texts = [c.text for c in jsonl.contents(source, [(e.offset, e.length) for e in envelopes[:2]])]
    assert texts == ["a \udfff b", "a \0 b"]


@pytest.mark.parametrize("zipped", [False, True])
def test_a_line_that_is_too_long(tmp_path, zipped):
    content = lines(row(0), row(1, body="x" * 5000), row(2)) + lines(row(3, body="y" * 5000))[:-1]
    envelopes = scan(tmp_path, gzip_bytes(content) if zipped else content, limit=1000)
    assert [(e.uri, e.error) for e in envelopes] == [
        ("urn:0", None),
        ("urn:1", "too-large"),
        ("urn:2", None),
        ("urn:3", "too-large"),
    ]
    assert sum(e.length for e in envelopes) == len(content)


def test_a_line_of_exactly_the_limit_is_read(tmp_path):
    content = lines(row(0))
    for body in (content, content[:-1]):
        assert [e.error for e in scan(tmp_path, body, limit=len(content) - 1)] == [None]
    assert [e.error for e in scan(tmp_path, content, limit=len(content) - 2)] != [None]


@pytest.mark.parametrize("keep", [0.2, 0.6, 0.97])
def test_a_truncated_gzip_file(tmp_path, keep):
    noise = [hashlib.sha256(bytes([n])).hexdigest() * 40 for n in range(50)]
    packed = gzip_bytes(lines(*(row(n, body=b) for n, b in enumerate(noise))))
    source = write_source(tmp_path / "a", packed[: int(len(packed) * keep)])
    envelopes = list(jsonl.scan(source))
    assert [e.error for e in envelopes].count("unreadable") == 1 and envelopes[-1].error
    good = [(e.offset, e.length) for e in envelopes if not e.error]
    assert [c.text for c in jsonl.contents(source, good)] == noise[: len(good)]
    assert len(good) > 45 * keep - 10


def test_files_that_are_not_jsonl(tmp_path):
    assert scan(tmp_path, b"") == []
    assert scan(tmp_path, gzip_bytes(b"")) == []
    assert [e.error for e in scan(tmp_path, b"\x1f\x8b" + b"\0" * 50)] == ["unreadable"]
    assert {e.error for e in scan(tmp_path, bytes(range(256)) * 4)} == {"unreadable"}


def test_fields_missing_and_of_other_types(tmp_path):
    rows = [
        {},
        {"id": 7, "body": None, "date": 1767225600},
        {"id": "u", "body": ["x"]},
        {"id": "v", "body": 3.5},
        {"id": {"a": 1}, "body": ""},
    ]
    source = write_source(tmp_path / "a", lines(*rows))
    envelopes = list(jsonl.scan(source))
    assert [e.error for e in envelopes] == [None, None, "unreadable", "unreadable", None]
    assert [e.uri for e in envelopes] == [None, "7", "u", "v", "{'a': 1}"]
    assert envelopes[1].captured_at == "1767225600"
    empty = [(e.offset, e.length) for e in envelopes if not e.error]
    assert [c.text for c in jsonl.contents(source, empty)] == ["", "", ""]


def test_dotted_paths(tmp_path):
    fields = {"uri": "meta.url", "text": "doc.body.text", "title": "doc.title"}
    rows = [
        {"meta": {"url": "urn:1"}, "doc": {"title": "T", "body": {"text": "x"}}},
        {"meta.url": "urn:2", "doc": {"body": "flat"}},
        {"meta": ["urn:3"], "doc": None},
    ]
    source = write_source(tmp_path / "a", lines(*rows), fields)
    envelopes = list(jsonl.scan(source))
    assert [e.uri for e in envelopes] == ["urn:1", "urn:2", None]
    bodies = list(jsonl.contents(source, [(e.offset, e.length) for e in envelopes]))
    assert [(c.text, c.title) for c in bodies] == [("x", "T"), ("", None), ("", None)]


def test_bodies_of_a_file_that_changed(tmp_path):
    source = write_source(tmp_path / "a", lines(row(0), row(1)))
    wanted = [(e.offset, e.length) for e in jsonl.scan(source)]
    (tmp_path / "a").write_bytes(b"short")
    assert [c.error for c in jsonl.contents(source, wanted)] == ["unreadable"] * 2


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(st.one_of(st.binary(max_size=40), st.just(lines(row(1))[:-1])), max_size=6),
    st.booleans(),
    st.integers(5, 60),
)
def test_any_lines(tmp_path, parts, zipped, limit):
    content = b"\n".join(parts)
    if streams.compression(content[:4]):
        return
    envelopes = scan(tmp_path, gzip_bytes(content) if zipped else content, limit=limit)
    lines_left = [part for part in content.split(b"\n") if part.strip()]
    # a blank line over the limit is too large, like any other
    assert len(envelopes) == len(lines_left) or any(e.error == "too-large" for e in envelopes)
    assert all(e.length <= limit + 1 for e in envelopes if e.error != "too-large")
