"""Operators, their keys, and which of them the policy chooses."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import polars as pl
import pytest
from helpers.commands import ROOT
from helpers.judged_records import PARAMS
from hypothesis import given, settings
from hypothesis import strategies as st

from lineage.configuration import load_params
from pipelines.governance import policies
from pipelines.personal_data import operators, policy, pseudonym_key, rules
from pipelines.personal_data.operators import Operators, canonical_value, mask, surrogate
from pipelines.personal_data.scrub import Scrubber, apply_findings
from pipelines.privacy import decisions
from schemas.errors import Invalid
from schemas.privacy import PrivacyParams, PrivacyRule

KEY = b"k" * 32
DIGITS = st.text("0123456789", min_size=7, max_size=20)
GROUPED = st.lists(st.text("0123456789", min_size=2, max_size=4), min_size=3, max_size=5)
VALUES = st.one_of(
    DIGITS,
    GROUPED.map(" ".join),
    GROUPED.map("-".join),
    st.from_regex(r"\A[A-Z]{2}[0-9]{7}\Z"),
    st.from_regex(r"\A[1-6][0-9]{6}[A-Z][0-9]{3}(PB|BA)[0-9]\Z"),
    st.from_regex(r"\A\+7 7[0-9]{2} [0-9]{3}-[0-9]{2}-[0-9]{2}\Z"),
    st.from_regex(r"\A[0-3][0-9]\.[01][0-9]\.19[0-9]{2}\Z"),
)
TEXT = "ЖСН 900101300017, хат: aigul@mail.example.kz; Aigul@mail.example.kz"


def document(text: str = TEXT, source: str = "a", home: str = "KZ") -> pl.DataFrame:
    return pl.DataFrame(
        {
            "doc_id": ["d"],
            "text": [text],
            "lang": ["kk"],
            "jurisdiction": [home],
            "source_id": [source],
        }
    )


def released(told: PrivacyParams, text: str = TEXT, key: bytes | None = None, **at: str) -> str:
    one = document(text, **at)
    found = Scrubber(told.entities, Operators(told, key)).find(one)
    return str(apply_findings(one, found)[0]["text"][0])


@settings(max_examples=150)
@given(value=VALUES, secret=st.binary(min_size=32, max_size=32))
def test_a_surrogate_keeps_the_shape_and_fails_every_checksum(value: str, secret: bytes) -> None:
    made = surrogate("X", value, secret)
    if made is None:  # every string of this shape passes the check of its form
        return
    shape = r"(?i)[0-9]"
    assert len(made) == len(value) and made != value
    assert re.sub("[A-Z]", "A", re.sub(shape, "0", made)) == re.sub(
        "[A-Z]", "A", re.sub(shape, "0", value)
    )
    compact = rules.compact(made)
    assert not [r.entity for r in rules.load_rules() if r.check_name and r.check(compact)]
    assert surrogate("X", value, secret) == made


@pytest.mark.parametrize("entity", ["KZ_IIN", "RU_SNILS", "IBAN_CODE", "CREDIT_CARD", "UZ_PINFL"])
def test_identifiers_with_check_digits_always_have_a_surrogate(entity: str) -> None:
    drawn = next(r.sample_form for r in rules.load_rules() if r.entity == entity)
    assert drawn
    value = drawn.replace("#", "7").replace("@", "Q")
    made = [surrogate(entity, value, bytes([n]) * 32) for n in range(50)]
    assert None not in made and len({*made}) == 50


def test_addresses_become_addresses_of_nobody() -> None:
    secret = b"s" * 32
    mail = surrogate("EMAIL_ADDRESS", "aigul.7@mail.example.kz", secret)
    assert mail and re.fullmatch(r"[a-z]{5}\.\d@[a-z]{4}\.[a-z]{7}\.invalid", mail)
    v4, v6 = (surrogate("IP_ADDRESS", ip, secret) for ip in ("91.5.4.3", "2a00:1:2::3"))
    assert v4 and v4.startswith("192.0.2.") and v6 and v6.startswith("2001:db8::")


def test_each_operator_puts_its_own_in_place() -> None:
    assert released(PrivacyParams()) == "ЖСН <KZ_IIN>, хат: <EMAIL_ADDRESS>; <EMAIL_ADDRESS>"
    assert released(PrivacyParams(operator="mask")).startswith(
        "ЖСН ************, хат: *****@****.*******.**"
    )
    made = released(PrivacyParams(operator="surrogate"))
    assert re.fullmatch(r"ЖСН \d{12}, хат: \w{5}@\w{4}\.\w{7}\.invalid; \w{5}@.*", made)
    assert made != released(PrivacyParams(operator="surrogate", seed=2))
    assert released(PrivacyParams(operator="keep")) == TEXT


def test_a_pseudonym_is_the_same_for_the_same_value_and_key() -> None:
    told = PrivacyParams(operator="pseudonym")
    made = released(told, key=KEY)
    iin, first, second = re.findall(r"<[A-Z_]+_([0-9a-f]{16})>", made)
    assert first == second != iin
    assert released(told, key=b"j" * 32) != made  # after a rotation nothing links
    assert iin in released(told, "ИИН 9001 0130 0017", key=KEY)
    with pytest.raises(ValueError, match="need a key"):
        Operators(told)


def test_a_surrogate_hangs_on_the_value_only_where_there_is_a_key() -> None:
    told = PrivacyParams(operator="surrogate")
    text = "хат: aigul@mail.example.kz, aigul@mail.example.kz"
    first, second = released(told, text, key=KEY)[5:].split(", ")
    assert first == second
    first, second = released(told, text)[5:].split(", ")
    assert first != second


@pytest.mark.parametrize(
    ("one", "other"),
    [("+7 701 234-56-78", "8 (701) 234 56 78"), ("+998 90 123 45 67", "00998901234567")],
)
def test_a_telephone_is_one_however_it_is_written(one: str, other: str) -> None:
    assert canonical_value("PHONE_NUMBER", one) == canonical_value("PHONE_NUMBER", other)


def test_the_first_rule_that_covers_a_finding_decides() -> None:
    told = PrivacyParams(
        operator="mask",
        rules=(
            PrivacyRule("keep", entities=("EMAIL_ADDRESS",), sources=("a",)),
            PrivacyRule("replace", jurisdictions=("KZ",)),
        ),
    )
    text = "ЖСН 900101300017, хат: a@b.kz"
    assert released(told, text) == "ЖСН <KZ_IIN>, хат: a@b.kz"
    assert released(told, text, source="b") == "ЖСН <KZ_IIN>, хат: <EMAIL_ADDRESS>"
    assert released(told, text, source="b", home="RU") == f"ЖСН {'*' * 12}, хат: *@*.**"


def test_redactions_name_the_operator_that_was_used() -> None:
    told = PrivacyParams(operator="surrogate", entities=("EMAIL_ADDRESS", "TELEGRAM_HANDLE"))
    one = document("хат: a@b.kz, t.me/aigul_news")
    rows = apply_findings(one, Scrubber(told.entities, Operators(told)).find(one))[1]
    assert rows.select("entity_type", "operator").rows() == [
        ("EMAIL_ADDRESS", "surrogate"),
        ("TELEGRAM_HANDLE", "replace"),  # no check tells a made handle from somebody's
    ]


def test_a_mask_leaves_what_stands_between() -> None:
    assert mask("45 08 № 123456/Қ") == "** ** № ******/*"


def test_documents_that_are_too_dense_are_dropped() -> None:
    documents = pl.DataFrame(
        {"doc_id": ["a", "b"], "uri": ["u", "v"], "policy": ["scrub"] * 2, "chars": [1000, 400]}
    )
    findings = pl.DataFrame({"doc_id": ["a", "b"], "entity_type": ["KZ_IIN"] * 2})
    assert decisions.decide(documents, findings)["outcome"].to_list() == ["keep", "keep"]
    judged = decisions.decide(documents, findings, max_density=2)
    assert judged.select("outcome", "reason").rows() == [("keep", None), ("drop", "personal-data")]
    assert judged["evidence"][1] == '{"found":{"KZ_IIN":1},"policy":"scrub","densest":2}'


def test_the_key_comes_from_a_file_or_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(pseudonym_key.ENVIRONMENT, raising=False)
    assert pseudonym_key.read(None) is None
    file = tmp_path / "key"
    with pytest.raises(pseudonym_key.BadKey, match="No such file"):
        pseudonym_key.read(file)
    file.write_bytes(KEY + b"\n")
    assert pseudonym_key.read(file) == KEY
    file.write_bytes(b"short")
    with pytest.raises(pseudonym_key.BadKey, match="5 bytes; a key has at least 32"):
        pseudonym_key.read(file)
    monkeypatch.setenv(pseudonym_key.ENVIRONMENT, "e" * 40)
    assert pseudonym_key.read(file) == b"e" * 40
    assert len(pseudonym_key.fingerprint(KEY)) == 16


def test_what_cannot_be_done_is_said_before_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(pseudonym_key.ENVIRONMENT, raising=False)
    told = PrivacyParams(
        entities=("KZ_INN",),
        rules=(PrivacyRule("pseudonym", ("KZ_IIN",), ("nobody",)),),
    )
    wrong = policy.problems(dataclasses.replace(PARAMS, privacy=told), {"good"})
    assert sorted(p.key for p in wrong) == [
        "privacy.entities",
        "privacy.key",
        "privacy.rules[0].sources",
    ]
    monkeypatch.setenv(pseudonym_key.ENVIRONMENT, "short")
    assert [p.message for p in policy.problems(PARAMS, ()) if p.key == "privacy.key"] == [
        "TAMGA_PRIVACY_KEY holds 5 bytes; a key has at least 32; `openssl rand -hex 32` makes one"
    ]
    assert "short" not in str(Invalid(policy.problems(PARAMS, ())))


def test_the_section_is_read_and_digested_without_the_key(tmp_path: Path) -> None:
    base = (ROOT / "params.yaml").read_text("utf-8")
    base = re.sub(r"(?ms)^privacy:.*?(?=^\S)", "", base)
    section = (
        "privacy:\n  operator: mask\n  drop_density: 3\n  key: secret.key\n  rules:\n"
        "    - {operator: keep, entities: [KZ_BIN], sources: [x], jurisdictions: [KZ]}\n"
    )
    file = tmp_path / "params.yaml"
    file.write_text(base + section, "utf-8")
    told = load_params(file).privacy
    assert told.rules == (PrivacyRule("keep", ("KZ_BIN",), ("x",), ("KZ",)),)
    assert told.drop_density == 3.0 and told.key == tmp_path / "secret.key"
    assert "secret" not in str(told.canonical())
    file.write_text(base + "privacy: {operator: hide}\n", "utf-8")
    with pytest.raises(Invalid, match="one of: replace, mask, surrogate, pseudonym, keep"):
        load_params(file)


def test_a_pseudonym_is_no_finding_for_the_scan_that_follows() -> None:
    made = released(PrivacyParams(operator="pseudonym"), key=KEY)
    assert not operators.passes_any_check(made)


def test_what_is_kept_everywhere_counts_as_left_for_policy_packs() -> None:
    assert policies._replaced(PrivacyParams()) is None
    some = PrivacyParams(rules=(PrivacyRule("keep", ("KZ_IIN",)),))
    replaced = policies._replaced(some)
    assert replaced and "KZ_IIN" not in replaced and "RU_INN" in replaced
    in_one = PrivacyParams(rules=(PrivacyRule("keep", ("KZ_IIN",), ("a",)),))
    assert policies._replaced(in_one) is None
