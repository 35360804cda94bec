"""The stage on a small corpus, from records to the table and the release."""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl
import pytest
import yaml

from lineage.configuration import load_params
from pipelines import cli
from pipelines.quality.stage import Assessor, decide
from schemas.errors import Invalid
from schemas.tables import DATA, QUALITY

GOOD = "Бүгін ауылда жаңа кітапхана ашылды. Балалар кітап оқуға асығып келді."
BAD = "Главная\nО нас\nКонтакты\nНовости\nАрхив\nКарта сайта\n" * 8


@pytest.fixture
def home(sample_home: Path, tmp_path: Path) -> Path:
    """A folder with register, four records and params."""
    shutil.copytree(sample_home / "register", tmp_path / "register")
    (tmp_path / "raw").mkdir()
    rows = [
        {"id": f"https://gazette.example.kz/{name}", "body": text, "date": "2026-01-02"}
        for name, text in (
            ("law/1", GOOD),
            ("law/2", BAD),
            ("3", "Приказ № 34-п вступил в силу 12 мая 2024 года. Он обязателен для всех."),
            ("4", "Тест"),
        )
    ]
    (tmp_path / "raw/rows.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    content = yaml.safe_load((sample_home / "params.yaml").read_text())
    del content["tokens"]
    content["inputs"] = [
        {
            "collection": "gazette",
            "format": "jsonl",
            "paths": ["raw/rows.jsonl"],
            "fields": {"uri": "id", "text": "body", "captured_at": "date"},
        }
    ]
    content["quality"] = {
        "domains": {
            "urls": [{"pattern": "*/law/*", "domain": "law"}],
        }
    }
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(content))
    return tmp_path


class Result(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def tamga(capsys: pytest.CaptureFixture[str]) -> Callable[..., Result]:
    """A function that runs the command line in this process, which saves the imports."""

    def call(*args: str | Path) -> Result:
        try:
            code = cli.main([*map(str, args)])
        except SystemExit as ended:
            code = int(ended.code or 0)
        return Result(code, *capsys.readouterr())

    return call


def change(home: Path, **quality: Any) -> None:
    """Set parameters of the section `quality`."""
    content = yaml.safe_load((home / "params.yaml").read_text())
    content["quality"] |= quality
    (home / "params.yaml").write_text(yaml.safe_dump(content))


def table(home: Path, name: str) -> pl.DataFrame:
    return pl.read_parquet(home / f"work/quality/{name}/*.parquet", hive_partitioning=False)


def test_drop_annotate_and_release(home: Path, tamga: Callable[..., Result]) -> None:
    done = tamga("run", "--params", home / "params.yaml", "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out)["outcomes"]["drop quality-repeated-lines"] == 1
    joined = table(home, "quality").join(table(home, "decisions"), on="doc_id")
    assert table(home, "quality").columns == QUALITY.names
    rows = {row["uri"].rsplit("/", 2)[-1]: row for row in joined.to_dicts()}
    dropped = rows["2"]
    failure = json.loads(dropped["evidence"])["failed"][0]
    assert dropped["outcome"] == "drop" and dropped["reason"] == f"quality-{failure['rule']}"
    assert set(failure) == {"rule", "statistic", "value", "bound", "threshold"}
    assert "repeated-lines" in dropped["failed"] and failure["value"] > failure["threshold"]
    assert (rows["1"]["domain"], rows["1"]["domain_by"]) == ("law", "url")
    assert rows["3"]["domain"] is None and rows["3"]["evidence"] == "{}"
    data = pl.read_parquet(home / "release/sample/data/*/*.parquet", hive_partitioning=False)
    assert data.columns == DATA.names and data["quality"].null_count() == data.height
    assert data.filter(pl.col("domain") == "law").height == 1
    change(home, mode="annotate")
    done = tamga("quality", "--params", home / "params.yaml", "--json")
    assert done.code == 0, done.err
    totals = json.loads(done.out)["totals"]
    assert totals["outcome"] == {"keep": 4} and totals["failed"]["repeated-lines"] == 1


def test_models_score_and_tag(home: Path, tamga: Callable[..., Result]) -> None:
    for name, words in (("good", GOOD.split()), ("raw", BAD.split())):
        lines = [" ".join(words[i % 5 :][:6]) + f" {i}" for i in range(60)]
        (home / f"{name}.txt").write_text("\n".join(lines))
    done = tamga("quality", "train", "--curated", home / "good.txt", "--raw", home / "raw.txt",
                 "--out", home / "models/q.bin", "--dim", "8", "--bucket", "1000")  # fmt: skip
    assert done.code == 0, done.err
    change(
        home,
        classifier={"model": "models/q.bin", "floor": 0.5},
        domains={
            "sources": {"kz-gazette": "administration"},
            "classifier": {"model": "models/q.bin"},
        },
    )
    for stage in ("ingest", "language", "quality"):
        done = tamga(stage, "--params", home / "params.yaml")
        assert done.code == 0, done.err
    joined = table(home, "quality").join(table(home, "decisions"), on="doc_id")
    scores = {row["uri"][-5:]: row["score"] for row in joined.to_dicts()}
    assert scores["law/1"] > 0.5 > scores["law/2"]
    assert "classifier" in joined.filter(pl.col("uri").str.ends_with("law/2"))["failed"][0]
    assert set(joined["domain_by"]) <= {"source", "classifier"}
    run = json.loads((home / "work/quality/run.json").read_text())
    assert {"thresholds:thresholds.tsv", "classifier:q.bin", "domains:q.bin"} == set(run["models"])
    assessor = Assessor(load_params(home / "params.yaml"))
    copy = pickle.loads(pickle.dumps(assessor))
    assert copy.models == assessor.models


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"classifier": {"model": "absent.bin"}}, "quality.classifier"),
        ({"classifier": {"model": "params.yaml"}}, "is not a fastText model"),
        ({"domains": {"classifier": {"model": "params.yaml"}}}, "quality.domains.classifier"),
        ({"thresholds": "absent.tsv"}, "absent.tsv"),
        ({"thresholds": "params.yaml"}, "first line"),
        ({"domains": {"sources": {"nobody": "law"}}}, "no such source"),
        ({"domains": {"sources": {"kz-gazette": "The Law"}}}, "small letters"),
        ({"domains": {"urls": [{"pattern": "*"}]}}, "domain"),
        ({"mode": "keep"}, "drop, annotate"),
        ({"floor": 1}, "floor"),
    ],
)
def test_wrong_parameters(
    section: dict[str, Any], message: str, home: Path, tamga: Callable[..., Result]
) -> None:
    change(home, **section)
    done = tamga("quality", "--params", home / "params.yaml", "--dry-run")
    assert done.code == 2, done.out
    assert message in done.err and "Traceback" not in done.err


def test_params_have_defaults_and_a_digest(home: Path) -> None:
    first = load_params(home / "params.yaml")
    assert first.quality.mode == "drop" and first.quality.domains.urls == (("*/law/*", "law"),)
    change(home, domains={"urls": [{"pattern": "*/law/*", "domain": "news"}]})
    second = load_params(home / "params.yaml")
    assert first.digest("quality") != second.digest("quality")
    assert pickle.loads(pickle.dumps(second)) == second
    change(home, classifier={"model": "x.bin"})
    scorer = load_params(home / "params.yaml").quality.classifier
    assert scorer and (scorer.label, scorer.floor) == ("curated", None)
    with pytest.raises(Invalid, match=r"x\.bin"):
        Assessor(load_params(home / "params.yaml"))


def test_the_first_rule_is_the_reason() -> None:
    fails = [
        {"rule": r, "statistic": "n_words", "value": 1.0, "bound": "min", "threshold": 3.0}
        for r in ("too-short", "code")
    ]
    assessed = pl.DataFrame({"doc_id": ["a", "b"], "uri": ["u", "v"], "failures": [fails, []]})
    rows = decide(assessed, "drop").to_dicts()
    assert (rows[0]["reason"], rows[0]["rule"]) == ("quality-too-short", "too-short")
    assert len(json.loads(rows[0]["evidence"])["failed"]) == 2
    assert rows[1]["outcome"] == "keep" and rows[1]["reason"] is None
    kept = decide(assessed, "annotate").to_dicts()[0]
    assert kept["outcome"] == "keep" and kept["reason"] is None and kept["rule"] == "too-short"
