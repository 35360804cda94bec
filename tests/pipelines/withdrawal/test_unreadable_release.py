"""An unreadable release stops a withdrawal: it may hold the withdrawn text."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from helpers.withdrawals import CONFIRMED, files_below, run_withdraw


@pytest.mark.parametrize("left", ["manifest", "statement", "data", "lineage", "log"])
def test_a_release_without_a_readable_manifest_stops_it(
    sample_copy: Path, left: str, capsys: pytest.CaptureFixture[str]
) -> None:
    release = sample_copy / "release/sample"
    if left == "manifest":
        (release / "manifest.json").write_text("[")
    else:
        other = sample_copy / "release/other"
        shutil.copytree(release, other)
        keep = {"statement": "manifest.dsse.json", "data": "data", "lineage": "lineage"}.get(left)
        for path in other.iterdir():
            if path.name != keep:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        if left == "log":
            shutil.rmtree(release)
            other.rename(release)
    before = files_below(sample_copy)
    for args in ((), CONFIRMED, (*CONFIRMED, "--erase")):
        assert run_withdraw(sample_copy, "source", "kz-bilik", *args) == 1
        error = capsys.readouterr().err
        assert (
            "cannot be read" in error
            and f"/{'sample' if left in ('manifest', 'log') else 'other'} " in error
        )
    assert files_below(sample_copy) == before
