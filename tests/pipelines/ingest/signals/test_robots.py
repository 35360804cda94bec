"""robots.txt: the examples of RFC 9309, its edge cases, and patterns against a regular expression."""

from __future__ import annotations

import re
import time

import pytest
from helpers.commands import SHARED
from hypothesis import given
from hypothesis import strategies as st

from pipelines.ingest.signals import content_signal, robots
from pipelines.ingest.signals.observed import Capture
from pipelines.ingest.signals.patterns import compile_pattern, path_forms

ROBOTS_FILES = SHARED / "data/robots"
needs_shared = pytest.mark.skipif(not ROBOTS_FILES.exists(), reason="shared data is absent")


def capture(body: bytes, status: int = 200) -> Capture:
    return Capture("a.example", "robots", status, body, "2026-10-01T00:00:00Z", "0" * 32)


def may_fetch(body: str | bytes, path: str, *agents: str, status: int = 200) -> bool:
    raw = body.encode() if isinstance(body, str) else body
    [seen] = robots.path_observer(capture(raw, status), agents or ("*",))(path)
    return seen.value == "granted"


def covers(pattern: str, path: str) -> bool:
    return compile_pattern(pattern).matches(path_forms(path))


SIMPLE = """User-Agent: *
Disallow: *.gif$
Disallow: /example/
Allow: /publications/

User-Agent: foobot
Disallow:/
Allow:/example/page.html
Allow:/example/allowed.gif

User-Agent: barbot
User-Agent: bazbot
Disallow: /example/page.html

User-Agent: quxbot"""


@pytest.mark.parametrize(
    ("agent", "path", "expected"),
    [
        ("*", "/a.gif", False),
        ("*", "/a.gif?x", True),
        ("*", "/example/x", False),
        ("*", "/publications/x", True),
        ("*", "/", True),
        ("foobot", "/", False),
        ("foobot", "/example/page.html", True),
        ("FooBot", "/example/allowed.gif", True),
        ("foobot", "/publications/", False),
        ("barbot", "/example/page.html", False),
        ("bazbot", "/example/page.html", False),
        ("bazbot", "/a.gif", True),
        ("quxbot", "/example/", True),
        ("other", "/example/", False),
    ],
)
def test_rfc_5_1_simple_example(agent: str, path: str, expected: bool) -> None:
    assert may_fetch(SIMPLE, path, agent) is expected


def test_rfc_5_2_longest_match() -> None:
    body = "User-Agent: foobot\nAllow: /example/page/\nDisallow: /example/page/disallowed.gif"
    assert may_fetch(body, "/example/page/x", "foobot")
    assert not may_fetch(body, "/example/page/disallowed.gif", "foobot")


def test_rfc_2_2_1_groups_of_one_agent_merge() -> None:
    body = (
        "user-agent: ExampleBot\ndisallow: /foo\ndisallow: /bar\n\n"
        "user-agent: ExampleBot\ndisallow: /baz\n\nuser-agent: *\ndisallow: /qux\n"
    )
    for path, expected in (("/foo", False), ("/baz", False), ("/qux", True)):
        assert may_fetch(body, path, "examplebot") is expected


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("/foo/bar?baz=quz", "/foo/bar?baz=quz"),
        ("/foo/bar?baz=https://foo.bar", "/foo/bar?baz=https%3A%2F%2Ffoo.bar"),
        ("/foo/bar?baz=https%3A%2F%2Ffoo.bar", "/foo/bar?baz=https://foo.bar"),
        ("/foo/bar/ツ", "/foo/bar/%E3%83%84"),
        ("/foo/bar/%E3%83%84", "/foo/bar/ツ"),
        ("/foo/bar/%62%61%7A", "/foo/bar/baz"),
        ("/foo/bar/baz", "/foo/bar/%62%61%7a"),
        ("/path/file-with-a-%2A.html", "/path/file-with-a-*.html"),
        ("/path/foo-%24", "/path/foo-$"),
        ("/this/path/exactly$", "/this/path/exactly"),
        ("/this/*/exactly", "/this/is/not/exactly?it"),
        ("/*/x=/y", "/a?/x=/y"),
    ],
)
def test_rfc_2_2_2_encoding(pattern: str, path: str) -> None:
    assert covers(pattern, path)


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("/a%2Fb", "/a/b"),
        ("/foo$", "/foobar"),
        ("/a*b$", "/ab/"),
        ("/%2A", "/x"),
        ("/Foo", "/foo"),
    ],
)
def test_patterns_that_do_not_match(pattern: str, path: str) -> None:
    assert not covers(pattern, path)


def test_an_allow_wins_a_tie() -> None:
    assert may_fetch("User-agent: *\nDisallow: /page\nAllow: /page", "/page")
    assert may_fetch("User-agent: *\nAllow: /$\nDisallow: /", "/")
    assert not may_fetch("User-agent: *\nAllow: /$\nDisallow: /", "/x")


def test_robots_txt_itself_is_allowed() -> None:
    assert may_fetch("User-agent: *\nDisallow: /", "/robots.txt")
    assert may_fetch("", "/robots.txt", status=503)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (0, False),
        (100, False),
        (500, False),
        (503, False),
        (599, False),
        (600, False),
        (301, True),
        (400, True),
        (404, True),
        (429, True),
        (499, True),
    ],
)
def test_rfc_2_3_1_status(status: int, expected: bool) -> None:
    assert may_fetch("User-agent: *\nDisallow: /x", "/y", status=status) is expected


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n"])
def test_line_ends_comments_and_spaces(end: str) -> None:
    lines = (
        "# hello",
        "USER-AGENT : GPTBot # us",
        "",
        "Sitemap: /x",
        "disallow :\t/a b# c",
        "Disallow:",
    )
    body = "\ufeff" + end.join(lines)
    assert not may_fetch(body, "/a%20b/c", "gptbot")
    assert may_fetch(body, "/a", "GPTBot")


def test_other_records_do_not_end_a_group() -> None:
    body = "User-agent: a\nSitemap: /s\nCrawl-delay: 3\nUser-agent: b\nDisallow: /x\n"
    assert not may_fetch(body, "/x", "a")
    assert not may_fetch(body, "/x", "b")


def test_a_rule_for_one_of_the_agents_reserves() -> None:
    body = "User-agent: GPTBot/1.2\nUser-agent: CCBot\nDisallow: /p/\n"
    assert may_fetch(body, "/p/x", "*")
    [seen] = robots.path_observer(capture(body.encode()), ("*", "CCBot", "GPTBot"))("/p/x")
    assert (seen.value, seen.location, seen.raw) == (
        "reserved",
        "/p/",
        "User-agent: CCBot; Disallow: /p/",
    )


def test_groups_for_all_agents_merge_around_a_named_group() -> None:
    body = (
        "User-agent: *\nAllow: /\n\nUser-agent: GPTBot\nUser-agent: CCBot\n"
        "Disallow: /private/\n\nUser-agent: *\nDisallow: /private/\n"
    )
    for agent in ("*", "GPTBot", "ccbot", "other"):
        assert not may_fetch(body, "/private/000001.html", agent)
        assert may_fetch(body, "/news/000001.html", agent)


def test_agents_with_digits_and_blanks() -> None:
    body = "User-agent: AI2Bot\nUser-agent: ChatGPT Agent\nDisallow: /\n"
    assert not may_fetch(body, "/", "ai2bot")
    assert not may_fetch(body, "/", "ChatGPT Agent")
    assert may_fetch(body, "/", "AI")


@pytest.mark.parametrize(
    "body",
    [
        "User-agent: *\nDissallow: /x",
        "useragent: *\ndisallow: /x",
        "user-agent *\ndisallow /x",
        "User-agent: *\nDisallow: x",
        "User-agent: a, *\nDisallow: /x",
    ],
)
def test_typing_errors_refuse(body: str) -> None:
    assert not may_fetch(body, "/x")


def test_rules_without_an_agent_are_ignored() -> None:
    assert may_fetch("Disallow: /\n\nUser-agent: *\nDisallow: /x", "/y")


def test_a_page_in_place_of_the_file_has_no_rules() -> None:
    assert may_fetch("<!DOCTYPE html><html><head><title>404</title></head></html>", "/")
    assert may_fetch(bytes(range(256)) * 50, "/")


@pytest.mark.parametrize("codec", ["utf-8-sig", "utf-16"])
def test_byte_order_marks(codec: str) -> None:
    assert not may_fetch("User-agent: *\nDisallow: /ә\n".encode(codec), "/%D3%99")


def test_octets_that_are_not_utf8() -> None:
    assert not may_fetch(b"User-agent: *\nDisallow: /\xff/\n", "/%FF/x")


def test_a_line_cut_by_the_limit_is_dropped() -> None:
    head = "User-agent: *\nDisallow: /x\n"
    body = head + "#" * (robots.LIMIT - len(head) - 12) + "\nDisallow: /yes\nDisallow: /z\n"
    assert body.encode()[: robots.LIMIT].endswith(b"Disallow: /")
    assert not may_fetch(body, "/x")
    assert may_fetch(body, "/yes")
    assert may_fetch(body, "/z")


def test_stars_take_linear_time() -> None:
    pattern, path = "/" + "*a" * 2000 + "$", "/" + "a" * 20000 + "b"
    started = time.perf_counter()
    assert not covers(pattern, path)
    assert time.perf_counter() - started < 0.5


def matches_regex(pattern: str, path: str) -> bool:
    ends = pattern.endswith("$")
    body = pattern[:-1] if ends else pattern
    regex = "".join(".*" if c == "*" else re.escape(c) for c in body)
    return re.match(regex + (r"\Z" if ends else ""), path, re.DOTALL) is not None


@given(st.text("ab*/", max_size=9), st.booleans(), st.text("ab/", max_size=14))
def test_patterns_agree_with_a_regex(pattern: str, ends: bool, path: str) -> None:
    pattern, path = "/" + pattern + "$" * ends, "/" + path
    assert covers(pattern, path) == matches_regex(pattern, path)


@given(st.binary(max_size=400), st.text(max_size=30))
def test_nothing_raises(body: bytes, path: str) -> None:
    for module in (robots, content_signal):
        module.path_observer(capture(b"User-agent: *\n" + body), ("*", "GPTBot"))("/" + path)


@needs_shared
def test_the_real_files_are_read() -> None:
    files = [f for f in ROBOTS_FILES.glob("real/*/**/*") if f.is_file()] or [
        f for f in ROBOTS_FILES.glob("real/*") if f.is_file()
    ]
    assert files
    for file in files:
        [seen] = robots.path_observer(capture(file.read_bytes()), ("*", "GPTBot"))("/a/b?c=d")
        assert seen.value in ("granted", "reserved")


@needs_shared
@pytest.mark.parametrize(
    ("name", "agent", "path", "expected"),
    [
        ("crawl-delay-group-merging.txt", "mybot", "/private/", False),
        ("crawl-delay-group-merging.txt", "mybot", "/login/", True),
        ("crawl-delay-group-merging.txt", "yourbot", "/login/", False),
        ("crawl-delay-group-merging.txt", "other", "/private/", True),
        ("extensions-group-merging.txt", "other", "/llms.txt", True),
        ("extensions-group-merging.txt", "mybot", "/private/", False),
        ("extensions-group-merging.txt", "mybot", "/x", True),
        ("merge-rules.txt", "wget", "/tmp/bar", False),
        ("merge-rules.txt", "wget", "/foo/bar", True),
        ("precedence-of-rules.txt", "testy", "/foo", False),
        ("precedence-of-rules.txt", "testy", "/foo/baz", False),
        ("format-errors-robots.txt", "bot1", "/no-colon/", False),
        ("format-errors-robots.txt", "bot2", "/no-colon-useragent/", False),
        ("directive-typos-robots.txt", "bot1", "/dissalow/", False),
        ("directive-typos-robots.txt", "bot2", "/useragent/", False),
    ],
)
def test_crawler_commons_cases(name: str, agent: str, path: str, expected: bool) -> None:
    body = (ROBOTS_FILES / "crawler-commons" / name).read_bytes()
    assert may_fetch(body, path, agent) is expected


@needs_shared
@pytest.mark.parametrize("name", ["utf8", "utf16le", "utf16be"])
def test_crawler_commons_byte_order_marks(name: str) -> None:
    body = (ROBOTS_FILES / "crawler-commons" / f"robots-with-{name}-bom.txt").read_bytes()
    assert robots.parse_lines(body)[0][0] == "user-agent"
