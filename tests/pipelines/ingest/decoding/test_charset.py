"""From bytes to text: what is declared, what is there, and what stands when they differ."""

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


def done(found: DecodedText | None) -> DecodedText:
    assert found is not None
    return found


@pytest.mark.parametrize("text, charset", TABLE)
def test_undeclared(text, charset):
    assert done(decode((text * 2).encode(charset))).text == text * 2


@pytest.mark.parametrize("text, charset", [row for row in TABLE if row[1] != "utf-8-sig"])
def test_declared_rightly(text, charset):
    found = done(decode(text.encode(charset), f"text/html; charset={charset}"))
    assert found.text == text and found.declared is not None
    meta = f'<html><meta http-equiv="Content-Type" content="text/html; charset={charset}">'
    if not charset.startswith(("utf-16", "utf-32")):
        page = meta.encode() + text.encode(charset)
        assert done(decode(page, "text/html", html=True)).text == meta + text


@pytest.mark.parametrize("declared", ["windows-1251", "iso-8859-1", "koi8-r", "cp866", "gbk"])
@pytest.mark.parametrize("text", [RU, KK, TR])
def test_utf8_is_utf8_whatever_is_declared(text, declared):
    found = done(decode(text.encode(), f"text/html; charset={declared}"))
    assert (found.text, found.used) == (text, "utf-8") and found.declared


@pytest.mark.parametrize("text, charset", [(RU, "cp1251"), (RU, "koi8-r"), (KK, "kz1048")])
def test_utf8_is_declared_and_is_not_there(text, charset):
    found = done(decode(text.encode(charset), "text/html; charset=utf-8"))
    assert (found.text, found.declared) == (text, "utf-8")


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
def test_another_charset_is_declared_than_is_there(text, charset, declared):
    payload = b"<html><body><p>" + (text * 2).encode(charset) + b"</p></body></html>"
    found = done(decode(payload, f"text/html; charset={declared}", html=True))
    assert text in found.text and found.declared and found.overruled


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
def test_the_letters_betray_a_declaration(text, charset, declared):
    found = done(decode((text * 2).encode(charset), f"text/html; charset={declared}"))
    assert found.text == text * 2 and found.overruled and found.declared


@pytest.mark.parametrize("text, charset", [row for row in TABLE if row[1] != "utf-8-sig"])
def test_what_is_declared_rightly_is_not_overruled(text, charset):
    assert not done(decode(text.encode(charset), f"text/html; charset={charset}")).overruled


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
def test_other_regions_keep_what_they_declare(text, charset):
    found = done(decode(text.encode(charset), f"text/html; charset={charset}"))
    assert (found.text, found.overruled) == (text, False)
    if charset in ("cp932", "gbk", "euc_kr", "cp1253", "cp1255"):
        assert done(decode(text.encode(charset))).text == text


def test_an_xml_declaration_counts():
    page = '<?xml version="1.0" encoding="koi8-u"?><rss><title>' + UK[:30]
    found = done(decode(page.encode("koi8-u")))
    assert (found.text, found.declared) == (page, "koi8-u")


@pytest.mark.parametrize("charset", ["utf-16-le", "utf-16-be"])
def test_utf16_without_a_mark(charset):
    assert done(decode(RU.encode(charset))).text == RU


def test_a_torn_end_is_utf8_still():
    found = done(decode(KK.encode()[:-1] + "ғ".encode()[:1], "text/html; charset=windows-1251"))
    assert found.text.startswith(KK[:-1]) and found.used == "utf-8"


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
def test_names_that_are_no_charset_count_as_undeclared(name):
    found = done(decode(RU.encode("cp1251"), f"text/html; charset={name}"))
    assert (found.text, found.declared) == (RU, None)
    page = b'<meta charset="koi8-r">' + RU.encode("koi8-r")
    assert done(decode(page, f"text/html; charset={name}", html=True)).declared == "koi8-r"


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
def test_names_as_people_write_them(name):
    assert done(decode(RU.encode("cp1251"), f"text/html;charset={name}")).declared == "cp1251"


def test_the_header_stands_before_the_page():
    page = b'<meta charset="koi8-r">' + RU.encode("cp1251")
    found = done(decode(page, "text/html; charset=windows-1251", html=True))
    assert found.text.endswith(RU)
    assert done(decode(page, None, html=False)).declared is None


def test_a_page_cannot_call_itself_utf16_in_ascii():
    page = b'<meta charset="utf-16">' + RU.encode()
    assert done(decode(page, None, html=True)).text.endswith(RU)


@pytest.mark.parametrize(
    "mark, charset",
    [
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
        (codecs.BOM_UTF32_LE, "utf-32-le"),
    ],
)
def test_a_byte_order_mark_stands_before_what_is_declared(mark, charset):
    payload = mark + RU.encode(charset)
    assert done(decode(payload, "text/html; charset=windows-1251")).text == RU


def test_small_and_odd_bodies():
    assert done(decode(b"")).text == ""
    assert done(decode(b"\0")).text == "\0"
    assert done(decode(b"plain", "text/plain; charset=us-ascii")).text == "plain"
    assert done(decode(codecs.BOM_UTF8)).text == ""


def test_a_stray_byte_does_not_cost_the_page():
    payload = KK.encode() + b"\xff" + KK.encode()
    assert done(decode(payload, "text/html; charset=utf-8")).text.count("\ufffd") <= 3


@given(
    st.binary(max_size=400),
    st.one_of(
        st.none(),
        st.sampled_from(sorted(CHARSETS)).map("text/html; charset={}".format),
        st.text(max_size=30),
    ),
    st.booleans(),
)
def test_any_bytes_at_all(payload, content_type, html):
    found = decode(payload, content_type, html)
    assert found is None or isinstance(found.text, str)


def test_charsets_are_known_by_their_python_names():
    assert {codecs.lookup(name).name for name in CHARSETS} == CHARSETS
