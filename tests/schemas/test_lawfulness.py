"""Tests of `schemas.lawfulness`: the order of reasons, the state on a day, the URL scope."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from helpers.judged_records import DAY, PARAMS, make_source

from schemas import lawfulness, policy
from schemas.lawfulness import Use
from schemas.licences import LicenceTerms
from schemas.reasons import REGISTER
from schemas.register import Licence, Register, Source, Withdrawal
from schemas.sections import PolicyParams

SOURCE = make_source("kz", "law.example.kz", kind="consent")
TERMS = LicenceTerms("LicenseRef-test", "t", None, ("evaluation",), True, False)
RECORDED = Withdrawal("source", "kz", date(2026, 3, 1), "letter 9")
USE = Use.from_params(PARAMS, policy.built_in())
BAD = replace(
    SOURCE,
    jurisdiction="RU",
    basis=replace(
        SOURCE.basis,
        purposes=("evaluation",),
        granted_on=date(2026, 11, 23),
        expires_on=date(2026, 11, 21),
        withdrawn_on=DAY,
    ),
    licence=Licence("CC-BY-NC-4.0"),
    evidence_sha256=None,
    residency=("RU",),
)


def register(*withdrawals: Withdrawal, **sources: Source) -> Register:
    return Register(sources or {"kz": SOURCE}, {TERMS.id: TERMS}, withdrawals, "0" * 64)


def test_a_source_that_grants_is_lawful() -> None:
    assert lawfulness.refusal(SOURCE, USE, register()) is None
    assert lawfulness.lawful_sources(register(kz=SOURCE, ru=BAD), USE) == {"kz"}


def test_all_reasons_come_in_the_order_of_the_gate() -> None:
    enforced = Use.from_params(
        replace(PARAMS, policy=PolicyParams(enforce="refuse")), policy.built_in()
    )
    found = list(lawfulness.refusals(BAD, enforced, register(RECORDED)))
    assert [one.reason for one in found] == [
        "withdrawn",
        "consent-withdrawn",
        "consent-expired",
        "consent-expired",
        "purpose-not-granted",
        "licence-not-allowed",
        "evidence-missing",
        "residency",
        "policy:residency",
    ]
    assert {one.reason for one in found} - {"policy:residency"} == {*REGISTER} - {"ungoverned"}
    assert lawfulness.refusal(BAD, enforced, register(RECORDED)) == found[0]
    assert found[0].evidence["withdrawal_sha256"] == RECORDED.sha256
    assert found[-1].rule == "policy:RU/ru-residency" and found[-1].rule_version == "2026.11"


def test_a_licence_may_fail_for_two_reasons() -> None:
    both = replace(SOURCE, licence=Licence("LicenseRef-test"))
    found = {one.reason: one.evidence for one in lawfulness.refusals(both, USE, register())}
    assert found == {
        "purpose-not-granted": {"licence": "LicenseRef-test", "licence_purposes": ["evaluation"]},
        "licence-not-allowed": {"licence": "LicenseRef-test", "allow": ["CC-BY-4.0", "CC0-1.0"]},
    }


@pytest.mark.parametrize(
    ("day", "state"),
    [
        ("2025-01-31", "not yet granted"),
        ("2025-02-01", "granted"),
        ("2026-05-31", "granted"),
        ("2026-06-01", "withdrawn"),
        ("2026-07-01", "withdrawn"),
    ],
)
def test_standing(day: str, state: str) -> None:
    ends = {"expires_on": date(2026, 6, 30), "withdrawn_on": date(2026, 6, 1)}
    ended = replace(SOURCE, basis=replace(SOURCE.basis, **ends))
    assert lawfulness.register_status(ended, date.fromisoformat(day), register()) == state


def test_a_recorded_withdrawal_counts_on_any_day() -> None:
    for day in (date(2020, 1, 1), DAY):
        assert lawfulness.register_status(SOURCE, day, register(RECORDED)) == "withdrawn"
    other = replace(RECORDED, value="ru")
    page = replace(RECORDED, scope="domain", value="law.example.kz")
    assert lawfulness.register_status(SOURCE, DAY, register(other, page)) == "granted"


def test_the_first_of_two_recorded_withdrawals_counts() -> None:
    later = replace(RECORDED, recorded_on=date(2026, 4, 1), reason="licence-conflict")
    assert register(RECORDED, later).withdrawn_sources == {"kz": RECORDED}


def test_what_the_url_scope_leaves_out() -> None:
    scope = ("https://law.example.kz/acts/",)
    scoped = replace(SOURCE, basis=replace(SOURCE.basis, url_scope=scope))
    assert lawfulness.outside_scope(scoped, "https://law.example.kz/acts/1") is None
    assert lawfulness.outside_scope(SOURCE, "https://law.example.kz/news/1") is None
    found = lawfulness.outside_scope(scoped, "https://law.example.kz/news/1")
    assert found is not None and found.reason == "purpose-not-granted"
    assert found.evidence == {"url_scope": [*scope]}
