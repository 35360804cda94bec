from __future__ import annotations

import json
import pickle
import subprocess
import sys
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from helpers.commands import SHARED
from helpers.register_folders import entry_text, register_problems, write_register

from schemas import register


def test_an_entry(tmp_path: Path) -> None:
    found = register.load(write_register(tmp_path, {"one": entry_text()}))
    source = found.sources["one"]
    assert source.acquired_as == "crawled" and source.opt_out == "honour"
    assert source.personal_data == "scrub" and source.residency is None
    assert source.basis.granted_on == date(2025, 2, 1)
    assert json.loads(source.entry_json)["basis"]["granted_on"] == "2025-02-01"
    assert source.evidence_sha256 and len(found.sha256) == 64
    assert pickle.loads(pickle.dumps(found)) == found


def test_all_errors_of_all_files_at_once(tmp_path: Path) -> None:
    write_register(
        tmp_path,
        {
            "a1": entry_text("a1").replace("KZ", "XX"),
            "b1": "x: [",
            "d1": entry_text("d1", "d.kz"),
            "e1": entry_text("e1", "D.KZ.").replace("CC-BY-4.0", "cc-by-4.0"),
        },
        licences="LicenseRef-x: {title: x}\nOther: {}\n",
        withdrawals="- {scope: document, value: zz, recorded_on: 2026-01-01, ground: asked}\n",
    )
    (tmp_path / "sources/c1.yaml").write_bytes("title: Ә".encode("cp1251", "replace") + b"\xff")
    (tmp_path / "sources/f1.yml").write_text("id: f1\n")
    found = register_problems(tmp_path)
    assert {Path(p.file).name for p in found} == {
        "a1.yaml",
        "b1.yaml",
        "c1.yaml",
        "e1.yaml",
        "f1.yml",
        "licences.yaml",
        "withdrawals.yaml",
    }
    [tie] = [p for p in found if p.file.endswith("e1.yaml")]
    assert tie.line == 9 and "claimed by d1 and by e1" in tie.message


@pytest.mark.parametrize(
    "match",
    [
        ("url_prefixes: ['https://a.kz/x']", "url_prefixes: ['http://A.kz:80/x']"),
        ("collections: [c]", "collections: [c]"),
        ("domains: [новости.қаз]", "domains: [xn--b1amnebsh.xn--80ao21a]"),
    ],
)
def test_ties(tmp_path: Path, match: tuple[str, str]) -> None:
    texts = {
        id: entry_text(id).replace("domains: [one.example.kz]", m)
        for id, m in zip(("a1", "b1"), match, strict=True)
    }
    [tie] = register_problems(write_register(tmp_path, texts))
    assert "claimed by a1 and by b1" in tie.message


def test_the_digest_hangs_on_content_alone(tmp_path: Path) -> None:
    entries = {"a1": entry_text("a1", "a.kz"), "b1": entry_text("b1", "b.kz")}
    rows = [
        "- {scope: source, value: a1, recorded_on: 2026-01-01, ground: asked}\n",
        "- {scope: url, value: 'https://a.kz/x', recorded_on: 2026-02-01, ground: asked}\n",
    ]
    one = register.load(write_register(tmp_path / "x", entries, withdrawals="".join(rows)))
    turned = {
        "b1": entries["b1"],
        "a1": "".join(sorted(entries["a1"].splitlines(True)[:7]))
        + "".join(entries["a1"].splitlines(True)[7:]),
    }
    two = register.load(write_register(tmp_path / "y", turned, withdrawals="".join(rows[::-1])))
    assert one.sha256 == two.sha256 and one.withdrawals == two.withdrawals
    (tmp_path / "y/evidence/a1.txt").write_text("other")
    assert register.load(tmp_path / "y").sha256 != one.sha256


def test_missing_or_empty_evidence_is_no_error(tmp_path: Path) -> None:
    write_register(tmp_path, {"one": entry_text()})
    evidence = tmp_path / "evidence/one.txt"
    evidence.write_text("")
    assert register.load(tmp_path).sources["one"].evidence_sha256 is None
    evidence.unlink()
    assert register.load(tmp_path).sources["one"].evidence_sha256 is None
    (tmp_path / "elsewhere").write_text("kept by DVC")
    evidence.symlink_to(tmp_path / "elsewhere")
    assert register.load(tmp_path).sources["one"].evidence_sha256


def test_an_empty_register_is_an_error(tmp_path: Path) -> None:
    assert "no such folder" in register_problems(tmp_path)[0].message
    assert "holds no source" in register_problems(write_register(tmp_path, {}))[0].message


def test_the_most_specific_entry_governs(tmp_path: Path) -> None:
    texts = {
        id: entry_text(id).replace("domains: [one.example.kz]", m)
        for id, m in (
            ("host", "domains: [example.kz]"),
            ("sub", "domains: [law.example.kz]"),
            ("page", "url_prefixes: ['https://law.example.kz/acts']"),
            ("coll", "collections: [gazette]"),
        )
    }
    texts["page"] += "  url_scope: ['https://law.example.kz/acts/2']\n"
    found = register.load(write_register(tmp_path, texts))
    uris = pl.Series(
        [
            "https://example.kz/",
            "https://x.example.kz/",
            "https://a.law.example.kz/",
            "https://law.example.kz/acts/1",
            "https://law.example.kz/acts/2/a",
            "https://law.example.kz/actsx",
            "https://other.kz/",
            "letter-1.txt",
            None,
        ]
    )
    expected = ["host", "host", "sub", "page", "page", "sub", None, None, None]
    ids = found.match(uris, "web")
    assert ids.to_list() == expected
    assert found.match(uris, "gazette").to_list() == [x or "coll" for x in expected]
    assert found.match(pl.Series([], dtype=pl.String), "web").len() == 0


@pytest.mark.skipif(not (SHARED / "tools/gauntlet.py").exists(), reason="no gauntlet at hand")
def test_the_gauntlets_register_loads(tmp_path: Path) -> None:
    subprocess.run(
        [
            sys.executable,
            SHARED / "tools/gauntlet.py",
            "--docs",
            "20",
            "--out",
            tmp_path,
            "--sentences",
            SHARED / "data/sentences",
        ],
        check=True,
        capture_output=True,
    )
    from schemas import params

    run = params.load(tmp_path / "params.yaml")
    found = register.load(run.register)
    truth = pl.read_ndjson(tmp_path / "truth/documents.jsonl", infer_schema_length=None)
    hosts = truth["uri"].drop_nulls()
    assert found.match(hosts, "web").drop_nulls().n_unique() > 10
    assert [s.id for s in found.sources.values() if s.evidence_sha256 is None] == ["ge-nopaper"]


def test_terms_of_a_licence_and_its_duties(tmp_path: Path) -> None:
    texts = {"one": entry_text().replace("CC-BY-4.0", "LicenseRef-open-data")}
    licences = (
        "LicenseRef-open-data:\n  title: Terms of an open-data portal\n"
        "  url: https://data.example.kz/terms\n  text: |\n    Name the source.\n"
        "  purposes: [pretraining]\n  attribution: true\n  share_alike: true\n"
    )
    found = register.load(write_register(tmp_path, texts, licences=licences))
    terms = found.licences["LicenseRef-open-data"]
    assert (terms.text, terms.url) == ("Name the source.\n", "https://data.example.kz/terms")
    assert (terms.purposes, terms.attribution, terms.share_alike) == (("pretraining",), True, True)
    other = register.load(
        write_register(tmp_path, texts, licences=licences.replace("source", "author"))
    )
    assert other.sha256 != found.sha256
    wrong = write_register(tmp_path, texts, licences=licences.replace("true", "perhaps", 1))
    assert "LicenseRef-open-data.attribution" in {p.key for p in register_problems(wrong)}
