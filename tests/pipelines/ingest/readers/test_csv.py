"""CSV: a row is a record, whatever its charset, delimiter and quotes."""

from __future__ import annotations

import csv as standard
import io
from pathlib import Path

import pytest
from helpers.compressed import gzip_bytes
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.ingest.readers import csv
from pipelines.ingest.readers.records import ContainerSource, Content, Envelope

FIELDS = {"uri": "id", "text": "body", "title": "name", "captured_at": "date"}
ROWS = [
    ["1", "Бірінші, жол; бар", "2026-01-01", "а"],
    ["2", 'екі\nжолды "тырнақша" мәтін', "", ""],
    ["3", "үш\tнәрсе|таяқша", "2026-01-03", "в"],
]
RUSSIAN = "Уважаемые коллеги! Собрание состоится в понедельник, приходите все вместе. " * 6


def written(rows: list[list[str]], delimiter: str = ",", end: str = "\r\n") -> str:
    out = io.StringIO()
    standard.writer(out, delimiter=delimiter, lineterminator=end).writerows(
        [["id", "body", "date", "name"], *rows]
    )
    return out.getvalue()


def read(path: Path, body: bytes, limit: int = 1 << 20) -> tuple[list[Envelope], list[Content]]:
    path.write_bytes(body)
    source = ContainerSource(path, "raw/a.csv", FIELDS, limit)
    found = list(csv.scan(source))
    good = [(e.offset, e.length) for e in found if not e.error]
    return found, list(csv.contents(source, good))


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("charset", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "utf-32"])
def test_rows(tmp_path, delimiter, end, charset):
    text = written(ROWS, delimiter, end)
    body = ("\ufeff" + text if charset == "utf-16-be" else text).encode(charset)
    found, bodies = read(tmp_path / "a", body)
    assert [(e.uri, e.captured_at, e.error) for e in found] == [
        ("1", "2026-01-01", None),
        ("2", None, None),
        ("3", "2026-01-03", None),
    ]
    assert [(b.text, b.title) for b in bodies] == [(r[1], r[3] or None) for r in ROWS]
    assert found[-1].offset + found[-1].length == len(body)
    packed, again = read(tmp_path / "b", gzip_bytes(body))
    assert packed == found and again == bodies


@pytest.mark.parametrize("charset", ["cp1251", "koi8-r", "cp866"])
def test_old_charsets(tmp_path, charset):
    rows = [[str(n), RUSSIAN, "", ""] for n in range(3)]
    # the header alone is ASCII for longer than what is looked at first
    rows.insert(0, ["0", "x" * 70_000, "", ""])
    _, bodies = read(tmp_path / "a", written(rows, ";").encode(charset))
    assert [b.text for b in bodies[1:]] == [RUSSIAN] * 3


def test_the_delimiter_is_that_of_the_columns_named(tmp_path):
    body = b"id;body;date,a,b,c,d,e\n1;text;x,1,2,3,4,5\n"
    found, bodies = read(tmp_path / "a", body)
    assert [(e.uri, b.text) for e, b in zip(found, bodies, strict=True)] == [("1", "text")]


def test_a_quote_that_is_not_closed_costs_its_line(tmp_path):
    body = written(ROWS[:1]) + '9,"open\r\n' + written(ROWS[2:]).partition("\n")[2]
    found, _ = read(tmp_path / "a", body.encode())
    assert [(e.uri, e.error) for e in found] == [("1", None), (None, "unreadable"), ("3", None)]
    assert sum(e.length for e in found) == len(body.encode()) - len(b"id,body,date,name\r\n")


def test_quotes_without_end_end(tmp_path):
    body = written([]) + 'a,"x\r\n' * 1001
    found, _ = read(tmp_path / "a", body.encode())
    assert sum(e.length for e in found) == len(body.encode()) - len(b"id,body,date,name\r\n")


def test_rows_that_are_too_long(tmp_path):
    rows = [ROWS[0], ["2", "x" * 5000, "", ""], ["3", "y\n" * 3000, "", ""], ROWS[2]]
    body = written(rows).encode()
    found, _ = read(tmp_path / "a", body, 1000)
    assert (found[0].uri, found[1].error, found[-1].uri) == ("1", "too-large", "3")
    assert sum(e.length for e in found) == len(body) - len(b"id,body,date,name\r\n")


def test_short_rows_blank_ones_nul_and_stray_quotes(tmp_path):
    body = b'id,body\n1\n\n \n2,a\0b\n3,5" pipe\n4,a"b"c\n"5"x,y\n'
    found, bodies = read(tmp_path / "a", body)
    assert [e.error for e in found] == [None] * len(found)
    assert [b.text for b in bodies if b.text] == ["a\0b", '5" pipe', 'a"b"c', "y"]


def test_nothing_in_it(tmp_path):
    assert read(tmp_path / "a", b"id,body\n") == ([], [])
    assert [e.error for e in read(tmp_path / "b", gzip_bytes(b"x" * 999)[:20])[0]] == ["unreadable"]
    rows = written([["1", RUSSIAN, "", ""]] * 2000).encode()
    torn, bodies = read(tmp_path / "c", gzip_bytes(rows)[:-100])
    assert torn[-1].error == "unreadable" and all(b.text == RUSSIAN for b in bodies)


def test_a_file_that_changed(tmp_path):
    path = tmp_path / "a"
    found, _ = read(path, written(ROWS).encode())
    path.write_bytes(b"id,body\n1,x\n")
    source = ContainerSource(path, "a", FIELDS, 1000)
    bodies = csv.contents(source, [(e.offset, e.length) for e in found])
    assert [b.error for b in bodies] == ["unreadable"] * 3


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(
        st.sampled_from([b'"', b",", b"\n", b"\r", b"a", b"\xd0\xb0", b"\0", b"\xff"]), max_size=40
    )
)
def test_any_rows_at_all(tmp_path, parts):
    body = b"id,body\n" + b"".join(parts)
    found, bodies = read(tmp_path / "a", body, 30)
    assert sum(e.length for e in found) <= len(body) and not any(b.error for b in bodies)


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r"), min_size=1),
        min_size=1,
        max_size=5,
    )
)
def test_what_is_written_is_read(tmp_path, texts):
    body = written([[str(n), text, "", ""] for n, text in enumerate(texts)]).encode()
    found, bodies = read(tmp_path / "a", body)
    assert [b.text for b in bodies] == texts and [e.uri for e in found] == [
        *map(str, range(len(texts)))
    ]
