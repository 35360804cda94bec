"""The letter model: which charset and language fit best, and how surely."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.ingest.decoding import letter_model

TEXT = (
    "Мы собрали яблоки в саду и отнесли их в погреб, чтобы зимой варить компот и печь пироги. "
    "Бабушка говорит, что такого урожая не было уже лет десять, и угощает всех соседей."
)


@pytest.mark.parametrize("charset", ["cp1251", "koi8-r", "cp866", "iso8859-5", "cp855"])
def test_the_best_reading_is_the_right_one(charset):
    fit = letter_model.fit_charsets(TEXT.encode(charset))
    assert fit and (fit.best.charset, fit.best.language) == (charset, "ru")
    assert fit.best.plausible() and fit.best.score == max(fit.scores.values())


@pytest.mark.parametrize("charset", ["cp1251", "koi8-r"])
def test_capitals_are_not_read_as_another_charset(charset):
    fit = letter_model.fit_charsets(TEXT.upper().encode(charset))
    assert fit and fit.best.charset == charset


def test_plain_ascii_has_no_reading():
    assert (
        letter_model.fit_charsets(b"<p>plain</p>") is None
        and letter_model.fit_charsets(b"") is None
    )
    assert not letter_model.best_language("plain").plausible()


def test_markup_has_no_weight():
    bare, marked = TEXT.encode("cp1251"), ("<b>x</b> <i>y</i> " + TEXT).encode("cp1251")
    first, second = letter_model.fit_charsets(bare), letter_model.fit_charsets(marked)
    assert first and second and first.best.counted == second.best.counted
    assert first.scores == second.scores


def test_noise_is_implausible():
    fit = letter_model.fit_charsets(bytes(range(128, 256)) * 20)
    assert fit and not fit.best.plausible()
    assert not letter_model.best_language("".join(map(chr, range(0x3041, 0x3090))) * 9).plausible()


@given(st.binary(max_size=300))
def test_any_bytes(payload):
    fit = letter_model.fit_charsets(payload)
    assert (fit is None) == payload.isascii()
    if fit:
        assert set(fit.scores) <= set(letter_model.CHARSETS) and math.isfinite(fit.best.divergence)


@given(st.text(max_size=300))
def test_any_text(text):
    reading = letter_model.best_language(text)
    assert 0 <= reading.counted <= len(text) and math.isfinite(reading.score)
