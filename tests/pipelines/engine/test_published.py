"""A stage that was published is taken up as long as it is whole."""

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


def whole(folder: Path, run_id: str = "1") -> bool:
    return (
        published.load_unchanged(folder, folder, run_id, folder.with_suffix(".known")) is not None
    )


def test_what_is_whole_is_taken_up(folder: Path) -> None:
    assert whole(folder) and whole(folder)
    assert not whole(folder, "2") and not whole(folder / "none")


def test_what_did_not_change_is_not_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert whole(folder)
    monkeypatch.setattr(disk, "sha256_file", lambda path: pytest.fail(f"{path} was read"))
    assert whole(folder)


def test_what_was_just_published_is_not_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = published.Published(folder, disk.read_json(folder / "stage.json"))
    published.store_digests(done, folder.with_suffix(".known"))
    monkeypatch.setattr(disk, "sha256_file", lambda path: pytest.fail(f"{path} was read"))
    assert whole(folder)


@pytest.mark.parametrize("name", [*FILES, "README.md"])
def test_other_content_of_the_same_size_is_noticed(folder: Path, name: str) -> None:
    assert whole(folder)
    path, before = folder / name, (folder / name).stat()
    path.write_bytes(b"x" * before.st_size)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))  # it hides that it changed
    assert not whole(folder)


def test_the_same_content_written_again_is_whole(folder: Path) -> None:
    assert whole(folder)
    for name, content in FILES.items():
        (folder / name).write_bytes(content)
        os.utime(folder / name, (0, 0))
    assert whole(folder)


def test_what_is_missing_or_strange_is_noticed(folder: Path) -> None:
    (folder / "strange").write_bytes(b"")
    assert not whole(folder)
    (folder / "strange").unlink()
    assert whole(folder)
    (folder / "README.md").unlink()
    assert not whole(folder)
