from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.licences import LicenceTerms, is_allowed, is_single, normalise, purposes_of

NAMES = ("MIT", "CC0-1.0", "CC-BY-4.0", "LicenseRef-a", "GPL-2.0-only WITH Classpath-exception-2.0")
EXPRESSIONS = st.recursive(
    st.sampled_from(NAMES).map(lambda n: (n, lambda ok, n=n: n in ok)),
    lambda inner: st.tuples(inner, st.sampled_from(("AND", "OR")), inner).map(
        lambda t: (
            f"({t[0][0]}) {t[1]} ({t[2][0]})",
            (lambda ok, t=t: t[0][1](ok) and t[2][1](ok))
            if t[1] == "AND"
            else (lambda ok, t=t: t[0][1](ok) or t[2][1](ok)),
        )
    ),
    max_leaves=6,
)


def terms(id: str, *purposes: str) -> LicenceTerms:
    return LicenceTerms(id, id, None, purposes, True, False)


@pytest.mark.parametrize(
    ("given_", "canonical"),
    [
        ("cc-by-4.0", "CC-BY-4.0"),
        ("GPL-2.0+", "GPL-2.0-or-later"),
        (" MIT ", "MIT"),
        ("MIT or (Apache-2.0 and CC0-1.0)", "MIT OR (Apache-2.0 AND CC0-1.0)"),
        ("LicenseRef-a", "LicenseRef-a"),
    ],
)
def test_normal_spelling(given_: str, canonical: str) -> None:
    assert normalise(given_, {"LicenseRef-a"}) == canonical


@pytest.mark.parametrize(
    "text",
    [
        "",
        "CC BY 4.0",
        "MIT OR",
        "(MIT",
        "MIT WITH MIT",
        "Proprietary",
        "LicenseRef-b",
        "NOASSERTION",
        "LicenseRef-scancode-public-domain",
        "MIT CC0-1.0",
        "(" * 900 + "MIT",
        "x" * 5000,
    ],
)
def test_what_is_no_expression(text: str) -> None:
    with pytest.raises(ValueError):
        normalise(text, {"LicenseRef-a"})
    assert not is_allowed(text, {"MIT", "CC0-1.0"})


@given(EXPRESSIONS, st.sets(st.sampled_from(NAMES)))
def test_allowed_is_the_boolean_value_of_the_expression(expression, allow: set[str]) -> None:  # type: ignore[no-untyped-def]
    text, meaning = expression
    assert is_allowed(text, allow) == meaning(allow)
    assert normalise(normalise(text)) == normalise(text)


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        normalise(text)
    except ValueError:
        assert not is_allowed(text, {"MIT"})


def test_an_exception_is_allowed_only_as_it_stands() -> None:
    whole = "GPL-2.0-only WITH Classpath-exception-2.0"
    assert not is_allowed(whole, {"GPL-2.0-only"})
    assert not is_allowed("GPL-2.0-only", {whole})
    assert is_allowed(whole, {whole})
    assert is_single(whole) and not is_single("MIT OR CC0-1.0")


def test_purposes() -> None:
    known = {
        "LicenseRef-a": terms("LicenseRef-a", "pretraining", "evaluation"),
        "LicenseRef-b": terms("LicenseRef-b", "evaluation"),
    }
    assert purposes_of("MIT", known) is None
    assert purposes_of("MIT AND LicenseRef-a", known) == {"pretraining", "evaluation"}
    assert purposes_of("LicenseRef-a AND LicenseRef-b", known) == {"evaluation"}
    assert purposes_of("LicenseRef-a OR LicenseRef-b", known) == {"pretraining", "evaluation"}
    assert purposes_of("LicenseRef-a OR LicenseRef-b", known, ["LicenseRef-b"]) == {"evaluation"}
    assert purposes_of("MIT OR LicenseRef-b", known, ["LicenseRef-b"]) == {"evaluation"}
    assert purposes_of("LicenseRef-unknown", known) == set()
