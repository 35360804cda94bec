"""CSV: each row is a record, in any charset, with any delimiter and quotes."""

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


def to_csv(rows: list[list[str]], delimiter: str = ",", end: str = "\r\n") -> str:
    out = io.StringIO()
    standard.writer(out, delimiter=delimiter, lineterminator=end).writerows(
        [["id", "body", "date", "name"], *rows]
    )
    return out.getvalue()


def read_csv(path: Path, body: bytes, limit: int = 1 << 20) -> tuple[list[Envelope], list[Content]]:
    path.write_bytes(body)
    source = ContainerSource(path, "raw/a.csv", FIELDS, limit)
    envelopes = list(csv.scan(source))
    good = [(e.offset, e.length) for e in envelopes if not e.error]
    return envelopes, list(csv.contents(source, good))


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("charset", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "utf-32"])
def test_rows(tmp_path, delimiter, end, charset):
    text = to_csv(ROWS, delimiter, end)
    body = ("\ufeff" + text if charset == "utf-16-be" else text).encode(charset)
    envelopes, bodies = read_csv(tmp_path / "a", body)
    assert [(e.uri, e.captured_at, e.error) for e in envelopes] == [
        ("1", "2026-01-01", None),
        ("2", None, None),
        ("3", "2026-01-03", None),
    ]
    assert [(b.text, b.title) for b in bodies] == [(r[1], r[3] or None) for r in ROWS]
    assert envelopes[-1].offset + envelopes[-1].length == len(body)
    packed, again = read_csv(tmp_path / "b", gzip_bytes(body))
    assert packed == envelopes and again == bodies


@pytest.mark.parametrize("charset", ["cp1251", "koi8-r", "cp866"])
def test_old_charsets(tmp_path, charset):
    rows = [[str(n), RUSSIAN, "", ""] for n in range(3)]
    # the first 70 KB are ASCII, which is more than the sample
    rows.insert(0, ["0", "x" * 70_000, "", ""])
    _, bodies = read_csv(tmp_path / "a", to_csv(rows, ";").encode(charset))
    assert [b.text for b in bodies[1:]] == [RUSSIAN] * 3


def test_the_delimiter_gives_the_named_columns(tmp_path):
    body = b"id;body;date,a,b,c,d,e\n1;text;x,1,2,3,4,5\n"
    envelopes, bodies = read_csv(tmp_path / "a", body)
    assert [(e.uri, b.text) for e, b in zip(envelopes, bodies, strict=True)] == [("1", "text")]


def test_an_unclosed_quote_affects_only_its_line(tmp_path):
    body = to_csv(ROWS[:1]) + '9,"open\r\n' + to_csv(ROWS[2:]).partition("\n")[2]
    envelopes, _ = read_csv(tmp_path / "a", body.encode())
    assert [(e.uri, e.error) for e in envelopes] == [("1", None), (None, "unreadable"), ("3", None)]
    assert sum(e.length for e in envelopes) == len(body.encode()) - len(b"id,body,date,name\r\n")


def test_many_unclosed_quotes(tmp_path):
    body = to_csv([]) + 'a,"x\r\n' * 1001
    envelopes, _ = read_csv(tmp_path / "a", body.encode())
    assert sum(e.length for e in envelopes) == len(body.encode()) - len(b"id,body,date,name\r\n")


def test_rows_that_are_too_long(tmp_path):
    rows = [ROWS[0], ["2", "x" * 5000, "", ""], ["3", "y\n" * 3000, "", ""], ROWS[2]]
    body = to_csv(rows).encode()
    envelopes, _ = read_csv(tmp_path / "a", body, 1000)
    assert (envelopes[0].uri, envelopes[1].error, envelopes[-1].uri) == ("1", "too-large", "3")
    assert sum(e.length for e in envelopes) == len(body) - len(b"id,body,date,name\r\n")


def test_short_rows_blank_ones_nul_and_stray_quotes(tmp_path):
    body = b'id,body\n1\n\n \n2,a\0b\n3,5" pipe\n4,a"b"c\n"5"x,y\n'
    envelopes, bodies = read_csv(tmp_path / "a", body)
    assert [e.error for e in envelopes] == [None] * len(envelopes)
    assert [b.text for b in bodies if b.text] == ["a\0b", '5" pipe', 'a"b"c', "y"]


def test_files_without_rows(tmp_path):
    assert read_csv(tmp_path / "a", b"id,body\n") == ([], [])
    assert [e.error for e in read_csv(tmp_path / "b", gzip_bytes(b"x" * 999)[:20])[0]] == [
        "unreadable"
    ]
    rows = to_csv([["1", RUSSIAN, "", ""]] * 2000).encode()
    torn, bodies = read_csv(tmp_path / "c", gzip_bytes(rows)[:-100])
    assert torn[-1].error == "unreadable" and all(b.text == RUSSIAN for b in bodies)


def test_a_file_that_changed(tmp_path):
    path = tmp_path / "a"
    envelopes, _ = read_csv(path, to_csv(ROWS).encode())
    path.write_bytes(b"id,body\n1,x\n")
    source = ContainerSource(path, "a", FIELDS, 1000)
    bodies = csv.contents(source, [(e.offset, e.length) for e in envelopes])
    assert [b.error for b in bodies] == ["unreadable"] * 3


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(
        st.sampled_from([b'"', b",", b"\n", b"\r", b"a", b"\xd0\xb0", b"\0", b"\xff"]), max_size=40
    )
)
def test_any_rows(tmp_path, parts):
    body = b"id,body\n" + b"".join(parts)
    envelopes, bodies = read_csv(tmp_path / "a", body, 30)
    assert sum(e.length for e in envelopes) <= len(body) and not any(b.error for b in bodies)


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
def test_written_rows_are_read_back(tmp_path, texts):
    body = to_csv([[str(n), text, "", ""] for n, text in enumerate(texts)]).encode()
    envelopes, bodies = read_csv(tmp_path / "a", body)
    assert [b.text for b in bodies] == texts and [e.uri for e in envelopes] == [
        *map(str, range(len(texts)))
    ]
