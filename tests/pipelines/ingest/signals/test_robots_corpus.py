"""Verdicts on crawler-commons' robots.txt files by RFC 9309, and on real files against Protego.

`robots_corpus.yaml` holds the expected verdicts and their sections of the RFC.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from helpers.commands import SHARED

from pipelines.ingest.signals import robots
from pipelines.ingest.signals.observed import Capture
from pipelines.ingest.signals.uris import split_uri

ROBOTS_FILES = SHARED / "data/robots"
CASES: dict[str, list[list[Any]]] = yaml.safe_load(
    (Path(__file__).parent / "robots_corpus.yaml").read_text()
)
pytestmark = pytest.mark.skipif(not ROBOTS_FILES.exists(), reason="shared data is absent")

#: Hosts whose verdicts differ from Protego's, and what RFC 9309 says.
DIFFERENCES = {
    "www.menards.com": "2.2: a path begins with `/`. `Disallow: 500errorPage.html` is not a rule. "
    "Protego ignores it; here it gets the slash",
    "www.ratp.fr": "the same: `Disallow: sites/default/files/*`",
    "www.toyoko-inn.com": "2.2.2: `Allow: /corporation/index.html` does not match `/corporation/`; "
    "Protego adds Google's rule that it allows its directory",
}


def verdict(body: bytes, agent: str, path: str) -> bool:
    parts = split_uri(f"https://a.example{path}")
    assert parts
    capture = Capture("a.example", "robots", 200, body, "2026-10-01T00:00:00Z", "0" * 32)
    [seen] = robots.path_observer(capture, (agent,))(parts.path)
    return seen.value == "granted"


def test_each_file_has_cases() -> None:
    assert set(CASES) == {f.name for f in (ROBOTS_FILES / "crawler-commons").iterdir()}
    assert sum(map(len, CASES.values())) >= 100


@pytest.mark.parametrize("name", CASES)
def test_crawler_commons(name: str) -> None:
    body = (ROBOTS_FILES / "crawler-commons" / name).read_bytes()
    wrong = [
        (agent, path, why)
        for agent, path, allowed, why in CASES[name]
        if verdict(body, agent, path) is not allowed
    ]
    assert not wrong


def paths_to_test(body: bytes) -> list[str]:
    """Return common paths, and for each rule of the file paths that it covers or nearly covers."""
    paths = {"/", "/news/1", "/index.html", "/a?b=c"}
    for field, value in robots.parse_lines(body):
        if field in robots.ACCESS and value:
            own = ("" if value[0] in "/*" else "/") + value
            own = own.rstrip("$").replace("*", "x")
            own = own if own.startswith("/") else "/" + own
            paths |= {own, own + "x", own + "/y", own[:-1] or "/"}
    return sorted(paths)


def test_real_files_against_protego() -> None:
    protego = pytest.importorskip("protego")
    files = sorted((ROBOTS_FILES / "real").iterdir())
    compared, different = 0, set()
    for file in files:
        body = file.read_bytes()
        capture = Capture("a.example", "robots", 200, body, "", "")
        # without the byte-order mark, which Protego does not remove
        theirs = protego.Protego.parse(body.decode("utf-8-sig", "replace"))
        for agent in ("GPTBot", "CCBot"):
            ours = robots.path_observer(capture, (agent,))
            for path in paths_to_test(body):
                uri = f"https://a.example{path}"
                if parts := split_uri(uri):
                    compared += 1
                    allowed = ours(parts.path)[0].value == "granted"
                    if allowed is not theirs.can_fetch(uri, agent):
                        different.add(file.name)
    assert (len(files), different) == (278, set(DIFFERENCES))
    assert compared > 40_000


def test_the_complete_list_of_ai_agents_is_read() -> None:
    body = (ROBOTS_FILES / "ai-robots-txt/robots.txt").read_bytes()
    named = [v for f, v in robots.parse_lines(body) if f == "user-agent"]
    assert len(named) > 100
    assert not any(verdict(body, agent, "/x") for agent in named)
    assert verdict(body, "*", "/x")
