"""Checks of a record's bytes against its digest, for each format with several records a file."""

from __future__ import annotations

import codecs
import hashlib
import io
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from helpers.compressed import gzip_bytes

from lineage import evidence
from pipelines.engine.input_files import Container
from pipelines.ingest import scan

KAZAKH = "Ауылдағы жаңа кітапхана келесі дүйсенбіде ашылады."


def lines(*rows: bytes) -> bytes:
    return b"\n".join(rows) + b"\n"


def parquet(texts: pa.Array) -> bytes:
    out = io.BytesIO()
    uris = [f"urn:{n}" for n in range(len(texts))]
    pq.write_table(pa.table({"uri": uris, "text": texts}), out, row_group_size=2)
    return out.getvalue()


def arc(body: bytes) -> bytes:
    http = b"HTTP/1.1 200 OK\r\n\r\n" + body
    return b"http://a.kz/1 0.0.0.0 20140216050221 text/html %d\n%s\n" % (len(http), http)


TABLES: dict[str, tuple[str, bytes]] = {
    "plain": ("jsonl", lines(b'{"uri": "urn:1", "text": "a"}', b'{"uri": "urn:2", "text": "b"}')),
    "mark": ("jsonl", codecs.BOM_UTF8 + lines(b'{"uri": "urn:1", "text": "a"}')),
    "blanks": ("jsonl", b"\n \n" + lines(b' \t{"uri": "urn:1", "text": "a"}')),
    "no-text": ("jsonl", lines(b'{"uri": "urn:1"}', b'{"uri": "urn:2", "text": null}')),
    "empty-text": ("jsonl", lines(b'{"uri": "urn:1", "text": ""}')),
    "nested": ("jsonl", lines(b'{"uri": "urn:1", "text": {"body": "a"}}')),
    "surrogate": ("jsonl", lines(b'{"uri": "urn:1", "text": "a\\ud800"}')),
    "packed": ("jsonl", gzip_bytes(lines(b'{"uri": "urn:1", "text": "a"}', b'{"uri": "urn:2"}'))),
    "strings": ("parquet", parquet(pa.array(["a", None, "", "d"]))),
    "binary": ("parquet", parquet(pa.array([b"a", None, b"\xff\xfe", b"d"]))),
    "dictionary": ("parquet", parquet(pa.array(["a", None, "a"]).dictionary_encode())),
    "null": ("parquet", parquet(pa.nulls(3))),
    "csv": ("csv", lines(b"uri;text", b'urn:1;"a; ""b"" 12"', b"http://a.kz/1;page 12", b"urn:3;")),
    "cp1251": ("csv", lines(b"uri,text", *[f"urn:1,{KAZAKH}".encode("kz1048")] * 5)),
    "utf-16": ("csv", f"uri,text\nurn:1,{KAZAKH}\n".encode("utf-16")),
    "feed": ("feed", b"<rss><channel><item><title>t</title><description>a</description></item>"
             b"<item><title>u</title><description>b</description></item></channel></rss>"),
    "text": ("text", b"http://a.kz/: a note of 12\nand more"),
    "arc": ("arc", arc(b"<p>a</p>")),
}  # fmt: skip


def records(path: Path, name: str) -> list[dict[str, Any]]:
    format, content = TABLES[name]
    fields = (("text", "text.body"),) if name == "nested" else ()
    path.write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    one = Container("web", format, str(path), path.name, len(content), digest, fields)
    rows = scan.build_index(scan.Task("t", (one,)), 1 << 20).to_pylist()
    assert rows and not any(row["error"] for row in rows)
    return [row | {"container": path.name, "container_sha256": digest} for row in rows]


@pytest.mark.parametrize("name", TABLES)
def test_unchanged_records_match(tmp_path: Path, name: str) -> None:
    for record in records(tmp_path / "a", name):
        found = evidence.check(record, tmp_path)
        assert found.found and found.payload_matches is True and found.note is None


@pytest.mark.parametrize("name", ["plain", "mark", "blanks", "csv", "text", "arc", "surrogate"])
def test_changed_records_do_not_match(tmp_path: Path, name: str) -> None:
    some = records(tmp_path / "a", name)
    changed = TABLES[name][1].replace(b"a", b"e")
    (tmp_path / "a").write_bytes(changed)
    assert evidence.check(some[0], tmp_path).payload_matches is False


def test_rows_that_stayed_match_in_a_file_that_grew(tmp_path: Path) -> None:
    for name in ("plain", "csv"):
        some = records(tmp_path / "a", name)
        with (tmp_path / "a").open("ab") as file:
            file.write(b"{}\n")
        matches = [evidence.check(record, tmp_path).payload_matches for record in some]
        assert matches == [True, True] if name == "plain" else [True, True, None]
    some = records(tmp_path / "a", "strings")
    (tmp_path / "a").write_bytes(parquet(pa.array(["a", "b", "", "e"])))
    matches = [evidence.check(record, tmp_path).payload_matches for record in some]
    assert matches == [True, None, None, False]


@pytest.mark.parametrize("name", ["no-text", "feed", "null"])
def test_an_undecidable_record_has_a_note(tmp_path: Path, name: str) -> None:
    some = records(tmp_path / "a", name)
    content = TABLES[name][1]
    (tmp_path / "a").write_bytes(
        parquet(pa.nulls(4)) if name == "null" else content.replace(b"urn:2", b"urn:3") + b" "
    )
    found = evidence.check(some[0], tmp_path)
    assert found.payload_matches is None and "changed" in str(found.note)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    some = records(tmp_path / "a", "strings")
    (tmp_path / "a").write_bytes(b"no Parquet")
    assert "cannot be read" in str(evidence.check(some[0], tmp_path).note)
    (tmp_path / "a").unlink()
    assert not evidence.check(some[0], tmp_path).found


def test_deep_nesting_causes_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b'{"a":' * 100_000)
    row = {
        "container": "a", "locator": "bytes", "offset": 0, "length": 500_000,
        "payload_sha256": "0" * 64, "container_sha256": "1" * 64,
    }  # fmt: skip
    assert evidence.check(row, tmp_path).payload_matches is False
    json.dumps(evidence.check(row, tmp_path).as_json())
