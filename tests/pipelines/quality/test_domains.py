"""Domains of documents."""

from __future__ import annotations

import polars as pl
import pytest

from pipelines.quality.domains import tag, to_regex


@pytest.mark.parametrize(
    ("pattern", "url", "matches"),
    [
        ("law.example.kz/*", "https://law.example.kz/1", True),
        ("law.example.kz/*", "HTTP://LAW.example.kz/a/b", True),
        ("law.example.kz/*", "https://xlaw.example.kz/1", False),
        ("law.example.kz/*", "https://law-example.kz/1", False),
        ("law.example.kz", "https://law.example.kz/1", False),
        ("*/health/*", "https://a.example/x/health/1", True),
        ("*/health/*", "https://a.example/healthy/1", False),
        ("*.gov.kz/a+(b)*", "https://x.gov.kz/a+(b)", True),
        ("letters/*.txt", "letters/a.txt", True),
    ],
)
def test_patterns(pattern: str, url: str, matches: bool) -> None:
    assert pl.Series([url]).str.contains(to_regex(pattern)).item() is matches


def test_source_before_url_before_classifier() -> None:
    documents = pl.DataFrame(
        {
            "source_id": ["a", "b", "b", None],
            "uri": ["https://x.example/law/1", "https://x.example/law/1", "urn:1", None],
        }
    )
    urls = [("*/law/*", "law"), ("x.example/*", "news")]
    labels = pl.Series(["health", "health", "health", None])
    tags = tag(documents, {"a": "culture"}, urls, labels)
    assert tags.rows() == [
        ("culture", "source"),
        ("law", "url"),
        ("health", "classifier"),
        (None, None),
    ]
    untagged = tag(documents, {}, ())
    assert untagged.rows() == [(None, None)] * 4
    assert untagged.schema == {"domain": pl.String, "domain_by": pl.String}
    assert tag(documents.clear(), {}, ()).height == 0
