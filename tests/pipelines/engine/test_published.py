"""A published stage is reused as long as its files are unchanged."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lineage.storage import disk
from pipelines.engine import published, shards

FILES = {"data/a.parquet": b"one", "data/b.parquet": b"two"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    state = shards.State(str(tmp_path / "state"))
    for name, content in (FILES | {"README.md": b"whole"}).items():
        disk.write_bytes(Path(state.root) / name, content)
    digests = {n: disk.sha256_file(Path(state.root) / n) for n in (*FILES, "README.md")}
    summary = {
        "run_id": "1",
        "files": {n: {"rows": 1, "bytes": 3, "sha256": digests[n]} for n in FILES},
        "added": {"README.md": {"sha256": digests["README.md"]}},
    }
    shards.publish(state, [*digests], {"stage.json": summary, "run.json": {}}, tmp_path / "stage")
    return tmp_path / "stage"


def is_reusable(folder: Path, run_id: str = "1") -> bool:
    return (
        published.load_unchanged(folder, folder, run_id, folder.with_suffix(".known")) is not None
    )


def test_an_unchanged_stage_is_reused(folder: Path) -> None:
    assert is_reusable(folder) and is_reusable(folder)
    assert not is_reusable(folder, "2") and not is_reusable(folder / "none")


def test_unchanged_files_are_not_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert is_reusable(folder)
    monkeypatch.setattr(disk, "sha256_file", lambda path: pytest.fail(f"{path} was read"))
    assert is_reusable(folder)


def test_files_just_published_are_not_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = published.Published(folder, disk.read_json(folder / "stage.json"))
    published.store_digests(done, folder.with_suffix(".known"))
    monkeypatch.setattr(disk, "sha256_file", lambda path: pytest.fail(f"{path} was read"))
    assert is_reusable(folder)


@pytest.mark.parametrize("name", [*FILES, "README.md"])
def test_other_content_of_the_same_size_is_noticed(folder: Path, name: str) -> None:
    assert is_reusable(folder)
    path, before = folder / name, (folder / name).stat()
    path.write_bytes(b"x" * before.st_size)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))  # hides the change
    assert not is_reusable(folder)


def test_the_same_content_written_again_is_reused(folder: Path) -> None:
    assert is_reusable(folder)
    for name, content in FILES.items():
        (folder / name).write_bytes(content)
        os.utime(folder / name, (0, 0))
    assert is_reusable(folder)


def test_missing_and_foreign_files_are_noticed(folder: Path) -> None:
    (folder / "foreign").write_bytes(b"")
    assert not is_reusable(folder)
    (folder / "foreign").unlink()
    assert is_reusable(folder)
    (folder / "README.md").unlink()
    assert not is_reusable(folder)
