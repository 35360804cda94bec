"""Protocols other than the access rules of robots.txt, and the choice among captures."""

from __future__ import annotations

import json
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.ingest.signals import aipref, content_signal, noai, stated_licences, tdmrep
from pipelines.ingest.signals import registry as signals
from pipelines.ingest.signals.hosts import HostSignals
from pipelines.ingest.signals.observed import Capture, Protocol
from pipelines.ingest.signals.registry import observe_response, reservations

AGENTS = ("*", "GPTBot", "CCBot")


def capture(
    body: bytes | str,
    at: str = "2026-10-01T00:00:00Z",
    status: int = 200,
    kind: str = "robots",
    doc_id: str = "0" * 32,
    **more: str,
) -> Capture:
    raw = body.encode() if isinstance(body, str) else body
    return Capture("a.example", kind, status, raw, at, doc_id, **more)


def host_value(
    module: Protocol, body: str, path: str, agents: tuple[str, ...] = AGENTS
) -> str | None:
    seen = module.path_observer(capture(body, kind=next(iter(module.KINDS), "")), agents)(path)
    return seen[0].value if seen else None


# AIPREF


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("train-ai=n", "reserved"),
        ("train-ai=y", "granted"),
        ("search=n", None),
        ("", None),
        ("train-ai=y, search=n", "granted"),
        ("train-ai;allow=n, train-ai=y", "granted"),
        ("train-ai=y, train-ai", None),
        ('search=n, train-ai="n"', None),
        ("train-ai=maybe", None),
        ('train-ai=n;because="a, b=c"', "reserved"),
        ("%%%, train-ai=n", "reserved"),
        ("ai-train=no", "reserved"),
        ("Train-AI=N", "reserved"),
        ('train-ai;has;parameters="?"', None),
    ],
)
def test_aipref_statements(text: str, expected: str | None) -> None:
    assert aipref.training_preference(text) == expected


def test_aipref_example_of_the_draft() -> None:
    body = (
        "User-Agent: *\nAllow: /\nDisallow: /never/\nContent-Usage: train-ai=n\n"
        "Content-Usage: /ai-ok/ train-ai=y\n\n"
        "User-Agent: ExampleBot\nAllow: /\nContent-Usage: train-ai=y\n"
    )
    assert host_value(aipref, body, "/test", ("*",)) == "reserved"
    assert host_value(aipref, body, "/ai-ok/test", ("*",)) == "granted"
    assert host_value(aipref, body, "/test", ("ExampleBot",)) == "granted"
    assert host_value(aipref, body, "/test", ("ExampleBot", "*")) == "reserved"


def test_aipref_with_equal_paths_and_without_statements() -> None:
    both = "User-agent: *\nContent-Usage: /x train-ai=y\nContent-Usage: /x train-ai=n\n"
    assert host_value(aipref, both, "/x") == "reserved"
    assert host_value(aipref, both, "/y") is None
    silent = "User-agent: *\nContent-Usage: train-ai=n\nContent-Usage:\t/x\tsearch=y\n"
    assert host_value(aipref, silent, "/x") == "reserved"


def test_any_no_among_header_lines_reserves() -> None:
    headers = [("Content-Usage", "train-ai=y"), ("content-usage", "train-ai=n")]
    assert aipref.resolve(aipref.page_observations(headers, (), AGENTS)) is not None
    assert aipref.page_observations([("Content-Usage", "@!")], (), AGENTS) == []


# Content-Signal


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("User-agent: *\nContent-Signal: search=yes, ai-train=no\nAllow: /\n", "reserved"),
        ("User-agent: *\nContent-signal:search=yes,ai-train=no,use=reference\n", "reserved"),
        ("User-agent: *\nContent-Signal: search=yes ai-train=no\n", "reserved"),
        ("User-agent: *\nContent-Signal: search=yes, ai-train=yes\n", "granted"),
        ("User-agent: *\nContent-Signal: search=no\n", None),
        ("User-agent: Bingbot\nContent-Signal: ai-train=no\n\nUser-agent: *\nAllow: /\n", None),
        (
            "User-agent: GPTBot\nContent-Signal: ai-train=no\n\nUser-agent: *\nAllow: /\n",
            "reserved",
        ),
        ("Content-Signal: ai-train=no\n\nUser-agent: *\nAllow: /\n", "reserved"),
        ("User-agent: *\nContent-Signal: /other/ ai-train=no\n", None),
        (
            "User-agent: *\nContent-Signal: ai-train=yes\nContent-Signal: /news/ ai-train=no\n",
            "reserved",
        ),
    ],
)
def test_content_signal(body: str, expected: str | None) -> None:
    assert host_value(content_signal, body, "/news/1.html") == expected


# TDMRep

RULES = [
    {"location": "/images/*.jpg", "tdm-reservation": 0},
    {"location": "/reserved/*", "tdm-reservation": 1, "tdm-policy": "https://a.example/p"},
    {"location": "/images/", "tdm-reservation": "1"},
    {"location": "/odd", "tdm-reservation": 7},
    {"tdm-reservation": 1},
    3,
]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/images/a.jpg", "granted"),
        ("/images/a.png", "reserved"),
        ("/reserved/1.html", "reserved"),
        ("/odd", None),
        ("/", None),
    ],
)
def test_tdmrep_file_first_match(path: str, expected: str | None) -> None:
    assert host_value(tdmrep, json.dumps(RULES), path) == expected


def test_a_malformed_tdmrep_file_is_observed() -> None:
    assert host_value(tdmrep, '[{"location": "/", ', "/") == "unreadable"
    assert host_value(tdmrep, "[" * 100_000, "/") == "unreadable"
    assert host_value(tdmrep, "null", "/") is None
    assert host_value(tdmrep, '{"location": "/", "tdm-reservation": 1}', "/") == "reserved"
    assert tdmrep.path_observer(capture("", status=404, kind="tdmrep"), AGENTS)("/") == []
    for unknown in (capture("", status=0), capture(b" " * (tdmrep.LIMIT + 1) + b"[]")):
        assert tdmrep.path_observer(unknown, AGENTS)("/")[0].value == "reserved"


@pytest.mark.parametrize(
    ("file", "header", "meta", "reserved"),
    [
        (1, None, None, True),
        (1, "0", None, False),
        (1, "0", "1", True),
        (0, "1", None, True),
        (0, "1", "0", False),
        (1, "x", None, True),
        (1, None, "", True),
        (None, None, "1", True),
        (None, None, None, False),
    ],
)
def test_tdmrep_precedence(
    file: int | None, header: str | None, meta: str | None, reserved: bool
) -> None:
    body = json.dumps([{"location": "/", "tdm-reservation": file}])
    seen = tdmrep.path_observer(capture(body, kind="tdmrep"), AGENTS)("/x")
    seen += tdmrep.page_observations(
        [("TDM-Reservation", header)] if header is not None else (),
        [("tdm-reservation", meta)] if meta is not None else (),
        AGENTS,
    )
    assert (tdmrep.resolve(seen) is not None) is reserved


# noai


@pytest.mark.parametrize(
    ("headers", "metas", "expected"),
    [
        ([("X-Robots-Tag", "noai, noimageai")], [], True),
        ([("X-Robots-Tag", "noimageai")], [], False),
        ([("x-robots-tag", "noindex"), ("x-robots-tag", "NOML")], [], True),
        ([("X-Robots-Tag", "GPTBot: noai")], [], True),
        ([("X-Robots-Tag", "Bingbot: noindex, noai")], [], False),
        ([("X-Robots-Tag", "bingbot: noindex, gptbot: nofollow, noai")], [], True),
        ([("X-Robots-Tag", "unavailable_after: 1 Jan 2030 15:00:00 PST, noai")], [], True),
        ([], [("robots", "noai, noimageai")], True),
        ([], [("ROBOTS", "NoAI noindex")], True),
        ([], [("robots", "noimageai")], False),
        ([], [("description", "noai")], False),
        ([], [("ai", "noml")], True),
        ([], [("CCBot", "noai")], True),
        ([], [("bing", "noai")], False),
    ],
)
def test_noai(headers: list[tuple[str, str]], metas: list[tuple[str, str]], expected: bool) -> None:
    assert bool(noai.page_observations(headers, metas, AGENTS)) is expected


# Licences


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://creativecommons.org/licenses/by-nc-sa/3.0/us/deed.en", "CC-BY-NC-SA-3.0"),
        ("//creativecommons.org/licenses/by/4.0/", "CC-BY-4.0"),
        ("http://www.creativecommons.org/publicdomain/zero/1.0/", "CC0-1.0"),
        ("https://creativecommons.org/publicdomain/mark/1.0/", "CC-PDM-1.0"),
        ("https://creativecommons.org/licenses/by-nd/", "LicenseRef-CC-BY-ND"),
        ("https://creativecommons.org/licenses/by/4.0/deed.ru", "CC-BY-4.0"),
        ("https://creativecommons.org/licenses/by-nc/4.0/legalcode.kk", "CC-BY-NC-4.0"),
        ("http://creativecommons.org/licenses/by-sa/3.0/ua/", "CC-BY-SA-3.0"),
        ("https://creativecommons.org/licenses/by/3.0/ee/deed.et", "CC-BY-3.0"),
        ("https://creativecommons.org:443/licenses/by-nc-nd/2.5/", "CC-BY-NC-ND-2.5"),
        ("https://creativecommons.org/publicdomain/zero/1.0/deed.uz", "CC0-1.0"),
        ("https://spdx.org/licenses/CC-BY-ND-4.0.html", "CC-BY-ND-4.0"),
        ("CC BY-NC 4.0", "CC-BY-NC-4.0"),
        ("https://rightsstatements.org/vocab/InC/1.0/", stated_licences.ALL_RIGHTS_RESERVED),
        ("© 2026 Press. All rights reserved.", stated_licences.ALL_RIGHTS_RESERVED),
        ("/terms.html", None),
        ("https://creativecommons.org/", None),
    ],
)
def test_licence_identities(text: str, expected: str | None) -> None:
    assert stated_licences.identify_licence(text) == expected


def test_licences_of_a_page() -> None:
    nc, nd = (
        "https://creativecommons.org/licenses/by-nc/4.0/",
        "https://creativecommons.org/licenses/by-nd/4.0/",
    )
    assert stated_licences.detect_licences(
        links=[("license noopener", nc), ("nofollow", nd), ("", nd)]
    ) == ["CC-BY-NC-4.0"]
    assert stated_licences.detect_licences(
        headers=[("Link", f'<{nd}>; rel="license", </x>; rel=next')]
    ) == ["CC-BY-ND-4.0"]
    graph = {
        "@graph": [
            {"@type": "ImageObject", "license": nd},
            {"@type": "Article", "license": {"@id": nc}},
        ]
    }
    assert stated_licences.detect_licences(jsonld=[json.dumps(graph), "{broken"]) == [
        "CC-BY-NC-4.0"
    ]


@pytest.mark.parametrize(
    ("detected", "declared", "expected"),
    [
        ("CC-BY-NC-4.0", "CC-BY-4.0", True),
        ("CC-BY-NC-3.0", "CC-BY-NC-4.0", False),
        ("CC-BY-NC-ND-4.0", "CC-BY-NC-4.0", True),
        ("CC-BY-SA-4.0", "CC-BY-4.0", False),
        ("CC-BY-4.0", "LicenseRef-agreement", False),
        ("CC-BY-ND-4.0", "LicenseRef-agreement", True),
        (stated_licences.ALL_RIGHTS_RESERVED, "CC0-1.0", True),
    ],
)
def test_stricter(detected: str, declared: str, expected: bool) -> None:
    assert stated_licences.is_stricter(detected, declared) is expected


# The choice among captures

OPEN, SHUT = "User-agent: *\nAllow: /\n", "User-agent: *\nDisallow: /\n"


def refuses(signals: HostSignals, at: str, uri: str = "https://a.example/x") -> bool:
    return "robots" in reservations(signals.observations(uri, at))


def test_fetch_uses_the_capture_of_that_time() -> None:
    signals = HostSignals(
        [
            capture(SHUT, "2026-10-10T00:00:00Z", doc_id="b"),
            capture(OPEN, "2026-10-01T00:00:00Z", doc_id="a"),
        ],
        AGENTS,
    )
    assert not refuses(signals, "2026-09-01T00:00:00Z")
    assert not refuses(signals, "2026-10-09T23:59:59Z")
    assert refuses(signals, "2026-10-10T00:00:00Z")
    assert refuses(signals, "2026-10-10T05:00:00+05:00")
    assert refuses(signals, "no date at all")
    assert signals.observations("https://a.example/x", "2026-12-01")[0].capture == "b"


def test_latest_and_strictest() -> None:
    captures = [capture(SHUT, "2026-10-01T00:00:00Z"), capture(OPEN, "2026-10-10T00:00:00Z")]
    assert not refuses(HostSignals(captures, AGENTS, "latest"), "2026-10-02T00:00:00Z")
    assert refuses(HostSignals(captures, AGENTS, "strictest"), "2026-10-20T00:00:00Z")
    assert not refuses(HostSignals(captures, AGENTS), "2026-10-20T00:00:00Z")
    with pytest.raises(ValueError, match="fetch"):
        HostSignals([], AGENTS, "loose")


def test_captures_of_all_schemes_and_ports_bind_a_host() -> None:
    signals = HostSignals(
        [
            capture(SHUT, uri="https://a.example/robots.txt"),
            capture("", "2026-10-02T00:00:00Z", 404, uri="http://A.example:80/robots.txt"),
        ],
        AGENTS,
    )
    assert refuses(signals, "2026-10-03T00:00:00Z")
    assert refuses(signals, "2026-10-03T00:00:00Z", "http://a.example:8080/x")
    assert not refuses(signals, "2026-10-03T00:00:00Z", "https://www.a.example/x")
    assert signals.hosts == {"a.example"}


def test_a_redirect_target_binds_the_first_host() -> None:
    moved = capture(
        "",
        status=301,
        uri="http://a.example/robots.txt",
        location="https://www.a.example/robots.txt",
    )
    target = Capture(
        "www.a.example",
        "robots",
        200,
        SHUT.encode(),
        "2026-10-01T00:00:01Z",
        "t",
        "https://www.a.example/robots.txt",
    )
    assert refuses(HostSignals([moved, target], AGENTS), "2026-10-02T00:00:00Z")
    assert not refuses(HostSignals([moved], AGENTS), "2026-10-02T00:00:00Z")
    loop = capture("", status=302, uri="http://a.example/robots.txt", location="/robots.txt")
    assert HostSignals([loop], AGENTS).observations("http://a.example/x", "2026") == []


def test_observations_name_their_capture_and_can_be_pickled() -> None:
    rules = json.dumps([{"location": "/reserved/*", "tdm-reservation": 1}])
    body = "User-agent: *\nContent-Signal: search=yes, ai-train=no\nAllow: /\n"
    signals = HostSignals(
        [capture(body, doc_id="r"), capture(rules, kind="tdmrep", doc_id="t")], AGENTS
    )
    uri = "https://a.example/reserved/000001.html"
    before = signals.observations(uri, "2026-10-05T00:00:00Z")
    assert [(o.protocol, o.value, o.capture) for o in before] == [
        ("robots", "granted", "r"),
        ("tdmrep", "reserved", "t"),
        ("content-signal", "reserved", "r"),
    ]
    assert pickle.loads(pickle.dumps(signals)).observations(uri, "2026-10-05T00:00:00Z") == before
    assert signals.observations("urn:x:1", "2026") == []


def test_no_protocol_reads_a_skipped_header() -> None:
    for value in ("noai", "train-ai=n", "ai-train=no", "1", '<https://a.example/l>; rel="license"'):
        pairs = [(name, value) for name in signals._MUTE]
        assert [o for p in signals.PROTOCOLS for o in p.page_observations(pairs, (), AGENTS)] == []


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["x-robots-tag", "content-usage", "link", "robots"]),
            st.text(max_size=40),
        ),
        max_size=4,
    ),
    st.text(max_size=40),
)
def test_pages_never_raise(pairs: list[tuple[str, str]], text: str) -> None:
    observe_response(pairs, pairs, AGENTS)
    stated_licences.detect_licences(pairs, pairs, [("license", text)], [text])
    HostSignals([capture(text), capture(text, kind="tdmrep")], AGENTS).observations(
        f"https://a.example/{text}", text
    )
