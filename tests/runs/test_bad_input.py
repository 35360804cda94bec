"""Wrong parameters and missing files, as a user meets them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import yaml
from helpers.commands import tamga

from schemas.stages import STAGES


@pytest.fixture
def home(sample_home: Path, tmp_path: Path) -> Path:
    """A corpus of one collection with a missing input, not run yet."""
    shutil.copytree(sample_home / "register", tmp_path / "register")
    (tmp_path / "raw").mkdir()
    shutil.copy(sample_home / "samples/raw/gazette.jsonl.gz", tmp_path / "raw")
    params = yaml.safe_load((sample_home / "params.yaml").read_text())
    del params["tokens"]
    params["inputs"] = [
        {
            "collection": "gazette",
            "format": "jsonl",
            "paths": ["raw/gazette.jsonl.gz", "raw/nowhere.jsonl"],
            "fields": {"uri": "id", "text": "body", "captured_at": "date"},
        },
        {"collection": "letters", "format": "text", "paths": ["raw/*.txt"]},
    ]
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    return tmp_path


def test_all_errors_at_once_and_nothing_written(home: Path) -> None:
    text = (
        (home / "params.yaml")
        .read_text()
        .replace("purpose: pretraining", "purpose: training\ncolour: red")
    )
    (home / "params.yaml").write_text(
        text.replace("storage_country: KZ", "storage_country: Kazakhstan")
    )
    entry = next((home / "register/sources").glob("kz-*.yaml"))
    entry.write_text(entry.read_text().replace("jurisdiction: KZ", "jurisdiction: XX"))
    before = sorted(home.rglob("*"))
    done = tamga("run", "--params", home / "params.yaml")
    assert done.returncode == 2
    for key in ("purpose", "colour", "storage_country", "jurisdiction"):
        assert f" {key}:" in done.stderr
    assert "Traceback" not in done.stderr
    assert sorted(home.rglob("*")) == before


def test_missing_and_empty_files_are_recorded(home: Path) -> None:
    (home / "raw/empty.txt").touch()
    (home / "raw/blank.txt").write_text(" \n\n ")
    done = tamga("run", "--params", home / "params.yaml", "--json")
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert summary["missing"] == ["raw/nowhere.jsonl"]
    # the missing file and the broken line of the gazette
    assert summary["outcomes"]["damaged unreadable"] == 2
    assert summary["outcomes"]["drop empty"] == 3  # two letters, one row of the gazette
    assert sum(summary["outcomes"].values()) == summary["records"]


def test_a_run_that_keeps_nothing_stops(home: Path) -> None:
    (home / "raw/gazette.jsonl.gz").unlink()
    done = tamga("run", "--params", home / "params.yaml")
    assert done.returncode == 1
    assert "expect_" in done.stderr and "ingest" in done.stderr and "Traceback" not in done.stderr
    assert not (home / "release").exists()


@pytest.mark.parametrize("args", [(), ("fly",), ("run", "--params", "no-such.yaml")])
def test_wrong_usage_is_exit_2(args: tuple[str, ...]) -> None:
    done = tamga(*args)
    assert done.returncode == 2 and "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "command",
    [
        "run",
        *STAGES,
        "sources",
        "trace",
        "identify",
        "scrub",
    ],
)
def test_help_has_examples(command: str) -> None:
    done = tamga(command, "--help")
    assert done.returncode == 0 and "examples:" in done.stdout


def test_dry_run_writes_nothing(home: Path) -> None:
    done = tamga("run", "--params", home / "params.yaml", "--dry-run")
    assert done.returncode == 0 and json.loads(done.stdout)["missing"] == [
        "raw/nowhere.jsonl",
        "raw/*.txt",
    ]
    assert not (home / "work").exists() and not (home / "release").exists()


@pytest.mark.parametrize(
    "slip", [("--worker", "2"), ("--jsn",), ("--workers", "-1"), ("--param", "x")]
)
def test_misspelt_options_are_errors(slip: tuple[str, ...], home: Path) -> None:
    done = tamga("run", "--params", home / "params.yaml", *slip)
    assert done.returncode == 2 and slip[0] in done.stderr and "Traceback" not in done.stderr
    assert not (home / "work").exists()
