"""Feeds: each item is a record, with its link, title and text."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.ingest.readers import feed
from pipelines.ingest.readers.records import ContainerSource, Content, Envelope

RSS = """<?xml version="1.0" encoding="{}"?><!DOCTYPE rss SYSTEM "rss.dtd"><rss version="2.0"
 xmlns:content="http://purl.org/rss/1.0/modules/content/" xmlns:media="http://search.yahoo.com/mrss/">
<channel><title>Новости&nbsp;дня</title><link>http://a.kz/</link>
<item><title>Первая &amp;amp; последняя</title><link>http://a.kz/1</link><guid>g</guid>
<description>&lt;p&gt;Один.&lt;/p&gt;&lt;p&gt;Два&amp;nbsp;три.&lt;/p&gt;</description><media:title>нет</media:title></item>
<item><guid>urn:2</guid><description>кратко</description>
<content:encoded><![CDATA[<div>Полный &nbsp; текст<ul><li>раз</li></ul></div>]]></content:encoded></item>
<item><title>Без ссылки</title></item></channel></rss>"""
ATOM = """<feed xmlns="http://www.w3.org/2005/Atom"><title>T</title><entry>
<title type="html">A &lt;b&gt;b&lt;/b&gt;</title><link rel="edit" href="no"/><link href="http://a/1"/><id>i</id>
<source><title>no</title></source><content type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml">
<p>1 &lt; 2</p><p>Three<br/>four</p></div></content></entry>
<entry><id>tag:2</id><summary type="text">a &lt;b> c</summary></entry></feed>"""
RDF = """<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/">
<channel><title>T</title></channel><item><title>a</title><link>http://a/1</link><description>b</description></item>
</rdf:RDF>"""


def scan_feed(
    tmp_path: Path, body: bytes, limit: int = 1 << 20
) -> tuple[list[Envelope], list[Content]]:
    (tmp_path / "a.xml").write_bytes(body)
    source = ContainerSource(tmp_path / "a.xml", "raw/a.xml", {}, limit)
    envelopes = list(feed.scan(source))
    good = [(e.offset, e.length) for e in envelopes if not e.error]
    return envelopes, list(feed.contents(source, good))


@pytest.mark.parametrize("charset", ["utf-8", "windows-1251", "koi8-r", "utf-16"])
def test_rss(tmp_path, charset):
    envelopes, bodies = scan_feed(tmp_path, RSS.format(charset).encode(charset))
    assert [e.uri for e in envelopes] == ["http://a.kz/1", "urn:2", "raw/a.xml#2"]
    assert [(e.locator, e.offset) for e in envelopes] == [("entry", n) for n in range(3)]
    assert [(b.title, b.text) for b in bodies] == [
        ("Первая & последняя", "Один.\n\nДва три."),
        (None, "Полный текст\nраз"),
        ("Без ссылки", ""),
    ]


def test_atom_and_rdf(tmp_path):
    envelopes, bodies = scan_feed(tmp_path, ATOM.encode())
    assert [e.uri for e in envelopes] == ["http://a/1", "tag:2"]
    assert [(b.title, b.text) for b in bodies] == [
        ("A b", "1 < 2\n\nThree\nfour"),
        (None, "a <b> c"),
    ]
    envelopes, bodies = scan_feed(tmp_path, RDF.encode())
    assert [(e.uri, b.title, b.text) for e, b in zip(envelopes, bodies, strict=True)] == [
        ("http://a/1", "a", "b")
    ]


def test_a_truncated_feed_keeps_its_first_items(tmp_path):
    body = ATOM.encode()
    envelopes, bodies = scan_feed(tmp_path, body[: body.index(b"tag:2")])
    assert [e.error for e in envelopes] == [None, "unreadable"] and len(bodies) == 1
    assert [e.offset for e in envelopes] == [0, 1]


@pytest.mark.parametrize(
    "body, reason",
    [
        (b"", "unreadable"),
        (b"<html><p>x</p></html>", "unsupported-media-type"),
        (b"<rss><channel/></rss>", "unreadable"),
        (b'<!DOCTYPE r [<!ENTITY a "b">]><rss><item><title>&a;</title></item></rss>', "unreadable"),
        (b"<rss>" + b"<a>" * 9000, "unreadable"),
        (b"<rss>" + b" " * 5000, "too-large"),
    ],
)
def test_files_that_are_not_feeds(tmp_path, body, reason):
    envelopes, bodies = scan_feed(tmp_path, body, 5000 if reason == "too-large" else 1 << 20)
    assert (
        [e.error for e in envelopes] == [reason] and not bodies and envelopes[0].uri == "raw/a.xml"
    )


def test_a_feed_that_changed(tmp_path):
    (tmp_path / "a.xml").write_bytes(ATOM.encode())
    source = ContainerSource(tmp_path / "a.xml", "a", {}, 1 << 20)
    assert [c.error for c in feed.contents(source, [(0, 1), (9, 1)])] == [None, "unreadable"]


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.sampled_from([RSS.format("utf-8").encode(), ATOM.encode()]), st.data())
def test_any_damage(tmp_path, body, data):
    torn = bytearray(body[: data.draw(st.integers(0, len(body)))])
    for place in data.draw(
        st.lists(st.integers(0, max(len(torn) - 1, 0)), max_size=4 if torn else 0)
    ):
        torn[place] = data.draw(st.integers(0, 255))
    envelopes, bodies = scan_feed(tmp_path, bytes(torn))
    assert envelopes and len(bodies) == sum(not e.error for e in envelopes)
