"""Changed opt-outs: those that the gate compared, and those in later captures of a page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from helpers import report_release
from hypothesis import given
from hypothesis import strategies as st

from lineage.reports import opt_outs
from lineage.reports.facts import Facts

SOURCES = [report_release.make_entry("a", "CC0-1.0")]


def make_observation(where: str, protocol: str = "robots", **states: str) -> dict[str, Any]:
    """Return an observation; `states`: `fetch` and `latest` -> the state at that time."""
    both = {k: {"value": v, "observed_at": f"2026-0{len(k)}-01"} for k, v in states.items()}
    return {"protocol": protocol, "where": where, "value": "x", "compared": both or None}


def make_decision(
    number: int, uri: str, evidence: dict[str, Any], reason: str | None = None
) -> Any:
    """Return a decision of the gate about record `number`."""
    return {
        "doc_id": f"{number:032x}",
        "uri": uri,
        "stage": "ingest",
        "outcome": "refuse" if reason else "keep",
        "reason": reason,
        "evidence": json.dumps(evidence, separators=(",", ":")),
    }


def write_captures(folder: Path, *decisions: Any) -> Facts:
    """Write a release with one document per decision, captured on successive days."""
    documents = [
        {"source_id": "a", "uri": decision["uri"], "captured_at": f"2026-01-0{i + 1}"}
        for i, decision in enumerate(decisions)
    ]
    return report_release.write_release(folder, SOURCES, documents, decisions)


def test_changes_that_the_gate_recorded_are_counted_by_host(tmp_path: Path) -> None:
    changed = make_observation("robots.txt", fetch="granted", latest="reserved")
    facts = write_captures(
        tmp_path,
        make_decision(
            0, "https://x.example/1", {"observations": [make_observation("robots.txt"), changed]}
        ),
        make_decision(1, "https://x.example/2", {"observations": [changed]}),
        make_decision(2, "https://y.example/", {"observation": changed}, "opted-out:robots"),
        make_decision(3, "https://z.example/", {"observations": []}),
    )
    change = {"protocol": "robots", "at_fetch": "granted", "now": "reserved", "since": "2026-06-01"}
    assert opt_outs.to_json(facts)["changes"] == [
        {"host": "x.example", **change, "records": 2, "documents": 2},
        {"host": "y.example", **change, "records": 1, "documents": 1},
    ]
    assert "| x.example | robots | granted | reserved |" in opt_outs.to_markdown(facts)


@pytest.mark.parametrize("where", ["header", "html", "embedded"])
def test_a_later_capture_of_a_page_that_opts_out(tmp_path: Path, where: str) -> None:
    refused = {"observation": make_observation(where, "noai")}
    facts = write_captures(
        tmp_path,
        make_decision(0, "https://x.example/1", {"observations": []}),
        make_decision(1, "https://X.example:443/1", refused, "opted-out:noai"),
        make_decision(2, "https://x.example/2", {"observations": []}),
        make_decision(
            3,
            "https://x.example/2",
            {"observation": make_observation("robots.txt")},
            "opted-out:robots",
        ),
    )
    (change,) = opt_outs.to_json(facts)["changes"]
    assert (change["host"], change["protocol"], change["records"]) == ("x.example", "noai", 1)
    assert (change["at_fetch"], change["now"], change["since"]) == (
        "unsaid",
        "reserved",
        "2026-01-02",
    )


def test_a_page_that_no_longer_opts_out(tmp_path: Path) -> None:
    refused = {"observation": make_observation("html", "noai")}
    facts = write_captures(
        tmp_path,
        make_decision(0, "https://x.example/1", {"observations": []}),
        make_decision(1, "https://x.example/1", refused, "opted-out:noai"),
        make_decision(2, "https://x.example/1", {"observations": []}),
        make_decision(3, "https://x.example/1", {"observations": [], "overridden": []}),  # not read
    )
    (change,) = opt_outs.to_json(facts)["changes"]
    assert (change["at_fetch"], change["now"], change["since"]) == (
        "reserved",
        "unsaid",
        "2026-01-03",
    )
    assert (change["records"], change["documents"]) == (1, 1)


@given(
    st.lists(
        st.tuples(
            st.sampled_from("ab"), st.integers(1, 5), st.sampled_from([None, "noai", "tdmrep"])
        ),
        max_size=12,
    )
)
def test_captures_are_compared_with_the_last(captures: list[tuple[str, int, str | None]]) -> None:
    names = {"doc_id": pl.String, "uri": pl.String, "address": pl.String}
    rows = [(str(i), a, a, f"2026-01-0{day}", p) for i, (a, day, p) in enumerate(captures)]
    schema = names | {"captured_at": pl.String, "protocol": pl.String}
    expected = set()
    for id, _, address, day, protocol in rows:
        same_page = [row for row in rows if row[2] == address]
        last = max(row[3] for row in same_page)
        last_protocols = {row[4] for row in same_page if row[3] == last} - {None}
        if day < last and bool(last_protocols) != (protocol is not None):
            now = ("unsaid", "reserved")[:: 1 if last_protocols else -1]
            expected.add((id, protocol or max(map(str, last_protocols)), *now, last))
    changes = opt_outs.page_changes(pl.DataFrame(rows, schema, orient="row")).drop("uri")
    assert set(changes.rows()) == expected and changes.height == len(expected)


def test_a_release_without_changes(tmp_path: Path) -> None:
    facts = write_captures(
        tmp_path,
        make_decision(0, "https://x.example/1", {"observations": [make_observation("file")]}),
    )
    assert opt_outs.to_json(facts)["changes"] == []
    assert "No publisher's statement" in opt_outs.to_markdown(facts)
