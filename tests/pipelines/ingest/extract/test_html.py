"""Main text, paragraphs and declarations of a page; hostile markup neither hangs nor raises."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.ingest.extract import html
from pipelines.ingest.extract.html import MAX_JSONLD, extract, tidy

PARAGRAPHS = [
    "The river commission met in the town hall on Tuesday and heard three reports on the floods.",
    "Engineers proposed to raise the northern dike by half a metre before the snow melts in April.",
    "Residents asked who would pay for the works, and the chairman promised an answer in writing.",
    "The next meeting is planned for the first week of May, again in the large hall at noon.",
]
NAV = "<nav><ul><li><a href='/'>Home</a></li><li><a href='/n'>Newsroom</a></li></ul></nav>"
FOOTER = "<footer><p>Copyright by the Gazette. All rights reserved.</p></footer>"
BODY = "".join(f"<p>{p}</p>" for p in PARAGRAPHS)
LAYOUTS = {
    "article": f"<body>{NAV}<article><h1>Floods</h1>{BODY}</article>{FOOTER}</body>",
    "main": f"<body><header>{NAV}</header><main>{BODY}</main>{FOOTER}</body>",
    "divs": f"<body><div id='wrap'>{NAV}<div class='content'>{BODY}</div>{FOOTER}</div></body>",
    "table": f"<body>{NAV}<table><tr><td>{BODY}</td></tr></table>{FOOTER}</body>",
    "bare": f"{NAV}{BODY}{FOOTER}",
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_navigation_and_footer_are_dropped_and_paragraphs_kept(layout):
    text = extract(f"<html>{LAYOUTS[layout]}</html>").text
    assert "Newsroom" not in text and "Copyright" not in text
    assert [p for p in text.split("\n\n") if p != "Floods"] == PARAGRAPHS


def test_declarations_of_the_head():
    page = extract("""<head><title> A &amp; B </title><META NAME="Robots" CONTENT="noai">
        <meta property="og:type" content="article"><meta charset="utf-8"><meta name="empty">
        <link rel="license" href="https://e.org/by"></head><body><p>Text.</p>
        <a rel="nofollow License" href="/terms">terms</a><a rel="license">none</a></body>""")
    assert page.title == "A & B"
    assert page.metas == (("robots", "noai"), ("og:type", "article"), ("empty", ""))
    assert ("license", "https://e.org/by") in page.links
    assert len(page.links) >= 2


def test_json_ld_is_returned_and_cut():
    page = extract(
        '<script type="application/ld+json">{"license": "https://e.org/by"}</script><script>no'
        f'</script><script type="Application/LD+JSON">{"x" * (MAX_JSONLD + 1)}</script>{BODY}'
    )
    assert page.jsonld == ('{"license": "https://e.org/by"}', "x" * MAX_JSONLD)
    assert "license" not in page.text


def test_another_extractor():
    pytest.importorskip("trafilatura")
    page = extract(f"<html><title>T</title>{LAYOUTS['article']}</html>", "trafilatura")
    assert page.title == "T" and page.text.split("\n\n")[-4:] == PARAGRAPHS


def test_an_unknown_extractor():
    with pytest.raises(ValueError, match="extractor lynx: unknown; allowed are"):
        extract("<p>a</p>", "lynx")


def test_an_extractor_that_is_not_installed(monkeypatch):
    monkeypatch.setitem(sys.modules, "trafilatura", None)
    with pytest.raises(ImportError, match=r"tamga\[extraction\]"):
        extract(f"<html>{LAYOUTS['article']}</html>", "trafilatura")


def test_scripts_and_styles_are_not_text():
    page = extract(
        "<html><head><style>p {color: red}</style></head><body><script>var a = '<p>no"
        f"</p>';</script>{BODY}<noscript>Enable it</noscript></body></html>"
    )
    assert "color" not in page.text and "var a" not in page.text
    assert PARAGRAPHS[0] in page.text


@pytest.mark.parametrize(
    "markup",
    [
        "",
        " ",
        "\0",
        "<",
        "</",
        "<>",
        "<html>",
        "<!--",
        "<![CDATA[",
        "<title>",
        "&#0;&#xFFFFFFFF;",
        "<script>",
        "<p" * 3000,
        "plain words, no markup",
        '{"json": true}',
        "\ufffd" * 50,
    ],
)
def test_broken_pages(markup):
    page = extract(markup)
    assert isinstance(page.text, str) and "\0" not in page.text


def test_nul_inside_the_text():
    assert PARAGRAPHS[0] in extract(f"<p>{PARAGRAPHS[0][:10]}\0{PARAGRAPHS[0][10:]}</p>{BODY}").text


@pytest.mark.parametrize(
    "opened",
    ["<div>", "<div></b>", "<table><tr><td>", "<font></x>", "<ul><li>", "<b><p>", "<span><p>"],
)
def test_deep_nesting(opened):
    number = 60_000 // (1 + opened.count("<") // 2)
    page = extract("<html><body>" + opened * number + f"<p>{PARAGRAPHS[0]}</p>")
    assert isinstance(page.text, str)


def test_end_tags_do_not_hide_the_depth():
    page = extract("</div>" * 60_000 + "<div>" * 60_000 + PARAGRAPHS[0])
    assert PARAGRAPHS[0] in page.text


def test_many_attributes_and_a_long_line():
    words = "word " * 200_000
    markup = "<p " + " ".join(f"a{n}='x'" for n in range(20_000)) + f">{words}</p>"
    assert extract(markup).text.count("word") == 200_000


def test_tidy():
    assert tidy("  a \t b\u00a0c \r\n\r\n \n d\ne  ") == "a b c\n\nd\ne"
    assert tidy(" \n \n ") == ""


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                "<p>",
                "</p>",
                "<div>",
                "</div>",
                "<table>",
                "<td>",
                "<b>",
                "</b>",
                "<script>",
                "</script>",
                "<!--",
                "-->",
                "text ",
                "&amp;",
                "<meta ",
                "name=x content=",
                "'",
                '"',
                ">",
                "<a rel=license>",
                "<svg>",
                "<template>",
                "<select>",
                "<frameset>",
                "</html>",
                "\0",
            ]
        ),
        max_size=40,
    )
)
def test_any_markup(parts):
    assert isinstance(extract("".join(parts)).text, str)


def test_declarations_of_licences() -> None:
    page = html.extract(
        '<head><link rel="license" href="/by.html">'
        '<link rel="license" type="application/rsl+xml" href="https://a.kz/l.xml">'
        '<link rel="alternate" type="application/rsl+xml" href="/no.xml">'
        '<script type="application/rsl+xml"><rsl><content url=""/></rsl></script>'
        '<script type="application/ld+json">{"license": "a"}</script></head><p>text'
    )
    assert page.jsonld == ('{"license": "a"}',)
    assert ("license", "/by.html") in page.links
    assert [value for name, value in page.metas if name == html.RSL] == [
        "https://a.kz/l.xml",
        '<rsl><content url=""/></rsl>',
    ]


@given(st.text(st.sampled_from(" \t\r\n\f\v\u00a0\u2003ab"), max_size=12))
def test_tidy_equals_its_patterns_and_is_idempotent(text):
    spaced = html._SPACES.sub(" ", text.replace("\r\n", "\n"))
    assert tidy(text) == html._BLANK.sub("\n\n", spaced).replace(" \n\n", "\n\n").strip()
    assert tidy(tidy(text)) == tidy(text)
