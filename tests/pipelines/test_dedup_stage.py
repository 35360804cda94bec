"""The command `tamga dedup` on the sample: its guard of sources."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import yaml
from conftest import tamga


@pytest.fixture
def home(sample_run: Path, tmp_path: Path) -> Path:
    """The finished sample once more."""
    return Path(shutil.copytree(sample_run, tmp_path / "home"))


def change(home: Path, **sections: dict[str, object]) -> Path:
    path = home / "params.yaml"
    params = yaml.safe_load(path.read_text())
    for name, values in sections.items():
        params[name] |= values
    path.write_text(yaml.safe_dump(params, sort_keys=False))
    return path


def test_a_source_that_loses_too_much_stops_the_run_until_it_is_meant(home: Path) -> None:
    before = json.loads((home / "work/dedup/stage.json").read_text())
    lost = before["totals"]["source lost"]
    assert lost, "sources of the sample share texts"
    strict = {"max_source_loss": 0.001, "min_source_loss": 1}
    path = change(home, guard=strict)
    done = tamga("dedup", "--params", path, "--workers", "1")
    assert done.returncode == 1 and not done.stdout
    for pair, number in lost.items():
        loser, keeper = pair.split(" > ")
        assert f"dedup: {loser} loses {number} of " in done.stderr and keeper in done.stderr
    assert done.stderr.count(" is like ") == sum(min(5, n) for n in lost.values())
    assert json.loads((home / "work/dedup/stage.json").read_text()) == before
    change(home, guard=strict | {"accept_source_loss": sorted(lost)})
    done = tamga("dedup", "--params", path, "--workers", "1")
    assert done.returncode == 0, done.stderr
