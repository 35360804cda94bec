"""Each rule of main-text extraction, on a small page."""

from __future__ import annotations

import time

import pytest

from pipelines.ingest.extract.html import extract

LONG = [
    f"The {nth} bridge over the river was closed on {day} so that its bearings could be replaced, "
    f"and drivers were sent round by the old road for {weeks} weeks, said the district engineer."
    for nth, day, weeks in [
        ("first", "Monday", "two"),
        ("second", "Tuesday", "three"),
        ("third", "Wednesday", "four"),
        ("fourth", "Thursday", "five"),
        ("fifth", "Friday", "six"),
        ("last", "Saturday", "seven"),
    ]
]
TEXT = "".join(f"<p>{p}</p>" for p in LONG)
STRAY = "Something that is no part of the article and yet no navigation either"


def extract_paragraphs(body: str) -> list[str]:
    return extract(
        f"<html><head><title>Bridges</title></head><body>{body}</body></html>"
    ).text.split("\n\n")


def test_the_headline_is_dropped_and_headings_are_kept():
    body = f"<article><h1>Bridges</h1>{TEXT}<h2>The old road</h2><p>{LONG[0]}</p></article>"
    assert extract_paragraphs(body) == [*LONG, "The old road", LONG[0]]


def test_text_beside_the_running_text_is_dropped():
    body = f"<div><div><p>{STRAY}.</p><span>{STRAY}</span></div><div id=x>{TEXT}</div></div>"
    assert extract_paragraphs(body) == LONG


def test_a_text_in_sections_is_complete():
    sections = "".join(f"<section><div><p>{p}</p><hr></div></section>" for p in LONG)
    assert extract_paragraphs(f"<div><div>{sections}</div><div><p>{STRAY}</p></div></div>") == LONG


@pytest.mark.parametrize(
    "stray",
    [
        f"<figure><img src=a><div class=wp-caption-text>{STRAY}</div></figure>",
        f"<span class=newsCaption>{STRAY}</span>",
        f"<div class='photo-credit'>{STRAY}</div>",
        f"<div class='m-related'><p>{STRAY}</p></div>",
        f"<p class='read-more'>{STRAY}</p>",
        f"<div class='in_promo'><p>{STRAY}</p></div>",
        f"<div class='box Newsletter-box'><p>{STRAY}</p></div>",
        f"<form><p>{STRAY}</p></form>",
        f"<aside><p>{STRAY}</p></aside>",
        f"<header><p>{STRAY}</p></header>",
        f"<footer><p>{STRAY}</p></footer>",
    ],
)
def test_parts_that_are_not_running_text_are_dropped(stray: str):
    assert extract_paragraphs(f"<article><p>{LONG[0]}</p>{stray}{TEXT}</article>") == [
        LONG[0],
        *LONG,
    ]


@pytest.mark.parametrize(
    "wrapper", ["form id=aspnet", "div class=related-page", "div class=shared", "header"]
)
def test_a_wrapper_of_the_page_is_kept_under_any_class(wrapper: str):
    name = wrapper.split()[0]
    assert extract_paragraphs(f"<{wrapper}><div>{TEXT}</div></{name}>") == LONG


def test_a_paragraph_of_links_is_dropped():
    pointer = f"<p><b><a href=/n>{STRAY}</a></b></p><p>Also: <a href=/m>{STRAY}</a></p>"
    inline = LONG[1].replace("river", "<a href=/r>river</a>")
    assert extract_paragraphs(f"<div>{TEXT}{pointer}<p>{inline}</p></div>") == [*LONG, LONG[1]]


def test_embedded_posts_are_read():
    post = f'<blockquote class="twitter-tweet"><p>{LONG[2]}</p></blockquote>'
    assert LONG[2] in extract_paragraphs(
        f"<article><p>{LONG[0]}</p>{post}<p>{LONG[1]}</p></article>"
    )


def test_lists_are_read():
    items = "<ul><li>Steel for the bearings</li><li>Signs for the old road</li></ul>"
    text = "\n".join(extract_paragraphs(f"<div>{TEXT}{items}<p>{LONG[0]}</p></div>"))
    assert "Steel for the bearings" in text and "Signs for the old road" in text


def test_comments_are_not_taken_for_the_text():
    comments = "".join(f"<li><p>Comment: {p} {p}</p></li>" for p in LONG)
    body = f"<div class=text><p>{LONG[0]}</p></div><ul class=comment-list>{comments}</ul>"
    text = "\n".join(extract_paragraphs(f"<div>{body}</div>"))
    assert LONG[0] in text and "Comment:" not in text


def test_a_text_without_paragraphs():
    lines = "<br><br>".join(LONG)
    for body in (
        f"<table><tr><td><font>{lines}</font></td></tr></table>",
        f"<div class=share>{lines}</div><div class=x><p>{LONG[0]}</p><p>{LONG[1]}</p></div>",
    ):
        text = "\n".join(extract_paragraphs(body))
        assert all(p in text for p in LONG)


def test_a_short_text_is_kept():
    assert extract_paragraphs("<div><p>Closed today.</p></div>") == ["Closed today."]


def test_the_text_of_a_page_nested_too_deep_is_found():
    menu = "<table><tr><td><ul><li><a href=/a>Newsroom</a></li></ul></td></tr></table>"
    body = f"{menu}<div>{TEXT}</div>" + "<div>" * 5000
    assert extract_paragraphs(body) == LONG


@pytest.mark.parametrize(
    "body",
    [
        "<div class=caption>" * 900 + "<b>x</b>" * 100_000,
        f"<div class=related><p>{LONG[0]}</p>" * 900,
        f"<div><p>{LONG[0]}</p></div>" * 10_000,
        f"<div><p>{LONG[0]}</p><p>{'<a href=x>word</a> ' * 20_000}</p></div>",
        "<p><object><a href=x>" * 300 + LONG[0] * 1000,
        f"<div class=caption><br>{LONG[0]}</div>" * 5000 + TEXT,
    ],
)
def test_hostile_markup_does_not_take_long(body: str):
    started = time.process_time()
    extract_paragraphs(body)
    assert time.process_time() - started < 5
