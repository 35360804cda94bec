"""A whole ingest of a crawl in which robots.txt changed between two captures.

Each mode of `signals` keeps other pages, and the evidence always holds both observations.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from helpers import report_release
from helpers.crawl_records import OPEN, SHUT, crawl_record
from helpers.register_entries import make_entry

from lineage.reports import opt_outs
from pipelines.engine.published import load
from pipelines.ingest.stage import main

PARAMS = """as_of: "2026-11-22"
purpose: pretraining
storage_country: KZ
register: register
inputs: [{{collection: web, format: warc, paths: ["raw/*.warc.gz"]}}]
licences: {{allow: [CC0-1.0]}}
signals: {mode}
robots_agents: ["*", GPTBot]
guard: {{min_keep_share: 0.0}}
work: work
release: {{name: r, path: release}}
"""
GOVERNED = "domains: [closing.kz, opening.kz, reserving.kz, steady.kz]"
PAGE = (
    b"<html><body><p>The council opened a library on the left bank of the river.</p></body></html>"
)
MAY, JUNE, JULY, AUGUST = (f"2026-0{month}-01T00:00:00Z" for month in (5, 6, 7, 8))
RESERVED = b'[{"location": "/", "tdm-reservation": 1}]'
FREE = b'[{"location": "/", "tdm-reservation": 0}]'
#: Each host with its two captures. It has pages of June, between them, and of August, after both.
HOSTS = {
    "closing.kz": ("/robots.txt", OPEN, SHUT),
    "opening.kz": ("/robots.txt", SHUT, OPEN),
    "reserving.kz": ("/.well-known/tdmrep.json", FREE, RESERVED),
    "steady.kz": ("/robots.txt", OPEN, OPEN),
}
#: The pages that are kept in each mode.
KEPT = {
    "fetch": {"closing.kz 06", "opening.kz 08", "reserving.kz 06", "steady.kz 06", "steady.kz 08"},
    "latest": {"opening.kz 06", "opening.kz 08", "steady.kz 06", "steady.kz 08"},
    "strictest": {"steady.kz 06", "steady.kz 08"},
}


@pytest.fixture(params=list(KEPT))
def judged(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, list[dict[str, Any]]]:
    """Run ingest in a mode; return the mode and the decisions on pages."""
    for name in ("raw", "register/sources", "register/evidence"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "register/sources/all.yaml").write_text(make_entry(match=GOVERNED))
    (tmp_path / "register/evidence/all.txt").write_text("terms")
    (tmp_path / "params.yaml").write_text(PARAMS.format(mode=request.param))
    html = "Content-Type: text/html"
    pages = [
        crawl_record(f"https://{h}/page", PAGE, html, at=at) for h in HOSTS for at in (JUNE, AUGUST)
    ]
    early = [
        crawl_record(f"https://{h}{path}", body, at=MAY) for h, (path, body, _) in HOSTS.items()
    ]
    late = [
        crawl_record(f"https://{h}{path}", body, at=JULY) for h, (path, _, body) in HOSTS.items()
    ]
    # The captures are in other files than the pages; the later capture is in the first file.
    for number, records in enumerate((late, pages, early)):
        (tmp_path / f"raw/{number}.warc.gz").write_bytes(b"".join(records))
    argv = ["--params", str(tmp_path / "params.yaml"), "--workers", "1", "--json"]
    assert main(argv) == 0
    stage = load(tmp_path / "work/ingest", "ingest")
    records = pl.concat([pl.read_parquet(stage.path("records", s)) for s in stage.shards])
    decided = pl.concat([pl.read_parquet(stage.path("decisions", s)) for s in stage.shards])
    rows = decided.join(records.select("doc_id", "captured_at"), on="doc_id").to_dicts()
    return request.param, [r for r in rows if r["uri"].endswith("/page")]


def observation(row: dict[str, Any]) -> dict[str, Any]:
    evidence = json.loads(row["evidence"])
    [seen] = evidence.get("observations") or [evidence["observation"]]
    return seen


def test_modes(judged: tuple[str, list[dict[str, Any]]]) -> None:
    mode, rows = judged
    named = {r["uri"].split("/")[2] + " " + r["captured_at"][5:7]: r for r in rows}
    assert {name for name, r in named.items() if r["outcome"] == "keep"} == KEPT[mode]
    assert all(
        r["reason"] == ("opted-out:tdmrep" if "reserving" in name else "opted-out:robots")
        for name, r in named.items()
        if name not in KEPT[mode]
    )
    for name, row in named.items():
        host, month = name.split()
        seen = observation(row)
        if host == "steady.kz" or month == "08":
            assert "compared" not in seen, name
            continue
        (first, second) = (
            ("granted", "reserved") if host != "opening.kz" else ("reserved", "granted")
        )
        compared = seen["compared"]
        assert [compared[w]["value"] for w in ("fetch", "latest")] == [first, second], name
        assert [compared[w]["observed_at"] for w in ("fetch", "latest")] == [MAY, JULY], name
        assert len({compared[w]["capture"] for w in ("fetch", "latest")}) == 2
    if mode == "strictest":  # the evidence holds the refusing capture, also after both captures
        late = named["opening.kz 08"]
        assert json.loads(late["evidence"])["signals"] == mode
        assert (observation(late)["value"], observation(late)["observed_at"]) == ("reserved", MAY)


def test_the_report_lists_changes(judged: tuple[str, list[dict[str, Any]]], tmp_path: Path) -> None:
    mode, rows = judged
    kept = [row | {"source_id": "all"} for row in rows if row["outcome"] == "keep"]
    source = report_release.make_entry("all", "CC0-1.0")
    facts = report_release.write_release(tmp_path / "release", [source], kept, rows)
    changes = {change["host"]: change for change in opt_outs.to_json(facts)["changes"]}
    assert set(changes) == {"closing.kz", "opening.kz", "reserving.kz"}
    for host, change in changes.items():
        before, now = ("reserved", "granted") if host == "opening.kz" else ("granted", "reserved")
        assert (change["at_fetch"], change["now"], change["since"]) == (before, now, JULY)
        assert change["records"] == 1  # the page of June; that of August is after both captures
        assert change["documents"] == (f"{host} 06" in KEPT[mode])
