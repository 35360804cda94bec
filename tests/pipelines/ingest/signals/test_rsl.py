"""RSL terms and the links to them; ai.txt."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.ingest.signals import ai_txt, rsl
from pipelines.ingest.signals.hosts import HostSignals
from pipelines.ingest.signals.observed import Capture
from pipelines.ingest.signals.registry import observe_response, reservations
from pipelines.ingest.signals.rsl_terms import MEDIA_TYPE, is_rsl_document, parse_document

AGENTS = ("*", "GPTBot")
AT = "2026-10-01T00:00:00Z"
URL = "https://a.example/license.xml"


def document(inside: str, url: str = "/", attributes: str = "") -> str:
    return (
        f'<rsl xmlns="https://rslstandard.org/rsl"><content url="{url}"{attributes}>'
        f"{inside}</content></rsl>"
    )


def licence(*parts: str) -> str:
    return document(f"<license>{''.join(parts)}</license>")


PERMITS, PROHIBITS = '<permits type="usage">%s</permits>', '<prohibits type="usage">%s</prohibits>'
ALL = PERMITS % "all"


@pytest.mark.parametrize(
    ("text", "bars"),
    [
        (licence(ALL), ""),
        (licence(PERMITS % "search ai-train"), ""),
        (licence(PERMITS % "train-ai,search"), ""),
        (licence(PROHIBITS % "ai-input"), ""),
        (licence('<legal type="warranty">ownership</legal>'), ""),
        (licence(ALL, '<payment type="free"/>'), ""),
        (licence(ALL, '<payment type="attribution"/>'), ""),
        (
            licence(
                ALL,
                '<payment type="attribution"><standard>'
                "https://creativecommons.org/licenses/by/4.0/</standard></payment>",
            ),
            "",
        ),
        (licence(ALL, '<payment type="free"><amount currency="USD">0.00</amount></payment>'), ""),
        (licence(PROHIBITS % "ai-train"), "prohibits: ai-train"),
        (licence(PROHIBITS % "AI-ALL"), "prohibits: ai-all"),
        (licence(PROHIBITS % "train-ai,genai"), "prohibits: genai train-ai"),
        (licence(PERMITS % "ai-train", PROHIBITS % "all"), "prohibits: all"),
        (licence(PERMITS % "search ai-input"), "permits only: ai-input search"),
        (licence(ALL, '<payment type="training"/>'), "payment: training"),
        (licence(ALL, "<payment/>"), "payment: of no type"),
        (
            licence(ALL, '<payment type="free"><amount currency="USD">0.015</amount></payment>'),
            "an amount is asked for",
        ),
        (
            licence(ALL, '<payment type="free"><standard>https://x.example/l</standard></payment>'),
            "a licence not known here",
        ),
        (
            licence(ALL, '<payment type="free"><custom>/ask</custom></payment>'),
            "custom terms of payment",
        ),
        (licence(ALL, '<reporting type="audit" profile="x"/>'), "reporting is asked for"),
        (licence(ALL, '<permits type="user">education</permits>'), "permits by user"),
        (licence(ALL, '<prohibits type="geo">KZ</prohibits>'), "prohibits by geo"),
        (licence('<permit type="usage">search</permit>'), "unknown: permit"),
        (licence('<permits type="usage">search<b/></permits>'), "unknown: b"),
        (document(""), "no licence"),
        (document(f"<license>{ALL}</license>", attributes=' server="https://l.example"'), "server"),
        (document(f"<license>{ALL}</license><license>{PROHIBITS % 'all'}</license>"), "prohibits"),
        (
            document(f'<license>{ALL}<payment type="crawl"/></license><license>{ALL}</license>'),
            "",
        ),
    ],
)
def test_terms(text: str, bars: str) -> None:
    contents = parse_document(text.encode())
    assert contents is not None
    [content] = contents
    assert bool(content.bars) == bool(bars) and bars in content.bars


def test_elements_of_other_namespaces_are_ignored() -> None:
    text = licence(f'<x:payment xmlns:x="urn:x"><x:a>{PROHIBITS % "all"}</x:a></x:payment>', ALL)
    [content] = parse_document(text.encode()) or ()
    assert not content.bars


BOMB = (
    '<!DOCTYPE rsl [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    f"<rsl><content url='/'><license>{ALL}&b;</license></content></rsl>"
)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<html><body>404</body></html>",
        licence(ALL)[:-3],
        BOMB,
        '<!DOCTYPE rsl SYSTEM "file:///etc/passwd"><rsl><content url="/"/></rsl>',
        '<rsl xmlns="https://rslstandard.org/rsl"/>',
        '<rsl xmlns="urn:other"><content url="/"/></rsl>',
        "<rsl>" + "<content url='/'>" * 100_000,
        '<?xml version="1.0" encoding="klingon"?><rsl><content url="/"/></rsl>',
    ],
)
def test_bodies_that_are_not_rsl(text: str) -> None:
    started = time.perf_counter()
    assert parse_document(text.encode()) is None
    assert time.perf_counter() - started < 1


def test_documents_are_detected_by_their_root() -> None:
    assert is_rsl_document(b'<?xml version="1.0"?>\n<!-- a --><!-- <b> --> <rsl xmlns="x">')
    assert is_rsl_document(b"\xef\xbb\xbf<rsl:rsl/>")
    for other in (b"<rss><rsl/></rss>", b"<rslx>", b"<!-- <rsl>", b"", b"<!--" * 1000):
        assert not is_rsl_document(other)


@given(st.binary(max_size=300))
def test_nothing_raises(body: bytes) -> None:
    parse_document(body)
    parse_document(licence(ALL).encode()[:40] + body)
    capture = Capture("a.example", "ai-txt", 200, b"User-agent: *\nDisallow:" + body, AT, "0")
    ai_txt.path_observer(capture, AGENTS)("/x")


# Links


def robots_txt(body: str, at: str = AT, host: str = "a.example") -> Capture:
    uri = f"https://{host}/robots.txt"
    return Capture(host, "robots", 200, body.encode(), at, "r", uri)


def terms(text: str, uri: str = URL, at: str = AT, status: int = 200) -> Capture:
    host = uri.split("/")[2]
    return Capture(host, "rsl", status, text.encode(), at, "t" + at, uri)


LINK = f"License: {URL}\n\nUser-agent: *\nAllow: /\n"


def reservation_reason(
    *captures: Capture, path: str = "/x", mode: str = "fetch", at: str = AT
) -> str | None:
    signals = HostSignals(captures, AGENTS, mode)
    found = reservations(signals.observations(f"https://a.example{path}", at)).get("rsl")
    return found.raw if found else None


def test_linked_terms_are_read_from_the_crawl() -> None:
    assert reservation_reason(robots_txt(LINK), terms(licence(ALL))) is None
    assert (
        reservation_reason(robots_txt(LINK), terms(licence(PROHIBITS % "all"))) == "prohibits: all"
    )
    assert reservation_reason(robots_txt("User-agent: *\nAllow: /\n")) is None


def test_a_link_without_a_document_reserves() -> None:
    assert "not in the crawl" in (reservation_reason(robots_txt(LINK)) or "")
    assert reservation_reason(robots_txt(LINK), terms("", status=404)) == "HTTP 404"
    assert (
        reservation_reason(robots_txt(LINK), terms("<rsl>")) == "no RSL document that can be read"
    )
    assert reservation_reason(robots_txt("License: /license.xml\n"), terms(licence(ALL))) is None
    assert "not in the crawl" in (reservation_reason(robots_txt("License: http://[/l\n")) or "")


def test_a_document_of_another_host_is_read_for_the_host_that_links() -> None:
    elsewhere = "https://collective.example/royalty.xml"
    link = f"License: {elsewhere}\n"
    assert reservation_reason(robots_txt(link), terms(licence(ALL), elsewhere)) is None
    paid = licence(PERMITS % "ai-all", '<payment type="use"/>')
    assert reservation_reason(robots_txt(link), terms(paid, elsewhere)) == "payment: use"


def test_lines_of_a_group_replace_the_lines_for_all() -> None:
    body = LINK + "License: https://a.example/own.xml\n"
    own = terms(licence(PROHIBITS % "all"), "https://a.example/own.xml")
    assert reservation_reason(robots_txt(body), terms(licence(ALL)), own) == "prohibits: all"
    mine = "License: https://a.example/none.xml\nUser-agent: *\nLicense: " + URL
    assert reservation_reason(robots_txt(mine), terms(licence(ALL))) is None


@pytest.mark.parametrize("line", ["License: MIT", "License:", "License: see the imprint"])
def test_lines_without_an_address_are_ignored(line: str) -> None:
    assert reservation_reason(robots_txt(line + "\n")) is None


def test_a_line_can_name_a_known_licence() -> None:
    body = "License: https://creativecommons.org/licenses/by-nc/4.0/deed.ru\n"
    [seen] = rsl.path_observer(robots_txt(body), AGENTS)("/")
    assert (seen.value, seen.licence, seen.link) == ("granted", "CC-BY-NC-4.0", None)


def test_narrower_terms_override() -> None:
    both = (
        '<rsl><content url="/"><license><prohibits type="usage">ai-train</prohibits></license>'
        f'</content><content url="/open/*"><license>{ALL}</license></content>'
        '<content url="https://other.example/"><license/></content></rsl>'
    )
    captures = robots_txt(LINK), terms(both)
    assert reservation_reason(*captures) == "prohibits: ai-train"
    assert reservation_reason(*captures, path="/open/x") is None
    # the example of 3.1.2
    site = (
        f'<rsl><content url="/"><license>{ALL}</license></content><content url="/articles/">'
        f"<license>{PROHIBITS % 'ai-train'}</license></content></rsl>"
    )
    assert reservation_reason(robots_txt(LINK), terms(site)) is None
    assert (
        reservation_reason(robots_txt(LINK), terms(site), path="/articles/1")
        == "prohibits: ai-train"
    )


def test_a_document_of_the_host_counts_without_a_link() -> None:
    assert reservation_reason(terms(licence(PROHIBITS % "all"))) == "prohibits: all"
    absolute = document("<license/>" + "", url="https://www.a.example/news/*")
    assert reservation_reason(terms(absolute)) is None


def test_terms_are_chosen_by_time() -> None:
    later = "2026-11-01T00:00:00Z"
    captures = robots_txt(LINK), terms(licence(ALL)), terms(licence(PROHIBITS % "all"), at=later)
    assert reservation_reason(*captures) is None
    assert reservation_reason(*captures, mode="latest") == "prohibits: all"
    assert reservation_reason(*captures, mode="strictest") == "prohibits: all"
    seen = HostSignals(captures, AGENTS).observations("https://a.example/x", AT)
    [observation] = [o for o in seen if o.protocol == "rsl"]
    assert observation.compared and observation.compared["latest"]["value"] == "reserved"


@pytest.mark.parametrize(
    ("headers", "metas", "value"),
    [
        ([("Link", f'<{URL}>; rel="license"; type="{MEDIA_TYPE}"')], [], "linked"),
        ([("link", f"</a>; rel=next, <{URL}>; rel=license; type={MEDIA_TYPE}")], [], "linked"),
        ([("Link", f'<{URL}>; rel="license"')], [], None),
        ([("Link", f'<{URL}>; rel="alternate"; type="{MEDIA_TYPE}"')], [], None),
        ([], [(MEDIA_TYPE, URL)], "linked"),
        ([], [(MEDIA_TYPE, document(f"<license>{ALL}</license>", url=""))], "granted"),
        (
            [],
            [(MEDIA_TYPE, document("<license/>", url="", attributes=' server="x"'))],
            "reserved",
        ),
        ([], [(MEDIA_TYPE, "<rsl>")], "reserved"),
    ],
)
def test_pages(
    headers: list[tuple[str, str]], metas: list[tuple[str, str]], value: str | None
) -> None:
    seen = [o.value for o in observe_response(headers, metas, AGENTS)]
    assert seen == ([value] if value else [])


def test_links_of_a_page_are_followed() -> None:
    linked = observe_response([], [(MEDIA_TYPE, URL)], AGENTS)
    assert "rsl" in reservations(linked)  # a link that was not followed
    for text, value in (
        (licence(ALL), "granted"),
        (licence(PROHIBITS % "all"), "reserved"),
    ):
        signals = HostSignals([terms(text)], AGENTS)
        [seen] = signals.follow(linked, "https://b.example/x", AT)
        assert (seen.value, seen.link) == (value, URL)
    [seen] = HostSignals([], AGENTS).follow(linked, "https://b.example/x", AT)
    assert seen.value == "reserved"


# ai.txt


@pytest.mark.parametrize(
    ("body", "path", "expected"),
    [
        (
            "# Spawning AI\nUser-Agent: *\nDisallow: *.txt\nDisallow: *.pdf\n",
            "/a",
            "reserved",
        ),
        ("User-Agent: *\nDisallow: /\nDisallow: *\n", "/a/b.html?c", "reserved"),
        ("User-Agent: *\nDisallow: *\n", "/", "reserved"),
        ("User-Agent: *\nDisallow: *.jpg\nDisallow: *.mp3\n", "/a", None),
        ("User-Agent: *\nAllow: *.txt\nDisallow: *.jpg\n", "/a", "granted"),
        ("User-Agent: *\nAllow: *.txt\nDisallow: /\n", "/a", "reserved"),
        ("User-Agent: *\nDisallow: *.html\n", "/a", "reserved"),
        ("User-Agent: *\nDisallow: /docs/*.txt\n", "/docs/a", "reserved"),
        ("User-Agent: *\nDisallow: /docs/*.txt\n", "/news/a", None),
        ("User-Agent: *\nDisallow: *.pdf\n", "/a.pdf", "reserved"),
        ("User-Agent: GPTBot\nDisallow: /\n", "/a", "reserved"),
        ("User-Agent: OtherBot\nDisallow: /\n", "/a", None),
        ("<!DOCTYPE html><html><p>404</p></html>", "/a", None),
        ("Train: no\n", "/a", None),
    ],
)
def test_ai_txt(body: str, path: str, expected: str | None) -> None:
    capture = Capture("a.example", "ai-txt", 200, body.encode(), AT, "c")
    seen = ai_txt.path_observer(capture, AGENTS)(path)
    assert (seen[0].value if seen else None) == expected


def test_ai_txt_always_reads_the_rules_for_all_agents() -> None:
    capture = Capture("a.example", "ai-txt", 200, b"User-Agent: *\nDisallow: /\n", AT, "c")
    assert ai_txt.path_observer(capture, ("GPTBot",))("/")[0].value == "reserved"
    assert ai_txt.path_observer(Capture("a", "ai-txt", 503, b"", AT, "c"), AGENTS)("/") == []
    assert (
        ai_txt.path_observer(Capture("a", "ai-txt", 0, b"", AT, "c"), AGENTS)("/")[0].value
        == "reserved"
    )
    found = reservations(HostSignals([capture], AGENTS).observations("https://a.example/x", AT))
    assert list(found) == ["ai-txt"]
