from __future__ import annotations

import json
import pickle
import socket
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.engine import validation
from pipelines.engine.validation import ExpectationFailed, validate
from schemas.stages import STAGES

Frame = dict[str, list[Any]]

GOOD: dict[str, Frame] = {
    "ingest": {
        "shard": ["a", "b"],
        "records": [10, 0],
        "keep": [6, 0],
        "refuse": [2, 0],
        "drop": [1, 0],
        "damaged": [1, 0],
        "documents": [6, 0],
        "null_doc_ids": [0, 0],
        "repeated_doc_ids": [0, 0],
        "null_texts": [0, 0],
        "null_sources": [0, 0],
        "unknown_reasons": [0, 0],
    },
    "language": {
        "shard": ["a", "b"],
        "documents": [6, 0],
        "keep": [4, 0],
        "drop": [2, 0],
        "null_langs": [0, 0],
        "null_scripts": [0, 0],
        "score_min": [0.2, None],
        "score_max": [1.0000002, None],
        "repeated_doc_ids": [0, 0],
    },
    "quality": {
        "shard": ["a", "b"],
        "documents": [4, 0],
        "keep": [3, 0],
        "drop": [1, 0],
        "null_words": [0, 0],
        "share_min": [0.0, None],
        "share_max": [1.0, None],
        "score_min": [None, None],
        "score_max": [None, None],
        "repeated_doc_ids": [0, 0],
    },
    "dedup": {
        "shard": ["a", "b"],
        "documents": [4, 1],
        "keep": [2, 1],
        "drop": [2, 0],
        "duplicates": [3, 0],
        "unresolved": [0, 0],
        "similarity_min": [0.71, None],
        "similarity_max": [1.0, None],
    },
    "privacy": {
        "shard": ["a", "b"],
        "documents": [2, 1],
        "keep": [2, 0],
        "drop": [0, 1],
        "findings": [5, 0],
        "bad_spans": [0, 0],
    },
    "release": {
        "shard": ["part-00000", "part-00000"],
        "lang": ["kk", "ru"],
        "rows": [1, 1],
        "null_texts": [0, 0],
        "null_sources": [0, 0],
        "null_licences": [0, 0],
        "repeated_doc_ids": [0, 0],
        "chars": [900, 40],
    },
}

IN_SET, BETWEEN = "expect_column_values_to_be_in_set", "expect_column_values_to_be_between"
UNIQUE, SUM = "expect_column_values_to_be_unique", "expect_column_sum_to_be_between"
GREATER = "expect_column_pair_values_a_to_be_greater_than_b"
COLUMNS = "expect_table_columns_to_match_set"

#: stage, what is changed, the expectation that must fail, its column.
BAD: list[tuple[str, Frame, str, str]] = [
    ("ingest", {"refuse": [1, 0]}, IN_SET, "unaccounted"),
    ("ingest", {"shard": ["a", "a"]}, UNIQUE, "shard"),
    ("ingest", {"damaged": [1, None]}, IN_SET, "uncounted"),
    ("ingest", {"documents": [5, 0]}, "expect_column_pair_values_to_be_equal", "documents,keep"),
    *[
        ("ingest", {name: [0, 1]}, IN_SET, name)
        for name in (
            "null_doc_ids",
            "repeated_doc_ids",
            "null_texts",
            "null_sources",
            "unknown_reasons",
        )
    ],
    ("ingest", {"keep": [0, 0], "documents": [0, 0], "drop": [7, 0]}, SUM, "keep"),
    ("language", {"drop": [1, 1]}, IN_SET, "unaccounted"),
    ("language", {"score_min": [-0.1, None]}, BETWEEN, "score_min"),
    ("language", {"score_min": [float("nan"), None]}, BETWEEN, "score_min"),
    ("language", {"score_max": [1.1, None]}, BETWEEN, "score_max"),
    ("language", {"score_max": [0.1, None]}, GREATER, "score_max,score_min"),
    *[
        ("language", {name: [0, 1]}, IN_SET, name)
        for name in ("null_langs", "null_scripts", "repeated_doc_ids")
    ],
    ("language", {"keep": [0, 0], "drop": [6, 0]}, SUM, "keep"),
    ("quality", {"drop": [0, 0]}, IN_SET, "unaccounted"),
    ("quality", {"share_max": [1.5, None]}, BETWEEN, "share_max"),
    ("quality", {"score_min": [-0.1, None], "score_max": [0.1, None]}, BETWEEN, "score_min"),
    *[("quality", {name: [0, 1]}, IN_SET, name) for name in ("null_words", "repeated_doc_ids")],
    ("dedup", {"keep": [2, 0]}, IN_SET, "unaccounted"),
    ("dedup", {"unresolved": [1, 0]}, IN_SET, "unresolved"),
    ("dedup", {"similarity_min": [-1.0, None]}, BETWEEN, "similarity_min"),
    ("dedup", {"similarity_max": [1.5, None]}, BETWEEN, "similarity_max"),
    ("dedup", {"similarity_max": [0.7, None]}, GREATER, "similarity_max,similarity_min"),
    ("privacy", {"bad_spans": [0, 2]}, IN_SET, "bad_spans"),
    ("privacy", {"findings": [-1, 0]}, BETWEEN, "findings"),
    ("privacy", {"drop": [0, 0]}, IN_SET, "unaccounted"),
    ("release", {"lang": ["ru", "ru"]}, "expect_compound_columns_to_be_unique", "lang,shard"),
    ("release", {"rows": [0, 0]}, SUM, "rows"),
    ("release", {"chars": [900, 0]}, GREATER, "chars,rows"),
    *[
        ("release", {name: [0, 1]}, IN_SET, name)
        for name in ("null_texts", "null_sources", "null_licences", "repeated_doc_ids")
    ],
]


def frame(stage: str, **changed: list[Any]) -> pl.DataFrame:
    return pl.DataFrame({**GOOD[stage], **changed})


def failed(call: Callable[[], object]) -> ExpectationFailed:
    with pytest.raises(ExpectationFailed) as caught:
        call()
    return caught.value


class Outside(HTMLParser):
    """Collects what a page loads, runs or leads to outside itself."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("script", "link", "img", "iframe", "object", "embed"):
            self.found.append(tag)
        for name, value in attrs:
            if name in ("src", "srcset", "style") or name.startswith("on"):
                self.found.append(f"{tag} {name}")
            if name == "href" and not (value or "").startswith("#section-"):
                self.found.append(f"{tag} href {value}")


def assert_stands_alone(page: str) -> None:
    assert Outside(page).found == []
    assert not any(mark in page for mark in ("http://", "https://", "url(", "@import", "//cdn"))


@pytest.mark.parametrize("stage", STAGES)
def test_passes(stage: str, tmp_path: Path) -> None:
    result = validate(stage, frame(stage), tmp_path / "docs", min_keep_share=0.5)
    assert result["success"] and result["failed"] == 0 and result["shards"] == 2
    assert (
        result["passed"] == result["expectations"] == len(validation.suite(stage)["expectations"])
    )
    assert json.loads((tmp_path / "docs/result.json").read_text("utf-8")) == result
    page = (tmp_path / "docs/index.html").read_text("utf-8")
    assert_stands_alone(page)
    assert f"Validation of {stage}" in page and "Succeeded" in page


@pytest.mark.parametrize(("stage", "changed", "expectation", "column"), BAD)
def test_names_the_expectation(
    stage: str,
    changed: Frame,
    expectation: str,
    column: str,
    tmp_path: Path,
) -> None:
    error = failed(lambda: validate(stage, frame(stage, **changed), tmp_path / "docs"))
    assert (expectation, column) in [failure[:2] for failure in error.failures]
    lines = str(error).splitlines()
    assert len(lines) == len(error.failures)
    assert any(line.startswith(f"{stage}: {expectation}({column}): observed ") for line in lines)
    assert_stands_alone((tmp_path / "docs/index.html").read_text("utf-8"))


def test_names_the_shards_and_what_was_wanted(tmp_path: Path) -> None:
    changed = frame("ingest", shard=["a", "b"], null_texts=[0, 3])
    error = failed(lambda: validate("ingest", changed, tmp_path / "docs"))
    assert [*error.failures] == [
        (
            IN_SET,
            "null_texts",
            "1 of 2 shards: b (null_texts 3)",
            "A document has text (value_set [0])",
        )
    ]
    result = json.loads((tmp_path / "docs/result.json").read_text("utf-8"))
    assert (result["success"], result["failed"]) == (False, 1)
    assert result["failures"] == [failure._asdict() for failure in error.failures]
    assert "b (null_texts 3)" in (tmp_path / "docs/index.html").read_text("utf-8")
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_share_kept_over_all_shards(tmp_path: Path) -> None:
    counts = frame("language", keep=[1, 0], drop=[5, 0])
    assert validate("language", counts, tmp_path / "docs", min_keep_share=1 / 6)["success"]
    error = failed(lambda: validate("language", counts, tmp_path / "docs", min_keep_share=0.2))
    assert [failure[:2] for failure in error.failures] == [
        ("expect_column_min_to_be_between", "kept_share")
    ]


def test_nothing_left_only_where_allowed(tmp_path: Path) -> None:
    nothing = frame("privacy", keep=[0, 0], drop=[2, 1])
    assert validate("privacy", nothing, tmp_path / "docs", min_keep_share=None)["success"]
    no_input = frame("privacy", documents=[0, 0], keep=[0, 0], drop=[0, 0])
    assert validate("privacy", no_input, tmp_path / "docs", min_keep_share=None)["success"]
    error = failed(lambda: validate("privacy", no_input, tmp_path / "docs", min_keep_share=0.5))
    assert [failure[:2] for failure in error.failures] == [(SUM, "keep")]


@pytest.mark.parametrize("empty", [pl.DataFrame(), frame("dedup").clear()])
def test_no_shards(empty: pl.DataFrame, tmp_path: Path) -> None:
    error = failed(lambda: validate("dedup", empty, tmp_path / "docs"))
    assert [(failure.expectation, failure.observed) for failure in error.failures] == [
        ("expect_table_row_count_to_be_between", "0")
    ]
    assert (tmp_path / "docs/index.html").exists()


def test_missing_column(tmp_path: Path) -> None:
    short = frame("ingest").drop("refuse", "null_texts")
    error = failed(lambda: validate("ingest", short, tmp_path / "docs"))
    assert [(failure.expectation, failure.observed) for failure in error.failures] == [
        (COLUMNS, "no null_texts, refuse")
    ]


def test_unjudgeable_column_fails_without_paths(tmp_path: Path) -> None:
    error = failed(
        lambda: validate("privacy", frame("privacy", bad_spans=["x", "y"]), tmp_path / "docs")
    )
    assert error.failures[0].observed.startswith("no answer, ")
    page = (tmp_path / "docs/index.html").read_text("utf-8")
    assert_stands_alone(page)
    assert "site-packages" not in page and "Traceback (most" not in page


def test_rerun_replaces_and_is_the_same(tmp_path: Path) -> None:
    docs = tmp_path / "deep/docs"
    contents = []
    counts = frame("dedup", unresolved=[1, 1], keep=[0, 0])
    for rows in (counts, counts.reverse()):
        failed(lambda rows=rows: validate("dedup", rows, docs))  # type: ignore[misc]
        contents.append({path.name: path.read_bytes() for path in docs.iterdir()})
        (docs / "left-over").write_text("x")
    assert contents[0] == contents[1] and {*contents[0]} == {"index.html", "result.json"}
    assert [path.name for path in docs.parent.iterdir()] == ["docs"]


def test_calls_nobody(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a connection was tried")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    validate("release", frame("release"), tmp_path / "docs")
    assert capfd.readouterr() == ("", "")


@given(st.lists(st.tuples(*[st.integers(0, 99)] * 2), min_size=1, max_size=9))
def test_derived_sums(counts: list[tuple[int, int]]) -> None:
    keep, drop = (pl.Series(column) for column in zip(*counts, strict=True))
    table = pl.DataFrame({"documents": keep + drop, "keep": keep, "drop": drop})
    derived = validation.derive(table, validation.suite("privacy")["meta"])
    assert {*derived["unaccounted"], *derived["uncounted"]} == {0}
    total = sum(map(sum, counts))
    share = sum(kept for kept, _ in counts) / total if total else 1.0
    assert derived["kept_share"].to_list() == [share] * table.height
    short = table.with_columns(pl.col("documents", "keep", "drop").cast(pl.UInt32)).with_columns(
        pl.col("drop") + 1
    )
    assert {*validation.derive(short, validation.suite("privacy")["meta"])["unaccounted"]} == {-1}


def test_outside_assets_are_removed() -> None:
    page = validation.stand_alone(
        '<html><head><link href="https://x.example/a.css"></head><body onload="f()">'
        '<script src="//cdn.example/a.js">var a = "<p>";</script><img src="https://x.example/i">'
        '<a href="https://docs.example">Manual</a> <a href="#section-2">2</a>'
        '<p style="background:u" id="section-2">1 &lt; 2 &amp; 3</p><footer><p>news</p></footer>',
        "A <title>",
        ["a & b"],
    )
    assert_stands_alone(page)
    assert '<a>Manual</a> <a href="#section-2">2</a><p id="section-2">1 &lt; 2 &amp; 3</p>' in page
    assert "news" not in page and "A &lt;title&gt;" in page and "<p>a &amp; b</p>" in page


def test_a_column_of_nulls_alone_is_in_order(tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {
            "shard": ["a"],
            "documents": [2],
            "keep": [2],
            "drop": [0],
            "duplicates": [0],
            "unresolved": [0],
            "similarity_min": [None],
            "similarity_max": [None],
        }
    )
    assert validate("dedup", frame, tmp_path / "docs")["success"]
