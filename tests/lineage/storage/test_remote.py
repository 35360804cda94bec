"""Files in object stores: patterns, folders, copies, and the evidence of their records."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

from lineage import evidence
from lineage.storage import remote


@pytest.fixture
def store() -> Iterator[fsspec.AbstractFileSystem]:
    memory = fsspec.filesystem("memory")
    for name in ("raw/a.txt", "raw/b.txt", "raw/deep/c.txt"):
        memory.pipe(f"/store/{name}", name.encode())
    yield memory
    memory.rm("/store", recursive=True)


def test_patterns_and_folders(store: fsspec.AbstractFileSystem) -> None:
    assert remote.matching_urls("memory://store/raw/*.txt") == [
        "memory:///store/raw/a.txt",
        "memory:///store/raw/b.txt",
    ]
    assert (
        len(remote.matching_urls("memory://store/raw"))
        == len(remote.matching_urls("memory://store/**"))
        == 3
    )
    for nothing in ("memory://store/none", "memory://store/none-*"):
        assert remote.matching_urls(nothing) == [nothing]
    assert [remote.file_size(f"memory://store/{n}") for n in ("raw/a.txt", "none")] == [9, 0]
    with pytest.raises(ValueError):
        remote.matching_urls("nosuch://x/y")
    assert not remote.is_url("raw/a.txt") and not remote.is_url("C:/x")


def test_copies_follow_the_file(store: fsspec.AbstractFileSystem, tmp_path: Path) -> None:
    url = "memory://store/raw/a.txt"
    copy = remote.fetch_file(url, tmp_path)
    assert copy.read_bytes() == b"raw/a.txt" and copy.suffix == ".txt"
    assert not remote.fetch_file("memory://store/none", tmp_path).exists()
    assert remote.fetch_file((tmp_path / copy.name).as_uri(), tmp_path).read_bytes() == b"raw/a.txt"
    store.pipe("/store/raw/a.txt", b"changed")
    assert remote.fetch_file(url, tmp_path).read_bytes() == b"changed"


def test_evidence(store: fsspec.AbstractFileSystem, tmp_path: Path) -> None:
    record = {
        "container": "memory://store/raw/a.txt", "locator": "bytes", "offset": 0, "length": 9,
        "payload_sha256": hashlib.sha256(b"raw/a.txt").hexdigest(),
    }  # fmt: skip
    assert evidence.check(record, tmp_path).payload_matches
    gone = evidence.check(record | {"container": "memory://store/none"}, tmp_path)
    assert not gone.found


def test_a_store_that_cannot_be_listed(
    store: fsspec.AbstractFileSystem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(*_: object, **__: object) -> None:
        raise RuntimeError("no connection")  # not an OSError, as some drivers have it

    for name in ("find", "glob", "info", "ukey", "get_file"):
        monkeypatch.setattr(type(store), name, lost)
    for pattern in ("memory://store/raw", "memory://store/raw/*"):
        with pytest.raises(ValueError, match="RuntimeError: cannot be listed"):
            remote.matching_urls(pattern)
    assert remote.file_size("memory://store/raw/a.txt") == 0
    assert not remote.fetch_file("memory://store/raw/a.txt", tmp_path).exists()
