"""The files between stages, listed and removed."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from helpers.commands import ROOT
from helpers.judged_records import PARAMS

from lineage.storage import locks
from pipelines import clean
from pipelines.engine.published import StageError
from schemas.params import Params
from schemas.sections import ReleaseParams


def make_work(root: Path, release: str = "release") -> Params:
    """Make a `work` folder as a run leaves it; return its parameters."""
    work = root / "work"
    for name in (
        "ingest/documents/s.parquet",
        "language/stage.json",
        "privacy/findings/s.parquet",
        ".state/release/r/pieces/p.parquet",
        ".state/digests.json",
        "keys/signing.key",
        "metrics/ingest.json",
        "validation/ingest/index.html",
    ):
        (work / name).parent.mkdir(parents=True, exist_ok=True)
        (work / name).write_text("12345")
    return dataclasses.replace(
        PARAMS, root=root, path=root / "params.yaml", work=work, register=root / "register",
        release=ReleaseParams("r", release),
    )  # fmt: skip


def test_texts_and_their_tables_are_removed_and_the_rest_stays(tmp_path: Path) -> None:
    params = make_work(tmp_path)
    leftovers = clean.leftovers(params)
    assert [(o.folder.name, o.personal, o.bytes) for o in leftovers] == [
        ("ingest", True, 5),
        (".state", True, 10),
        ("language", False, 5),
        ("privacy", False, 5),
    ]
    assert clean.clean(params) == leftovers
    assert sorted(p.name for p in params.work.iterdir()) == ["keys", "metrics", "validation"]
    assert clean.clean(params) == []
    assert not (params.work / ".state").exists()


def test_a_release_inside_a_stage_stays(tmp_path: Path) -> None:
    params = make_work(tmp_path, "work/ingest")
    assert "ingest" not in [o.folder.name for o in clean.clean(params)]
    assert (params.work / "ingest/documents/s.parquet").exists()


def test_nothing_is_removed_while_a_stage_is_at_work(tmp_path: Path) -> None:
    params = make_work(tmp_path)
    with (
        locks.exclusive_lock(params.work / ".state/dedup.lock"),
        pytest.raises(StageError, match="dedup is at work"),
    ):
        clean.clean(params)
    assert (params.work / "ingest/documents/s.parquet").exists()


def test_a_dry_run_lists_what_the_command_removes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_work(tmp_path)
    file = tmp_path / "params.yaml"
    file.write_text((ROOT / "params.yaml").read_text("utf-8"), "utf-8")
    assert clean.main(["--params", str(file), "--dry-run", "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert plan["removed"] == [] and plan["would_remove"][0]["personal_data"] is True
    assert clean.main(["--params", str(file)]) == 0
    assert "texts as they were read (personal data), 5 bytes" in capsys.readouterr().out
    assert clean.main(["--params", str(file)]) == 0
    assert "nothing to remove" in capsys.readouterr().out
    assert clean.main(["--params", str(tmp_path / "none.yaml")]) == 2
