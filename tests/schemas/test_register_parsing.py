"""Build a register from the files of its entries, licences and withdrawals."""

from __future__ import annotations

import json
import pickle
from datetime import date
from pathlib import Path

import pytest
from helpers.register_folders import entry_text, register_problems, write_register

from lineage.register_files import load_register


def test_an_entry(tmp_path: Path) -> None:
    found = load_register(write_register(tmp_path, {"one": entry_text()}))
    source = found.sources["one"]
    assert source.acquired_as == "crawled" and source.opt_out == "honour"
    assert source.personal_data == "scrub" and source.residency is None
    assert source.basis.granted_on == date(2025, 2, 1)
    assert json.loads(source.entry_json)["basis"]["granted_on"] == "2025-02-01"
    assert source.evidence_sha256 and len(found.sha256) == 64
    assert pickle.loads(pickle.dumps(found)) == found


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
    one = load_register(write_register(tmp_path / "x", entries, withdrawals="".join(rows)))
    turned = {
        "b1": entries["b1"],
        "a1": "".join(sorted(entries["a1"].splitlines(True)[:7]))
        + "".join(entries["a1"].splitlines(True)[7:]),
    }
    two = load_register(write_register(tmp_path / "y", turned, withdrawals="".join(rows[::-1])))
    assert one.sha256 == two.sha256 and one.withdrawals == two.withdrawals
    (tmp_path / "y/evidence/a1.txt").write_text("other")
    assert load_register(tmp_path / "y").sha256 != one.sha256


def test_terms_of_a_licence_and_its_duties(tmp_path: Path) -> None:
    texts = {"one": entry_text().replace("CC-BY-4.0", "LicenseRef-open-data")}
    licences = (
        "LicenseRef-open-data:\n  title: Terms of an open-data portal\n"
        "  url: https://data.example.kz/terms\n  text: |\n    Name the source.\n"
        "  purposes: [pretraining]\n  attribution: true\n  share_alike: true\n"
    )
    found = load_register(write_register(tmp_path, texts, licences=licences))
    terms = found.licences["LicenseRef-open-data"]
    assert (terms.text, terms.url) == ("Name the source.\n", "https://data.example.kz/terms")
    assert (terms.purposes, terms.attribution, terms.share_alike) == (("pretraining",), True, True)
    other = load_register(
        write_register(tmp_path, texts, licences=licences.replace("source", "author"))
    )
    assert other.sha256 != found.sha256
    wrong = write_register(tmp_path, texts, licences=licences.replace("true", "perhaps", 1))
    assert "LicenseRef-open-data.attribution" in {p.key for p in register_problems(wrong)}
