"""The interface of stores, on the local disk: each sequence of calls against a model of keys."""

from __future__ import annotations

import io
import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from lineage.storage import disk
from lineage.storage.disk import LocalDisk
from lineage.storage.object_store import MAX_KEY_BYTES, MAX_SEGMENT_BYTES, ObjectStore, is_key


def names(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*"))


#: No key is the folder of another.
KEYS = st.sampled_from(["a", "b.part", ".b", "ә/й", "deep/er/c", "deep/er/d", "deep-c", "d/.e"])
CONTENT = st.binary(max_size=64)


class StoreMachine(RuleBasedStateMachine):
    """A store behaves like a dictionary."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.store: ObjectStore = LocalDisk(Path(self.folder.name) / "store")
        self.model: dict[str, bytes] = {}

    def teardown(self) -> None:
        self.folder.cleanup()

    @rule(key=KEYS, content=CONTENT, as_file=st.booleans())
    def put(self, key: str, content: bytes, as_file: bool) -> None:
        self.store.put(key, io.BytesIO(content) if as_file else content)
        self.model[key] = content

    @rule(key=KEYS, content=CONTENT, as_file=st.booleans())
    def create(self, key: str, content: bytes, as_file: bool) -> None:
        made = self.store.create(key, io.BytesIO(content) if as_file else content)
        assert made is (key not in self.model)
        self.model.setdefault(key, content)

    @rule(key=KEYS)
    def delete(self, key: str) -> None:
        self.store.delete(key)
        self.model.pop(key, None)

    @rule(key=KEYS, content=CONTENT)
    def put_that_breaks(self, key: str, content: bytes) -> None:
        for write in (self.store.put, self.store.create):
            if write == self.store.create and key in self.model:
                continue
            with pytest.raises(OSError, match="torn"):
                write(key, Torn(content))

    @rule(key=KEYS, at=st.integers(0, 64))
    def read(self, key: str, at: int) -> None:
        assert self.store.exists(key) is (key in self.model)
        if key not in self.model:
            with pytest.raises(FileNotFoundError):
                self.store.open(key)
            return
        with self.store.open(key) as file:
            file.seek(at)
            assert file.read() == self.model[key][at:]
            file.seek(0)
            assert file.read() == self.model[key]

    @rule(
        prefix=st.sampled_from(["", "a", "deep", "deep/", "deep/er/", "deep/er/c", "none/", "d/"])
    )
    def list_keys(self, prefix: str) -> None:
        assert self.store.list_keys(prefix) == sorted(k for k in self.model if k.startswith(prefix))

    @invariant()
    def nothing_else_is_there(self) -> None:
        files = {p for p in Path(self.folder.name).rglob("*") if p.is_file()}
        assert files == {Path(self.folder.name) / "store" / key for key in self.model}


class Torn(io.BytesIO):
    """A file that raises an error after its content."""

    def read(self, size: int | None = -1) -> bytes:
        content = super().read(size)
        if not content:
            raise OSError("torn")
        return content


TestLocalDisk = StoreMachine.TestCase


@given(st.text(max_size=300) | st.lists(st.sampled_from(["a", "..", ".", "", "é"])).map("/".join))
def test_a_key_stays_below_its_folder_or_is_refused(key: str) -> None:
    store = LocalDisk(Path("/place/of/store"))
    if not is_key(key):
        with pytest.raises(ValueError, match="is not a key"):
            store.path(key)
        return
    path = os.path.normpath(store.path(key))
    assert path.startswith("/place/of/store/") and path == str(store.path(key))
    assert len(key.encode()) <= MAX_KEY_BYTES


@pytest.mark.parametrize(
    "key",
    ["", "/a", "a/", "a//b", "../a", "a/../b", "./a", "a\0", "\udc80", ".a.part",
     "x" * (MAX_SEGMENT_BYTES + 1), "/".join(["xx"] * MAX_KEY_BYTES)],
)  # fmt: skip
def test_what_is_not_a_key(tmp_path: Path, key: str) -> None:
    assert not is_key(key)
    store = LocalDisk(tmp_path)
    for method in (store.open, store.exists, store.delete):
        with pytest.raises(ValueError):
            method(key)
    for write in (store.put, store.create):
        with pytest.raises(ValueError):
            write(key, b"")
    assert names(tmp_path) == []


def test_a_listing_stays_below_its_folder(tmp_path: Path) -> None:
    disk.write_bytes(tmp_path / "secret", b"")
    store = LocalDisk(tmp_path / "store")
    store.put("a", b"")
    with pytest.raises(ValueError):
        store.list_keys("../")
    assert store.list_keys("/") == store.list_keys("..") == []


def test_the_longest_key_can_be_written(tmp_path: Path) -> None:
    key = "/".join(["x" * MAX_SEGMENT_BYTES] * 5)
    store = LocalDisk(tmp_path)
    store.put(key, b"long")
    assert store.list_keys() == [key]


def test_a_folder_is_not_an_object(tmp_path: Path) -> None:
    store = LocalDisk(tmp_path)
    store.put("a/b", b"")
    store.delete("a")
    assert store.exists("a/b") and not store.exists("a") and not store.exists("a/b/c")
    for key in ("a", "a/b/c"):
        with pytest.raises(FileNotFoundError):
            store.open(key)
        for write in (store.put, store.create):
            with pytest.raises(OSError):
                write(key, b"")
    assert names(tmp_path) == ["a", "a/b"]
