"""`tamga sources`: check, list, show and schema."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.commands import ROOT
from jsonschema import Draft202012Validator

from lineage.register_files import read_yaml
from pipelines.governance.sources import main

ENTRY = """id: {id}
title: t
publisher: p
contact: c
jurisdiction: KZ
kind: {kind}
languages: [kk]
match: {match}
licence: {{spdx: {spdx}}}
basis:
  kind: consent
  reference: "1"
  evidence: {id}.txt
  purposes: [pretraining]
  granted_on: 2025-01-01
"""
PARAMS = """as_of: "2026-11-22"
purpose: pretraining
storage_country: KZ
register: register
inputs: [{collection: web, format: warc, paths: ["*.warc.gz"]}]
licences: {allow: [CC-BY-4.0, LicenseRef-none]}
work: work
release: {name: r, path: release}
"""


@pytest.fixture
def params(tmp_path: Path) -> Path:
    for name in ("sources", "evidence"):
        (tmp_path / "register" / name).mkdir(parents=True)
    for id, kind, match, spdx, more in (
        ("good", "web", "{domains: [a.kz]}", "CC-BY-4.0", ""),
        ("late", "web", "{domains: [b.kz]}", "CC-BY-4.0", "  expires_on: 2026-11-21\n"),
        ("soon", "web", "{domains: [c.kz]}", "CC-BY-4.0", "  expires_on: 2026-12-01\n"),
        ("away", "web", "{domains: [d.kz]}", "MIT", "  withdrawn_on: 2026-11-22\n"),
        ("next", "institutional", "{collections: [x]}", "CC-BY-4.0", "residency: [RU]\n"),
    ):
        text = ENTRY.format(id=id, kind=kind, match=match, spdx=spdx) + more
        (tmp_path / f"register/sources/{id}.yaml").write_text(text)
        if id != "next":
            (tmp_path / f"register/evidence/{id}.txt").write_text("signed")
    path = tmp_path / "params.yaml"
    path.write_text(PARAMS)
    return path


def test_check_warns_and_passes(params: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--params", str(params)]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("valid: 5 sources, 2 granted on 2026-11-22")
    for expected in (
        "late: expired on 2026-11-21",
        "soon: expires on 2026-12-01, in 9 days",
        "away: withdrawn on 2026-11-22",
        "away: its licence, MIT, is not in",
        "next: evidence/next.txt is missing",
        "next: must not be stored in KZ",
        "next: `match` names the collection x, but no input has this name",
        "LicenseRef-none is not in",
    ):
        assert expected in err


def test_check_counts_every_problem(params: Path, capsys: pytest.CaptureFixture[str]) -> None:
    params.write_text(PARAMS.replace("KZ", "ZZ"))
    entry = params.parent / "register/sources/good.yaml"
    entry.write_text(entry.read_text().replace("kind: web", "kind: wbe"))
    assert main(["check", "--params", str(params)]) == 2
    out, err = capsys.readouterr()
    assert not out and "params.yaml:3: storage_country:" in err and "good.yaml:6: kind:" in err
    assert err.endswith("invalid: 2 problems\n")
    assert main(["check", "--params", str(params), "--json"]) == 2
    report = json.loads(capsys.readouterr().out)
    assert not report["valid"] and {p["line"] for p in report["problems"]} == {3, 6}


def test_list_has_a_line_per_source(params: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = ["--register", str(params.parent / "register")]
    assert main(["list", *place, "--as-of", "2026-11-22", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["sources"]
    assert {r["id"]: r["standing"] for r in rows} == {
        "good": "granted",
        "late": "expired",
        "soon": "granted",
        "away": "withdrawn",
        "next": "evidence missing",
    }
    assert main(["list", *place]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 6 and lines[0].split() == [
        "id",
        "jurisdiction",
        "kind",
        "licence",
        "basis",
        "standing",
    ]


def test_show_prints_an_entry_and_its_standing(
    params: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = ["--params", str(params)]
    assert main(["show", "good", *place, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["entry"]["basis"]["granted_on"] == "2025-01-01"
    assert report["standing"] == "granted" and len(report["evidence_sha256"]) == 64
    assert main(["show", "next", *place]) == 0
    assert "evidence_sha256: missing or empty" in capsys.readouterr().out
    assert main(["show", "goood", *place]) == 1
    assert "did you mean good?" in capsys.readouterr().err


@pytest.mark.parametrize("of", ["source", "licences", "withdrawals", "params"])
def test_schemas_are_self_contained(of: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema", of]) == 0
    schema = json.loads(capsys.readouterr().out)
    Draft202012Validator.check_schema(schema)
    assert not Draft202012Validator(schema).is_valid("neither a list nor a mapping")
    assert set(refs(schema)) <= {f"#/$defs/{name}" for name in schema["$defs"]}


def refs(value: object) -> Iterator[str]:
    """Yield all `$ref` in a JSON value."""
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for member in value.values():
            yield from refs(member)
    elif isinstance(value, list):
        for member in value:
            yield from refs(member)


@pytest.mark.parametrize("pattern", ["params.yaml", "register/sources/*.yaml"])
def test_the_schema_named_in_a_file_accepts_it(pattern: str) -> None:
    for path in ROOT.glob(pattern):
        first = path.read_text().splitlines()[0]
        named = first.removeprefix("# yaml-language-server: $schema=")
        schema = json.loads((path.parent / named).read_text())
        source, _ = read_yaml(path)  # like an editor: in YAML 1.2 a date is text
        assert source is not None
        assert not list(Draft202012Validator(schema).iter_errors(source.value)), path


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["list", "--as-of", "tomorrow"],
        ["show"],
        ["lsit"],
        ["check", "--params", "no-such-file.yaml"],
    ],
)
def test_bad_usage_exits_with_two(argv: list[str]) -> None:
    try:
        code: object = main(argv)
    except SystemExit as exit_:
        code = exit_.code
    assert code == 2
