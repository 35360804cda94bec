"""No document raises: noise, truncated and flipped files of each format, and real ones."""

from __future__ import annotations

import pytest
from helpers.commands import SHARED
from helpers.office_files import TDM, docx_paragraph, make_docx, make_epub, make_odt, make_pdf
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.engine.decisions import is_known_reason
from pipelines.ingest import text_extraction
from pipelines.ingest.extract.documents import registry as documents
from pipelines.ingest.extract.documents.document_text import DocumentText
from pipelines.ingest.readers.records import ContainerSource
from pipelines.ingest.readers.registry import FILES, reader

LIMIT = 1 << 20
RTF = rb"{\rtf1\ansi\ansicpg1251{\fonttbl{\f0\fcharset204 A;}}\f0 \'cf\'f0\u1179 ?{\footnote x}\par y}"
RSS = (
    b"<?xml version='1.0'?><rss><channel><title>t</title><item><title>a</title><link>b</link>"
    b"<description>&lt;p>c&lt;/p></description></item></channel></rss>"
)
VALID = {
    "application/pdf": make_pdf(
        [[(60, 700, "text of it")]], TDM.format('tdm:reservation="1"/>').encode()
    ),
    FILES["docx"]: make_docx(docx_paragraph("text of it")),
    FILES["odt"]: make_odt("<text:p>text of it</text:p>"),
    FILES["epub"]: make_epub(["<html><body><p>text of it</p></body></html>"]),
    "text/rtf": RTF,
    "application/rss+xml": RSS,
}
HEADS = (
    b"",
    b"%PDF-1.4\n",
    b"PK\x03\x04",
    b"{\\rtf1",
    b"<rss>",
    b"<feed>",
    b"<?xml version='1.0'?>",
)
FOLDER = SHARED / "data/documents"
BY_NAME = {"txt": "text", "htm": "html", "tsv": "csv"}


def is_sound(document: DocumentText) -> bool:
    """Whether a document has a text within limits, or no text and a known reason."""
    if document.error and (document.text or not is_known_reason("damaged", document.error)):
        return False
    return len(document.text) <= 4 * LIMIT


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(VALID)), st.sampled_from(HEADS), st.binary(max_size=300))
def test_noise(media_type, head, noise):
    documents.sniff_media_type(head + noise)
    assert is_sound(documents.extract_text(head + noise, media_type, LIMIT))


@settings(max_examples=250, deadline=None)
@given(st.sampled_from(sorted(VALID)), st.data())
def test_truncated_and_flipped(media_type, data):
    payload = bytearray(VALID[media_type])
    places = st.integers(0, len(payload) - 1)
    for place in data.draw(st.lists(places, max_size=6)):
        payload[place] ^= 1 << data.draw(st.integers(0, 7))
    damaged = bytes(payload[: data.draw(st.one_of(st.just(len(payload)), places))])
    documents.sniff_media_type(damaged)
    assert is_sound(documents.extract_text(damaged, media_type, LIMIT))


def test_valid_documents_are_read():
    for media_type, payload in VALID.items():
        assert documents.extract_text(payload, media_type, LIMIT).text, media_type


@pytest.mark.skipif(not FOLDER.is_dir(), reason="no shared documents")
def test_every_real_file_has_one_outcome():
    damaged, read = {}, 0
    for path in sorted(p for p in FOLDER.rglob("*") if p.is_file()):
        stem = path.suffix[1:].lower()
        format = BY_NAME.get(stem, stem)
        source = ContainerSource(path, path.name, {"uri": "0", "text": "1"}, 1 << 26)
        if format in ("doc", "gz"):
            format = "docx" if format == "doc" else "text"
        envelopes = list(reader(format).scan(source))
        assert envelopes and (format == "csv" or len(envelopes) == 1), path.name
        bodies = list(reader(format).contents(source, [(e.offset, e.length) for e in envelopes]))
        assert len(bodies) == len(envelopes)
        for body in bodies:
            document = text_extraction.extract_document(body, 1 << 26)
            reason = document.error
            assert reason is None or (document.text == "" and is_known_reason("damaged", reason))
            if reason:
                damaged[path.name] = reason
            read += bool(document.text)
    assert read > 90
    assert damaged["broken.docx"] == damaged["broken.odt"] == "unreadable"
    assert damaged["english_doc.doc"] == "unsupported-media-type"
    assert damaged["fstek17.pdf"] == "undecodable"
    assert "ukrf.docx" not in damaged and "fstec_1_cut.pdf" not in damaged
