"""Tests of the table of stages: what must agree with it, and a run with a seventh stage."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import fields
from importlib import import_module, resources
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml
from helpers.commands import ROOT

from pipelines import clean, cli, run
from schemas.params import Params
from schemas.stages import DECIDING, SECTIONS, STAGES, TABLE, TEXTS, earlier, entry, previous


def test_names_are_distinct_and_the_release_covers_all_parameters() -> None:
    assert len({*STAGES}) == len(TABLE)
    assert {*SECTIONS} >= {name for one in TABLE for name in one.sections}
    assert {*SECTIONS} <= {f.name for f in fields(Params)} | {"licences"}
    assert entry(STAGES[-1]).sections == SECTIONS and TEXTS[0] == STAGES[0]


def test_what_comes_before_a_stage() -> None:
    assert earlier(STAGES[0]) == () and earlier(STAGES[-1]) == DECIDING
    assert [previous(name) for name in STAGES[1:]] == [*DECIDING]


def test_each_stage_has_a_class_in_its_own_module() -> None:
    assert {*run.CLASSES} == {*STAGES}
    for name, kind in run.CLASSES.items():
        assert kind.__module__ == f"pipelines.{name}.stage" == cli.COMMANDS[name][0]
        assert callable(import_module(kind.__module__).main)
        assert (ROOT / f"pipelines/{name}/__main__.py").is_file()


def test_each_suite_belongs_to_a_stage() -> None:
    folder = resources.files("schemas").joinpath("expectations")
    assert {f"expectations/{f.name}" for f in folder.iterdir()} == {one.suite for one in TABLE}
    for one in TABLE:
        suite = json.loads(resources.files("schemas").joinpath(one.suite).read_text("utf-8"))
        assert suite["name"] == one.name


def test_clean_removes_what_stages_leave_and_personal_data_first() -> None:
    assert {name for name in STAGES if name in clean.HOLDS} == {*DECIDING}
    personal = [held[1] for held in clean.HOLDS.values()]
    assert personal == sorted(personal, reverse=True)


def dvc_stages() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "dvc.yaml").read_text("utf-8"))["stages"]
    return loaded


def test_dvc_has_the_same_stages() -> None:
    assert [name for name in dvc_stages() if name != "sample"] == [*STAGES]


@pytest.mark.parametrize("name", STAGES)
def test_dvc_runs_a_stage_where_its_inputs_or_parameters_changed(name: str) -> None:
    stage = dvc_stages()[name]
    assert stage["cmd"].endswith(f" tamga {name} --params params.yaml")
    assert {*stage["params"]} - {"register"} == {*entry(name).sections}
    work = {path for path in stage["deps"] if path.startswith("work/")}
    assert work == {f"work/{one}" for one in earlier(name)}
    assert {"register", "pipelines", "lineage", "schemas"} <= {*stage["deps"]}
    outs = {next(iter(one)) if isinstance(one, dict) else one for one in stage["outs"]}
    assert {f"work/{name}", f"work/validation/{name}"} <= outs
    assert stage["metrics"] == [f"work/metrics/{name}.json"]
    assert [*stage["plots"][0]] == [f"work/plots/{name}.json"]


STAGE = '''"""The stage `brevity`: documents whose ids begin with a letter are dropped."""

import apache_beam as beam
import polars as pl
import pyarrow as pa

from pipelines.corpus import stage_tables
from pipelines.corpus.stage_tables import Corpus, DocumentStage
from pipelines.engine import decisions
from pipelines.engine.command_line import command
from pipelines.engine.stage import ShardDoFn


class Judge(ShardDoFn):
    def __init__(self, state, source, run_id):
        super().__init__(state)
        self.source, self.run_id = source, run_id

    def work(self, shard, row, *sides):
        columns = ["doc_id", "uri"]
        seen = pl.concat([
            pl.DataFrame(schema=dict.fromkeys(columns, pl.String)),
            *self.source.documents_for("brevity", shard.name, columns),
        ])
        long = pl.col("doc_id").str.contains("^[a-f]")
        decided = decisions.decisions(
            seen.with_columns(
                outcome=pl.when(long).then(pl.lit("drop")).otherwise(pl.lit("keep")),
                reason=pl.when(long).then(pl.lit("quality-long")),
                rule=pl.lit("brevity"),
                rule_version=pl.lit("1"),
                evidence=pl.lit("{}"),
            ),
            "brevity",
            self.run_id,
        )
        shard.write("decisions", decided.to_arrow())
        totals = decisions.outcome_counts(decided)
        counts = {"documents": seen.height, "keep": totals["keep"], "drop": totals["drop"]}
        shard.finish({"shard": shard.name, **counts}, decisions.decision_counts(decided))


class Brevity(DocumentStage):
    name = "brevity"

    def build(self, pipeline, context, state, run_id):
        judge = Judge(state, Corpus(str(context.params.work)), run_id)
        dealt = stage_tables.deal_shards(pipeline, stage_tables.shard_names(context))
        dealt | "Judge" >> beam.ParDo(judge).with_output_types(pa.RecordBatch)


def main(argv=None):
    return command(Brevity, __doc__, argv)
'''
ENTRY = """    StageEntry(
        "brevity",
        "documents whose ids begin with a letter go",
        sections=("language",),
        leaves="decisions about documents",
    ),
"""
SUITE = {
    "name": "brevity",
    "notes": "Each document is either kept or dropped.",
    "meta": {"whole": "documents", "parts": ["keep", "drop"], "kept": "keep", "nullable": []},
    "expectations": [
        {
            "type": "expect_column_values_to_be_in_set",
            "kwargs": {"column": "unaccounted", "value_set": [0]},
            "meta": {"notes": "Each document is either kept or dropped."},
        }
    ],
}


def insert(file: Path, before: str, text: str) -> None:
    """Put `text` before the first place where `before` stands in a file."""
    head, found, tail = file.read_text("utf-8").partition(before)
    assert found, f"{file} has no {before!r}"
    file.write_text(head + text + found + tail, "utf-8")


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory, sample_home: Path) -> Path:
    """A copy of the packages with a seventh stage between two others, and a small run's inputs."""
    home = tmp_path_factory.mktemp("tree")
    for name in ("schemas", "lineage", "pipelines"):
        shutil.copytree(ROOT / name, home / name, ignore=shutil.ignore_patterns("__pycache__"))
    package = home / "pipelines/brevity"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text(
        (ROOT / "pipelines/privacy/__main__.py").read_text().replace("privacy", "brevity")
    )
    (package / "stage.py").write_text(STAGE)
    (home / "schemas/expectations/brevity.json").write_text(json.dumps(SUITE))
    insert(home / "schemas/stages.py", '    StageEntry(\n        "dedup",', ENTRY)
    insert(home / "pipelines/run.py", "from pipelines.dedup.stage import Dedup",
           "from pipelines.brevity.stage import Brevity\n")  # fmt: skip
    insert(home / "pipelines/run.py", "Dedup, ", "Brevity, ")
    shutil.copytree(sample_home / "register", home / "register")
    (home / "raw").mkdir()
    shutil.copy(sample_home / "samples/raw/gazette.jsonl.gz", home / "raw")
    params = yaml.safe_load((sample_home / "params.yaml").read_text())
    del params["tokens"]
    fields = {"uri": "id", "text": "body", "captured_at": "date"}
    params["inputs"] = [
        {"collection": "gazette", "format": "jsonl", "paths": ["raw/*.gz"], "fields": fields}
    ]
    (home / "params.yaml").write_text(yaml.safe_dump(params))
    return home


def in_tree(tree: Path, *args: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *args], cwd=tree, text=True, capture_output=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_stage_is_added_by_its_module_its_suite_and_two_entries(tree: Path) -> None:
    summary = json.loads(in_tree(tree, "pipelines.cli", "run", "--params", "params.yaml", "--json"))
    place = STAGES.index("dedup")
    assert [*summary["stages"]] == [*STAGES[:place], "brevity", *STAGES[place:]]
    release = Path(summary["release"])
    decided = pl.read_parquet(release / "lineage/decisions/*.parquet")
    mine = decided.filter(pl.col("stage") == "brevity")
    gone = mine.filter(pl.col("outcome") == "drop")
    assert summary["outcomes"]["drop quality-long"] == gone.height > 0
    released = pl.read_parquet(release / "lineage/documents/*.parquet")["doc_id"]
    assert released.len() and not released.str.contains("^[a-f]").any()
    after = decided.filter(pl.col("stage").is_in(STAGES[place:]))["doc_id"]
    assert not after.is_in(gone["doc_id"].implode()).any()
    ran = pl.read_parquet(release / "lineage/runs/*.parquet")["stage"]
    assert "brevity" in ran.to_list()


def test_the_added_stage_has_its_commands(tree: Path) -> None:
    assert "documents whose ids begin with a letter go" in in_tree(tree, "pipelines.cli", "--help")
    for command in (("pipelines.cli", "brevity"), ("pipelines.brevity",)):
        plan = json.loads(in_tree(tree, *command, "--params", "params.yaml", "--dry-run"))
        assert plan["stage"] == "brevity" and [*plan["inputs"]][:-1] == [*earlier("dedup")]
    removed = json.loads(in_tree(tree, "pipelines.cli", "clean", "--dry-run", "--json"))
    assert "decisions about documents" in [one["holds"] for one in removed["would_remove"]]
