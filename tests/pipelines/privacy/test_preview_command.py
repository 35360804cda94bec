"""`tamga privacy preview`: its counts, its page, and the places where it must not write."""

from __future__ import annotations

import json
import shutil
import stat
from html import escape
from pathlib import Path

import polars as pl
import pytest
import yaml

from lineage.configuration import load_params
from pipelines import clean
from pipelines.privacy import preview_page
from pipelines.privacy import stage as privacy
from pipelines.privacy.preview_command import choose_documents, last_stage
from schemas.stages import earlier


def preview(run: Path, *args: str) -> int:
    return privacy.main(["preview", "--params", str(run / "params.yaml"), *args])


@pytest.fixture
def home(sample_home: Path, tmp_path: Path) -> Path:
    """A folder with the sample's parameters and register, where no stage has run."""
    for name in ("params.yaml", "samples"):
        (tmp_path / name).symlink_to(sample_home / name)
    shutil.copytree(sample_home / "register", tmp_path / "register")
    return tmp_path


def stage_findings(run: Path) -> pl.DataFrame:
    findings = pl.read_parquet(run / "work" / "privacy/findings/*.parquet", hive_partitioning=False)
    return findings.filter(pl.col("entity_type") != "BOILERPLATE")


def test_the_counts_are_those_of_the_stage(
    sample_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert preview(sample_run, "--json") == 0
    counts = json.loads(capsys.readouterr().out)
    findings = stage_findings(sample_run)
    assert {c["entity_type"]: c["n"] for c in counts["classes"]} == dict(
        findings["entity_type"].value_counts().iter_rows()
    )
    assert counts["with_findings"] == findings["doc_id"].n_unique()
    for rows in (counts["sources"], counts["languages"], counts["parts"]):
        assert sum(row["n"] for row in rows) == counts["findings"] == findings.height


def test_the_page_marks_each_value_and_only_its_owner_can_read_it(
    sample_run: Path, tmp_path: Path
) -> None:
    out = tmp_path / "page.html"
    assert preview(sample_run, "--out", str(out), "--show", "100") == 0
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    page = out.read_text()
    texts = pl.read_parquet(
        sample_run / "work" / "ingest/documents/*.parquet", hive_partitioning=False
    )
    spans = stage_findings(sample_run).join(texts.select("doc_id", "text"), on="doc_id")
    for text, start, end in spans.select("text", "start", "end").iter_rows():
        assert f">{escape(text[start:end])}</mark>" in page
    assert "with personal data" in page and "<script" not in page


def test_options_select_documents_and_classes(
    sample_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    args = ("--json", "--lang", "kk", "--class", "PHONE_NUMBER", "--source", "kz-bilik")
    assert preview(sample_run, *args) == 0
    counts = json.loads(capsys.readouterr().out)
    assert {p["lang"] for p in counts["parts"]} <= {"kk"}
    assert {p["source_id"] for p in counts["parts"]} <= {"kz-bilik"}
    assert {c["entity_type"] for c in counts["classes"]} <= {"PHONE_NUMBER"}
    assert preview(sample_run, "--json", "--documents", "3") == 0
    assert json.loads(capsys.readouterr().out)["documents"] == 3
    assert preview(sample_run, "--json", "--lang", "zu") == 0
    assert json.loads(capsys.readouterr().out)["documents"] == 0


@pytest.mark.parametrize("args", [("--source", "nobody"), ("--class", "NOTHING")])
def test_an_unknown_source_or_class_is_a_usage_error(
    sample_run: Path, args: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        preview(sample_run, *args)
    assert "known: " in capsys.readouterr().err


def test_classes_include_names_and_the_policy_is_checked(
    sample_run: Path, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / "work").symlink_to(sample_run / "work")
    (home / "params.yaml").unlink()
    value = yaml.safe_load((sample_run / "params.yaml").read_text())
    (home / "params.yaml").write_text(yaml.safe_dump(value | {"privacy": {"names": ["kk"]}}))
    assert preview(home, "--json", "--class", "PERSON") == 0
    assert {c["entity_type"] for c in json.loads(capsys.readouterr().out)["classes"]} <= {"PERSON"}
    keyed = {"privacy": {"operator": "pseudonym"}}
    (home / "params.yaml").write_text(yaml.safe_dump(value | keyed))
    assert preview(home, "--json") == 2
    assert "pseudonyms need a key" in capsys.readouterr().err


@pytest.mark.parametrize(
    "place", ["params.yaml", "register/page.html", "release/sample/page.html", "release", "work"]
)
def test_forbidden_places_of_the_page(
    sample_run: Path, place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (sample_run / "params.yaml").read_bytes()
    with pytest.raises(SystemExit, match="2"):
        preview(sample_run, "--out", str(sample_run / place))
    assert "name another file" in capsys.readouterr().err
    assert (sample_run / "params.yaml").read_bytes() == before
    assert not (sample_run / place).is_file() or place == "params.yaml"


def test_a_page_replaces_an_earlier_page(sample_run: Path, tmp_path: Path) -> None:
    out = tmp_path / "page.html"
    for args in ((), ("--lang", "zu")):
        assert preview(sample_run, "--out", str(out), *args) == 0
    assert ">0<" in out.read_text()


def test_stages_with_other_inputs_do_not_count(sample_run: Path, tmp_path: Path) -> None:
    assert last_stage(sample_run / "work") == "dedup"
    for stage in earlier("privacy"):
        (tmp_path / stage).mkdir()
        for name in ("stage.json", "run.json"):
            shutil.copy(sample_run / "work" / stage / name, tmp_path / stage)
    run = json.loads((tmp_path / "quality/run.json").read_text())
    run["inputs"]["ingest"] = "0" * 64
    (tmp_path / "quality/run.json").write_text(json.dumps(run))
    assert last_stage(tmp_path) == "language"
    (tmp_path / "language/run.json").unlink()
    assert last_stage(tmp_path) == "ingest"


def test_without_a_stage_the_command_names_the_remedy(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert preview(home) == 1
    assert "run `tamga ingest` first" in capsys.readouterr().err


def test_clean_lists_the_page_as_personal_data(home: Path) -> None:
    sample_params = load_params(home / "params.yaml")
    (sample_params.work / "preview").mkdir(parents=True)
    (sample_params.work / "preview/privacy.html").write_text("x")
    [leftover] = [o for o in clean.leftovers(sample_params) if o.folder.name == "preview"]
    assert leftover.personal


def make_findings(*rows: tuple[str, str, int, int]) -> pl.DataFrame:
    columns = ["doc_id", "entity_type", "start", "end"]
    frame = pl.DataFrame(list(rows), schema=columns, orient="row")
    more = {"operator": "replace", "recogniser": "R", "score": 1.0}
    return frame.with_columns(**{k: pl.lit(v) for k, v in more.items()})


def test_hostile_text_is_escaped() -> None:
    text = "<script>alert(1)</script> a@b.example <b>" + "x" * 1000 + " c@d.example"
    spans = make_findings(("d", "EMAIL", 26, 37), ("d", "EMAIL", len(text) - 11, len(text)))
    counts = {
        "findings": 2,
        "with_findings": 1,
        "documents": 1,
        "classes": [{"entity_type": "EMAIL", "operator": "replace", "n": 2, "documents": 1}],
        "sources": [],
        "languages": [],
        "dropped": 0,
    }
    document = {"doc_id": "d", "source_id": None, "lang": None, "text": text}
    page = preview_page.render_page(counts, [document], spans)
    assert "<script" not in page and "&lt;script&gt;" in page
    assert page.count("</mark>") == 4 and "x" * 1000 not in page
    assert ">a@b.example</mark>" in page and ">c@d.example</mark>" in page


def test_the_rarest_class_is_shown_first() -> None:
    common = [(f"c{i}", "COMMON", 0, 1) for i in range(9)]
    spans = make_findings(*common, ("r", "RARE", 0, 1))
    assert choose_documents(spans, 3)["doc_id"].to_list() == ["r", "c0", "c1"]
    assert choose_documents(spans, 99).height == 10
    assert choose_documents(make_findings(), 3).height == 0
