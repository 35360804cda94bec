"""Atomic writes of files and folders."""

from __future__ import annotations

import multiprocessing
import os
import stat
from pathlib import Path

import pytest

from lineage.storage import disk, locks


def names(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*"))


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# --- files


def test_a_write_leaves_the_file_alone(tmp_path: Path) -> None:
    disk.write_bytes(tmp_path / "deep/a.bin", b"one")
    disk.write_bytes(tmp_path / "deep/a.bin", b"two")
    assert names(tmp_path) == ["deep", "deep/a.bin"]
    assert (tmp_path / "deep/a.bin").read_bytes() == b"two"


@pytest.mark.parametrize("broken", ["fsync", "replace"])
def test_a_write_that_fails_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    disk.write_bytes(tmp_path / "a.bin", b"one")

    def full(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(os, broken, full)
    for name in ("a.bin", "b.bin"):
        with pytest.raises(OSError, match="no space"):
            disk.write_bytes(tmp_path / name, b"two")
    assert names(tmp_path) == ["a.bin"] and (tmp_path / "a.bin").read_bytes() == b"one"


@pytest.mark.parametrize("before", [None, b"one"])
def test_an_exception_during_a_write_keeps_the_old_file(
    tmp_path: Path, before: bytes | None
) -> None:
    path = tmp_path / "a.bin"
    if before is not None:
        path.write_bytes(before)
    with pytest.raises(KeyError), disk.atomic_file(path) as file:
        file.write(b"two")
        raise KeyError
    with pytest.raises(KeyError), disk.atomic_path(path) as part:
        part.write_bytes(b"two")
        raise KeyError
    assert (path.read_bytes() if path.exists() else None) == before
    assert len(names(tmp_path)) == (before is not None)


def test_a_file_and_its_folder_are_synced_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    sync, replace = os.fsync, os.replace

    def note_sync(file: int) -> None:
        steps.append("folder" if stat.S_ISDIR(os.fstat(file).st_mode) else "file")
        sync(file)

    def note_replace(old: Path, new: Path) -> None:
        steps.append("replace")
        replace(old, new)

    monkeypatch.setattr(os, "fsync", note_sync)
    monkeypatch.setattr(os, "replace", note_replace)
    disk.write_bytes(tmp_path / "a", b"")
    assert steps == ["file", "replace", "folder"]
    steps.clear()
    disk.write_bytes(tmp_path / "x/y/a", b"")  # two folders got an entry, and then a third
    assert steps == ["folder", "folder", "file", "replace", "folder"]
    steps.clear()
    assert disk.create_file(tmp_path / "b", b"") and steps == ["file", "folder"]


def test_temporary_names_differ_and_do_not_outlive_a_write(tmp_path: Path) -> None:
    seen = set()
    for _ in range(5):
        with disk.atomic_path(tmp_path / "a") as part:
            part.write_bytes(b"x")
            seen.add(part.name)
    assert len(seen) == 5 and names(tmp_path) == ["a"]


def test_permissions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret, plain = tmp_path / "key", tmp_path / "plain"
    with disk.atomic_file(secret, mode=0o600) as file:
        (part,) = tmp_path.glob(".key.*")
        assert mode(part) == 0o600  # before its first byte
        file.write(b"secret")
    assert mode(secret) == 0o600
    assert disk.create_file(tmp_path / "other", b"secret", mode=0o600)
    assert mode(tmp_path / "other") == 0o600
    plain.touch()
    assert mode(plain) != 0o660
    plain.chmod(0o660)
    disk.write_bytes(plain, b"shared")  # a rewrite takes nobody's right
    assert mode(plain) == 0o660
    disk.write_bytes(secret, b"anew")
    assert mode(secret) == 0o600
    disk.write_bytes(plain, b"mine", mode=0o600)
    assert mode(plain) == 0o600


@pytest.mark.parametrize("links", [True, False])
def test_creating_does_not_replace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    if not links:
        if disk._renameat2() is None:
            pytest.skip("this system has no renameat2")
        monkeypatch.setattr(os, "link", _cannot_link)
    assert disk.create_file(tmp_path / "a", b"one")
    assert not disk.create_file(tmp_path / "a", b"two")
    with monkeypatch.context() as blind:  # it appears after the first look
        blind.setattr(os.path, "lexists", lambda _: False)
        assert not disk.create_file(tmp_path / "a", b"three")
    assert names(tmp_path) == ["a"] and (tmp_path / "a").read_bytes() == b"one"


def _cannot_link(*_: object) -> None:
    raise OSError("cross-device link")


def test_nothing_is_created_without_an_atomic_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "link", _cannot_link)
    monkeypatch.setattr(disk, "_renameat2", lambda: None)
    with pytest.raises(OSError):
        disk.create_file(tmp_path / "a", b"one")
    assert names(tmp_path) == []


RACERS, ROUNDS, SIZE = 3, 30, 300_000


def race(folder: str, number: int, gate: object) -> None:
    """Create the same files as the other processes; note which call won, and incomplete files."""
    own = bytes([number]) * SIZE
    for n in range(ROUNDS):
        gate.wait()  # type: ignore[attr-defined]
        made = disk.create_file(Path(folder, f"{n}.bin"), own)
        there = Path(folder, f"{n}.bin").read_bytes()
        whole = len(there) == SIZE and len({*there}) == 1 and (not made or there == own)
        Path(folder, f"{n}.{number}.{'won' if made else 'lost'}.{whole}").touch()


def test_one_of_several_processes_creates_a_file_and_all_see_it(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("fork")
    gate = spawn.Barrier(RACERS)
    racers = [spawn.Process(target=race, args=(str(tmp_path), n, gate)) for n in range(RACERS)]
    for one in racers:
        one.start()
    for one in racers:
        one.join(60)
    assert [one.exitcode for one in racers] == [0] * RACERS
    for n in range(ROUNDS):
        assert len(list(tmp_path.glob(f"{n}.*.won.True"))) == 1
        assert len(list(tmp_path.glob(f"{n}.*.lost.True"))) == RACERS - 1
    assert not list(tmp_path.glob(".*"))


def test_lines_are_appended(tmp_path: Path) -> None:
    for line in (b"one", b"two"):
        disk.append_line(tmp_path / "deep/log", line)
    assert (tmp_path / "deep/log").read_bytes() == b"one\ntwo\n"


def test_outputs_go_where_the_user_says(tmp_path: Path) -> None:
    disk.write_output(tmp_path / "a", b"one")
    (tmp_path / "link").symlink_to("a")
    disk.write_output(tmp_path / "link", b"two")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "a").read_bytes() == b"two"
    disk.write_output(Path(os.devnull), b"three")
    assert not Path(os.devnull).is_file()
    with pytest.raises(FileNotFoundError):
        disk.write_output(tmp_path / "none/a", b"four")
    assert names(tmp_path) == ["a", "link"]


def test_removing(tmp_path: Path) -> None:
    disk.write_bytes(tmp_path / "a", b"one")
    for _ in range(2):
        disk.remove_file(tmp_path / "a")
        disk.remove_file(tmp_path / "none/a")
    assert names(tmp_path) == []


def test_json_is_canonical(tmp_path: Path) -> None:
    disk.write_json(tmp_path / "a.json", {"b": "ә", "a": [1]})
    assert disk.read_json(tmp_path / "a.json") == {"a": [1], "b": "ә"}
    first = (tmp_path / "a.json").read_bytes()
    disk.write_json(tmp_path / "a.json", {"a": [1], "b": "ә"})
    assert (tmp_path / "a.json").read_bytes() == first and "ә".encode() in first


# --- folders


def test_a_complete_folder_replaces_another(tmp_path: Path) -> None:
    for value in (b"one", b"two"):
        with disk.atomic_folder(tmp_path / "f") as fresh:
            assert names(fresh) == []
            disk.write_bytes(fresh / f"deep/{value.decode()}", value)
    assert names(tmp_path) == ["f", "f/deep", "f/deep/two"]
    with pytest.raises(KeyError), disk.atomic_folder(tmp_path / "f") as fresh:
        disk.write_bytes(fresh / "three", b"three")
        raise KeyError
    assert names(tmp_path) == ["f", "f/deep", "f/deep/two"]


def test_only_leftovers_of_killed_processes_are_removed(
    tmp_path: Path,
) -> None:
    dead, old = (tmp_path / f".f.{'0' * 32}.{ending}" for ending in ("part", "old"))
    others = [tmp_path / f".g.{'0' * 32}.part", tmp_path / ".f.part"]
    for folder in (dead, old, *others):
        folder.mkdir()
        (folder / "file").touch()
    with disk.atomic_folder(tmp_path / "f") as first, disk.atomic_folder(tmp_path / "f") as second:
        assert first != second and first.is_dir() and second.is_dir()
    assert not dead.exists() and not old.exists() and all(o.is_dir() for o in others)


def test_the_lock_on_a_finished_folder_ends(tmp_path: Path) -> None:
    with disk.atomic_folder(tmp_path / "f"):
        pass
    with locks.try_folder_lock(tmp_path / "f") as free:
        assert free


def test_folders_are_swapped_or_moved(tmp_path: Path) -> None:
    for name in ("a", "b"):
        disk.write_bytes(tmp_path / name / name, b"")
    disk.swap_folder(tmp_path / "a", tmp_path / "b")
    assert names(tmp_path) == ["a", "a/b", "b", "b/a"]
    disk.swap_folder(tmp_path / "a", tmp_path / "c/d")
    assert names(tmp_path) == ["b", "b/a", "c", "c/d", "c/d/b"]


@pytest.mark.parametrize("links", [True, False])
def test_folders_are_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool) -> None:
    if not links:
        monkeypatch.setattr(os, "link", _cannot_link)
    disk.write_bytes(tmp_path / "a/x", b"x")
    disk.write_bytes(tmp_path / "a/deep/y", b"y")
    disk.copy_folder(tmp_path / "a", tmp_path / "b")
    assert names(tmp_path / "b") == ["deep", "deep/y", "x"]
    assert (tmp_path / "b/deep/y").read_bytes() == b"y"
    same = os.path.samefile(tmp_path / "a/x", tmp_path / "b/x")
    assert same is links
