"""A release that cannot be read stops a withdrawal: it may hold what is withdrawn."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from test_withdraw import BY, files, home, run

__all__ = ["home"]


@pytest.mark.parametrize("left", ["manifest", "statement", "data", "lineage", "log"])
def test_a_release_without_a_readable_manifest_stops_it(
    home: Path, left: str, capsys: pytest.CaptureFixture[str]
) -> None:
    release = home / "release/sample"
    if left == "manifest":
        (release / "manifest.json").write_text("[")
    else:
        other = home / "release/other"
        shutil.copytree(release, other)
        keep = {"statement": "manifest.dsse.json", "data": "data", "lineage": "lineage"}.get(left)
        for path in other.iterdir():
            if path.name != keep:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        if left == "log":
            shutil.rmtree(release)
            other.rename(release)
    before = files(home)
    for args in ((), BY, (*BY, "--erase")):
        assert run(home, "source", "kz-bilik", *args) == 1
        error = capsys.readouterr().err
        assert (
            "cannot be read" in error
            and f"/{'sample' if left in ('manifest', 'log') else 'other'} " in error
        )
    assert files(home) == before
