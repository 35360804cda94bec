"""Counts of reports, on releases small enough to count by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from helpers.report_release import make_entry, write_release
from hypothesis import given
from hypothesis import strategies as st

from lineage.reports import attribution, licences, markdown, provenance_standards, training_summary
from lineage.reports.facts import Facts, read_facts
from lineage.storage.release_tables import NoRelease


def fields(facts: Facts, number: str) -> dict[str, dict[str, Any]]:
    """Return the fields of a section of the summary, by key."""
    section = next(s for s in training_summary.summary(facts)["sections"] if s["number"] == number)
    return {f["key"]: f for f in section["fields"]}


def page(source: str, number: int = 0, **more: Any) -> dict[str, Any]:
    """Return a document of a web source."""
    return {"source_id": source, "uri": f"https://{source}.example/{number}", **more}


def test_a_rollup_adds_up_by_licence_source_and_language(tmp_path: Path) -> None:
    facts = write_release(
        tmp_path,
        [make_entry("a", "CC-BY-4.0"), make_entry("b", "CC-BY-4.0"), make_entry("c", "CC0-1.0")],
        [page("a"), page("a", lang="ru"), page("b", n_chars=50), page("c", n_chars=1000)],
    )
    report = licences.to_json(facts)
    assert [(row["licence"], row["documents"], row["chars"]) for row in report["licences"]] == [
        ("CC0-1.0", 1, 1000),
        ("CC-BY-4.0", 3, 250),
    ]
    assert report["licences"][1]["attribution"] and not report["licences"][0]["attribution"]
    assert report["documents"] == 4 and report["chars"] == 1250
    parts = [(part["source_id"], part["lang"]) for part in report["licences"][1]["parts"]]
    assert parts == [("a", "kk"), ("a", "ru"), ("b", "kk")]
    assert len(licences.to_csv(facts).splitlines()) == 5
    assert "| CC-BY-4.0 | 3 | 250 | – | 20.0% | yes | no | a, b |" in licences.to_markdown(facts)


def test_tokens_are_summed_only_if_all_documents_have_them(tmp_path: Path) -> None:
    facts = write_release(
        tmp_path,
        [make_entry("a", "CC0-1.0"), make_entry("b", "CC0-1.0")],
        [page("a", n_tokens=7), page("a", 1, n_tokens=8), page("b")],
    )
    tokens = dict(facts.sizes_by("source_id").select("source_id", "tokens").rows())
    assert tokens == {"a": 15, "b": None} and facts.sizes()["tokens"] is None
    assert fields(facts, "1.3")["size_range"]["status"] == "unfilled"
    assert facts.sizes({"a"})["tokens"] == 15


@pytest.mark.parametrize(
    ("tokenizer", "status"), [({"name": "own"}, "computed"), (None, "unfilled")]
)
def test_the_summary_of_a_release_without_documents(
    tmp_path: Path, tokenizer: dict[str, str] | None, status: str
) -> None:
    facts = write_release(
        tmp_path, [make_entry("a", "CC0-1.0")], [], about={"tokenizer": tokenizer}
    )
    assert facts.sizes()["tokens"] == (0 if tokenizer else None)
    assert fields(facts, "1.3")["size_range"]["status"] == status


def test_the_summary_has_a_range_where_tokens_are_counted(tmp_path: Path) -> None:
    facts = write_release(tmp_path, [make_entry("a", "CC0-1.0")], [page("a", n_tokens=7)])
    field = fields(facts, "1.3")["size_range"]
    assert (field["status"], field["value"]) == ("computed", "less than 1 billion tokens")
    assert training_summary.size_range(10**9).startswith("1 billion")
    assert training_summary.size_range(10**13) == training_summary.OVER


def test_sources_are_listed_in_the_section_of_their_acquisition(tmp_path: Path) -> None:
    kinds = {
        "2.1": "public-dataset",
        "2.2.1": "licensed",
        "2.2.2": "third-party",
        "2.4": "user",
        "2.5": "synthetic",
    }
    entries = [make_entry(kind, "CC0-1.0", acquired_as=kind) for kind in kinds.values()]
    entries += [make_entry("web", "CC0-1.0"), make_entry("office", "CC0-1.0", kind="institutional")]
    facts = write_release(tmp_path, entries, [page(e["id"]) for e in entries])
    for number, kind in kinds.items():
        named = [s["id"] for s in fields(facts, number)["sources"]["value"]]
        assert named == ([kind, "office"] if kind == "licensed" else [kind])
    assert [s["id"] for s in fields(facts, "2.3")["sources"]["value"]] == ["web"]


@pytest.mark.parametrize(("hosts", "top"), [(1, 1), (10, 1), (11, 2), (30, 3)])
def test_the_top_tenth_of_domains_is_rounded_up(tmp_path: Path, hosts: int, top: int) -> None:
    rows = [
        {"source_id": "a", "uri": f"https://h{i}.example/", "n_chars": 100 + i}
        for i in range(hosts)
    ]
    facts = write_release(tmp_path, [make_entry("a", "CC0-1.0")], rows)
    section = fields(facts, "2.3")
    assert section["domains"]["value"] == hosts
    assert [domain["host"] for domain in section["top_domains"]["value"]] == [
        f"h{hosts - 1 - i}.example" for i in range(top)
    ]


def test_spellings_of_a_host_are_one_domain(tmp_path: Path) -> None:
    uris = ["http://A.example/x", "https://a.example:443/y", "https://u@a.example./z", "urn:x:1"]
    facts = write_release(
        tmp_path, [make_entry("a", "CC0-1.0")], [{"source_id": "a", "uri": uri} for uri in uris]
    )
    assert training_summary.domain_sizes(facts, {"a"}).rows() == [("a.example", 3, 300)]
    assert facts.sizes()["documents"] == 4


def test_only_iso_days_of_capture_are_compared(tmp_path: Path) -> None:
    days = ["2025-03-04T10:00:00Z", "2024-11", "3 May 1998", None]
    rows = [page("a", i, captured_at=day) for i, day in enumerate(days)]
    facts = write_release(tmp_path, [make_entry("a", "CC0-1.0")], rows)
    assert (facts.sizes()["first"], facts.sizes()["last"]) == ("2024-11", "2025-03-04")


def test_honoured_opt_outs_are_counted(tmp_path: Path) -> None:
    decisions = [
        {"doc_id": str(i), "stage": "ingest", "outcome": "refuse", "reason": reason}
        for i, reason in enumerate(["opted-out:robots", "opted-out:robots", "ungoverned"])
    ]
    opt_outs = {"signals": "latest", "protocols": {"robots": "RFC 9309", "rsl": "1"}, "agents": []}
    facts = write_release(
        tmp_path,
        [make_entry("a", "CC0-1.0", opt_out="overridden")],
        [page("a")],
        decisions,
        {"opt_outs": opt_outs},
    )
    section = fields(facts, "3.1")
    assert [(p["protocol"], p["records_refused"]) for p in section["protocols"]["value"]] == [
        ("robots", 2),
        ("rsl", 0),
    ]
    assert section["overridden"]["value"] == ["a"] and section["observed"]["value"] == "latest"
    assert fields(facts, "3.3")["ended"]["value"]["refuse ungoverned"] == 1


def test_fields_for_the_provider_are_marked(tmp_path: Path) -> None:
    facts = write_release(tmp_path, [make_entry("a", "CC0-1.0")], [page("a")])
    report = training_summary.summary(facts)
    assert {"1.1 provider", "1.2 models", "2.3 crawlers", "3.1 code_of_practice"} <= set(
        report["unfilled"]
    )
    assert training_summary.to_markdown(facts).count(f"[{training_summary.UNFILLED}]") == len(
        report["unfilled"]
    )


def test_attribution_names_each_source_with_its_terms(tmp_path: Path) -> None:
    licence = {"spdx": "CC-BY-4.0", "attribution": "Her [name]", "url": "https://cc.example/by"}
    facts = write_release(
        tmp_path,
        [
            make_entry("a", "CC-BY-4.0", licence=licence),
            make_entry("b", "LicenseRef-own AND CC-BY-SA-4.0"),
        ],
        [page("a"), page("b", lang="ru")],
    )
    content = attribution.to_markdown(facts)
    assert "- Credit: Her \\[name\\]" in content and "<https://cc.example/by>" in content
    assert (
        "- Credit: Publisher of b" in content
        and "- The licence asks for: attribution, share-alike" in content
    )
    assert "Terms \\| of ours (Art. 8)\n  > First line\n  > Second line" in content
    assert [source["source_id"] for source in attribution.to_json(facts)] == ["a", "b"]


def test_storage_countries_are_those_that_all_sources_allow(tmp_path: Path) -> None:
    entries = [
        make_entry("a", "CC0-1.0", residency=["KZ", "EE"]),
        make_entry("b", "CC0-1.0", residency=["KZ"]),
        make_entry("c", "CC0-1.0"),
    ]
    facts = write_release(tmp_path, entries, [page(e["id"]) for e in entries])
    metadata = provenance_standards.metadata(facts)
    assert metadata["use"]["storage-allowed"] == [{"country": "KZ"}]
    assert metadata["use"]["intended-purpose"][0]["code"] == "ai-pre-training"


def test_an_empty_release_has_reports(tmp_path: Path) -> None:
    facts = write_release(tmp_path, [], [])
    assert licences.to_json(facts)["licences"] == [] and licences.to_markdown(facts)
    assert attribution.to_markdown(facts) and training_summary.to_markdown(facts)
    assert fields(facts, "1.3")["size"]["value"] == {"documents": 0, "chars": 0}


def test_a_folder_without_a_release_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(NoRelease, match=r"no readable manifest\.json"):
        read_facts(tmp_path)
    (tmp_path / "manifest.json").write_text("[]")
    with pytest.raises(NoRelease, match="does not list `files`"):
        read_facts(tmp_path)
    facts = write_release(tmp_path / "r", [make_entry("a", "CC0-1.0")], [page("a")])
    (facts.folder / "lineage/sources/part-00000.parquet").unlink()
    with pytest.raises(NoRelease, match=r"is missing, but manifest\.json lists it"):
        read_facts(facts.folder)


@given(st.text())
def test_a_value_stays_in_its_cell(value: str) -> None:
    row = markdown.table(["a", "b"], [[value, 1]]).splitlines()[2]
    assert len(row.replace("\\|", "").split("|")) == 4


def test_sums_do_not_depend_on_the_order(tmp_path: Path) -> None:
    rows = [page(s, i, n_chars=i) for i, s in enumerate("abab" * 5)]
    entries = [make_entry("a", "CC0-1.0"), make_entry("b", "CC-BY-4.0")]
    release = write_release(tmp_path / "1", entries, rows)
    reordered = write_release(tmp_path / "2", entries[::-1], rows[::-1])
    assert licences.rollup(release).equals(licences.rollup(reordered))
    assert isinstance(licences.rollup(release), pl.DataFrame)
    assert training_summary.to_markdown(release) == training_summary.to_markdown(reordered)
