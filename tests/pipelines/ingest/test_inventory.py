"""The files that a run reads: patterns, order, missing files, claims, and digests."""

from __future__ import annotations

import hashlib
import json
import os
from datetime import date
from pathlib import Path

import fsspec
import pytest
from helpers.compressed import gzip_bytes

from pipelines.engine import input_files
from pipelines.engine.input_files import Container
from pipelines.ingest import inventory
from schemas.errors import Invalid
from schemas.params import Params
from schemas.sections import Input, ReleaseParams


def params(root: Path, *inputs: Input) -> Params:
    return Params(
        path=root / "params.yaml",
        root=root,
        as_of=date(2026, 11, 22),
        purpose="pretraining",
        storage_country="KZ",
        register=root / "register",
        inputs=inputs,
        licences_allow=(),
        work=root / "work",
        release=ReleaseParams("r", "release"),
    )


def text_input(collection: str, *paths: str, format: str = "text") -> Input:
    return Input(collection, format, paths)


def find_containers(root: Path, *inputs: Input) -> list[Container]:
    return inventory.containers(params(root, *inputs))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("raw/a.txt", "raw/b.txt", "raw/deep/c.txt", "raw/d.jsonl"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    return tmp_path


def test_patterns(root):
    containers = find_containers(
        root, text_input("letters", "raw/*.txt"), text_input("deep", "raw/**/c.txt")
    )
    assert [(c.collection, c.uri) for c in containers] == [
        ("deep", "raw/deep/c.txt"),
        ("letters", "raw/a.txt"),
        ("letters", "raw/b.txt"),
    ]
    assert containers[1].size == 9
    assert containers[1].sha256 == hashlib.sha256(b"raw/a.txt").hexdigest()
    everything = find_containers(root, text_input("all", "raw/**"))
    assert [c.uri for c in everything] == [
        "raw/a.txt",
        "raw/b.txt",
        "raw/d.jsonl",
        "raw/deep/c.txt",
    ]


def test_order_does_not_matter(root):
    one = find_containers(
        root,
        text_input("x", "raw/a.txt", "raw/*.txt"),
        text_input("y", "raw/d.jsonl", format="jsonl"),
    )
    two = find_containers(
        root,
        text_input("y", "raw/d.jsonl", format="jsonl"),
        text_input("x", "raw/b.txt", "raw/a.txt"),
    )
    assert one == two and inventory.digests(one) == inventory.digests(two)
    assert len({c.key for c in one}) == 3


@pytest.mark.parametrize("pattern", ["raw/none.txt", "raw/none-*.txt", "raw/dee*"])
def test_a_pattern_without_a_match_is_one_missing_file(root, pattern):
    (missing,) = find_containers(root, text_input("x", pattern))
    assert (missing.uri, missing.size, missing.sha256) == (pattern, 0, None)


def test_no_inputs(root):
    assert find_containers(root) == []


def test_a_file_claimed_twice(root):
    with pytest.raises(Invalid) as caught:
        find_containers(
            root,
            text_input("x", "raw/*.txt"),
            text_input("y", "raw/a.txt"),
            text_input("z", "raw/../raw/b.txt"),
        )
    message = str(caught.value)
    assert "raw/a.txt" in message and "raw/b.txt" in message and "x and y" in message
    with pytest.raises(Invalid):  # one file read in two ways
        find_containers(
            root, text_input("x", "raw/a.txt"), text_input("x", "raw/a.txt", format="jsonl")
        )
    assert (
        len(
            find_containers(
                root, text_input("x", "raw/a.txt", "raw/a.txt"), text_input("x", "raw/a*")
            )
        )
        == 1
    )


def test_names_that_look_like_patterns(root):
    odd = root / "raw/a[1].txt"
    odd.write_text("odd")
    (one,) = find_containers(root, text_input("x", "raw/a[1].txt"))
    assert one.uri == "raw/a[1].txt" and one.sha256
    folder = root / "[x]"
    folder.mkdir()
    (folder / "n.txt").write_text("x")
    (two,) = find_containers(folder, text_input("x", "*.txt"))
    assert two.uri == "n.txt" and two.sha256


def test_names_that_are_not_utf8(root):
    for raw in (b"\xe0.txt", b"\xe1.txt"):
        with open(os.path.join(os.fsencode(root), b"raw", raw), "wb") as file:
            file.write(raw)
    containers = find_containers(root, text_input("x", "raw/*.txt"))
    assert len(containers) == 4 and all(c.sha256 for c in containers)
    for container in containers:
        assert container.uri.encode() and Path(container.path).is_file()
    assert find_containers(root, text_input("x", "raw/*.txt")) == containers


def test_a_file_that_cannot_be_read(root):
    (root / "raw/loop.txt").symlink_to("loop.txt")
    assert [c.sha256 for c in find_containers(root, text_input("x", "raw/loop.txt"))] == [None]


def test_digests_are_remembered_until_a_file_changes(root):
    one = root / "raw/a.txt"
    (before,) = find_containers(root, text_input("x", "raw/a.txt"))
    cache = root / "work/.state/digests.json"
    ((key, entry),) = json.loads(cache.read_bytes()).items()
    cache.write_text(json.dumps({key: [*entry[:2], "0" * 64]}))
    assert find_containers(root, text_input("x", "raw/a.txt"))[0].sha256 == "0" * 64
    stat = one.stat()
    one.write_text("raw/z.txt")  # of the same size
    os.utime(one, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1))
    (after,) = find_containers(root, text_input("x", "raw/a.txt"))
    assert after.sha256 == hashlib.sha256(b"raw/z.txt").hexdigest() != before.sha256
    assert after.key != before.key
    for broken in ("not JSON", "[]", '{"x": 1}'):
        cache.write_text(broken)
        assert find_containers(root, text_input("x", "raw/a.txt")) == [after]


def test_digests_for_the_run_id_depend_on_how_files_are_read(root):
    def digests(source: Input) -> dict[str, str]:
        return dict(inventory.digests(find_containers(root, source)))

    plain = digests(Input("x", "jsonl", ("raw/d.jsonl",), {"text": "a"}))
    assert plain != digests(Input("x", "jsonl", ("raw/d.jsonl",), {"text": "b"}))
    assert plain != digests(Input("x", "text", ("raw/d.jsonl",), {"text": "a"}))


def test_a_folder_means_all_files_below_it_each_by_its_kind(root):
    (root / "raw/deep/page.warc.gz").write_bytes(gzip_bytes(b"WARC/1.0\r\n"))
    (root / "raw/.hidden").write_bytes(b"\0")
    (root / "raw/empty").mkdir()
    containers = find_containers(root, text_input("all", "raw", format="auto"))
    assert [(c.uri, c.format) for c in containers] == [
        ("raw/.hidden", "unknown"),
        ("raw/a.txt", "text"),
        ("raw/b.txt", "text"),
        ("raw/d.jsonl", "jsonl"),
        ("raw/deep/c.txt", "text"),
        ("raw/deep/page.warc.gz", "warc"),
    ]
    (nothing,) = find_containers(root, text_input("all", "raw/empty", format="auto"))
    assert (nothing.uri, nothing.sha256) == ("raw/empty", None)
    (missing,) = find_containers(root, text_input("all", "raw/nowhere", format="auto"))
    assert (missing.uri, missing.sha256) == ("raw/nowhere", None)


def test_containers_in_an_object_store(root):
    memory = fsspec.filesystem("memory")
    memory.pipe("/bucket/raw/a.txt", b"a letter")
    memory.pipe("/bucket/raw/b.warc", b"WARC/1.0\r\n")
    containers = find_containers(
        root, text_input("all", "memory://bucket/raw", "memory://bucket/none", format="auto")
    )
    assert [(c.uri, c.format, c.size) for c in containers] == [
        ("memory:///bucket/raw/a.txt", "text", 8),
        ("memory:///bucket/raw/b.warc", "warc", 10),
        ("memory://bucket/none", "unknown", 0),
    ]
    assert (
        containers[0].sha256 == hashlib.sha256(b"a letter").hexdigest()
        and containers[2].sha256 is None
    )
    assert Path(containers[0].path).read_bytes() == b"a letter"
    here = params(root, text_input("all", "memory://bucket/raw", format="auto"))
    assert input_files.total_bytes(here) == 18
    before = sorted(root.rglob("*"))
    inventory.containers(here, remember=False)
    assert sorted(root.rglob("*")) == before
    with pytest.raises(Invalid, match="nosuch"):
        find_containers(root, text_input("all", "nosuch://x/y"))
    memory.rm("/bucket", recursive=True)
