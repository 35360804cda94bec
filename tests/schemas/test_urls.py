from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.matching import MatchIndex
from schemas.urls import covers, hosts, normal_host, normal_url

LABEL = st.text("abcxyz09-", min_size=1, max_size=8)
HOST = st.lists(LABEL, min_size=2, max_size=5).map(".".join)


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("HTTPS://Law.Example.KZ/x", "law.example.kz"),
        ("http://law.example.kz.:80", "law.example.kz"),
        (" \thttp://law.exa\nmple.kz/ ", "law.example.kz"),
        ("http://%6Caw.example.kz/", "law.example.kz"),
        ("http://новости.қаз/", "xn--b1amnebsh.xn--80ao21a"),
        ("http://XN--B1AMNEBSH.xn--80ao21a/", "xn--b1amnebsh.xn--80ao21a"),
        ("https://good.example@evil.example/", "evil.example"),
        ("https://good.example:x@evil.example:8080/", "evil.example"),
        ("https://evil.example#@good.example/", "evil.example"),
        ("https://evil.example?@good.example/", "evil.example"),
        ("https://evil.example\\@good.example/", None),
        ("https://good.example\\path", "good.example"),
        ("http://[2001:DB8::1]:8080/", "[2001:db8::1]"),
        ("https://a b.example/", None),
        ("https:///x", None),
        ("https://a..kz/", None),
        ("https://a%00.kz/", None),
        ("https://good.example%2f.evil.example/", None),
        ("//law.example.kz/", None),
        ("law.example.kz", None),
        ("urn:uuid:1", None),
        ("dns:law.example.kz", None),
        ("", None),
        ("s3://bucket/key", None),
        (None, None),
    ],
)
def test_host(url: str | None, host: str | None) -> None:
    assert hosts(pl.Series([url], dtype=pl.String)).to_list() == [host]
    if url is not None:
        normal = normal_url(url)
        assert (normal is None) == (host is None)
        assert normal is None or normal.startswith(f"//{host}")


@pytest.mark.parametrize(
    ("one", "same"),
    [
        ("https://a.kz", "http://a.kz:80/"),
        ("https://a.kz:443/x", "https://A.kz/x#y"),
        ("https://a.kz/новости", "https://a.kz/%d0%BD%D0%BE%D0%B2%D0%BE%D1%81%D1%82%D0%B8"),
        ("https://a.kz/b/../c/./d", "https://a.kz/c/d"),
        ("https://a.kz/b/%2e%2E/c", "https://a.kz/c"),
        ("https://a.kz\\b", "https://a.kz/b"),
        ("https://a.kz/%7Ex", "https://a.kz/~x"),
        ("https://a.kz/../../x", "https://a.kz/x"),
        ("https://a.kz/b/..", "https://a.kz/"),
    ],
)
def test_spellings_of_one_url(one: str, same: str) -> None:
    assert normal_url(one) == normal_url(same) is not None


@pytest.mark.parametrize(
    ("prefix", "url", "expected"),
    [
        ("https://a.kz/news", "https://a.kz/news", True),
        ("https://a.kz/news", "http://a.kz/news/1", True),
        ("https://a.kz/news", "https://a.kz/news?page=1", True),
        ("https://a.kz/news", "https://a.kz/newsroom", False),
        ("https://a.kz/news", "https://a.kz.evil.com/news", False),
        ("https://a.kz/news", "https://b.a.kz/news", False),
        ("https://a.kz/news", "https://a.kz/news/../private", False),
        ("https://a.kz/news", "https://a.kz:8443/news", False),
        ("https://a.kz/news/", "https://a.kz/news/1", True),
        ("https://a.kz/news/", "https://a.kz/news", False),
        ("https://a.kz", "https://a.kz/x/y?z", True),
        ("https://a.kz", "https://a.kz.evil.com/", False),
        ("https://a.kz", "https://a.kz@evil.com/", False),
        ("https://a.kz/p?id=5", "https://a.kz/p?id=5&x=1", True),
        ("https://a.kz/p?id=5", "https://a.kz/p?id=57", False),
        ("https://a.kz/p?id=", "https://a.kz/p?id=57", True),
    ],
)
def test_prefixes_end_with_a_segment(prefix: str, url: str, expected: bool) -> None:
    assert covers(url, [prefix]) is expected
    index = MatchIndex()
    assert not index.add("s", (), [prefix], ())
    assert index.match(pl.Series([url]), "").to_list() == ["s" if expected else None]


@given(HOST, HOST, st.sampled_from(("", ".", "-", "/", "@", ":80@", "\\@", "?", "#", "%2e", "%2f")))
def test_a_domain_governs_itself_and_its_subdomains_only(
    domain: str, other: str, glue: str
) -> None:
    index = MatchIndex()
    index.add("s", [domain], (), ())
    [found] = index.match(pl.Series([f"https://{domain}{glue}{other}/x"]), "").to_list()
    host = hosts(pl.Series([f"https://{domain}{glue}{other}/x"]))[0]
    inside = host is not None and (host == domain or host.endswith("." + domain))
    assert (found == "s") == inside


@given(st.lists(st.one_of(st.none(), st.text(), HOST.map("http://{}/".format))))
def test_match_answers_row_by_row(uris: list[str | None]) -> None:
    index = MatchIndex()
    index.add("s", ["a.kz", "x.y"], ["https://a.kz/b"], ())
    series = pl.Series(uris, dtype=pl.String)
    together = index.match(series, "c").to_list()
    assert together == [index.match(series.slice(i, 1), "c")[0] for i in range(len(uris))]


@given(st.text())
def test_normal_forms_are_stable(text: str) -> None:
    host = normal_host(text)
    assert host is None or normal_host(host) == host
    url = normal_url("http://" + text)
    assert url is None or normal_url("http:" + url) == url
