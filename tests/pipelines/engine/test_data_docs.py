"""Great Expectations' Data Docs."""

from __future__ import annotations

import json
import socket
from html.parser import HTMLParser
from pathlib import Path

import pytest
from helpers.stage_counts import BAD, Frame, frame

from pipelines.engine import data_docs, expectations
from schemas.stages import STAGES


class Outside(HTMLParser):
    """Collects the scripts, outside assets and outside links of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.outside: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("script", "link", "img", "iframe", "object", "embed"):
            self.outside.append(tag)
        for name, value in attrs:
            if name in ("src", "srcset", "style") or name.startswith("on"):
                self.outside.append(f"{tag} {name}")
            if name == "href" and not (value or "").startswith("#section-"):
                self.outside.append(f"{tag} href {value}")


def assert_standalone(page: str) -> None:
    assert Outside(page).outside == []
    assert not any(mark in page for mark in ("http://", "https://", "url(", "@import", "//cdn"))


@pytest.mark.parametrize("stage", STAGES)
def test_a_page_and_a_result(stage: str, tmp_path: Path) -> None:
    verdicts = data_docs.write_data_docs(stage, frame(stage), tmp_path / "docs", min_keep_share=0.5)
    total = len(expectations.suite(stage)["expectations"])
    assert json.loads((tmp_path / "docs/result.json").read_text("utf-8")) == {
        "stage": stage,
        "success": True,
        "shards": 2,
        "expectations": total,
        "passed": total,
        "failed": 0,
        "failures": [],
    }
    assert len(verdicts) == total
    page = (tmp_path / "docs/index.html").read_text("utf-8")
    assert_standalone(page)
    assert f"Validation of {stage}" in page and "Succeeded" in page


@pytest.mark.parametrize(("stage", "changed"), [case[:2] for case in BAD[::6]])
def test_a_page_of_failures(stage: str, changed: Frame, tmp_path: Path) -> None:
    verdicts = data_docs.write_data_docs(stage, frame(stage, **changed), tmp_path / "docs")
    failures = expectations.failures(expectations.suite(stage), verdicts)
    result = json.loads((tmp_path / "docs/result.json").read_text("utf-8"))
    assert (result["success"], result["failed"]) == (False, len(failures))
    assert result["failures"] == [failure._asdict() for failure in failures] != []
    page = (tmp_path / "docs/index.html").read_text("utf-8")
    assert_standalone(page)
    assert failures[0].expectation in page


def test_a_page_lists_the_shard(tmp_path: Path) -> None:
    data_docs.write_data_docs(
        "ingest", frame("ingest", shard=["a", "b"], null_texts=[0, 3]), tmp_path / "docs"
    )
    assert "b (null_texts 3)" in (tmp_path / "docs/index.html").read_text("utf-8")


def test_a_page_without_an_answer_holds_no_paths(tmp_path: Path) -> None:
    data_docs.write_data_docs("privacy", frame("privacy", bad_spans=["x", "y"]), tmp_path / "docs")
    page = (tmp_path / "docs/index.html").read_text("utf-8")
    assert_standalone(page)
    assert "site-packages" not in page and "Traceback (most" not in page


def test_a_second_run_replaces_the_same_bytes(tmp_path: Path) -> None:
    docs = tmp_path / "deep/docs"
    contents = []
    counts = frame("dedup", unresolved=[1, 1], keep=[0, 0])
    for rows in (counts, counts.reverse()):
        data_docs.write_data_docs("dedup", rows, docs)
        contents.append({path.name: path.read_bytes() for path in docs.iterdir()})
        (docs / "left-over").write_text("x")
    assert contents[0] == contents[1] and {*contents[0]} == {"index.html", "result.json"}
    assert [path.name for path in docs.parent.iterdir()] == ["docs"]


def test_no_connection_is_opened(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a connection was tried")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    data_docs.write_data_docs("release", frame("release"), tmp_path / "docs")
    assert capfd.readouterr() == ("", "")


def test_outside_assets_are_removed() -> None:
    page = data_docs.standalone_page(
        '<html><head><link href="https://x.example/a.css"></head><body onload="f()">'
        '<script src="//cdn.example/a.js">var a = "<p>";</script><img src="https://x.example/i">'
        '<a href="https://docs.example">Manual</a> <a href="#section-2">2</a>'
        '<p style="background:u" id="section-2">1 &lt; 2 &amp; 3</p><footer><p>news</p></footer>',
        "A <title>",
        ["a & b"],
    )
    assert_standalone(page)
    assert '<a>Manual</a> <a href="#section-2">2</a><p id="section-2">1 &lt; 2 &amp; 3</p>' in page
    assert "news" not in page and "A &lt;title&gt;" in page and "<p>a &amp; b</p>" in page
