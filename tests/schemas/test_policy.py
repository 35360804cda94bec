"""Tests of policy packs: the built-in ones, their dates, and the problems of bad ones."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest
from helpers.commands import ROOT
from helpers.policy_packs import PACK, write_pack

from lineage.register_files import load_policy, load_register
from pipelines.personal_data.phones import COUNTRIES
from pipelines.personal_data.rules import entities
from schemas import policy
from schemas.errors import Invalid
from schemas.policy import EU, Pack

PACKS = policy.built_in()


@pytest.mark.parametrize("country", COUNTRIES)
def test_every_country_has_a_pack(country: str) -> None:
    pack = PACKS.for_jurisdiction(country)
    assert pack is not None and country in pack.jurisdictions


@pytest.mark.parametrize("pack", PACKS.packs, ids=lambda p: p.name)
def test_every_rule_is_dated_cited_and_doubted(pack: Pack) -> None:
    for rule in pack.rules:
        assert rule.citation and rule.says and rule.verified_on is not None
        assert rule.id.split("-")[0].upper() in (pack.name, *pack.jurisdictions)
        if rule.effective_from is None or rule.unverified or rule.confidence == "low":
            assert not rule.grants(date.max)


def test_packs_and_the_register_name_the_same_terms() -> None:
    terms = load_register(ROOT / "register").licences
    for pack in PACKS.packs:
        for rule in pack.rules:
            for name in rule.licences:
                assert terms[name].jurisdiction in rule.jurisdictions
                assert terms[name].unverified is rule.unverified
                assert not (rule.unverified and terms[name].purposes)


def test_identifiers_are_known_to_the_recognisers() -> None:
    named = {e for pack in PACKS.packs for rule in pack.rules for e in rule.entities}
    assert named <= {*entities()}


@pytest.mark.parametrize(
    ("pack", "id", "day", "versions"),
    [
        ("KZ", "kz-training", "2026-01-17", 0),
        ("KZ", "kz-training", "2026-01-18", 1),
        ("KZ", "kz-residency", "2026-06-30", 1),
        ("KZ", "kz-residency", "2026-07-01", 1),
        ("RU", "ru-residency", "2025-06-30", 0),
        ("RU", "ru-residency", "2025-07-01", 1),
        ("KG", "kg-consent", "2026-02-05", 1),
        ("KG", "kg-consent", "2026-02-06", 1),
        ("MD", "md-consent", "2026-08-23", 1),
    ],
)
def test_a_rule_is_in_force_on_its_days(pack: str, id: str, day: str, versions: int) -> None:
    found = PACKS.for_jurisdiction(pack)
    assert found is not None
    in_force = [r for r in found.in_force(date.fromisoformat(day)) if r.id == id]
    assert len(in_force) == versions


def test_history_is_replayed_by_dates() -> None:
    pack = PACKS.for_jurisdiction("KZ")
    assert pack is not None
    turn = date(2026, 7, 1)
    before, after = (
        next(r for r in pack.in_force(day) if r.id == "kz-residency")
        for day in (turn - timedelta(1), turn)
    )
    assert before.grants(turn - timedelta(1)) and not after.grants(turn)


def test_eu_in_a_list_stands_for_its_members(tmp_path: Path) -> None:
    rule = load_policy(write_pack(tmp_path)).rules[0]
    assert rule.storage == EU | {"XX"} and len(EU) == 27
    assert rule.in_force(date(2025, 6, 30)) and not rule.in_force(date(2025, 7, 1))


def test_the_digest_is_of_the_content(tmp_path: Path) -> None:
    one = load_policy(write_pack(tmp_path)).sha256
    commented = load_policy(write_pack(tmp_path, "# a remark\n" + PACK)).sha256
    other = load_policy(write_pack(tmp_path, PACK.replace("high", "low"))).sha256
    assert one == commented != other


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("pack: XX", "pack: YY", "pack: must be the file's name, XX"),
        ("confidence: high", "confidence: sure", "confidence: must be one of: high, medium, low"),
        ("    citation: \"Law 1, Art. 2\"\n", "", "citation: missing"),
        ("2025-06-30", "2024-06-30", "effective_to: must not be before effective_from"),
        ("2025-06-30", "soon", "effective_to: must be a date"),
        ("storage: [XX, EU]\n", "kinds: [consent]\n", "XX.yaml:"),
        ("drives: residency", "drives: taxes", "drives: must be one of: basis"),
        ("    verified_by", "    jurisdictions: [KZ]\n    verified_by", "must be one of the pack's"),
        ("version: \"1\"", "version: \"1\"\nversoin: 2", "unknown key: did you mean `version`?"),
    ],
    ids=range(9),
)  # fmt: skip
def test_a_bad_pack_is_reported_with_file_line_and_key(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    path = write_pack(tmp_path, PACK.replace(old, new))
    with pytest.raises(Invalid) as found:
        load_policy(path)
    assert message in str(found.value) and "XX.yaml:" in str(found.value)


def test_two_versions_on_one_day_are_an_error(tmp_path: Path) -> None:
    again = PACK.partition("rules:\n")[2].replace("2025-01-01", "2025-06-30")
    path = write_pack(
        tmp_path, PACK + again.replace("effective_to: 2025-06-30", "effective_to: null")
    )
    with pytest.raises(Invalid, match="two versions of the rule apply on one day"):
        load_policy(path)
    path = write_pack(tmp_path, PACK + again.replace("2025-06-30", "2025-07-01", 1).replace(
        "effective_to: 2025-06-30", "effective_to: null"))  # fmt: skip
    assert len(load_policy(path).rules) == 2
