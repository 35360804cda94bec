"""A stage's shards: written, reused, published."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.engine import shards

TABLE = pa.table({"doc_id": ["a", "b"], "n": [1, 2]})


def names(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def test_the_same_table_gives_the_same_bytes():
    again = pa.table({"doc_id": pa.chunked_array([["a"], ["b"]]), "n": [1, 2]})
    assert shards.parquet_bytes(TABLE) == shards.parquet_bytes(again)


def test_state(tmp_path):
    state = shards.State(str(tmp_path / "state"))
    assert state.count() == 0 and state.finished("s-1") is None and state.all_finished() == []
    for name in ("s-2", "s-1"):
        file = state.write("records", name, TABLE)
        state.finish(name, [file], rows=2)
    assert file["rows"] == 2 and file["bytes"] == state.path("records", "s-1").stat().st_size
    assert file["sha256"] == hashlib.sha256(state.path("records", "s-1").read_bytes()).hexdigest()
    assert pq.read_table(
        state.path("records", "s-1"), columns=["n"], partitioning=None
    ).to_pydict() == {"n": [1, 2]}
    assert state.count() == 2
    assert [m["shard"] for m in state.all_finished()] == ["s-1", "s-2"]
    assert state.finished("s-1")["figures"] == {"rows": 2}


def publish(tmp_path: Path, value: int) -> Path:
    state, folder = shards.State(str(tmp_path / f"state{value}")), tmp_path / "work/stage"
    file = state.write("records", "s", pa.table({"n": [value]}))
    shards.publish(state, [file["file"]], {"manifest.json": {"value": value}}, folder)
    return folder


def test_publishing_replaces_the_whole_folder(tmp_path):
    folder = publish(tmp_path, 1)
    (folder / "stray").write_text("of an older run")
    assert publish(tmp_path, 2) == folder
    assert names(tmp_path / "work") == ["stage/manifest.json", "stage/records/s.parquet"]
    assert pq.read_table(folder / "records/s.parquet", partitioning=None).to_pydict() == {"n": [2]}


def test_publishing_missing_files_changes_nothing(tmp_path):
    folder = publish(tmp_path, 1)
    with pytest.raises(OSError):
        shards.publish(shards.State(str(tmp_path / "none")), ["records/s.parquet"], {}, folder)
    assert names(tmp_path / "work") == ["stage/manifest.json", "stage/records/s.parquet"]


def test_publishing_over_file_systems(tmp_path, monkeypatch):
    def other(*_: object) -> None:
        raise OSError("cross-device link")

    monkeypatch.setattr(os, "link", other)
    assert names(publish(tmp_path, 3)) == ["manifest.json", "records/s.parquet"]
