"""DOCX, ODT, RTF and EPUB: which parts are text, and limits of unpacking."""

from __future__ import annotations

import zipfile

import pytest
from helpers.office_files import W, docx_paragraph, make_docx, make_epub, make_odt, make_zip

from pipelines.ingest.extract.documents import registry as documents
from pipelines.ingest.extract.documents.document_text import DocumentText

LIMIT = 1 << 20
WORD = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
ODT = "application/vnd.oasis.opendocument.text"
EPUB = "application/epub+zip"


def word(payload: bytes, limit: int = LIMIT) -> DocumentText:
    return documents.extract_text(payload, WORD, limit)


def rtf(payload: bytes) -> DocumentText:
    return documents.extract_text(payload, "text/rtf", LIMIT)


def test_docx_paragraphs_tables_and_notes():
    table = (
        "<w:tbl><w:tr><w:tc><w:p><w:r><w:t>Аты</w:t></w:r></w:p></w:tc>"
        "<w:tc><w:p><w:r><w:t>Жасы</w:t></w:r></w:p></w:tc></w:tr>"
        "<w:tr><w:tc><w:p><w:r><w:t>бір</w:t></w:r></w:p><w:p><w:r><w:t>екі</w:t></w:r></w:p></w:tc>"
        "<w:tc><w:p><w:r><w:t>7</w:t></w:r></w:p></w:tc></w:tr></w:tbl>"
    )
    notes = f'<w:footnotes xmlns:w="{W}"><w:footnote>{docx_paragraph("Ескерту.")}</w:footnote></w:footnotes>'
    document = word(
        make_docx(
            docx_paragraph("Бірінші ", "сөйлем.") + table + docx_paragraph("Соңы"), footnotes=notes
        )
    )
    assert document.text.split("\n\n") == [
        "Бірінші сөйлем.",
        "Аты\tЖасы",
        "бір",
        "екі",
        "7",
        "Соңы",
        "Ескерту.",
    ]
    assert (document.title, document.error) == ("Тақырып", None)


def test_docx_without_deleted_moved_hidden_text_and_comments():
    inner = (
        "<w:p><w:pPr><w:tabs><w:tab/></w:tabs></w:pPr>"
        "<w:r><w:t>бар</w:t><w:tab/><w:t>мәтін</w:t><w:br/><w:t>осы</w:t></w:r>"
        "<w:del><w:r><w:delText>жоқ</w:delText></w:r></w:del>"
        "<w:moveFrom><w:r><w:t>жоқ</w:t></w:r></w:moveFrom>"
        "<w:r><w:rPr><w:vanish/></w:rPr><w:t>жоқ</w:t></w:r>"
        "<w:r><w:instrText>жоқ</w:instrText></w:r>"
        "<w:ins><w:r><w:t>!</w:t></w:r></w:ins></w:p>"
    )
    comments = f'<w:comments xmlns:w="{W}">{docx_paragraph("жоқ")}</w:comments>'
    assert word(make_docx(inner, comments=comments, header1=comments)).text == "бар\tмәтін\nосы!"


def test_odt():
    body = (
        "<text:tracked-changes><text:p>жоқ</text:p></text:tracked-changes><text:h>Тақырып</text:h>"
        "<text:p>Бір<text:s/>екі<text:tab/>үш<text:note><text:note-citation>1</text:note-citation>"
        "<text:note-body><text:p>Ескерту.</text:p></text:note-body></text:note>.</text:p>\n"
        "<office:annotation><text:p>жоқ</text:p></office:annotation>"
        "<table:table><table:table-row><table:table-cell><text:p>а</text:p></table:table-cell>"
        "<table:table-cell><text:p>б</text:p></table:table-cell></table:table-row></table:table>"
    )
    document = documents.extract_text(make_odt(body), ODT, LIMIT)
    assert document.text.split("\n\n") == ["Тақырып", "Бір екі\tүш.", "а\tб", "Ескерту."]
    locked = make_odt(body, **{"META-INF/manifest.xml": "<m><encryption-data/></m>"})
    assert documents.extract_text(locked, ODT, LIMIT).detail == "encrypted"


@pytest.mark.parametrize(
    "source, expected",
    [
        (rb"{\rtf1\ansi\ansicpg1251 \'cf\'f0\'e8\par \'e2\'e5\'f2}", "При\n\nвет"),
        (rb"{\rtf1\ansi\ansicpg1252{\fonttbl{\f0\fcharset204 Arial;}}\f0 \'cf\'f0\'e8}", "При"),
        (rb"{\rtf1{\fonttbl{\f0\fcharset0 A;}{\f1\fcharset204 B;}}\f0 a{\f1\'e0}\'e0}", "aаà"),
        ("{\\rtf1\\ansi\\ansicpg1251 Привет}".encode("cp1251"), "Привет"),
        (rb"{\rtf1\uc1\u1179 ?\u1179?{\uc2\u601 \'3f?}x}", "ққəx"),
        (rb"{\rtf1\uc0\u1179\u-10179 \u-8704 .}", "қ😀."),
        (rb"{\rtf1\u-10179 ?}", "�"),
        (rb"{\rtf1 a\~b\_c\-d\{\}\\ \emdash\tab e\line f}", "a\u00a0b\u2011cd{}\\ —\te\nf"),
        (
            rb"{\rtf1{\header h}{\footer f}{\*\generator g;}{\pict 0102}{\info{\author x}}text}",
            "text",
        ),
        (rb"{\rtf1{\pict\bin5 }{}}}}text}", "text"),
        (rb"{\rtf1 a{\deleted b}{\v c}{\v0 d}{\v e\plain f}}", "adf"),
        (rb"{\rtf1 a{\footnote\pard b}c}", "ac\n\nb"),
        (rb"{\rtf1\trowd a\cell b\cell\row c}", "a\tb\t\n\nc"),
        (rb"{\rtf1{\field{\*\fldinst HYPERLINK x}{\fldrslt link}}}", "link"),
        (rb"{\rtf1{\fonttbl{\f3\fcharset2 Symbol;}}{\f3 \'b7}x}", "x"),
        (rb"{\rtf1 torn \u11", "torn \x0b"),
        (rb"{\rtf1 a}}}}b", "a"),
        (b"\xef\xbb\xbf{\\rtf1 a}", "a"),
    ],
)
def test_rtf(source, expected):
    document = rtf(source)
    assert (document.text, document.error) == (expected.strip(), None)


def test_rtf_title_and_depth():
    assert rtf(rb"{\rtf1\ansi\ansicpg1251{\info{\title \'cf}}x}").title == "П"
    assert rtf(b"{\\rtf1" + b"{" * 100_000).error == "unreadable"
    assert rtf(b"text").error == "unreadable"
    assert rtf(b"{\\rtf1 " + b"x" * LIMIT).error == "too-large"


def chapter(text: str) -> str:
    return f"<html><head><title>t</title></head><body><p>{text}</p></body></html>"


def test_epub():
    metadata = '<meta property="tdm:reservation">1</meta><meta name="cover" content="x"/>'
    document = documents.extract_text(
        make_epub([chapter("Бір."), chapter("Екі.")], metadata), EPUB, LIMIT
    )
    assert (document.text, document.title, document.error) == ("Бір.\n\nЕкі.", "Кітап", None)
    assert document.metas == (("tdm:reservation", "1"), ("cover", "x"))


def test_epub_encrypted_broken_and_with_wrong_paths():
    rights = '<e><EncryptionMethod Algorithm="{}"/><CipherReference URI="book/text/c0.xhtml"/></e>'
    locked = {"META-INF__encryption.xml": rights.format("urn:drm")}
    assert (
        documents.extract_text(make_epub([chapter("x")], **locked), EPUB, LIMIT).detail
        == "encrypted"
    )
    fonts = {"META-INF__encryption.xml": rights.format("http://www.idpf.org/2008/embedding")}
    assert documents.extract_text(make_epub([chapter("x")], **fonts), EPUB, LIMIT).text == "x"
    astray = make_epub([chapter("x")]).replace(b"text/c0", b"../../c")
    assert documents.extract_text(astray, EPUB, LIMIT).error == "unreadable"
    assert documents.extract_text(make_zip({"a": "b"}), EPUB, LIMIT).error == "unreadable"


LOL = (
    '<!DOCTYPE lolz [<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">'
    '<!ENTITY c SYSTEM "file:///etc/passwd">]>'
)


@pytest.mark.parametrize(
    "document, reason",
    [
        (LOL + "<a>&b;</a>", "unreadable"),
        ("<!DOCTYPE a [<!ENTITY % b SYSTEM 'http://a/b'>%b;]><a/>", "unreadable"),
        ("<a>" * 6000, "unreadable"),
        ("<a>" * 6000 + "</a>" * 6000, "unreadable"),
        ("<a", "unreadable"),
        ("<?xml version='1.0' encoding='ebcdic-nought'?><a/>", "unreadable"),
        ("", "unreadable"),
        ("<a>" + "x" * LIMIT + "</a>", "too-large"),
    ],
)
def test_harmful_xml(document, reason):
    assert word(make_zip({"word/document.xml": document})).error == reason
    assert documents.extract_text(make_zip({"content.xml": document}), ODT, LIMIT).error == reason


def test_bombs_and_path_traversal(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    bomb = make_docx(docx_paragraph("x" * 50_000_000))
    assert len(bomb) < LIMIT and word(bomb).error == "too-large"
    climbing = make_zip(
        {"../../evil": "x", "/etc/evil": "x", "word/document.xml": f"<w>{docx_paragraph('a')}</w>"}
    )
    assert word(climbing.replace(b"<w:", b"<")).error in (None, "unreadable")
    nested = make_docx(
        docx_paragraph("мәтін"), embedded=make_docx(docx_paragraph("жоқ")).decode("latin-1")
    )
    assert word(nested).text == "мәтін"
    assert list(tmp_path.iterdir()) == []
    many = make_zip({f"{n}": "" for n in range(20_100)})
    assert word(many).error == "unreadable"
    locked = bytearray(make_docx(docx_paragraph("x")))
    for magic, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = locked.find(magic)
        while at != -1:
            locked[at + place] |= 1
            at = locked.find(magic, at + 1)
    assert word(bytes(locked)).detail == "encrypted"


def test_old_office_is_unsupported():
    ole = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600
    for media_type in ("application/msword", WORD, ODT):
        assert documents.extract_text(ole, media_type, LIMIT).error == "unsupported-media-type"
    assert word(ole + "EncryptedPackage".encode("utf-16-le")).detail == "encrypted"


def test_an_uncompressed_zip_is_read():
    import io

    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        file.writestr("word/document2.xml", f'<w:d xmlns:w="{W}">{docx_paragraph("a")}</w:d>')
    assert documents.sniff_media_type(out.getvalue()) == WORD and word(out.getvalue()).text == "a"
