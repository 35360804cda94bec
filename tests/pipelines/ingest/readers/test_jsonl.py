"""JSON lines: every line that is not blank is a record, whatever is wrong with it."""

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


def source(
    path: Path, content: bytes, fields: dict[str, str] | None = None, limit: int = 1 << 20
) -> ContainerSource:
    path.write_bytes(content)
    return ContainerSource(path, "raw/a.jsonl", FIELDS if fields is None else fields, limit)


def row(number: int, **more: object) -> dict[str, object]:
    return {"id": f"urn:{number}", "body": f"Мәтін {number}", "date": "2026-01-01"} | more


def lines(*rows: object, end: str = "\n") -> bytes:
    return "".join(json.dumps(r, ensure_ascii=False) + end for r in rows).encode()


def scan(tmp_path: Path, content: bytes, **more: object) -> list[Envelope]:
    return list(jsonl.scan(source(tmp_path / "a.jsonl", content, **more)))  # type: ignore[arg-type]


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_offsets_cut_the_lines_out(tmp_path, zipped, end):
    plain = lines(*(row(n) for n in range(5)), end=end)
    one = source(tmp_path / "a", gzip_bytes(plain) if zipped else plain)
    found = list(jsonl.scan(one))
    for number, envelope in enumerate(found):
        cut = plain[envelope.offset : envelope.offset + envelope.length]
        assert json.loads(cut)["id"] == envelope.uri == f"urn:{number}"
        assert envelope.payload_sha256 == hashlib.sha256(f"Мәтін {number}".encode()).hexdigest()
        assert (envelope.locator, envelope.captured_at) == ("bytes", "2026-01-01")
    some = [(e.offset, e.length) for e in found[1::2]]
    assert [c.text for c in jsonl.contents(one, some)] == ["Мәтін 1", "Мәтін 3"]


def test_broken_lines_cost_themselves(tmp_path):
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
    found = scan(tmp_path, content)
    assert [e.uri for e in found if not e.error] == ["urn:0", "urn:1"]
    broken = [e for e in found if e.error]
    assert len(broken) == 9 and {e.error for e in broken} == {"unreadable"}
    assert broken[0].uri == "urn:broken"
    assert len({e.offset for e in found}) == len(found)


def test_last_line_without_an_end_and_a_byte_order_mark(tmp_path):
    found = scan(tmp_path, b"\xef\xbb\xbf" + lines(row(0), row(1)).rstrip())
    assert [(e.uri, e.error) for e in found] == [("urn:0", None), ("urn:1", None)]


def test_lone_surrogates_and_nul(tmp_path):
    content = (
        b'{"id": "urn:\\ud800", "body": "a \\udfff b", "date": "\\uD83D"}\n'
        b'{"id": "urn:1", "body": "a \\u0000 b", "note": "\\ud83d\\ude00"}\n'
        b'{"id": "urn:2", "body": "\\ud8'
    )
    one = source(tmp_path / "a", content)
    found = list(jsonl.scan(one))
    assert [e.error for e in found] == [None, None, "unreadable"]
    for envelope in found:  # all that goes into a table is Unicode
        assert (envelope.uri or "").encode() and (envelope.captured_at or "").encode() is not None
    texts = [c.text for c in jsonl.contents(one, [(e.offset, e.length) for e in found[:2]])]
    assert texts == ["a \udfff b", "a \0 b"]


@pytest.mark.parametrize("zipped", [False, True])
def test_a_line_that_is_too_long(tmp_path, zipped):
    content = lines(row(0), row(1, body="x" * 5000), row(2)) + lines(row(3, body="y" * 5000))[:-1]
    found = scan(tmp_path, gzip_bytes(content) if zipped else content, limit=1000)
    assert [(e.uri, e.error) for e in found] == [
        ("urn:0", None),
        ("urn:1", "too-large"),
        ("urn:2", None),
        ("urn:3", "too-large"),
    ]
    assert sum(e.length for e in found) == len(content)


def test_the_limit_itself_is_good(tmp_path):
    content = lines(row(0))
    for body in (content, content[:-1]):
        assert [e.error for e in scan(tmp_path, body, limit=len(content) - 1)] == [None]
    assert [e.error for e in scan(tmp_path, content, limit=len(content) - 2)] != [None]


@pytest.mark.parametrize("keep", [0.2, 0.6, 0.97])
def test_a_torn_gzip_tail(tmp_path, keep):
    noise = [hashlib.sha256(bytes([n])).hexdigest() * 40 for n in range(50)]
    whole = gzip_bytes(lines(*(row(n, body=b) for n, b in enumerate(noise))))
    one = source(tmp_path / "a", whole[: int(len(whole) * keep)])
    found = list(jsonl.scan(one))
    assert [e.error for e in found].count("unreadable") == 1 and found[-1].error
    good = [(e.offset, e.length) for e in found if not e.error]
    assert [c.text for c in jsonl.contents(one, good)] == noise[: len(good)]
    assert len(good) > 45 * keep - 10


def test_not_what_it_says(tmp_path):
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
    one = source(tmp_path / "a", lines(*rows))
    found = list(jsonl.scan(one))
    assert [e.error for e in found] == [None, None, "unreadable", "unreadable", None]
    assert [e.uri for e in found] == [None, "7", "u", "v", "{'a': 1}"]
    assert found[1].captured_at == "1767225600"
    empty = [(e.offset, e.length) for e in found if not e.error]
    assert [c.text for c in jsonl.contents(one, empty)] == ["", "", ""]


def test_dotted_paths(tmp_path):
    fields = {"uri": "meta.url", "text": "doc.body.text", "title": "doc.title"}
    rows = [
        {"meta": {"url": "urn:1"}, "doc": {"title": "T", "body": {"text": "x"}}},
        {"meta.url": "urn:2", "doc": {"body": "flat"}},
        {"meta": ["urn:3"], "doc": None},
    ]
    one = source(tmp_path / "a", lines(*rows), fields)
    found = list(jsonl.scan(one))
    assert [e.uri for e in found] == ["urn:1", "urn:2", None]
    bodies = list(jsonl.contents(one, [(e.offset, e.length) for e in found]))
    assert [(c.text, c.title) for c in bodies] == [("x", "T"), ("", None), ("", None)]


def test_bodies_of_a_file_that_changed(tmp_path):
    one = source(tmp_path / "a", lines(row(0), row(1)))
    wanted = [(e.offset, e.length) for e in jsonl.scan(one)]
    (tmp_path / "a").write_bytes(b"short")
    assert [c.error for c in jsonl.contents(one, wanted)] == ["unreadable"] * 2


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(st.one_of(st.binary(max_size=40), st.just(lines(row(1))[:-1])), max_size=6),
    st.booleans(),
    st.integers(5, 60),
)
def test_any_lines_at_all(tmp_path, parts, zipped, limit):
    content = b"\n".join(parts)
    if streams.compression(content[:4]):
        return
    found = scan(tmp_path, gzip_bytes(content) if zipped else content, limit=limit)
    whole = [part for part in content.split(b"\n") if part.strip()]
    # a blank line beyond the limit is too large, as any other
    assert len(found) == len(whole) or any(e.error == "too-large" for e in found)
    assert all(e.length <= limit + 1 for e in found if e.error != "too-large")
