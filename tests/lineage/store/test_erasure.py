"""The store after an erasure: it has nothing of the erased records and all of the others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
import pytest
from helpers.store_folders import Record, write_release
from hypothesis import given, settings
from hypothesis import strategies as st

import lineage
from lineage.store import segments
from lineage.store.store import Store
from lineage.store.url_keys import url_keys
from pipelines.search import index
from pipelines.text import fingerprints

A, B, C = (
    Record(f"https://{name}.example.kz/{name}.html", text=" ".join([name] * 80)) for name in "abc"
)
BARRED = replace(B, outcome="refuse", reason="withdrawn")
FATE = ("doc_id", "source_id", "outcome", "first_seq", "last_seq")
ERASED = ("uri", "captured_at", "n_chars", "n_tokens", "shard", "row")


def forget(folder: Path, *records: Record) -> None:
    index.forget_records(
        folder, pl.Series([r.doc_id for r in records], dtype=pl.String), folder / ".new"
    )


def traces(store: Store, record: Record) -> list[str]:
    """The files in which the store has anything of a record except its id."""
    digest = sha256(record.text.encode()).digest()
    text = pl.DataFrame({"doc_id": [b"x"], "text": [record.text]})
    wanted = {
        "urls": ("key", url_keys(pl.Series([record.uri])).to_list()),
        "texts": ("digest", [digest]),
        "payloads": ("digest", [digest[:16]]),
        "prints": ("key", fingerprints.document_fingerprints(text)["key"].to_list()),
        "docs": ("uri", [record.uri]),
    }
    return [
        f"{header.folder}/{table}"
        for header in store.releases
        for table, (column, values) in wanted.items()
        if pl.read_parquet(store.folder / header.folder / f"{table}.parquet")[column]
        .is_in(values)
        .any()
    ]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of releases in which a redacted release replaced the first one."""
    write_release(tmp_path, "v", [A, B, C], "2026-01-31")
    index.enter_all(tmp_path)
    write_release(tmp_path, "v", [A, BARRED, C], "2026-03-31")
    return tmp_path


def test_a_tombstone_replaces_an_erased_record(folder: Path) -> None:
    before = lineage.open(folder)
    assert {place.split("/")[1] for place in traces(before, B)} == {
        "docs", "urls", "texts", "payloads", "prints",
    }  # fmt: skip
    forget(folder, B)
    store = lineage.open(folder)
    assert traces(store, B) == [] and traces(store, A)
    assert not any(B.uri.encode() in p.read_bytes() for p in store.folder.rglob("*.parquet"))
    old, new = store.release("v@0"), store.release("v@1")
    assert set(store.documents(at=old, released=True)["doc_id"]) == {r.doc_id for r in (A, B, C)}
    assert store.as_of("2026-02-01") == old
    (left,) = store.diff(old, new).to_dicts()
    assert (left["doc_id"], left["why"]) == (B.doc_id, "refuse: withdrawn")
    assert all(left[c] is None for c in ERASED)
    assert store.by_url(B.uri).is_empty() and store.by_url(A.uri).height == 1
    assert old.documents == 3 and (old, new) == (store.releases[0], store.releases[1])


def test_only_a_new_release_brings_an_erased_record_back(folder: Path) -> None:
    (folder / "receipts").mkdir()
    stone = f'{{"at": "x", "kind": "record", "object": "{B.doc_id}", "receipt": "w0"}}\n'
    (folder / "receipts/w0.tombstones.jsonl").write_text(stone)
    (folder / "receipts/w1.tombstones.jsonl").touch()
    forget(folder, B)
    write_release(folder, "v", [A, replace(BARRED, reason="other"), C], "2026-05-31")
    index.enter_all(folder)
    assert traces(lineage.open(folder), B) == []
    index.enter_all(folder, rebuild=True)
    assert traces(lineage.open(folder), B) == []
    write_release(folder, "v", [A, B, C], "2026-06-30")
    index.enter_all(folder)
    assert lineage.open(folder).by_url(B.uri)["outcome"].to_list()[-1] == "keep"


def test_a_damaged_store_is_rebuilt(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = lineage.open(folder)
    (store.folder / store.releases[0].folder / "docs.parquet").write_bytes(b"PAR1")
    forget(folder, B)
    assert "the store is rebuilt" in capsys.readouterr().err
    assert [one.seq for one in lineage.open(folder).releases] == [1]
    assert traces(lineage.open(folder), B) == []


def test_without_releases_there_is_nothing_to_forget(tmp_path: Path) -> None:
    forget(tmp_path, B)
    assert not (tmp_path / segments.FOLDER).exists()


_states: Callable[[int], st.SearchStrategy[Record]] = lambda i: st.builds(  # noqa: E731
    Record,
    st.just(f"https://h{i % 2}.example.kz/{i}"),
    st.just("kz-a"),
    st.sampled_from(["keep", "refuse"]),
    st.none(),
    st.sampled_from([f"one {i}", f"two {i}"]),
)


@settings(max_examples=12)
@given(
    st.lists(
        st.tuples(*(st.none() | _states(i) for i in range(5))),
        min_size=1,
        max_size=4,
    ),
    st.sets(st.integers(0, 4)),
)
def test_the_others_keep_their_history(
    history: list[tuple[Record | None, ...]], gone: set[int]
) -> None:
    """The rows of other records stay the same; erased ones keep only their releases and outcome."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        for seq, records in enumerate(history):
            write_release(folder, f"v{seq}", [r for r in records if r])
        index.enter_all(folder)
        erased = [records[i] for records in history for i in gone]
        others = ~pl.col("doc_id").is_in([r.doc_id for r in erased if r])
        before, changes = all_intervals(lineage.open(folder)), all_changes(lineage.open(folder))
        forget(folder, *(r for r in erased if r))
        store = lineage.open(folder)
        after = all_intervals(store)
        assert after.filter(others).equals(before.filter(others))
        assert after.select(FATE).equals(before.select(FATE))
        assert all(after.filter(~others)[column].is_null().all() for column in ERASED)
        assert all_changes(store).equals(changes)
        assert not [place for r in erased if r for place in traces(store, r)]
        assert store.live(["shard"]).height == before["last_seq"].null_count()


def all_intervals(store: Store) -> pl.DataFrame:
    return store.documents().sort("first_seq", "doc_id")


def all_changes(store: Store) -> pl.DataFrame:
    """The changes between each pair of releases."""
    pairs = [(old, new) for old in store.releases for new in store.releases]
    return pl.concat(
        store.diff(*pair).sort("change", "doc_id").select("change", "why", *FATE) for pair in pairs
    )
