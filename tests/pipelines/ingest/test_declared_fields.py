"""Declared fields are stored in their proper form, or not at all."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.ingest import declared_fields


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-01T00:00:00Z",
        "2026-01-01T00:00:00.123456789+05:00",
        "2026-01-01 10:00",
        "2026-01-01",
        "2026-05",
        "2026",
        "1962-03-01",
        "9999-12-31T23:59:59Z",
        "12.05.2020",
    ],
)
def test_times(text: str) -> None:
    assert declared_fields.capture_time(text) == text
    assert declared_fields.capture_time(f" {text}\n") == text


@pytest.mark.parametrize(
    "text",
    ["", "Aliya Bekova", "+7 701 123 45 67", "850412300123", "2026-13-01", "1.5.2020", "٢٠٢٦",
     "2026-01-01T00:00:00." + "7" * 30, "0000-01-01"],
)  # fmt: skip
def test_values_that_are_not_times(text: str) -> None:
    assert declared_fields.capture_time(text) is None
    assert declared_fields.capture_time(None) is None


@given(st.datetimes(timezones=st.just(UTC)))
def test_any_time_of_the_calendar(when: datetime) -> None:
    assert declared_fields.capture_time(when.isoformat()) == when.isoformat()


@given(st.text())
def test_any_text(text: str) -> None:
    assert declared_fields.capture_time(text) in (None, text.strip())
    assert declared_fields.media_type(text) in (declared_fields.UNKNOWN_TYPE, text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, None),
        ("text/html", "text/html"),
        ("application/vnd.api+json", "application/vnd.api+json"),
        ("text", ""),
        ("", ""),
        ("text/html charset=utf-8", ""),
        ("aliya@example.kz/html", ""),
        ("text/" + "x" * 122, "text/" + "x" * 122),
        ("text/" + "x" * 123, ""),
    ],
)
def test_media_types(text: str | None, expected: str | None) -> None:
    assert declared_fields.media_type(text) == expected


@pytest.mark.parametrize(
    ("text", "fits"),
    [("sha1:3I42H3S6NNFQ2MSVX7XZKYAYSCX5QBYJ", True), ("sha-256:9f86d0==", True),
     ("Aliya Bekova", False), ("sha1:", False)],
)  # fmt: skip
def test_digests(text: str, fits: bool) -> None:
    assert declared_fields.digest(text) == (text if fits else None)
