"""Opt-outs at the fetch and now: as the gate compared them, and by later captures of a page."""

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


def seen(where: str, protocol: str = "robots", **said: str) -> dict[str, Any]:
    """An observation; `said`: what stood when."""
    both = {k: {"value": v, "observed_at": f"2026-0{len(k)}-01"} for k, v in said.items()}
    return {"protocol": protocol, "where": where, "value": "x", "compared": both or None}


def judged(place: int, uri: str, evidence: dict[str, Any], reason: str | None = None) -> Any:
    return {
        "doc_id": f"{place:032x}",
        "uri": uri,
        "stage": "ingest",
        "outcome": "refuse" if reason else "keep",
        "reason": reason,
        "evidence": json.dumps(evidence, separators=(",", ":")),
    }


def release(folder: Path, *decisions: Any) -> Facts:
    documents = [
        {"source_id": "a", "uri": one["uri"], "captured_at": f"2026-01-0{i + 1}"}
        for i, one in enumerate(decisions)
    ]
    return report_release.write_release(folder, SOURCES, documents, decisions)


def test_what_the_gate_compared(tmp_path: Path) -> None:
    changed = seen("robots.txt", fetch="granted", latest="reserved")
    facts = release(
        tmp_path,
        judged(0, "https://x.example/1", {"observations": [seen("robots.txt"), changed]}),
        judged(1, "https://x.example/2", {"observations": [changed]}),
        judged(2, "https://y.example/", {"observation": changed}, "opted-out:robots"),
        judged(3, "https://z.example/", {"observations": []}),
    )
    about = {"protocol": "robots", "at_fetch": "granted", "now": "reserved", "since": "2026-06-01"}
    assert opt_outs.to_json(facts)["changes"] == [
        {"host": "x.example", **about, "records": 2, "documents": 2},
        {"host": "y.example", **about, "records": 1, "documents": 1},
    ]
    assert "| x.example | robots | granted | reserved |" in opt_outs.to_markdown(facts)


@pytest.mark.parametrize("where", ["header", "html", "embedded"])
def test_a_later_capture_of_a_page(tmp_path: Path, where: str) -> None:
    refused = {"observation": seen(where, "noai")}
    facts = release(
        tmp_path,
        judged(0, "https://x.example/1", {"observations": []}),
        judged(1, "https://X.example:443/1", refused, "opted-out:noai"),
        judged(2, "https://x.example/2", {"observations": []}),
        judged(3, "https://x.example/2", {"observation": seen("robots.txt")}, "opted-out:robots"),
    )
    (one,) = opt_outs.to_json(facts)["changes"]
    assert (one["host"], one["protocol"], one["records"]) == ("x.example", "noai", 1)
    assert (one["at_fetch"], one["now"], one["since"]) == ("unsaid", "reserved", "2026-01-02")


def test_a_page_that_says_nothing_any_more(tmp_path: Path) -> None:
    refused = {"observation": seen("html", "noai")}
    facts = release(
        tmp_path,
        judged(0, "https://x.example/1", {"observations": []}),
        judged(1, "https://x.example/1", refused, "opted-out:noai"),
        judged(2, "https://x.example/1", {"observations": []}),
        judged(3, "https://x.example/1", {"observations": [], "overridden": []}),  # was not read
    )
    (one,) = opt_outs.to_json(facts)["changes"]
    assert (one["at_fetch"], one["now"], one["since"]) == ("reserved", "unsaid", "2026-01-03")
    assert (one["records"], one["documents"]) == (1, 1)


@given(
    st.lists(
        st.tuples(
            st.sampled_from("ab"), st.integers(1, 5), st.sampled_from([None, "noai", "tdmrep"])
        ),
        max_size=12,
    )
)
def test_captures_are_held_against_the_last(captures: list[tuple[str, int, str | None]]) -> None:
    names = {"doc_id": pl.String, "uri": pl.String, "address": pl.String}
    rows = [(str(i), a, a, f"2026-01-0{day}", p) for i, (a, day, p) in enumerate(captures)]
    schema = names | {"captured_at": pl.String, "protocol": pl.String}
    expected = set()
    for id, _, address, day, protocol in rows:
        mine = [row for row in rows if row[2] == address]
        last = max(row[3] for row in mine)
        ends = {row[4] for row in mine if row[3] == last} - {None}
        if day < last and bool(ends) != (protocol is not None):
            now = ("unsaid", "reserved")[:: 1 if ends else -1]
            expected.add((id, protocol or max(map(str, ends)), *now, last))
    found = opt_outs.page_changes(pl.DataFrame(rows, schema, orient="row")).drop("uri")
    assert set(found.rows()) == expected and found.height == len(expected)


def test_a_release_in_which_nothing_changed(tmp_path: Path) -> None:
    facts = release(tmp_path, judged(0, "https://x.example/1", {"observations": [seen("file")]}))
    assert opt_outs.to_json(facts)["changes"] == []
    assert "No publisher's statement" in opt_outs.to_markdown(facts)
