"""The gate: each reason, the days on which a verdict changes, and the order of reasons."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from helpers import judged_records
from helpers.judged_records import DAY

from pipelines.ingest.gate import Gate, Verdict
from pipelines.ingest.signals.hosts import HostSignals
from pipelines.ingest.signals.observed import Capture, Observation
from schemas.licences import LicenceTerms
from schemas.register import Licence, Register, Source, Withdrawal

URI = "https://law.example.kz/news/1.html"
PARAMS = replace(judged_records.PARAMS, licences_allow=("CC0-1.0", "CC-BY-4.0", "LicenseRef-deal"))
SOURCE = judged_records.make_source("kz", "law.example.kz", kind="consent")
BASIS = SOURCE.basis
DEAL = LicenceTerms("LicenseRef-deal", "d", None, ("evaluation",), True, False)


def make_gate(
    source: Source = SOURCE, withdrawals: tuple[Withdrawal, ...] = (), **params: Any
) -> Gate:
    register = Register({source.id: source}, {DEAL.id: DEAL}, withdrawals, "0" * 64)
    return Gate(replace(PARAMS, **params), register)


def with_basis(**basis: Any) -> Source:
    return replace(SOURCE, basis=replace(BASIS, **basis))


def reason_of(verdict: Verdict | None) -> str | None:
    if verdict is not None:
        json.dumps(verdict.evidence)
        assert verdict.outcome == "refuse" and verdict.rule and verdict.rule_version
    return verdict.reason if verdict else None


def observe(
    body: str | bytes, path: str = "/news/1.html", kind: str = "robots"
) -> list[Observation]:
    raw = body.encode() if isinstance(body, str) else body
    captures = [Capture("law.example.kz", kind, 200, raw, "2026-10-01T00:00:00Z", "c" * 32)]
    return HostSignals(captures, PARAMS.robots_agents).observations(
        f"https://law.example.kz{path}", "2026-10-02T00:00:00Z"
    )


TDM = json.dumps([{"location": "/news/*", "tdm-reservation": 1}])
SHUT = "User-agent: *\nDisallow: /news/\n"
SIGNAL = "User-agent: *\nContent-Signal: search=yes, ai-train=no\nAllow: /\n"
USAGE = "User-agent: *\nContent-Usage: train-ai=n\nAllow: /\n"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (SOURCE, None),
        (with_basis(withdrawn_on=DAY), "consent-withdrawn"),
        (with_basis(withdrawn_on=date(2026, 11, 23)), None),
        (with_basis(expires_on=DAY), None),
        (with_basis(expires_on=date(2026, 11, 21)), "consent-expired"),
        (with_basis(granted_on=DAY), None),
        (with_basis(granted_on=date(2026, 11, 23)), "consent-expired"),
        (with_basis(purposes=("evaluation",)), "purpose-not-granted"),
        (replace(SOURCE, licence=Licence("LicenseRef-deal")), "purpose-not-granted"),
        (
            replace(SOURCE, licence=Licence("LicenseRef-deal OR CC-BY-NC-4.0")),
            "purpose-not-granted",
        ),
        (replace(SOURCE, licence=Licence("LicenseRef-deal OR CC-BY-4.0")), None),
        (replace(SOURCE, licence=Licence("LicenseRef-deal AND CC-BY-4.0")), "purpose-not-granted"),
        (replace(SOURCE, licence=Licence("LicenseRef-nobody-knows")), "purpose-not-granted"),
        (replace(SOURCE, licence=Licence("CC-BY-NC-4.0")), "licence-not-allowed"),
        (replace(SOURCE, licence=Licence("no licence (")), "licence-not-allowed"),
        (replace(SOURCE, evidence_sha256=None), "evidence-missing"),
        (replace(SOURCE, residency=("RU", "UZ")), "residency"),
        (replace(SOURCE, residency=("RU", "KZ")), None),
        (replace(SOURCE, residency=()), "residency"),
    ],
)
def test_source_verdicts(source: Source, expected: str | None) -> None:
    tested = make_gate(source)
    assert reason_of(tested.source_verdicts["kz"]) == expected
    assert reason_of(tested.check_before_reading("kz", URI, "0" * 32)) == expected


def test_the_first_reason_in_the_order_is_given() -> None:
    source = replace(
        SOURCE,
        basis=replace(
            BASIS,
            withdrawn_on=DAY,
            expires_on=date(2026, 1, 1),
            purposes=(),
            url_scope=("https://law.example.kz/other/",),
        ),
        licence=Licence("CC-BY-NC-4.0"),
        evidence_sha256=None,
        residency=("RU",),
    )
    reasons = []
    basis: tuple[dict[str, Any], ...] = (
        {"withdrawn_on": None},
        {"expires_on": None},
        {"purposes": ("pretraining",)},
        {"url_scope": ()},
    )
    for change in basis:
        reasons.append(reason_of(make_gate(source).check_before_reading("kz", URI, "0" * 32)))
        source = replace(source, basis=replace(source.basis, **change))
    entry: tuple[dict[str, Any], ...] = (
        {"licence": Licence("CC0-1.0")},
        {"evidence_sha256": "f" * 64},
        {"residency": None},
    )
    for change in entry:
        reasons.append(
            reason_of(make_gate(source).check_before_reading("kz", URI, "0" * 32, observe(SHUT)))
        )
        source = replace(source, **change)
    reasons.append(
        reason_of(make_gate(source).check_before_reading("kz", URI, "0" * 32, observe(SHUT)))
    )
    assert reasons == [
        "consent-withdrawn",
        "consent-expired",
        "purpose-not-granted",
        "purpose-not-granted",
        "licence-not-allowed",
        "evidence-missing",
        "residency",
        "opted-out:robots",
    ]


def test_ungoverned() -> None:
    assert (
        reason_of(make_gate().check_before_reading(None, "https://unknown.example/", "0" * 32))
        == "ungoverned"
    )


@pytest.mark.parametrize(
    ("scope", "value", "bars"),
    [
        ("source", "kz", True),
        ("source", "ru", False),
        ("url", "http://LAW.example.kz:80/news/./1.html#top", True),
        ("url", "https://law.example.kz/news/", False),
        ("domain", "example.kz", True),
        ("domain", "Law.Example.kz.", True),
        ("domain", "w.example.kz", False),
        ("document", "0" * 32, True),
        ("document", "1" * 32, False),
        ("text", "0" * 32, False),
    ],
)
def test_withdrawals_come_first(scope: str, value: str, bars: bool) -> None:
    entry = Withdrawal(scope, value, date(2027, 1, 1), "erasure asked for by a named person")
    tested = make_gate(with_basis(withdrawn_on=DAY), (entry,))
    verdict = tested.check_before_reading("kz", URI, "0" * 32)
    assert reason_of(verdict) == ("withdrawn" if bars else "consent-withdrawn")
    assert verdict is not None and "named person" not in json.dumps(verdict.evidence)
    assert tested.check_signal("kz", URI, "0" * 32).reason == reason_of(verdict)


def test_a_withdrawn_domain_needs_no_source() -> None:
    entry = Withdrawal("domain", "unknown.example", DAY, "g")
    verdict = make_gate(withdrawals=(entry,)).check_before_reading(
        None, "https://a.unknown.example/x", "0" * 32
    )
    assert reason_of(verdict) == "withdrawn"


def test_withdrawn_text() -> None:
    tested = make_gate(withdrawals=(Withdrawal("text", "AB" * 32, DAY, "g"),))
    assert reason_of(tested.check_text_withdrawal("ab" * 32)) == "withdrawn"
    assert tested.check_text_withdrawal("cd" * 32) is None


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("http://law.example.kz/acts/7", None),
        ("https://law.example.kz/acts", None),
        ("https://law.example.kz/acts/../private/7", "purpose-not-granted"),
        ("https://law.example.kz/actsofgod", "purpose-not-granted"),
        ("https://law.example.kz.evil.example/acts/7", "purpose-not-granted"),
        ("urn:act:7", "purpose-not-granted"),
    ],
)
def test_url_scope(uri: str, expected: str | None) -> None:
    tested = make_gate(with_basis(url_scope=("https://law.example.kz/acts",)))
    assert reason_of(tested.check_before_reading("kz", uri, "0" * 32)) == expected


@pytest.mark.parametrize(
    ("body", "kind", "expected"),
    [
        (SHUT, "robots", "opted-out:robots"),
        (USAGE, "robots", "opted-out:aipref"),
        (SIGNAL, "robots", "opted-out:content-signal"),
        (TDM, "tdmrep", "opted-out:tdmrep"),
        ("User-agent: *\nAllow: /\n", "robots", None),
        ("[", "tdmrep", None),
    ],
)
def test_host_opt_outs(body: str, kind: str, expected: str | None) -> None:
    tested, observations = make_gate(), observe(body, kind=kind)
    verdict = tested.check_before_reading("kz", URI, "0" * 32, observations)
    assert reason_of(verdict) == expected
    if verdict:
        assert verdict.evidence["observation"]["capture"] == "c" * 32
        assert verdict.rule_version == verdict.evidence["observation"]["version"]
    assert reason_of(tested.check_after_reading("kz", observations, (), (), ())) == expected


def test_a_page_may_lift_a_reservation_of_tdmrep_json() -> None:
    tested, observations = make_gate(), [*observe(TDM, kind="tdmrep"), *observe(SIGNAL)]
    assert (
        reason_of(tested.check_before_reading("kz", URI, "0" * 32, observations))
        == "opted-out:tdmrep"
    )
    assert tested.check_before_reading("kz", URI, "0" * 32, observations, page_follows=True) is None
    assert (
        reason_of(tested.check_after_reading("kz", observations, (), (), ())) == "opted-out:tdmrep"
    )
    lifted = tested.check_after_reading("kz", observations, [("TDM-Reservation", "0")], (), ())
    assert reason_of(lifted) == "opted-out:content-signal"
    only = observe(TDM, kind="tdmrep")
    assert tested.check_after_reading("kz", only, (), [("tdm-reservation", "0")], ()) is None


@pytest.mark.parametrize(
    ("headers", "metas", "links", "expected"),
    [
        ([("Content-Type", "text/html")], [("viewport", "x")], [("stylesheet", "/a.css")], None),
        ([("Content-Usage", "train-ai=n")], [], [], "opted-out:aipref"),
        ([("Content-Signal", "ai-train=no")], [], [], "opted-out:content-signal"),
        ([("tdm-reservation", "1")], [], [], "opted-out:tdmrep"),
        ([], [("robots", "noai, noimageai")], [], "opted-out:noai"),
        ([("X-Robots-Tag", "noai")], [("tdm-reservation", "1")], [], "opted-out:tdmrep"),
        (
            [],
            [],
            [("license", "https://creativecommons.org/licenses/by-nc/4.0/")],
            "licence-conflict",
        ),
        ([], [], [("license", "https://creativecommons.org/licenses/by/4.0/")], None),
    ],
)
def test_opt_outs_in_headers_and_page(
    headers: Any, metas: Any, links: Any, expected: str | None
) -> None:
    assert reason_of(make_gate().check_after_reading("kz", (), headers, metas, links)) == expected
    overridden = make_gate(replace(SOURCE, opt_out="overridden"))
    assert overridden.check_after_reading("kz", (), headers, metas, links) is None


def test_overridden_reservations_are_listed() -> None:
    tested, observations = make_gate(replace(SOURCE, opt_out="overridden")), observe(SHUT)
    assert tested.check_before_reading("kz", URI, "0" * 32, observations) is None
    assert tested.keep("kz", observations).evidence["overridden"] == ["robots"]


def test_signal_captures_are_dropped_if_the_entry_is_lawful() -> None:
    uri = "https://law.example.kz/robots.txt"
    verdict = make_gate(with_basis(url_scope=("https://law.example.kz/acts/",))).check_signal(
        "kz", uri, "0" * 32
    )
    assert (verdict.outcome, verdict.reason, verdict.rule) == ("drop", "signal", "signal-capture")
    assert (
        make_gate(with_basis(withdrawn_on=DAY)).check_signal("kz", uri, "0" * 32).reason
        == "consent-withdrawn"
    )
    assert make_gate().check_signal(None, uri, "0" * 32).reason == "ungoverned"


def test_keep_names_its_grounds() -> None:
    tested = pickle.loads(pickle.dumps(make_gate()))
    verdict = tested.keep("kz", observe("User-agent: *\nAllow: /\n"))
    assert (verdict.outcome, verdict.reason, verdict.rule) == ("keep", None, "gate")
    evidence = json.loads(json.dumps(verdict.evidence))
    assert evidence["observations"][0]["value"] == "granted"
    assert {
        k: evidence[k] for k in ("basis", "reference", "licence", "as_of", "purpose", "source_id")
    } == {
        "basis": "consent",
        "reference": "N 1",
        "licence": "CC-BY-4.0",
        "as_of": "2026-11-22",
        "purpose": "pretraining",
        "source_id": "kz",
    }
    assert evidence["evidence_sha256"] == "f" * 64 and evidence["entry_sha256"] == "e" * 64


@pytest.mark.parametrize(("mode", "refused"), [("fetch", False), ("latest", True)])
def test_a_decision_shows_the_statements_at_the_fetch_and_the_latest(
    mode: str, refused: bool
) -> None:
    captures = [
        Capture("law.example.kz", "robots", 200, body.encode(), at, at)
        for body, at in (("User-agent: *\nAllow: /\n", "2026-05-01"), (SHUT, "2026-07-01"))
    ]
    observations = HostSignals(captures, ("*",), mode).observations(URI, "2026-06-01")
    verdict = make_gate().check_before_reading("kz", URI, "0" * 32, observations)
    assert reason_of(verdict) == ("opted-out:robots" if refused else None)
    shown = verdict.evidence["observation"] if verdict else None
    shown = shown or make_gate().keep("kz", observations).evidence["observations"][0]
    assert [shown["compared"][k]["value"] for k in ("fetch", "latest")] == ["granted", "reserved"]
    assert [shown["compared"][k]["capture"] for k in ("fetch", "latest")] == [
        "2026-05-01",
        "2026-07-01",
    ]


def test_stated_licences_are_in_the_evidence() -> None:
    assert make_gate().keep("kz", (), ["CC-BY-4.0"]).evidence["stated"] == ["CC-BY-4.0"]
    assert "stated" not in make_gate().keep("kz").evidence


def test_the_name_of_a_person_in_a_rule_is_redacted() -> None:
    rule = "Disallow: /users/anna.sidorova@mail.example.ru/"
    observation = Observation("robots", "9309", "robots.txt", rule[10:], "reserved", rule)
    evidence = str(observation.evidence())
    assert "sidorova" not in evidence and "EMAIL_ADDRESS" in evidence
