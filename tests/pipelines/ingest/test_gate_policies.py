"""The gate and its policy packs: they warn, or refuse if so configured, and never grant."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineage.configuration import load_params
from pipelines.engine import decisions
from pipelines.ingest.gate import Gate
from schemas import policy
from schemas.errors import Invalid
from schemas.params import Params
from schemas.register import Basis, Licence, Register, Source
from schemas.sections import PolicyParams, ReleaseParams

PARAMS = Params(
    path=Path("params.yaml"),
    root=Path(),
    as_of=date(2026, 11, 22),
    purpose="pretraining",
    storage_country="KZ",
    register=Path("register"),
    inputs=(),
    licences_allow=("CC-BY-4.0",),
    work=Path("work"),
    release=ReleaseParams("r", "release"),
)
BASE = """as_of: "2026-11-22"
purpose: pretraining
storage_country: KZ
register: register
inputs: [{collection: web, format: warc, paths: [a.warc]}]
licences: {allow: [CC0-1.0]}
work: work
release: {name: r, path: release}
"""


def source(id: str, jurisdiction: str, kind: str = "licence", **more: Any) -> Source:
    basis = Basis(kind, "N 1", "e.txt", None, None, (), ("pretraining",), date(2025, 2, 1))
    default = Source(
        id, "t", "p", "c", jurisdiction, "web", ("ru",), "crawled", (f"{id}.example",), (), (),
        Licence("CC-BY-4.0"), basis, "honour", "scrub", None, "{}", "e" * 64, "f" * 64,
    )  # fmt: skip
    return replace(default, **more)


SOURCES = [
    source("kz", "KZ"),
    source("ru", "RU"),
    source("ua-statute", "UA", "statute"),
    source("md-statute", "MD", "statute"),
    source("us", "US"),
    source("ru-gone", "RU", evidence_sha256=None),
]


def make_gate(enforce: str = "warn", packs: policy.Packs | None = None, **params: Any) -> Gate:
    register = Register({s.id: s for s in SOURCES}, {}, (), "0" * 64)
    own = replace(PARAMS, policy=PolicyParams(enforce=enforce), **params)
    return Gate(own, register, packs)


def reasons(judged: Gate) -> dict[str, str | None]:
    return {
        id: verdict.reason if verdict else None for id, verdict in judged.source_verdicts.items()
    }


def test_packs_change_no_outcome_by_default() -> None:
    assert reasons(make_gate()) == {s.id: None for s in SOURCES} | {"ru-gone": "evidence-missing"}


def test_packs_refuse_if_enforced() -> None:
    judged = make_gate("refuse")
    assert reasons(judged) == {
        "kz": None,
        "ru": "policy:residency",
        "ua-statute": "policy:training",
        "md-statute": None,
        "us": "policy:pack",
        "ru-gone": "evidence-missing",
    }
    verdict = judged.source_verdicts["ru"]
    assert verdict is not None
    assert (verdict.rule, verdict.rule_version) == ("policy:RU/ru-residency", "2026.11")
    assert decisions.is_known_reason(verdict.outcome, verdict.reason)
    json.dumps(verdict.evidence)


def test_the_url_scope_comes_before_packs() -> None:
    scoped = replace(
        SOURCES[1], basis=replace(SOURCES[1].basis, url_scope=("https://ru.example/a/",))
    )
    judged = Gate(
        replace(PARAMS, policy=PolicyParams(enforce="refuse")),
        Register({"ru": scoped}, {}, (), "0" * 64),
    )
    verdict = judged.check_before_reading("ru", "https://ru.example/b/1", "d")
    assert verdict is not None and verdict.reason == "purpose-not-granted"
    verdict = judged.check_before_reading("ru", "https://ru.example/a/1", "d")
    assert verdict is not None and verdict.reason == "policy:residency"


def test_the_evidence_names_pack_version_and_rules() -> None:
    assert make_gate().policy_evidence("ru") == {
        "pack": "RU", "version": "2026.11", "against": ["ru-residency"], "enforce": "warn",
        "storage_country": "KZ",
    }  # fmt: skip
    assert make_gate().policy_evidence("us")["pack"] is None


def test_the_gate_is_pickled_with_its_packs() -> None:
    judged = make_gate("refuse")
    assert reasons(pickle.loads(pickle.dumps(judged))) == reasons(judged)


@given(
    st.sampled_from(["pretraining", "evaluation"]),
    st.sampled_from(["KZ", "RU", "DE"]),
    st.dates(date(2024, 1, 1), date(2027, 12, 31)),
)
def test_packs_never_grant(purpose: str, country: str, day: date) -> None:
    params = {"purpose": purpose, "storage_country": country, "as_of": day}
    warned, refused = reasons(make_gate("warn", **params)), reasons(make_gate("refuse", **params))
    for id, reason in warned.items():
        assert refused[id] == reason or (
            reason is None and (refused[id] or "").startswith("policy:")
        )


def test_params_name_packs_and_enforcement(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(BASE)
    plain = load_params(path)
    assert plain.policy == PolicyParams(None, "warn")
    path.write_text(BASE + "policy: {path: packs, enforce: refuse}\n")
    own = load_params(path)
    assert own.policy == PolicyParams(tmp_path / "packs", "refuse")
    assert own.canonical("policy") == b'{"policy":{"duplicates":"any-lawful","enforce":"refuse"}}'
    assert own.digest() != plain.digest()


@pytest.mark.parametrize("section", ["{enforce: always}", "{path: 's3://b/packs'}", "{pack: KZ}"])
def test_an_invalid_section_is_an_error(tmp_path: Path, section: str) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(BASE + f"policy: {section}\n")
    with pytest.raises(Invalid, match=r"policy"):
        load_params(path)
