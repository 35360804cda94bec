"""PDF: paragraphs from lines, metadata, and files that must not crash a worker."""

from __future__ import annotations

import zlib

import pytest
from helpers.office_files import TDM, make_encrypted_pdf, make_pdf

from pipelines.ingest.extract.documents import pdf as reader
from pipelines.ingest.extract.documents import pdf_parser, xmp
from pipelines.ingest.extract.documents import registry as documents
from pipelines.ingest.extract.documents.document_text import DocumentText

LIMIT = 1 << 20
PDF = "application/pdf"


def read(payload: bytes, limit: int = LIMIT) -> DocumentText:
    return documents.extract_text(payload, PDF, limit)


def body(*lines: str, left: float = 60, top: float = 700) -> list[tuple[float, float, str]]:
    return [(left, top - 12 * n, line) for n, line in enumerate(lines)]


def test_lines_are_joined_to_paragraphs_and_hyphenated_words():
    document = read(
        make_pdf(
            [
                [
                    (90, 700, "Настоящий закон определяет правовые основы того, что госу-"),
                    (60, 688, "дарство обеспечивает каждому гражданину во всех регионах страны,"),
                    (60, 676, "и действует на всей территории."),
                    (90, 664, "Второй абзац начинается с отступа и занимает ровно две строки на"),
                    (60, 652, "странице этого документа."),
                    (60, 620, "1) пункт первый;"),
                    (60, 608, "2) пункт второй."),
                ]
            ]
        )
    )
    assert document.error is None and document.title == "A title"
    assert document.text.split("\n\n") == [
        "Настоящий закон определяет правовые основы того, что государство обеспечивает каждому "
        "гражданину во всех регионах страны, и действует на всей территории.",
        "Второй абзац начинается с отступа и занимает ровно две строки на странице этого документа.",
        "1) пункт первый;",
        "2) пункт второй.",
    ]


def test_running_heads_and_page_numbers_are_left_out():
    pages = [
        [
            (60, 780, f"Вестник закона, выпуск {n}"),
            (300, 20, f"- {n} -"),
            (60, 700, f"Статья {n}. О порядке"),
        ]
        for n in range(1, 6)
    ]
    document = read(make_pdf(pages)).text
    assert document.split("\n\n") == [f"Статья {n}. О порядке" for n in range(1, 6)]


def test_a_sentence_continues_on_the_next_page():
    document = read(make_pdf([body("Закон вступает в силу"), body("со дня опубликования.")]))
    assert document.text == "Закон вступает в силу со дня опубликования."


def test_without_a_text_layer():
    document = read(make_pdf([[], []]))
    assert (document.text, document.error) == ("", None)


def test_fonts_without_known_letters():
    mapped = make_pdf([body("Текст")]).replace(b"<80> <BF> <0410>", b"<80> <BF> <0001>")
    assert (read(mapped).text, read(mapped).error) == ("", "undecodable")


@pytest.mark.parametrize("deflated", [False, True])
@pytest.mark.parametrize(
    "inside",
    [
        'tdm:reservation="1" tdm:policy="https://a.kz/p.json"/>',
        "><tdm:reservation>1</tdm:reservation><tdm:policy>https://a.kz/p.json</tdm:policy>"
        "</rdf:Description>",
    ],
)
def test_reservations_in_xmp(deflated, inside):
    document = read(make_pdf([body("Текст")], TDM.format(inside).encode(), deflated))
    assert document.text == "Текст"
    assert document.metas == (("tdm:reservation", "1"), ("tdm:policy", "https://a.kz/p.json"))


def test_xmp_about_other_things_and_broken():
    assert xmp.pdf_metas(b"<x:xmpmeta xmlns:x='a'><a/></x:xmpmeta>") == ((), False)
    assert xmp.pdf_metas(b"<rdf:RDF tdm></rdf:RDF>") == ((), True)
    assert xmp.pdf_metas(b"<</Type /Metadata>>stream\r\n\x01\x02endstream") == ((), True)
    bomb = zlib.compress(b"<a>" * 5_000_000)
    assert xmp.pdf_metas(b"<</Type /Metadata>>stream\n" + bomb) == ((), False)


def test_encrypted():
    locked = read(make_encrypted_pdf(b"secret", -4))
    assert (locked.error, locked.detail) == ("unreadable", "encrypted")
    forbidden = read(make_encrypted_pdf(b"", -4 & ~0x10))
    assert forbidden.error == "unreadable" and "copying" in (forbidden.detail or "")
    assert read(make_encrypted_pdf(b"", -4)).error is None


@pytest.mark.parametrize("payload", [b"", b"%PDF-", b"%PDF-1.7\n" + b"\0" * 5000, b"GIF89a"])
def test_files_that_are_not_pdf(payload):
    assert read(payload).error == "unreadable"


def test_the_limit_of_text():
    assert read(make_pdf([body("x" * 90)] * 40), 3000).error == "too-large"


def test_a_parser_that_hangs_or_dies_is_replaced(monkeypatch):
    forms = b"".join(
        b"%d 0 obj <</Type /XObject /Subtype /Form /BBox [0 0 1 1] /Resources <</XObject <</X %d 0 R>>>>"
        b" /Length %d>>\nstream\n%s\nendstream endobj\n" % (n, n + 1, 6 * 60, b"/X Do " * 60)
        for n in range(100, 110)
    )
    bomb = make_pdf([[]], raw=b"/X Do").replace(b"/Font <<", b"/XObject <</X 100 0 R>> /Font <<")
    bomb = bomb.replace(b"xref\n", forms + b"xref\n", 1).replace(b"startxref", b"startnone")
    monkeypatch.setattr(reader, "TIMEOUT", 1.0)
    assert read(bomb).detail == "the PDF parser took more than 1 seconds"
    child = reader._PARSER._running()
    child.kill()
    child.wait()
    assert read(make_pdf([body("Дальше")])).text == "Дальше"


def test_an_inflating_content_stream_is_bounded():
    assert read(make_pdf([[]], raw=b" " * (32 << 20))).error in (None, "unreadable")


def test_requests_and_answers(tmp_path):
    import io
    import json

    good, bad = make_pdf([body("Слово")]), b"%PDF-broken"
    requests = b"".join(pdf_parser.FRAME.pack(len(p), LIMIT) + p for p in (good, bad))
    out = io.BytesIO()
    pdf_parser.serve(io.BytesIO(requests + b"torn"), out)
    out.seek(0)
    answers = []
    while head := out.read(pdf_parser.FRAME.size):
        answers.append(json.loads(out.read(pdf_parser.FRAME.unpack(head)[0])))
    assert answers[0]["text"] == "Слово" and answers[1]["error"] == "unreadable"
