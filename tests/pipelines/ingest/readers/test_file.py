"""Files that are one record each: text in any charset, HTML, office documents."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from helpers.commands import ROOT
from helpers.office_files import docx_paragraph, make_docx, make_epub, make_odt, make_pdf

from pipelines.ingest import text_extraction
from pipelines.ingest.readers.records import ContainerSource
from pipelines.ingest.readers.registry import FILES, FORMATS, reader

LETTER = "Құрметті әріптестер! Жиналыс дүйсенбі күні өтеді, барлығыңыз келіңіздер. " * 6
RUSSIAN = "Уважаемые коллеги! Собрание состоится в понедельник, приходите все вместе. " * 6

text = reader("text")


def write_source(path: Path, body: bytes, limit: int = 1 << 20) -> ContainerSource:
    path.write_bytes(body)
    return ContainerSource(path, "raw/letters/1.txt", {}, limit)


@pytest.mark.parametrize(
    "words, charset",
    [
        (LETTER, "utf-8"),
        (LETTER, "utf-8-sig"),
        (LETTER, "utf-16"),
        (LETTER, "utf-32"),
        (LETTER, "kz1048"),
        (RUSSIAN, "cp1251"),
        (RUSSIAN, "koi8-r"),
        (RUSSIAN, "cp866"),
        (RUSSIAN, "iso8859-5"),
    ],
)
def test_charsets(tmp_path, words, charset):
    source = write_source(tmp_path / "1.txt", words.encode(charset))
    (envelope,) = text.scan(source)
    assert (envelope.uri, envelope.locator, envelope.media_type) == (
        source.uri,
        "bytes",
        "text/plain",
    )
    assert envelope.length == source.path.stat().st_size
    assert envelope.payload_sha256 == hashlib.sha256(source.path.read_bytes()).hexdigest()
    (body,) = text.contents(source, [(0, envelope.length)])
    assert text_extraction.extract_document(body, 1 << 20).text == words.strip()


def test_empty_files_and_white_space(tmp_path):
    for body in (b"", b" \r\n\t\n", b"\xef\xbb\xbf", b"\0\0"):
        source = write_source(tmp_path / "1.txt", body)
        (envelope,) = text.scan(source)
        assert not envelope.error
        (read,) = text.contents(source, [(0, envelope.length)])
        assert text_extraction.extract_document(read, 100).text == ""


def test_a_file_that_is_too_large(tmp_path):
    assert [e.error for e in text.scan(write_source(tmp_path / "1.txt", b"x" * 11, 10))] == [
        "too-large"
    ]


def test_each_format_has_a_reader_and_is_allowed_in_params():
    schema = (ROOT / "schemas/params.schema.json").read_text()
    allowed = json.loads(schema)["$defs"]["input"]["properties"]["format"]["enum"]
    assert sorted(allowed) == sorted([*FORMATS, "auto"])
    for name in FORMATS:
        assert reader(name).scan and reader(name).contents


@pytest.mark.parametrize(
    "format, body",
    [
        ("html", "<html><title>Т</title><p>Сәлем, әлем!</p></html>".encode()),
        ("pdf", make_pdf([[(60, 700, "Привет, мир!")]])),
        ("docx", make_docx(docx_paragraph("Сәлем, әлем!"))),
        ("odt", make_odt("<text:p>Сәлем, әлем!</text:p>")),
        ("rtf", rb"{\rtf1\ansi\ansicpg1251 \'cf\'f0\'e8\'e2\'e5\'f2, \u1084?\u1080?\u1088?!}"),
        ("epub", make_epub(["<html><body><p>Сәлем, әлем!</p></body></html>"])),
    ],
)
def test_documents(tmp_path, format, body):
    source = write_source(tmp_path / "1", body)
    (envelope,) = reader(format).scan(source)
    assert (envelope.error, envelope.media_type) == (None, FILES[format])
    (read,) = reader(format).contents(source, [(0, envelope.length)])
    document = text_extraction.extract_document(read, 1 << 20)
    assert (document.text, document.error) in [("Сәлем, әлем!", None), ("Привет, мир!", None)]
