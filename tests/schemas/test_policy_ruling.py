"""Tests of rulings of policy packs; unverified rules never permit anything."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import policy
from schemas.policy import Pack, Rule
from schemas.ruling import Circumstances, Ruling, Subject, apply_pack

DAY = date(2026, 11, 22)
ABOUT = Circumstances(DAY, "pretraining", "KZ")
PACKS = policy.built_in()


def subject(jurisdiction: str, basis: str = "licence", **more: Any) -> Subject:
    return Subject(jurisdiction, basis, date(2025, 2, 1), more.pop("licence", "CC-BY-4.0"), **more)


def ruled(one: Subject, about: Circumstances = ABOUT) -> Ruling:
    return apply_pack(PACKS.for_jurisdiction(one.jurisdiction), one, about)


def barred(ruling: Ruling) -> set[str]:
    return {f.drives for f in ruling.findings if f.bars}


@pytest.mark.parametrize(
    ("one", "about", "expected"),
    [
        (subject("KZ"), ABOUT, set()),
        (subject("KZ", "statute"), ABOUT, {"training"}),
        (subject("KZ", "statute", licence="LicenseRef-KZ-official-documents"), ABOUT, set()),
        (subject("KZ", "statute", licence="LicenseRef-RU-official-documents"), ABOUT, {"training"}),
        (subject("UA", "statute", licence="LicenseRef-UA-official-documents"), ABOUT, {"training"}),
        (subject("MD", "statute"), ABOUT, set()),
        (subject("MD", "statute", opt_out="overridden"), ABOUT, {"training"}),
        (subject("MD", "statute"), replace(ABOUT, purpose="redistribution"), {"training"}),
        (subject("LT", "statute"), replace(ABOUT, as_of=date(2022, 3, 24)), set()),
        (subject("LT", "statute"), replace(ABOUT, as_of=date(2022, 3, 23)), {"training"}),
        (subject("UA", "statute"), ABOUT, {"training"}),
        (subject("RU"), ABOUT, {"residency"}),
        (subject("RU"), replace(ABOUT, storage_country="RU"), set()),
        (subject("RU"), replace(ABOUT, storage_country=None), set()),
        (subject("RU"), replace(ABOUT, as_of=date(2025, 6, 30)), set()),
        (subject("RU", personal_data="none-expected"), ABOUT, set()),
        (subject("KZ"), replace(ABOUT, storage_country="DE"), {"residency"}),
        (subject("KZ"), Circumstances(date(2026, 6, 30), "pretraining", "DE"), set()),
        (subject("UZ"), ABOUT, set()),
        (subject("US"), ABOUT, {"pack"}),
    ],
    ids=range(20),
)
def test_what_bars(one: Subject, about: Circumstances, expected: set[str]) -> None:
    assert barred(ruled(one, about)) == expected


@pytest.mark.parametrize(
    ("granted", "verified", "asked"),
    [
        ("2025-08-31", None, False),
        ("2025-09-01", None, True),
        ("2025-09-01", "2025-08-31", True),
        ("2025-09-01", "2025-09-02", False),
    ],
)
def test_a_form_binds_grants_since_and_is_seen_to_by_a_role(
    granted: str, verified: str | None, asked: bool
) -> None:
    one = replace(
        subject("RU", "consent"),
        granted_on=date.fromisoformat(granted),
        verified_on=date.fromisoformat(verified) if verified else None,
    )
    assert any(f.rule == "ru-consent" for f in ruled(one).findings) is asked


def test_a_transfer_is_free_to_the_countries_of_a_verified_list() -> None:
    def transfers(one: Subject, country: str) -> bool:
        findings = ruled(one, replace(ABOUT, storage_country=country)).findings
        return any(f.drives == "transfer" for f in findings)

    assert not transfers(subject("BY"), "KZ") and transfers(subject("BY"), "DE")
    assert not transfers(subject("AM"), "DE") and transfers(subject("AM"), "KZ")
    assert not transfers(subject("LV"), "PL") and transfers(subject("LV"), "KZ")


def test_identifiers_that_stay_in_the_text_are_named() -> None:
    about = replace(ABOUT, entities=("EMAIL_ADDRESS",))
    messages = [
        f.message for f in ruled(subject("KZ"), about).findings if f.drives == "identifiers"
    ]
    assert messages == ["the parameters' `privacy` leaves KZ_IIN in the text"]


DAYS = st.one_of(st.none(), st.dates(date(2026, 1, 1), date(2027, 1, 1)))
COUNTRY_SETS = st.frozensets(st.sampled_from(["KZ", "RU", "DE"]))
RULES = st.builds(
    Rule,
    id=st.sampled_from(["a", "b", "c"]),
    drives=st.sampled_from(
        ["basis", "official-texts", "training", "residency", "transfer", "identifiers"]
    ),
    jurisdictions=st.just(("KZ",)),
    citation=st.just("c"),
    says=st.just("s"),
    effective_from=DAYS,
    effective_to=DAYS,
    verified_on=DAYS,
    verified_by=st.none(),
    confidence=st.sampled_from(["high", "medium", "low"]),
    unverified=st.booleans(),
    kinds=st.lists(st.sampled_from(["consent", "statute"])).map(tuple),
    accepted=st.booleans(),
    requires=st.sampled_from([None, "a seal"]),
    licences=st.sampled_from([(), ("LicenseRef-x",)]),
    exception=st.sampled_from(["none", "research", "any"]),
    opt_out=st.sampled_from(["none", "machine-readable"]),
    purposes=st.sampled_from([(), ("pretraining",)]),
    storage=st.one_of(st.none(), COUNTRY_SETS),
    copies_abroad=st.booleans(),
    limited_to=st.sampled_from([None, "some data"]),
    free=COUNTRY_SETS,
    conditions=st.just(("consent",)),
    entities=st.sampled_from([(), ("KZ_IIN",)]),
)
SUBJECTS = st.builds(
    Subject,
    jurisdiction=st.just("KZ"),
    basis=st.sampled_from(["consent", "statute", "licence"]),
    granted_on=st.dates(date(2025, 1, 1), date(2026, 11, 22)),
    licence=st.sampled_from(["CC-BY-4.0", "LicenseRef-x", "LicenseRef-x AND CC-BY-4.0"]),
    opt_out=st.sampled_from(["honour", "overridden"]),
    personal_data=st.sampled_from(["scrub", "none-expected"]),
    verified_on=DAYS,
)
ABOUTS = st.builds(
    Circumstances,
    as_of=st.just(DAY),
    purpose=st.sampled_from(["pretraining", "redistribution"]),
    storage_country=st.sampled_from([None, "KZ", "DE"]),
    entities=st.sampled_from([None, (), ("KZ_IIN",)]),
)
DOUBTS = st.sampled_from([{"unverified": True}, {"confidence": "low"}, {"effective_from": None}])


def of(rules: list[Rule], one: Subject, about: Circumstances) -> Ruling:
    return apply_pack(Pack("KZ", "1", "t", ("KZ",), tuple(rules), "0"), one, about)


def looser(new: Ruling, old: Ruling) -> set[tuple[str, bool]]:
    """What spoke against a source before, as a bar or at all, and does so no longer."""
    against = [{(f.drives, b) for f in r.findings for b in {False, f.bars}} for r in (old, new)]
    return against[0] - against[1]


@given(st.lists(RULES, max_size=6), SUBJECTS, ABOUTS, st.integers(0, 5), DOUBTS)
def test_doubting_a_rule_never_loosens(
    rules: list[Rule], one: Subject, about: Circumstances, place: int, doubt: dict[str, Any]
) -> None:
    doubted = [replace(r, **doubt) if i == place else r for i, r in enumerate(rules)]
    assert not looser(of(doubted, one, about), of(rules, one, about))


@given(st.lists(RULES, max_size=5), SUBJECTS, ABOUTS, RULES, st.integers(0, 5), DOUBTS)
def test_a_rule_in_doubt_never_loosens_by_being_there(
    rules: list[Rule],
    one: Subject,
    about: Circumstances,
    more: Rule,
    place: int,
    doubt: dict[str, Any],
) -> None:
    added = [*rules[:place], replace(more, **doubt), *rules[place:]]
    assert not looser(of(added, one, about), of(rules, one, about))
