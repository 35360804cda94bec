"""Revisits and redirects, statements at the fetch and the latest, and hostile files."""

from __future__ import annotations

import time

import pytest

from pipelines.ingest.signals import robots, tdmrep
from pipelines.ingest.signals.captures import read_marks, resolve_captures
from pipelines.ingest.signals.hosts import HostSignals
from pipelines.ingest.signals.observed import Capture
from pipelines.ingest.signals.registry import observe_response, reservations

AGENTS = ("*", "GPTBot", "CCBot")
OPEN, SHUT = b"User-agent: *\nAllow: /\n", b"User-agent: *\nDisallow: /\n"
MAY, JUNE, JULY = "2026-05-01T00:00:00Z", "2026-06-01T00:00:00Z", "2026-07-01T00:00:00Z"
URI = "https://a.example/robots.txt"
DIGEST = "sha1:AAAA"


def capture(
    body: bytes,
    at: str,
    status: int = 200,
    uri: str = URI,
    kind: str = "robots",
    digest: str = "",
    record: str = "",
) -> Capture:
    fields = {"warc-type": "response", "warc-target-uri": uri, "warc-date": at}
    fields |= {"warc-payload-digest": digest, "warc-record-id": record}
    own, _ = read_marks(fields)
    host = uri.split("/")[2]
    return Capture(host, kind, status, body, at, f"at {at[5:7]}", uri, marks=own)


def revisit(at: str, uri: str = URI, **fields: str) -> Capture:
    named = {"warc-type": "revisit", "warc-target-uri": uri, "warc-date": at}
    named |= {k.replace("_", "-"): v for k, v in fields.items()}
    own, refers = read_marks(named)
    return Capture(uri.split("/")[2], "robots", 200, b"", at, "revisit", uri, "", own, refers)


def refuses(*captures: Capture, at: str = JULY, mode: str = "fetch", path: str = "x") -> bool:
    seen = HostSignals(captures, AGENTS, mode).observations(f"https://a.example/{path}", at)
    return "robots" in reservations(seen)


# Revisits


def test_a_revisit_counts_as_the_capture_before_it() -> None:
    assert refuses(capture(OPEN, MAY), capture(SHUT, JUNE), revisit(JULY))
    assert not refuses(capture(SHUT, MAY), capture(OPEN, JUNE), revisit(JULY))
    resolved = resolve_captures([capture(SHUT, MAY), revisit(JULY)])
    [last] = [c for c in resolved if c.captured_at == JULY]
    assert (last.body, last.status, last.doc_id, last.refers) == (SHUT, 200, "at 05", None)


@pytest.mark.parametrize(
    "fields",
    [
        {"warc_payload_digest": DIGEST},
        {"warc_refers_to": "<urn:uuid:1>"},
        {"warc_refers_to_target_uri": URI, "warc_refers_to_date": MAY},
        {"warc_refers_to_target_uri": f"<{URI}>", "warc_refers_to_date": MAY},
        {"warc_payload_digest": "sha1:GONE", "warc_refers_to": "<urn:uuid:1>"},
    ],
)
def test_a_revisit_names_its_original(fields: dict[str, str]) -> None:
    original = capture(SHUT, MAY, digest=DIGEST, record="<urn:uuid:1>")
    between = capture(OPEN, JUNE, digest="sha1:BBBB", record="<urn:uuid:2>")
    assert refuses(original, between, revisit(JULY, **fields))
    assert not refuses(original, between)


def test_an_original_that_is_missing() -> None:
    gone = {"warc_payload_digest": "sha1:GONE"}
    assert refuses(revisit(JULY))  # its content is unknown
    assert refuses(revisit(JULY, **gone))
    assert refuses(revisit(JUNE), capture(OPEN, JULY), at=JULY) is False
    # its digest shows that the capture before it is not the original: other captures count
    assert not refuses(capture(OPEN, MAY, digest=DIGEST), revisit(JULY, **gone))
    assert refuses(capture(SHUT, MAY, digest=DIGEST), revisit(JULY, **gone))


def test_a_digest_refers_only_to_captures_of_the_same_host() -> None:
    other = capture(b"", MAY, uri="https://b.example/robots.txt", digest=DIGEST)
    assert refuses(other, revisit(JULY, warc_payload_digest=DIGEST))
    moved = {"warc_payload_digest": DIGEST, "warc_refers_to_target_uri": other.uri}
    assert not refuses(other, revisit(JULY, **moved))


def test_not_modified() -> None:
    profile = "http://netpreserve.org/warc/1.1/revisit/server-not-modified"
    empty = capture(b"", MAY, status=404, digest=DIGEST)
    last = revisit(JULY, warc_profile=profile, warc_payload_digest=DIGEST)
    assert refuses(empty, capture(SHUT, JUNE, digest="sha1:BBBB"), last)
    assert refuses(capture(SHUT, JUNE), capture(b"", JULY, status=304))
    assert refuses(capture(b"", JULY, status=304))


def test_a_revisit_of_a_redirect_is_followed() -> None:
    target = capture(SHUT, JUNE, uri="https://www.a.example/robots.txt")
    moved = Capture("a.example", "robots", 301, b"", MAY, "m", URI, target.uri)
    assert refuses(moved, target, revisit(JULY))


# Statements at the fetch and the latest


@pytest.mark.parametrize(
    ("mode", "refused"), [("fetch", False), ("latest", True), ("strictest", True)]
)
def test_both_statements_are_kept_if_they_differ(mode: str, refused: bool) -> None:
    signals = HostSignals([capture(OPEN, MAY), capture(SHUT, JULY)], AGENTS, mode)
    [seen] = signals.observations("https://a.example/x", JUNE)
    assert (seen.value == "reserved") is refused
    compared = seen.evidence()["compared"]
    assert [compared[when]["value"] for when in ("fetch", "latest")] == ["granted", "reserved"]
    assert [compared[when]["capture"] for when in ("fetch", "latest")] == ["at 05", "at 07"]
    [same] = signals.observations("https://a.example/robots.txt", JUNE)
    assert "compared" not in same.evidence()


def test_a_protocol_with_a_statement_at_one_time_only() -> None:
    usage = b"User-agent: *\nAllow: /\nContent-Usage: train-ai=n\n"
    later = HostSignals([capture(OPEN, MAY), capture(usage, JULY)], AGENTS)
    observations = {o.protocol: o for o in later.observations("https://a.example/x", JUNE)}
    assert observations["aipref"].value == "unsaid" and not reservations(observations.values())
    assert observations["aipref"].compared == {
        "fetch": {"value": "unsaid"},
        "latest": {
            "value": "reserved",
            "raw": "User-agent: *; content-usage: train-ai=n",
            "observed_at": JULY,
            "capture": "at 07",
        },
    }
    lifted = HostSignals([capture(usage, MAY), capture(OPEN, JULY)], AGENTS, "latest")
    assert not reservations(lifted.observations("https://a.example/x", JUNE))
    strict = HostSignals([capture(usage, MAY), capture(OPEN, JULY)], AGENTS, "strictest")
    assert list(reservations(strict.observations("https://a.example/x", JUNE))) == ["aipref"]


# Examples of the specifications


def test_tdmrep_directories() -> None:
    body = b"""[{"location": "/directory-a/", "tdm-reservation": 1},
      {"location": "/directory-b/html/", "tdm-reservation": 1,
       "tdm-policy": "https://provider.com/policies/policy.json"},
      {"location": "/directory-b/images/*.jpg", "tdm-reservation": 0}]"""
    observe = tdmrep.path_observer(Capture("a.example", "tdmrep", 200, body, MAY, "c"), AGENTS)
    for path, value in (
        ("/directory-a/a.pdf", "reserved"),
        ("/directory-b/html/1", "reserved"),
        ("/directory-b/images/1.jpg", "granted"),
        ("/directory-b/images/1.png", None),
        ("/directory-c/", None),
    ):
        seen = observe(path)
        assert (seen[0].value if seen else None) == value
    assert observe("/directory-b/html/1")[0].raw.endswith("policies/policy.json")


@pytest.mark.parametrize("status", [500, 503, 599])
def test_a_server_error_of_tdmrep_is_ignored(status: int) -> None:
    uri = "https://a.example/.well-known/tdmrep.json"
    reserving = capture(b'[{"location": "/", "tdm-reservation": 1}]', MAY, uri=uri, kind="tdmrep")
    failed = capture(b"", JUNE, status, uri, "tdmrep")
    gone = capture(b"", JUNE, 404, uri, "tdmrep")

    def reserved(*captures: Capture) -> bool:
        seen = HostSignals(captures, AGENTS).observations("https://a.example/x", JULY)
        return "tdmrep" in reservations(seen)

    assert not reserved(failed)
    assert reserved(reserving, failed)
    assert not reserved(reserving, gone)


@pytest.mark.parametrize(
    ("headers", "metas", "where"),
    [
        ([("tdm-reservation", "1")], [], "header"),
        ([("tdm-reservation", "0")], [("tdm-reservation", "1")], "html"),
        ([("tdm-reservation", "0")], [("tdm:reservation", "1")], "embedded"),
        ([], [("tdm-reservation", "1"), ("tdm:reservation", "0")], None),
        ([("tdm-reservation", "2")], [], None),
        ([("tdm-a", "1")], [], None),
        ([("tdm-policy", "https://provider.com/policies/policy.json")], [], None),
    ],
)
def test_tdmrep_precedence(
    headers: list[tuple[str, str]], metas: list[tuple[str, str]], where: str | None
) -> None:
    observations = reservations(observe_response(headers, metas, AGENTS)).get("tdmrep")
    assert (observations.where if observations else None) == where


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("train-ai=n", True),
        ("train-ai=y, search=n", False),
        ('train-ai=y, train-ai, search=n, search="n"', False),
        ("train-ai;allow=n, train-ai=y", False),
        ('train-ai;has;parameters="?"', False),
        # stricter than the draft, where this field fails to parse: a typing error is no consent
        ("Train-AI=n", True),
    ],
)
def test_aipref_vocabulary(value: str, expected: bool) -> None:
    seen = observe_response([("Content-Usage", value)], [], AGENTS)
    assert ("aipref" in reservations(seen)) is expected


# Hostile files


def may_fetch(body: bytes, path: str = "/x", agents: tuple[str, ...] = AGENTS) -> bool:
    [seen] = robots.path_observer(Capture("a.example", "robots", 200, body, MAY, "c"), agents)(path)
    return seen.value == "granted"


def test_a_large_file_is_read_up_to_the_limit() -> None:
    body = b"User-agent: *\n" + b"Disallow: /aaaa\n" * 320_000 + b"Disallow: /late\n"
    assert len(body) > 5_000_000
    started = time.perf_counter()
    assert may_fetch(body, "/late") and not may_fetch(body, "/aaaa")
    assert time.perf_counter() - started < 3


def test_many_rules_take_little_time_per_path() -> None:
    rules = b"".join(b"Disallow: /%x\n" % n for n in range(100_000))
    observe = robots.path_observer(
        Capture("a.example", "robots", 200, b"User-agent: *\n" + rules, MAY, "c"), AGENTS
    )
    started = time.perf_counter()
    assert [observe(f"/{n:x}")[0].value for n in range(0x1000, 0x1800)] == ["reserved"] * 0x800
    assert time.perf_counter() - started < 1


@pytest.mark.parametrize(
    "rule", ["/" + "*a" * 5_000 + "$", "*" * 10_000 + "b", "/" + "*aa" * 3_000]
)
def test_wildcards_take_linear_time(rule: str) -> None:
    body = f"User-agent: *\nDisallow: {rule}\n".encode()
    started = time.perf_counter()
    assert may_fetch(body, "/" + "a" * 4_000 + "c")
    assert time.perf_counter() - started < 0.5


@pytest.mark.parametrize(
    "body",
    [
        b"User-agent: *\rDisallow: /x\r",
        b"\xef\xbb\xbfUser-agent: *\r\nDisallow: /x",
        b"\0\0User-agent: *\0\nDisallow: /x\0\n",
        "\ufeffUser-agent: *\nDisallow: /x\n".encode("utf-16-le"),
        "\ufeffUser-agent: *\nDisallow: /x\n".encode("utf-16-be"),
        "User-agent: *\nDisallow: /x\n".encode("utf-16-le"),
        "User-agent: *\nDisallow: /x\n".encode("utf-16-be"),
        b"\xff\xfe\xff\nUser-agent: *\nDisallow: /x\n".replace(b"\xff\xfe", b"\xfe\xfe"),
        b"User-agent: *GPTBot*\nDisallow: /x\n",
    ],
)
def test_unusual_octets(body: bytes) -> None:
    assert not may_fetch(body) and may_fetch(body, "/y")


def test_an_agent_with_stars_does_not_mean_all_agents() -> None:
    body = b"User-agent: *WordPress*\nDisallow: /\n\nUser-agent: *MLBot*\nDisallow: /\n"
    assert may_fetch(body)
    assert not may_fetch(body, agents=("MLBot",))
    assert not may_fetch(b"User-agent: * # everyone\nDisallow: /\n")
    assert not may_fetch(b"User-agent: * (all)\nDisallow: /\n")


@pytest.mark.parametrize(
    "body",
    [
        b"<!DOCTYPE html>\n<html><head><title>Not found</title></head>\n<body>x: y</body></html>",
        b"<html>\r\n<style>a { color: red }</style>\r\n</html>",
        b"",
        b"\0" * 5_000,
        bytes(range(256)) * 40,
        b":" * 100_000,
        b"User-agent:" * 50_000,
    ],
)
def test_a_file_that_is_not_robots_txt_has_no_rules(body: bytes) -> None:
    assert may_fetch(body)
