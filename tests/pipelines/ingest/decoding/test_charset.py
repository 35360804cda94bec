"""Charsets: declared ones, detected ones, and which one is used if they differ."""

from __future__ import annotations

import codecs

import pytest
from helpers.language_texts import AZ, BA, BE, ET, KK, KY, LT, LV, RO, RU, TG, TR, TT, UK
from hypothesis import given
from hypothesis import strategies as st

from pipelines.ingest.decoding.charset import CHARSETS, DecodedText, decode

TABLE = (
    [(RU, c) for c in ("cp1251", "koi8-r", "cp866", "iso8859-5", "mac-cyrillic", "cp855")]
    + [(UK, c) for c in ("cp1251", "koi8-u")]
    + [
        (BE, "cp1251"),
        (BE, "iso8859-5"),
        (KK, "kz1048"),
        (KK, "ptcp154"),
        (KY, "ptcp154"),
        (TT, "ptcp154"),
        (BA, "ptcp154"),
        (TG, "koi8-t"),
        (UK, "cp1125"),
        (UK.replace("ґ", "г"), "iso8859-5"),
        (AZ, "cp1254"),
        (RO, "cp1250"),
        (RO, "iso8859-2"),
        (LT, "iso8859-4"),
        (TR, "cp1254"),
        (TR, "iso8859-9"),
        (LT, "cp1257"),
        (LT, "iso8859-13"),
    ]
    + [(text, c) for text in (ET, LV) for c in ("cp1257", "iso8859-4", "iso8859-13")]
    + [(text.upper(), c) for text in (RU, UK) for c in ("cp1251", "koi8-u")]
    + [(text, c) for text in (RU, KK, TR) for c in ("utf-8", "utf-16", "utf-32", "utf-8-sig")]
)


def not_none(decoded: DecodedText | None) -> DecodedText:
    assert decoded is not None
    return decoded


@pytest.mark.parametrize("text, charset", TABLE)
def test_undeclared(text, charset):
    assert not_none(decode((text * 2).encode(charset))).text == text * 2


@pytest.mark.parametrize("text, charset", [row for row in TABLE if row[1] != "utf-8-sig"])
def test_correctly_declared(text, charset):
    decoded = not_none(decode(text.encode(charset), f"text/html; charset={charset}"))
    assert decoded.text == text and decoded.declared is not None
    meta = f'<html><meta http-equiv="Content-Type" content="text/html; charset={charset}">'
    if not charset.startswith(("utf-16", "utf-32")):
        page = meta.encode() + text.encode(charset)
        assert not_none(decode(page, "text/html", html=True)).text == meta + text


@pytest.mark.parametrize("declared", ["windows-1251", "iso-8859-1", "koi8-r", "cp866", "gbk"])
@pytest.mark.parametrize("text", [RU, KK, TR])
def test_utf8_is_utf8_whatever_is_declared(text, declared):
    decoded = not_none(decode(text.encode(), f"text/html; charset={declared}"))
    assert (decoded.text, decoded.used) == (text, "utf-8") and decoded.declared


@pytest.mark.parametrize("text, charset", [(RU, "cp1251"), (RU, "koi8-r"), (KK, "kz1048")])
def test_utf8_declared_for_other_bytes(text, charset):
    decoded = not_none(decode(text.encode(charset), "text/html; charset=utf-8"))
    assert (decoded.text, decoded.declared) == (text, "utf-8")


@pytest.mark.parametrize(
    "text, charset, declared",
    [
        (RU, "cp1251", "iso-8859-1"),
        (RU, "cp1251", "windows-1252"),
        (RU, "koi8-r", "windows-1251"),
        (RU, "cp1251", "koi8-r"),
        (RU, "cp866", "windows-1251"),
        (RU, "iso8859-5", "windows-1251"),
        (UK, "cp1251", "iso-8859-1"),
        (KK, "kz1048", "iso-8859-1"),
        (RU, "koi8-r", "cp866"),
        (RU, "mac-cyrillic", "koi8-r"),
        (BE, "cp1251", "iso-8859-9"),
    ],
)
def test_a_wrong_declaration_is_overruled(text, charset, declared):
    payload = b"<html><body><p>" + (text * 2).encode(charset) + b"</p></body></html>"
    decoded = not_none(decode(payload, f"text/html; charset={declared}", html=True))
    assert text in decoded.text and decoded.declared and decoded.overruled


@pytest.mark.parametrize(
    "text, charset, declared",
    [
        (UK, "koi8-u", "koi8-r"),
        (KK, "kz1048", "windows-1251"),
        (TT, "ptcp154", "windows-1251"),
        (TG, "koi8-t", "koi8-r"),
        (UK, "cp1125", "ibm866"),
        (TR, "cp1254", "iso-8859-1"),
        (LT, "cp1257", "windows-1252"),
        (RO, "cp1250", "iso-8859-1"),
        (RU, "cp1251", "gbk"),
        (RU, "cp1251", "windows-1256"),
    ],
)
def test_the_letters_overrule_a_similar_charset(text, charset, declared):
    decoded = not_none(decode((text * 2).encode(charset), f"text/html; charset={declared}"))
    assert decoded.text == text * 2 and decoded.overruled and decoded.declared


@pytest.mark.parametrize("text, charset", [row for row in TABLE if row[1] != "utf-8-sig"])
def test_a_correct_declaration_is_not_overruled(text, charset):
    assert not not_none(decode(text.encode(charset), f"text/html; charset={charset}")).overruled


@pytest.mark.parametrize(
    "text, charset",
    [
        ("図書館は来週の月曜日に再び開館します。新しい本を借りることができます。" * 5, "cp932"),
        ("图书馆将于下周一重新开放,届时读者可以借阅新到的书籍和杂志。" * 5, "gbk"),
        ("도서관은 다음 주 월요일에 다시 문을 엽니다. 새로 들어온 책도 있습니다. " * 5, "euc_kr"),
        ("Η βιβλιοθήκη θα ανοίξει ξανά την επόμενη Δευτέρα για τους αναγνώστες. " * 5, "cp1253"),
        ("הספרייה תיפתח מחדש ביום שני הבא והקוראים יוכלו לשאול ספרים חדשים. " * 5, "cp1255"),
        ("ستفتح المكتبة أبوابها من جديد يوم الاثنين القادم أمام جميع القراء. " * 5, "cp1256"),
        (
            "Knihovna bude příští pondělí opět otevřena, těšíme se na všechny čtenáře. " * 5,
            "cp1250",
        ),
        ("Bókasafnið opnar aftur á mánudaginn og það þykir okkur öllum gott. " * 5, "cp1252"),
    ],
)
def test_declarations_of_other_regions_are_kept(text, charset):
    decoded = not_none(decode(text.encode(charset), f"text/html; charset={charset}"))
    assert (decoded.text, decoded.overruled) == (text, False)
    if charset in ("cp932", "gbk", "euc_kr", "cp1253", "cp1255"):
        assert not_none(decode(text.encode(charset))).text == text


def test_an_xml_declaration_counts():
    page = '<?xml version="1.0" encoding="koi8-u"?><rss><title>' + UK[:30]
    decoded = not_none(decode(page.encode("koi8-u")))
    assert (decoded.text, decoded.declared) == (page, "koi8-u")


@pytest.mark.parametrize("charset", ["utf-16-le", "utf-16-be"])
def test_utf16_without_a_mark(charset):
    assert not_none(decode(RU.encode(charset))).text == RU


def test_a_truncated_end_is_still_utf8():
    decoded = not_none(
        decode(KK.encode()[:-1] + "ғ".encode()[:1], "text/html; charset=windows-1251")
    )
    assert decoded.text.startswith(KK[:-1]) and decoded.used == "utf-8"


@pytest.mark.parametrize(
    "name",
    [
        "no-such-charset",
        "x-user-defined",
        "idna",
        "punycode",
        "hex",
        "base64",
        "rot13",
        "unicode_escape",
        "raw_unicode_escape",
        "undefined",
        "utf-7",
        "mbcs",
        "zlib",
        "0",
        ".....",
    ],
)
def test_names_that_are_not_charsets_count_as_undeclared(name):
    decoded = not_none(decode(RU.encode("cp1251"), f"text/html; charset={name}"))
    assert (decoded.text, decoded.declared) == (RU, None)
    page = b'<meta charset="koi8-r">' + RU.encode("koi8-r")
    assert not_none(decode(page, f"text/html; charset={name}", html=True)).declared == "koi8-r"


@pytest.mark.parametrize(
    "name",
    [
        "Windows-1251",
        "win-1251",
        "CP1251",
        '"windows-1251"',
        "'windows-1251'",
        " windows-1251 ; x=y",
    ],
)
def test_spellings_of_charset_names(name):
    assert not_none(decode(RU.encode("cp1251"), f"text/html;charset={name}")).declared == "cp1251"


def test_the_header_comes_before_the_page():
    page = b'<meta charset="koi8-r">' + RU.encode("cp1251")
    decoded = not_none(decode(page, "text/html; charset=windows-1251", html=True))
    assert decoded.text.endswith(RU)
    assert not_none(decode(page, None, html=False)).declared is None


def test_a_page_cannot_call_itself_utf16_in_ascii():
    page = b'<meta charset="utf-16">' + RU.encode()
    assert not_none(decode(page, None, html=True)).text.endswith(RU)


@pytest.mark.parametrize(
    "mark, charset",
    [
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
        (codecs.BOM_UTF32_LE, "utf-32-le"),
    ],
)
def test_a_byte_order_mark_comes_before_declarations(mark, charset):
    payload = mark + RU.encode(charset)
    assert not_none(decode(payload, "text/html; charset=windows-1251")).text == RU


def test_small_and_odd_bodies():
    assert not_none(decode(b"")).text == ""
    assert not_none(decode(b"\0")).text == "\0"
    assert not_none(decode(b"plain", "text/plain; charset=us-ascii")).text == "plain"
    assert not_none(decode(codecs.BOM_UTF8)).text == ""


def test_a_stray_byte_does_not_make_a_page_unreadable():
    payload = KK.encode() + b"\xff" + KK.encode()
    assert not_none(decode(payload, "text/html; charset=utf-8")).text.count("\ufffd") <= 3


@given(
    st.binary(max_size=400),
    st.one_of(
        st.none(),
        st.sampled_from(sorted(CHARSETS)).map("text/html; charset={}".format),
        st.text(max_size=30),
    ),
    st.booleans(),
)
def test_any_bytes(payload, content_type, html):
    decoded = decode(payload, content_type, html)
    assert decoded is None or isinstance(decoded.text, str)


def test_charsets_have_their_python_names():
    assert {codecs.lookup(name).name for name in CHARSETS} == CHARSETS
