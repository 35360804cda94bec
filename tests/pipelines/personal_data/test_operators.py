"""Operators, their key, and the choice of an operator by the policy."""

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
from pipelines.personal_data import operators, preconditions, pseudonym_key, rules
from pipelines.personal_data.operators import Operators, canonical_value, mask, surrogate
from pipelines.personal_data.scrub import Scrubber, apply_findings
from pipelines.privacy import outcomes
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


def make_document(text: str = TEXT, source: str = "a", home: str = "KZ") -> pl.DataFrame:
    return pl.DataFrame(
        {
            "doc_id": ["d"],
            "text": [text],
            "lang": ["kk"],
            "jurisdiction": [home],
            "source_id": [source],
        }
    )


def scrub_text(
    privacy: PrivacyParams, text: str = TEXT, key: bytes | None = None, **origin: str
) -> str:
    document = make_document(text, **origin)
    findings = Scrubber(privacy.entities, Operators(privacy, key)).find(document)
    return str(apply_findings(document, findings)[0]["text"][0])


@settings(max_examples=150)
@given(value=VALUES, secret=st.binary(min_size=32, max_size=32))
def test_a_surrogate_keeps_the_shape_and_fails_every_checksum(value: str, secret: bytes) -> None:
    replacement = surrogate("X", value, secret)
    if replacement is None:  # each string of this shape passes the check
        return
    shape = r"(?i)[0-9]"
    assert len(replacement) == len(value) and replacement != value
    assert re.sub("[A-Z]", "A", re.sub(shape, "0", replacement)) == re.sub(
        "[A-Z]", "A", re.sub(shape, "0", value)
    )
    compact = rules.compact(replacement)
    assert not [r.entity for r in rules.load_rules() if r.check_name and r.check(compact)]
    assert surrogate("X", value, secret) == replacement


@pytest.mark.parametrize("entity", ["KZ_IIN", "RU_SNILS", "IBAN_CODE", "CREDIT_CARD", "UZ_PINFL"])
def test_identifiers_with_check_digits_always_have_a_surrogate(entity: str) -> None:
    form = next(r.sample_form for r in rules.load_rules() if r.entity == entity)
    assert form
    value = form.replace("#", "7").replace("@", "Q")
    replacements = [surrogate(entity, value, bytes([n]) * 32) for n in range(50)]
    assert None not in replacements and len({*replacements}) == 50


def test_surrogate_addresses_lie_in_reserved_ranges() -> None:
    secret = b"s" * 32
    mail = surrogate("EMAIL_ADDRESS", "aigul.7@mail.example.kz", secret)
    assert mail and re.fullmatch(r"[a-z]{5}\.\d@[a-z]{4}\.[a-z]{7}\.invalid", mail)
    v4, v6 = (surrogate("IP_ADDRESS", ip, secret) for ip in ("91.5.4.3", "2a00:1:2::3"))
    assert v4 and v4.startswith("192.0.2.") and v6 and v6.startswith("2001:db8::")


def test_each_operator_makes_its_replacement() -> None:
    assert scrub_text(PrivacyParams()) == "ЖСН <KZ_IIN>, хат: <EMAIL_ADDRESS>; <EMAIL_ADDRESS>"
    assert scrub_text(PrivacyParams(operator="mask")).startswith(
        "ЖСН ************, хат: *****@****.*******.**"
    )
    replacement = scrub_text(PrivacyParams(operator="surrogate"))
    assert re.fullmatch(r"ЖСН \d{12}, хат: \w{5}@\w{4}\.\w{7}\.invalid; \w{5}@.*", replacement)
    assert replacement != scrub_text(PrivacyParams(operator="surrogate", seed=2))
    assert scrub_text(PrivacyParams(operator="keep")) == TEXT


def test_a_pseudonym_is_the_same_for_the_same_value_and_key() -> None:
    privacy = PrivacyParams(operator="pseudonym")
    replacement = scrub_text(privacy, key=KEY)
    iin, first, second = re.findall(r"<[A-Z_]+_([0-9a-f]{16})>", replacement)
    assert first == second != iin
    assert scrub_text(privacy, key=b"j" * 32) != replacement  # a new key breaks the link
    assert iin in scrub_text(privacy, "ИИН 9001 0130 0017", key=KEY)
    with pytest.raises(ValueError, match="need a key"):
        Operators(privacy)


def test_a_surrogate_depends_on_the_value_only_with_a_key() -> None:
    privacy = PrivacyParams(operator="surrogate")
    text = "хат: aigul@mail.example.kz, aigul@mail.example.kz"
    first, second = scrub_text(privacy, text, key=KEY)[5:].split(", ")
    assert first == second
    first, second = scrub_text(privacy, text)[5:].split(", ")
    assert first != second


@pytest.mark.parametrize(
    ("first", "second"),
    [("+7 701 234-56-78", "8 (701) 234 56 78"), ("+998 90 123 45 67", "00998901234567")],
)
def test_all_ways_to_write_a_telephone_have_one_canonical_value(first: str, second: str) -> None:
    assert canonical_value("PHONE_NUMBER", first) == canonical_value("PHONE_NUMBER", second)


def test_the_first_rule_that_covers_a_finding_decides() -> None:
    privacy = PrivacyParams(
        operator="mask",
        rules=(
            PrivacyRule("keep", entities=("EMAIL_ADDRESS",), sources=("a",)),
            PrivacyRule("replace", jurisdictions=("KZ",)),
        ),
    )
    text = "ЖСН 900101300017, хат: a@b.kz"
    assert scrub_text(privacy, text) == "ЖСН <KZ_IIN>, хат: a@b.kz"
    assert scrub_text(privacy, text, source="b") == "ЖСН <KZ_IIN>, хат: <EMAIL_ADDRESS>"
    assert scrub_text(privacy, text, source="b", home="RU") == f"ЖСН {'*' * 12}, хат: *@*.**"


def test_redactions_name_the_operator_that_was_used() -> None:
    privacy = PrivacyParams(operator="surrogate", entities=("EMAIL_ADDRESS", "TELEGRAM_HANDLE"))
    document = make_document("хат: a@b.kz, t.me/aigul_news")
    findings = Scrubber(privacy.entities, Operators(privacy)).find(document)
    rows = apply_findings(document, findings)[1]
    assert rows.select("entity_type", "operator").rows() == [
        ("EMAIL_ADDRESS", "surrogate"),
        ("TELEGRAM_HANDLE", "replace"),  # without a check, a surrogate could be a real handle
    ]


def test_a_mask_keeps_separators() -> None:
    assert mask("45 08 № 123456/Қ") == "** ** № ******/*"


def test_documents_with_too_many_findings_are_dropped() -> None:
    documents = pl.DataFrame(
        {"doc_id": ["a", "b"], "uri": ["u", "v"], "policy": ["scrub"] * 2, "chars": [1000, 400]}
    )
    findings = pl.DataFrame({"doc_id": ["a", "b"], "entity_type": ["KZ_IIN"] * 2})
    assert outcomes.decide(documents, findings)["outcome"].to_list() == ["keep", "keep"]
    judged = outcomes.decide(documents, findings, max_density=2)
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


def test_an_impossible_policy_is_a_problem_before_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(pseudonym_key.ENVIRONMENT, raising=False)
    privacy = PrivacyParams(
        entities=("KZ_INN",),
        rules=(PrivacyRule("pseudonym", ("KZ_IIN",), ("nobody",)),),
    )
    problems = preconditions.problems(dataclasses.replace(PARAMS, privacy=privacy), {"good"})
    assert sorted(p.key for p in problems) == [
        "privacy.entities",
        "privacy.key",
        "privacy.rules[0].sources",
    ]
    monkeypatch.setenv(pseudonym_key.ENVIRONMENT, "short")
    assert [p.message for p in preconditions.problems(PARAMS, ()) if p.key == "privacy.key"] == [
        "TAMGA_PRIVACY_KEY holds 5 bytes; a key has at least 32; `openssl rand -hex 32` makes one"
    ]
    assert "short" not in str(Invalid(preconditions.problems(PARAMS, ())))


def test_the_canonical_section_does_not_contain_the_key(tmp_path: Path) -> None:
    base = (ROOT / "params.yaml").read_text("utf-8")
    base = re.sub(r"(?ms)^privacy:.*?(?=^\S)", "", base)
    section = (
        "privacy:\n  operator: mask\n  drop_density: 3\n  key: secret.key\n  rules:\n"
        "    - {operator: keep, entities: [KZ_BIN], sources: [x], jurisdictions: [KZ]}\n"
    )
    file = tmp_path / "params.yaml"
    file.write_text(base + section, "utf-8")
    privacy = load_params(file).privacy
    assert privacy.rules == (PrivacyRule("keep", ("KZ_BIN",), ("x",), ("KZ",)),)
    assert privacy.drop_density == 3.0 and privacy.key == tmp_path / "secret.key"
    assert "secret" not in str(privacy.canonical())
    file.write_text(base + "privacy: {operator: hide}\n", "utf-8")
    with pytest.raises(Invalid, match="one of: replace, mask, surrogate, pseudonym, keep"):
        load_params(file)


def test_a_pseudonym_passes_no_check() -> None:
    replacement = scrub_text(PrivacyParams(operator="pseudonym"), key=KEY)
    assert not operators.passes_any_check(replacement)


def test_policy_packs_see_a_class_that_is_kept_everywhere() -> None:
    assert policies.replaced_entities(PrivacyParams()) is None
    kept_everywhere = PrivacyParams(rules=(PrivacyRule("keep", ("KZ_IIN",)),))
    replaced = policies.replaced_entities(kept_everywhere)
    assert replaced and "KZ_IIN" not in replaced and "RU_INN" in replaced
    kept_in_one_source = PrivacyParams(rules=(PrivacyRule("keep", ("KZ_IIN",), ("a",)),))
    assert policies.replaced_entities(kept_in_one_source) is None
