from __future__ import annotations

import json
import shutil
from pathlib import Path

import polars as pl
import pytest
from helpers import release_tables
from helpers.commands import tamga

from pipelines.corpus.stage_tables import Corpus
from pipelines.engine.shards import State
from pipelines.release.selection import Selection
from schemas.mixture import Cap, Mixture

MIXTURE = """select: {languages: [kk, ru, uk, uz]}
caps:
  - {language: ru, share: 0.3}
  - {source: uz-maktab, documents: 3}
order: quality
"""


@pytest.fixture(scope="module")
def home(sample_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the finished sample run with a second release that applies a mixture."""
    folder = tmp_path_factory.mktemp("mixed")
    for name in ("register", "samples", "work"):
        shutil.copytree(sample_run / name, folder / name)
    text = (sample_run / "params.yaml").read_text()
    mixed = text.replace("{name: sample,", "{name: m,").replace("mixture: }", "mixture: m.yaml}")
    (folder / "params.yaml").write_text(mixed)
    (folder / "m.yaml").write_text(MIXTURE)
    done = tamga("run", "--params", folder / "params.yaml", "--workers", "1", "--json")
    assert done.returncode == 0, done.stderr
    (folder / "summary.json").write_text(done.stdout)
    return folder


def test_each_record_still_has_one_outcome(home: Path, sample_run: Path) -> None:
    fates, before = (
        release_tables.outcomes_by_document(f)
        for f in (home / "release/m", sample_run / "release/sample")
    )
    decisions = release_tables.read_table(home / "release/m", "decisions")
    ended = decisions.filter(pl.col("outcome") != "keep")
    assert ended["doc_id"].is_unique().all() and fates.keys() == before.keys()
    left = {i for i, (_, reason) in fates.items() if reason in ("not-selected", "mixture-cap")}
    assert left and all(fates[i] == before[i] for i in fates.keys() - left)
    assert all(before[i] == ("keep", None) for i in left)
    summary = json.loads((home / "summary.json").read_text())
    assert sum(summary["outcomes"].values()) == summary["records"] == len(fates)
    assert summary["documents"] == sum(outcome == "keep" for outcome, _ in fates.values())
    assert summary["outcomes"]["drop not-selected"] + summary["outcomes"][
        "drop mixture-cap"
    ] == len(left)


def test_the_mixture_holds_in_the_release(home: Path) -> None:
    data = release_tables.read_table(home / "release/m", "data")
    assert set(data["lang"]) == {"kk", "ru", "uk", "uz"}
    assert data.filter(pl.col("source_id") == "uz-maktab").height == 3
    ru = data.filter(pl.col("lang") == "ru")["n_chars"].sum()
    assert 0.2 < ru / data["n_chars"].sum() <= 0.31
    manifest = json.loads((home / "release/m/manifest.json").read_bytes())
    assert manifest["counts"]["documents"] == data.height
    documents = release_tables.read_table(home / "release/m", "documents").sort("leaf_index")
    assert documents["leaf_index"].to_list() == list(range(data.height))
    redactions = release_tables.read_table(home / "release/m", "redactions")
    assert redactions.height and set(redactions["doc_id"]) <= set(data["doc_id"])


def test_a_left_out_document_is_traced_to_its_filter(home: Path) -> None:
    decisions = release_tables.read_table(home / "release/m", "decisions")
    mixed = decisions.filter(pl.col("stage") == "release")
    assert set(mixed["rule"]) == {"mixture"} and mixed["uri"].null_count() == 0
    evidence = [json.loads(e) for e in mixed.filter(pl.col("reason") == "mixture-cap")["evidence"]]
    by_source = [t for t in evidence if t["cap"] == 2]
    assert by_source[0] == {
        "cap": 2,
        "filter": {"source": "uz-maktab"},
        "limit": 3,
        "unit": "documents",
    }
    doc_id = mixed["doc_id"][0]
    done = tamga("trace", doc_id, "--params", home / "params.yaml")
    assert done.returncode == 0 and f"drop: {mixed['reason'][0]}" in done.stdout


def test_a_mixture_that_leaves_nothing_stops_the_run(home: Path) -> None:
    (home / "m.yaml").write_text("select: {languages: [zh]}\n")
    done = tamga("release", "--params", home / "params.yaml")
    (home / "m.yaml").write_text(MIXTURE)
    assert done.returncode == 1
    assert "the mixture leaves nothing (78 drop not-selected)" in done.stderr


@pytest.mark.parametrize("tagged", [True, False])
def test_tags_decide_the_selection(tmp_path: Path, tagged: bool) -> None:
    """Domain and score come from the documents. A document without a domain is not selected."""
    data = pl.DataFrame(
        {
            "doc_id": [f"{i:032x}" for i in range(3)],
            "lang": ["kk"] * 3,
            "source_id": ["s-1"] * 3,
            "n_chars": [5] * 3,
            "text": ["text!"] * 3,
            "domain": ["law", "law", "news"] if tagged else [None] * 3,
            "quality": [0.1, 0.9, 1.0],
        },
        schema_overrides={"domain": pl.String},
    )
    wanted = Mixture(domains=("law",), caps=(Cap("documents", 1),), order="quality")
    chosen = Selection(State(str(tmp_path)), Corpus("none"), wanted, "run")
    chosen.describe("a", data)
    sizes = pl.DataFrame({"shard": ["a"], "lang": ["kk"], "group": [0], "rows": [3], "bytes": [15]})
    assert chosen.choose(sizes)["rows"].to_list() == ([1] if tagged else [])
    left = ["mixture-cap", "not-selected"] if tagged else ["not-selected"] * 3
    assert chosen.left_out("a")["reason"].to_list() == left
