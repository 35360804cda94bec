"""Tests of `tamga case`: open, add evidence, decide; an upheld objection changes register and gate."""

from __future__ import annotations

import json
import shutil
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from helpers.commands import ROOT

from lineage import case_files, configuration
from pipelines.ingest.gate import Gate
from pipelines.withdrawal import cases

URL = "https://bilik.example.kz/habar/robot.html"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "register", tmp_path / "register")
    shutil.copy(ROOT / "params.yaml", tmp_path)
    return tmp_path


def case(home: Path, *args: str) -> int:
    return cases.main([*args, "--params", str(home / "params.yaml")])


def opened(home: Path, *args: str) -> None:
    assert case(home, "open", *args, "--by", "counsel") == 0


def decided(home: Path, id: str, outcome: str = "upheld") -> int:
    return case(home, "decide", id, outcome, "--by", "counsel", "--reason", "file 12/7")


def gate(home: Path) -> Gate:
    return Gate(*configuration.load_both(home / "params.yaml"))


def listed(home: Path, capsys: pytest.CaptureFixture[str], *args: str) -> list[dict[str, Any]]:
    capsys.readouterr()
    case(home, "list", "--json", *args)
    found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    return found


def test_a_wrong_licence_is_refused_with_its_case(home: Path) -> None:
    before = gate(home)
    assert before.check_entry("kz-bilik", URL, "0" * 32) is None
    opened(home, "wrong-licence", "url", URL)
    assert decided(home, "c-0001") == 0
    verdict = gate(home).check_entry("kz-bilik", URL, "0" * 32)
    assert verdict and (verdict.reason, verdict.evidence["case"]) == ("licence-conflict", "c-0001")
    assert URL not in json.dumps(dict(verdict.evidence))


def test_a_removal_and_its_reversal(home: Path) -> None:
    opened(home, "removal", "domain", "bilik.example.kz", "--due", "2026-12-22")
    assert decided(home, "c-0001") == 0
    barred = gate(home).check_entry("kz-bilik", URL, "0" * 32)
    assert barred and barred.reason == "withdrawn"
    digest = configuration.load_both(home / "params.yaml")[1].sha256
    opened(home, "wrong-removal", "domain", "BILIK.example.kz")
    assert decided(home, "c-0002") == 0
    again = gate(home)
    assert again.check_entry("kz-bilik", URL, "0" * 32) is None
    assert (
        again.reinstatement_evidence("kz-bilik", URL, ["0" * 32], "")["reinstated"]["case"]
        == "c-0002"
    )
    assert again.reinstatement_evidence("kz-bilik", "https://other.example/", ["0" * 32], "") == {}
    assert configuration.load_both(home / "params.yaml")[1].sha256 != digest
    opened(home, "wrong-removal", "domain", "bilik.example.kz")
    assert decided(home, "c-0003") == 1, "there is nothing left to lift"


def test_a_rejected_objection_changes_nothing(home: Path) -> None:
    opened(home, "not-the-rightholder", "source", "kz-bilik")
    assert decided(home, "c-0001", "rejected") == 0
    assert not (home / "register/withdrawals.yaml").exists()
    assert decided(home, "c-0001") == 1, "a case is decided once"
    assert decided(home, "c-0009") == 1


def test_evidence_deadlines_and_requesters(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "who.txt").write_text("Айгүл  Example, aigul@mail.example\n", "utf-8")
    (home / "letter.pdf").write_bytes(b"%PDF")
    who = ("--requester-file", str(home / "who.txt"))
    opened(home, "removal", "url", URL, "--due", "2026-12-22", *who)
    opened(home, "removal", "domain", "other.example")
    assert case(home, "add", "c-0001", str(home / "letter.pdf"), "--by", "counsel") == 0
    assert case(home, "add", "c-0001", str(home / "none.pdf"), "--by", "counsel") == 2
    assert [c["case"] for c in listed(home, capsys, *who)] == ["c-0001"]
    (first, second) = listed(home, capsys, "--as-of", "2026-12-23")
    assert first["overdue"] and not second["overdue"]
    assert first["evidence"][0]["sha256"] == sha256(b"%PDF").hexdigest()
    assert case(home, "list", "--overdue", "--as-of", "2026-12-23") == 1
    assert case(home, "list", "--overdue", "--as-of", "2026-12-22") == 0
    kept = "".join(p.read_text() for p in (home / "register/cases").iterdir())
    assert "Айгүл" not in kept and "hmac" not in kept
    secret = (home / "work/keys/requesters.jsonl").read_text()
    assert "Айгүл" not in secret and "mail" not in secret
    (home / "work/keys/requesters.jsonl").unlink()
    assert listed(home, capsys, *who) == []


def test_a_changed_case_is_reported_with_file_and_line(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    opened(home, "removal", "url", URL)
    assert decided(home, "c-0001") == 0
    path = home / "register/cases/c-0001.jsonl"
    content = path.read_bytes()
    for changed in (content[:-1], b"", b"{}\n", content + b"{}\n"):
        path.write_bytes(changed)
        assert case(home, "list") == 1
    path.write_bytes(content.replace(b'"kind":"removal"', b'"kind":"removax"'))
    assert case(home, "list") == 1
    assert "c-0001.jsonl:2" in capsys.readouterr().err


@pytest.mark.parametrize(
    "args",
    [
        ["removal", "domain", "https://x.example/y"],
        ["removal", "url", URL, "--note", "ask a@b.example"],
        ["removal", "source", " "],
    ],
    ids=["value", "note", "blank"],
)
def test_bad_values(home: Path, args: list[str]) -> None:
    assert case(home, "open", *args, "--by", "counsel") == 2
    assert case(home, "open", "removal", "url", URL, "--by", "John Smith") == 2
    assert not (home / "register/cases").exists()


def test_case_ids_are_consecutive(home: Path) -> None:
    ids = [case_files.open_case(home / "register", {"kind": "removal"}) for _ in range(3)]
    assert ids == ["c-0001", "c-0002", "c-0003"]
