"""Gate, dedup's index, a withdrawal's dry run and `tamga sources` agree on what is lawful."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from helpers import lawfulness_uses
from helpers.lawfulness_uses import ALLOWED, LICENCES, REFUSED, USES, Entry
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipelines.governance.sources import main

DAY = date(2026, 11, 22)


def day(offset: int) -> str:
    """Return the run's day plus `offset` days, in ISO form."""
    return (DAY + timedelta(days=offset)).isoformat()


def licensed(spdx: str) -> Entry:
    return Entry(more={"licence": {"spdx": spdx}})


@dataclass(frozen=True)
class Case:
    """A source and the run's parameters; the reason of its refusal and the word for its state."""

    name: str
    entry: Entry
    reason: str | None
    word: str = "granted"
    params: dict[str, Any] = field(default_factory=dict)


ENFORCED = {"policy": {"enforce": "refuse"}}
CASES = [
    Case("granted", Entry(), None),
    Case("withdrawn", Entry(withdrawn="withdrawn"), "withdrawn", "withdrawn"),
    Case(
        "recorded as a conflict",
        Entry(withdrawn="licence-conflict"),
        "licence-conflict",
        "withdrawn",
    ),
    Case("withdrawn today", Entry({"withdrawn_on": day(0)}), "consent-withdrawn", "withdrawn"),
    Case("withdrawn tomorrow", Entry({"withdrawn_on": day(1)}), None),
    Case("granted tomorrow", Entry({"granted_on": day(1)}), "consent-expired", "not yet granted"),
    Case("granted today", Entry({"granted_on": day(0)}), None),
    Case("expired yesterday", Entry({"expires_on": day(-1)}), "consent-expired", "expired"),
    Case("expires today", Entry({"expires_on": day(0)}), None),
    Case("purpose of the basis", Entry({"purposes": ["evaluation"]}), "purpose-not-granted"),
    Case("another purpose", Entry(), "purpose-not-granted", params={"purpose": "finetuning"}),
    Case("purpose of the licence", licensed("LicenseRef-test"), "purpose-not-granted"),
    Case("either licence", licensed("LicenseRef-test OR CC0-1.0"), None),
    Case("both licences", licensed("LicenseRef-test AND CC0-1.0"), "purpose-not-granted"),
    Case("no branch has both", licensed("LicenseRef-test OR CC-BY-NC-4.0"), "purpose-not-granted"),
    Case("licence", licensed("CC-BY-NC-4.0"), "licence-not-allowed"),
    Case("evidence", Entry(evidence=False), "evidence-missing", "evidence missing"),
    Case("residency", Entry(more={"residency": ["RU", "UZ"]}), "residency"),
    Case("residency here", Entry(more={"residency": ["RU", "KZ"]}), None),
    Case("policy", Entry(more={"jurisdiction": "RU"}), "policy:residency", params=ENFORCED),
    Case("no policy pack", Entry(more={"jurisdiction": "US"}), "policy:pack", params=ENFORCED),
    Case("policy that only warns", Entry(more={"jurisdiction": "RU"}), None),
    Case(
        "withdrawal comes first",
        Entry({"expires_on": day(-1)}, evidence=False, withdrawn="withdrawn"),
        "withdrawn",
        "withdrawn",
    ),
    Case(
        "purpose comes before evidence",
        Entry({"purposes": ["evaluation"]}, evidence=False),
        "purpose-not-granted",
        "evidence missing",
    ),
]


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_each_reason_in_each_use(case: Case, use: str, tmp_path: Path) -> None:
    path = lawfulness_uses.write(tmp_path, {"kz": case.entry}, **case.params)
    reason = REFUSED if use == "dedup" and case.reason else case.reason
    assert USES[use](path) == {"kz": reason}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_list_names_state_and_reason(case: Case, tmp_path: Path) -> None:
    path = lawfulness_uses.write(tmp_path, {"kz": case.entry}, **case.params)
    [row] = lawfulness_uses.listed(path)
    assert (row["standing"], row["refused_here"]) == (case.word, case.reason)
    last = lawfulness_uses.run_sources("list", "--params", str(path)).splitlines()[-1]
    refused = case.word == "granted" and case.reason
    assert last.endswith(f"{case.word}; refused here: {case.reason}" if refused else case.word)


def test_without_parameters_no_reason_is_named(tmp_path: Path) -> None:
    lawfulness_uses.write(tmp_path, {"kz": licensed("CC-BY-NC-4.0")})
    place = ("--register", str(tmp_path / "register"), "--as-of", DAY.isoformat())
    assert lawfulness_uses.run_sources("list", *place).splitlines()[-1].endswith("granted")
    assert "refused_here" not in lawfulness_uses.run_sources("list", *place, "--json")


def test_check_counts_and_warns(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    entries = {f"s{n}": case.entry for n, case in enumerate(CASES) if not case.params}
    path = lawfulness_uses.write(tmp_path, entries)
    granted = [case for case in CASES if not case.params and case.word == "granted"]
    refused = [case for case in granted if case.reason]
    assert main(["check", "--params", str(path)]) == 0
    out, err = capsys.readouterr()
    assert f"{len(granted)} granted on 2026-11-22, " in out
    assert (
        f"{len(refused)} granted sources are refused here: " in out and "s17 (residency), " in out
    )
    for number, case in enumerate(CASES):
        if not case.params and case.reason:
            lines = [one for one in err.splitlines() if one.startswith(f"warning: s{number}: ")]
            assert any("records are refused" in one or "does not grant" in one for one in lines)
    assert "s1: withdrawn, as recorded on 2026-03-01: its records are refused" in err


licences = st.sampled_from(
    [*ALLOWED, "CC-BY-NC-4.0", *(f"{a} {by} CC0-1.0" for a in LICENCES for by in ("OR", "AND"))]
)
offsets = st.integers(-1, 1)
purposes = st.sets(st.sampled_from(["pretraining", "evaluation"]), min_size=1)


@st.composite
def entries(draw: st.DrawFn) -> Entry:
    """A source whose term, licence, evidence and country may each be wrong."""
    granted = draw(st.sampled_from([-400, -400, -1, 0, 1]))
    basis: dict[str, Any] = {
        "kind": draw(st.sampled_from(["consent", "licence", "contract", "statute"])),
        "granted_on": day(granted),
        "purposes": sorted(draw(purposes)),
    }
    if draw(st.booleans()):
        basis["expires_on"] = day(max(granted, draw(offsets)))
    if draw(st.booleans()):
        basis["withdrawn_on"] = day(draw(st.integers(0, 3)))
    more: dict[str, Any] = {
        "jurisdiction": draw(st.sampled_from(["KZ", "RU", "MD", "US"])),
        "licence": {"spdx": draw(licences)},
    }
    if draw(st.booleans()):
        more["residency"] = draw(st.sampled_from([["KZ"], ["RU"], ["KZ", "RU"]]))
    withdrawn = draw(st.sampled_from([None, None, None, "withdrawn", "licence-conflict"]))
    return Entry(basis, more, draw(st.sampled_from([True, True, False])), withdrawn)


@settings(max_examples=40)
@given(
    sources=st.lists(entries(), min_size=3, max_size=6),
    country=st.sampled_from(["KZ", "RU"]),
    purpose=st.sampled_from(["pretraining", "evaluation"]),
    allow=st.sets(st.sampled_from(ALLOWED), min_size=1),
    enforce=st.sampled_from(["warn", "refuse"]),
)
@example([Entry()], "KZ", "pretraining", {"CC0-1.0"}, "warn")
@example([Entry()], "KZ", "pretraining", {"CC-BY-4.0"}, "warn")
def test_the_uses_never_disagree(
    sources: list[Entry], country: str, purpose: str, allow: set[str], enforce: str
) -> None:
    with tempfile.TemporaryDirectory() as home:
        path = lawfulness_uses.write(
            Path(home),
            {f"s{n}": entry for n, entry in enumerate(sources)},
            storage_country=country,
            purpose=purpose,
            licences={"allow": sorted(allow)},
            policy={"enforce": enforce},
        )
        reasons = {use: answer(path) for use, answer in USES.items()}
    assert reasons["gate"] == reasons["impact"] == reasons["sources"]
    assert reasons["dedup"] == {id: r and REFUSED for id, r in reasons["gate"].items()}
