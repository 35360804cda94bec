"""Tests of erasure: older releases, DVC's cache, a local remote; and of swapping folders."""

from __future__ import annotations

import json
import logging
import os
import shutil
import threading
from pathlib import Path

import polars as pl
import pytest
from helpers.commands import copy_run, tamga
from helpers.release_tables import read_jsonl, read_table

import lineage
from lineage.signing import keys
from lineage.storage import disk, release_files
from lineage.verify import defects
from pipelines.withdrawal import command as withdraw
from pipelines.withdrawal import purge

SOURCE = "kz-bilik"


@pytest.fixture(scope="module")
def two_releases(sample_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two releases of the sample beside each other; tests must not change them."""
    home = tmp_path_factory.mktemp("two-releases") / "corpus"
    copy_run(sample_run, home)
    text = (sample_run / "params.yaml").read_text()
    (home / "older.yaml").write_text(text.replace("name: sample", "name: older"))
    (home / "samples").mkdir(exist_ok=True)
    shutil.copy(sample_run / "samples/tokenizer.json", home / "samples")
    done = tamga("release", "--params", home / "older.yaml", "--workers", "1")
    assert done.returncode == 0, done.stderr
    return home


@pytest.fixture
def home(two_releases: Path, tmp_path: Path) -> Path:
    """Two releases of the sample, for one test to change."""
    return Path(shutil.copytree(two_releases, tmp_path / "corpus"))


def dvc(home: Path) -> None:
    """Track both releases with DVC: in the cache and in a local remote.  A third remote is in a cloud."""
    repo_module = pytest.importorskip("dvc.repo")
    os.environ["DVC_NO_ANALYTICS"] = "1"
    logging.getLogger("dvc").setLevel(logging.ERROR)  # it keeps the first test's stream
    with repo_module.Repo.init(str(home), no_scm=True) as repo:
        with repo.config.edit() as config:
            config["remote"]["store"] = {"url": str(home.parent / "remote")}
            config["core"]["remote"] = "store"
            config["remote"]["cloud"] = {"url": "s3://bucket/x"}
        repo.add([str(home / "release/sample"), str(home / "release/older")])
        repo.push()


def holding(folder: Path, texts: pl.Series) -> list[str]:
    """Return the files below a folder that hold one of the texts."""
    found = []
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        content = path.read_bytes()
        whole = [content.decode("utf-8", "replace")]
        if content[:4] == b"PAR1":
            frame = pl.read_parquet(path, hive_partitioning=False)
            whole += [t for c in frame.select(pl.col(pl.String)) for t in c.drop_nulls().to_list()]
        if pl.Series(whole).str.contains_any(texts.implode()).any():
            found.append(path.relative_to(folder).as_posix())
    return found


def test_nothing_is_left_of_an_erased_source(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dvc(home)
    data = read_table(home / "release/sample", "data")
    mine = data.filter(pl.col("source_id") == SOURCE)
    others = "\n".join(data.filter(pl.col("source_id") != SOURCE)["text"])
    pieces = pl.Series([t[-60:] for t in mine["text"] if t[-60:] not in others])
    before = holding(home.parent, pieces)
    assert len(pieces) >= 3
    assert {p.split("/")[1] for p in before if p.startswith("corpus")} >= {
        "release",
        "work",
        ".dvc",
    }
    assert any(p.startswith("remote/files/md5") for p in before)
    args = ("source", SOURCE, "--confirm", "--erase", "--by", "counsel", "--ground", "x", "--json")
    capsys.readouterr()
    assert withdraw.main([*args, "--params", str(home / "params.yaml")]) == 1
    done = json.loads(capsys.readouterr().out)
    assert done["out_of_reach"] == ["cloud"], "a remote elsewhere is left to do"
    assert holding(home.parent, pieces) == []
    key = keys.public_key(home / "work/keys/signing.pub")
    for name in ("sample", "older"):
        assert not list(defects(home / "release" / name, key, home / "release" / release_files.LOG))
        assert not (read_table(home / "release" / name, "data")["source_id"] == SOURCE).any()
    assert [r["name"] for r in done["releases"]] == ["older", "sample"]
    stones = read_jsonl(home / f"release/receipts/{done['id']}.tombstones.jsonl")
    kinds = {s["kind"] for s in stones}
    purged = {"work", "dvc cache", "dvc remote store", "to purge: dvc remote cloud"}
    assert kinds == {"record"} | purged
    assert {s["object"] for s in stones if s["kind"] == "record"} >= {*mine["doc_id"]}
    assert {s["receipt"] for s in stones} == {done["id"]}
    left = {n for s in purge.find_stores(home)[0] for n, _ in s.objects()}
    assert not left & {s["object"] for s in stones if s["kind"].startswith("dvc ")}
    assert left, "objects that have nothing to do with it stay"
    salts = pl.read_parquet(home / "work/keys/salts.parquet")["doc_id"]
    assert not set(salts) & set(mine["doc_id"])
    store = lineage.open(home / "release")
    past = store.documents({"source_id": [SOURCE]}, at=store.release("sample@0"), released=True)
    assert set(past["doc_id"]) == {*mine["doc_id"]} and past["uri"].null_count() == mine.height
    assert store.diff(store.release("sample@0"), store.releases[-1])["why"].unique().to_list() == [
        "refuse: withdrawn"
    ]
    addresses = set(mine["uri"]) - set(data.filter(pl.col("source_id") != SOURCE)["uri"])
    stored = pl.concat(pl.read_parquet(p) for p in store.folder.glob("*/docs.parquet"))
    assert not addresses & set(stored["uri"])
    digests = [bytes.fromhex(d) for d in excluded(home, done["id"])]
    texts = pl.concat(pl.read_parquet(p) for p in store.folder.glob("*/texts.parquet"))
    assert len(texts) and not set(digests) & set(texts["digest"])


def excluded(home: Path, id: str) -> set[str]:
    """Return the SHA-256 of the removed texts."""
    return {one["text_sha256"] for one in read_jsonl(home / f"release/exclusions/{id}.jsonl")}


def test_without_erase_the_output_names_older_releases(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    older = {p: p.read_bytes() for p in (home / "release/older").rglob("*") if p.is_file()}
    args = ("source", SOURCE, "--confirm", "--by", "counsel", "--ground", "x")
    assert withdraw.main([*args, "--params", str(home / "params.yaml")]) == 0
    assert "still in older" in capsys.readouterr().out
    assert all(p.read_bytes() == content for p, content in older.items())
    assert (home / "work/ingest").is_dir()
    assert withdraw.main([*args, "--erase", "--params", str(home / "params.yaml")]) == 0
    assert not (read_table(home / "release/older", "data")["source_id"] == SOURCE).any()
    assert len(list((home / "release/receipts").glob("*.dsse.json"))) == 2
    assert not (home / "work/ingest").exists()


def test_each_command_names_remotes_out_of_reach(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Withdraw first and erase later: the objects to purge elsewhere are those of the local stores."""
    dvc(home)
    args = ["source", SOURCE, "--confirm", "--by", "counsel", "--ground", "x"]
    place = ["--params", str(home / "params.yaml")]
    assert withdraw.main([*args, *place]) == 0
    shutil.rmtree(home / "release/older")  # only the tag still has it
    assert withdraw.main([*args, "--erase", "--json", *place]) == 1
    out = capsys.readouterr().out
    id = json.loads(out[out.index("{") :])["id"]
    stones = read_jsonl(home / f"release/receipts/{id}.tombstones.jsonl")
    purged = {s["object"] for s in stones if s["kind"].startswith("dvc ")}
    named = {s["object"] for s in stones if s["kind"] == "to purge: dvc remote cloud"}
    assert purged and any(one.endswith(".dir") for one in purged) and purged <= named
    for again in ([*args, "--erase"], args, args[:2]):
        assert withdraw.main([*again, *place]) == 1
        assert "NOT purged: DVC remote cloud" in capsys.readouterr().out


def test_objects_without_documents_stay(tmp_path: Path) -> None:
    store = purge.Store("cache", tmp_path)
    contents = {"ab/" + "0" * 30: b"PAR1 no parquet", "cd/" + "1" * 30 + ".dir": b"{", "ef/x": b""}
    for name, content in contents.items():
        path = tmp_path / "files/md5" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    scope = purge.Scope("source", "a")
    assert not purge.objects_to_purge(store, scope, pl.Series(["x"]), {"ff"}, set())
    assert purge.find_stores(tmp_path) == ([], [])


def test_folders_are_swapped_atomically(tmp_path: Path) -> None:
    """A continuous reader always finds one of the two folders."""
    one, other = tmp_path / "one", tmp_path / "other"
    for folder in (one, other):
        folder.mkdir()
        (folder / "name").write_text(folder.name)
    seen: list[str] = []
    stop = threading.Event()

    def look() -> None:
        while not stop.is_set():
            seen.append((other / "name").read_text())

    reader = threading.Thread(target=look)
    reader.start()
    steps = [disk.exchange(one, other) for _ in range(101)]
    stop.set()
    reader.join()
    assert (one / "name").read_text() == "other" and (other / "name").read_text() == "one"
    if all(steps):
        assert {*seen} <= {"one", "other"}


def test_folders_are_swapped_without_the_system_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.mkdir()
    with pytest.raises(OSError, match="other"):
        disk.exchange(one, other)
    other.mkdir()
    (other / "file").touch()
    monkeypatch.setattr(disk, "_renameat2", lambda: None)
    assert disk.exchange(one, other) is False
    assert (one / "file").exists() and [p.name for p in tmp_path.iterdir()].count("one") == 1
    assert len(list(tmp_path.iterdir())) == 2
