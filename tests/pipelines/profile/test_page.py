"""The profile of a release."""

from __future__ import annotations

import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from helpers import release_tables

from lineage.release_folder import ReleaseFolder
from pipelines.profile import edges, plots
from pipelines.profile.command import main
from pipelines.profile.page import page
from pipelines.profile.release_counts import count_release, count_stages

VOID = {"meta", "br", "path", "rect"}


@pytest.fixture(scope="module")
def release(sample_run: Path) -> Path:
    return sample_run / "release/sample"


@pytest.fixture(scope="module")
def counts(release: Path) -> dict[str, Any]:
    return count_release(ReleaseFolder(release, release))


class Balanced(HTMLParser):
    """Fails on a tag that is not closed in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag not in VOID or tag == "rect":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_counts_add_up(release: Path, counts: dict[str, Any]) -> None:
    totals, outcomes = counts["totals"], release_tables.outcomes_by_document(release)
    assert totals["records"] == len(outcomes)
    assert totals["documents"] == sum(outcome == "keep" for outcome, _ in outcomes.values())
    for before, after in zip(counts["stages"], counts["stages"][1:], strict=False):
        assert before["keep"] == sum(after[o] for o in plots.OUTCOMES)
    assert counts["stages"][-1]["keep"] == totals["documents"]
    assert sum(r["n"] for r in counts["reasons"]) == totals["records"] - totals["documents"]
    for row in counts["sources"]:
        assert row["records"] == sum(row[o] for o in plots.OUTCOMES)
    assert sum(r["records"] for r in counts["sources"]) == totals["records"]
    assert sum(r["documents"] for r in counts["languages"]) == totals["documents"]
    lengths = counts["lengths"][0]
    assert lengths["lang"] is None and sum(b["n"] for b in lengths["bins"]) == totals["documents"]
    for gauge in counts["gauges"]:
        assert sum(b["n"] for b in gauge["bins"]) == gauge["kept"]
        assert sum(b["ended"] for b in gauge["bins"]) == gauge["ended"]
    assert [g["gauge"] for g in counts["gauges"]] == ["language", "dedup"]


def test_the_page_loads_nothing(release: Path, tmp_path: Path, capsys: Any) -> None:
    out = tmp_path / "deep/profile.html"
    assert main([str(release), "--out", str(out)]) == 0
    assert str(out) in capsys.readouterr().out
    text = out.read_text("utf-8")
    assert not re.search(r"<script|<link|<img|<iframe|@import|url\(|\ssrc=|\shref=", text)
    assert "default-src 'none'" in text
    assert {"svg", "table", "blockquote"} <= Balanced(text).tags
    again = tmp_path / "again.html"
    assert main([str(release), "--out", str(again)]) == 0
    assert again.read_bytes() == out.read_bytes()


def test_texts_come_only_from_the_release(sample_run: Path, release: Path, tmp_path: Path) -> None:
    out = tmp_path / "p.html"
    assert main(["--params", str(sample_run / "params.yaml"), "--out", str(out)]) == 0
    text = out.read_text("utf-8")
    planted = [
        p["value"]
        for row in release_tables.read_jsonl(sample_run / "samples/raw/truth.jsonl")
        for p in row["planted"]
    ]
    assert planted and not [value for value in planted if value in text]
    assert "may hold personal data" not in text and text.count("<blockquote") > 3
    shown = ["--params", str(sample_run / "params.yaml"), "--with-texts", "--out", str(out)]
    assert main(shown) == 0
    more = out.read_text("utf-8")
    assert "may hold personal data" in more
    assert more.count("<blockquote") > text.count("<blockquote")


HOSTILE = "\"'><script>alert(1)</script>\u202e\x00&\u2066نص"


def test_hostile_strings_stay_text(counts: dict[str, Any]) -> None:
    broken = json.loads(json.dumps(counts))
    broken["release"] = dict.fromkeys(broken["release"], HOSTILE)
    for table, key in (
        ("reasons", "reason"),
        ("reasons", "outcome"),
        ("reasons", "stage"),
        ("languages", "lang"),
        ("sources", "source_id"),
        ("redactions", "entity_type"),
    ):
        broken[table][0][key] = HOSTILE
    broken["lengths"][1]["lang"] = HOSTILE
    broken["domains"] = [{"domain": HOSTILE, "n": 3}]
    broken["stages"][0]["stage"] = broken["sources"][0]["reasons"][0] = HOSTILE
    for gauge in broken["gauges"]:
        gauge["gauge"] = gauge["measure"] = HOSTILE
        for example in gauge["examples"]:
            example |= {"doc_id": HOSTILE, "lang": HOSTILE, "other": HOSTILE}
    text = page(broken, {HOSTILE: HOSTILE})
    assert "script" not in Balanced(text).tags
    assert not re.search("[\x00\u202e\u2066]", text) and "نص" in text


def test_an_empty_release(counts: dict[str, Any]) -> None:
    empty = {k: [] for k in counts if k not in ("release", "totals")}
    totals = dict.fromkeys(counts["totals"], 0) | {"median_chars": None}
    text = page({**empty, "release": counts["release"], "totals": totals}, {})
    assert "<h2>Languages" not in text and Balanced(text)


def test_json_writes_no_page(
    release: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([str(release), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["totals"]["documents"] > 0
    assert list(tmp_path.iterdir()) == []


def test_missing_and_damaged_releases(release: Path, tmp_path: Path, capsys: Any) -> None:
    assert main([str(tmp_path)]) == 2
    assert main(["--params", str(tmp_path / "none.yaml")]) == 2
    shutil.copytree(release, tmp_path / "damaged")
    for path in (tmp_path / "damaged/lineage/decisions").iterdir():
        path.write_bytes(path.read_bytes()[:-40])
    assert main([str(tmp_path / "damaged")]) == 1
    assert "damaged" in capsys.readouterr().err


def test_drops_of_the_release_are_taken_from_what_privacy_kept() -> None:
    counted = pl.DataFrame(
        [("privacy", "keep", 9), ("privacy", "drop", 1), ("release", "drop", 4)],
        ["stage", "outcome", "n"],
        orient="row",
    )
    assert count_stages(counted)[-1] == {
        "stage": "release",
        "keep": 5,
        "refuse": 0,
        "drop": 4,
        "damaged": 0,
    }


def measurements(*rows: tuple[str, str, bool, float, float | None]) -> pl.DataFrame:
    """A table of rows (stage, gauge, kept, value, threshold)."""
    complete = [(*row, f"{i:032x}", None, None) for i, row in enumerate(rows)]
    names = ["stage", "gauge", "kept", "value", "threshold", "doc_id", "lang", "other"]
    return pl.DataFrame(complete, names, orient="row")


def test_the_nearest_documents_of_both_sides_are_shown() -> None:
    rows = [("language", "language", v >= 0.5, v, 0.5) for v in np.linspace(0, 1, 21).tolist()]
    (gauge,) = edges.gauges(measurements(*rows), np.linspace(0, 1, 11))
    near = [(e["kept"], round(e["value"], 2)) for e in gauge["examples"]]
    assert sorted(v for kept, v in near if kept) == [0.5, 0.55, 0.6]
    assert sorted(v for kept, v in near if not kept) == [0.35, 0.4, 0.45]
    assert gauge["thresholds"] == [0.5]


def test_values_beyond_1_have_their_own_bins() -> None:
    rows = [("release", "words", False, float(v), None) for v in (3, 50, 50)]
    (gauge,) = edges.gauges(measurements(*rows), np.linspace(0, 1, 11))
    assert gauge["bins"][0]["least"] == 3 and gauge["bins"][-1]["below"] == 50
    assert [b["ended"] for b in gauge["bins"]] == [1, *[0] * 8, 2]


def test_tags_come_from_the_release_and_statistics_from_work(release: Path, tmp_path: Path) -> None:
    shutil.copytree(release, tmp_path / "release")
    path = next((tmp_path / "release/data").rglob("*.parquet"))
    rows = pl.read_parquet(path, hive_partitioning=False)
    tagged = pl.int_range(pl.len()) < 2
    rows.with_columns(
        domain=pl.when(tagged).then(pl.lit("law")).otherwise("domain"),
        quality=pl.when(tagged).then(pl.lit(0.2, pl.Float32)).otherwise("quality"),
    ).write_parquet(path)
    documents = release_tables.read_table(release, "documents").sort("doc_id")
    ids = documents["doc_id"].head(4).to_list()
    table = pl.DataFrame(
        {
            "doc_id": [*ids, "f" * 32],
            "failed": [[], [], [], [], ["digit_share"]],
            "digit_share": pl.Series([0.1, 0.2, 0.3, float("nan"), 0.9], dtype=pl.Float32),
        }
    )
    (tmp_path / "quality/quality").mkdir(parents=True)
    table.write_parquet(tmp_path / "quality/quality/a.parquet")
    counts = count_release(ReleaseFolder(tmp_path / "release", release), tmp_path)
    domains = [(d["domain"], d["n"]) for d in counts["domains"]]
    assert domains == [(None, documents.height - 2), ("law", 2)]
    assert sum(b["n"] for b in counts["scores"]) == 2
    (digits,) = counts["statistics"]
    assert digits["others"] == pytest.approx([0.9] * 3) and digits["statistic"] == "digit_share"
    assert {"Domains", "Quality scores", "Quality statistics"} <= {
        *re.findall("<h2>(.*?)</h2>", page(counts, {}))
    }


def test_a_rule_s_value_is_read_from_its_evidence(release: Path, tmp_path: Path) -> None:
    shutil.copytree(release, tmp_path / "release")
    path = next((tmp_path / "release/lineage/decisions").glob("*.parquet"))
    table = pl.read_parquet(path)
    evidence = [
        '{"failed":[{"rule":"symbols","value":0.4,"threshold":0.1}]}',
        '{"value":0.3,"threshold":0.2}',
    ]
    more = table.head(2).with_columns(
        stage=pl.lit("privacy"),
        outcome=pl.lit("drop"),
        rule=pl.lit("symbols"),
        evidence=pl.Series(evidence),
    )
    pl.concat([table, more]).write_parquet(path)
    rows = edges.read_measurements(ReleaseFolder(tmp_path / "release", tmp_path)).filter(
        pl.col("gauge") == "symbols"
    )
    values = rows.select("value", "threshold", "kept").sort("value").rows()
    assert values == [(0.3, 0.2, False), (0.4, 0.1, False)]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "–"),
        (float("nan"), "–"),
        (0, "0"),
        (1234567, "1\u202f234\u202f567"),
        (0.8623, "0.862"),
        (551.5, "552"),
    ],
)
def test_numbers(value: float | None, shown: str) -> None:
    assert plots.number(value) == shown


def test_one_document_is_visible_beside_a_million() -> None:
    bins = [{"least": 0, "below": 1, "n": 10**6}, {"least": 1, "below": 2, "n": 1}]
    heights = [
        float(h) for h in re.findall(r'<rect[^>]*height="([\d.]+)"', plots.histogram(bins, ""))
    ]
    assert heights[1] >= 1.5 and heights[0] > 100
