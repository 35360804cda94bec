"""The store answers with the records that were entered."""

from __future__ import annotations

import shutil
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
from lineage.store.segments import BadStore
from lineage.store.store import NoSuchRelease, Store
from lineage.store.url_keys import reversed_hosts, url_keys
from pipelines.search.index import enter_all
from schemas.urls import normal_url

A, B, C, D = (
    Record("https://law.example.kz/a.html", text="one"),
    Record("https://sub.law.example.kz/b.html", "kz-b", text="two"),
    Record("https://outlaw.example.kz/c.html", None, "refuse", "ungoverned"),
    Record("http://ru.example.org/d?x='--", "ru-d", text="three", lang="ru"),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three releases: D enters with the second, B is refused in it; the third changes A's text,
    and no longer sees D."""
    path = tmp_path_factory.mktemp("releases")
    refused = replace(B, outcome="refuse", reason="consent-withdrawn")
    write_release(path, "v1", [A, B, C], "2026-01-31")
    enter_all(path)
    write_release(path, "v2", [A, refused, C, D], "2026-03-31")
    write_release(path, "v3", [replace(A, text="other"), refused, C], "2026-05-31")
    assert enter_all(path) == (["v2@1", "v3@2"], [])
    return path


@pytest.fixture(scope="module")
def store(folder: Path) -> Store:
    return lineage.open(folder)


def intervals(rows: pl.DataFrame) -> set[tuple[str, str, int, int | None]]:
    return set(rows.select("doc_id", "outcome", "first_seq", "last_seq").rows())


def test_fates_are_intervals(store: Store) -> None:
    assert intervals(store.documents()) == {
        (A.doc_id, "keep", 0, 1),
        (A.doc_id, "keep", 2, None),
        (B.doc_id, "keep", 0, 0),
        (B.doc_id, "refuse", 1, None),
        (C.doc_id, "refuse", 0, None),
        (D.doc_id, "keep", 1, 1),
    }


@pytest.mark.parametrize(
    ("domain", "found"),
    [
        ("law.example.kz", [A, B]),
        ("https://LAW.example.kz/", [A, B]),
        ("sub.law.example.kz", [B]),
        ("example.kz", [A, B, C]),
        ("w.example.kz", []),
        ("example.kz'; DROP TABLE docs; --", []),
        ("", []),
    ],
    ids=["host", "address", "subdomain", "parent", "suffix", "sql", "nothing"],
)
def test_by_domain(store: Store, domain: str, found: list[Record]) -> None:
    rows = store.documents(domain=domain, at=store.releases[0])
    assert set(rows["doc_id"]) == {r.doc_id for r in found}
    assert store.count(domain=domain, at=store.releases[0]) == len(found)


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ({"source_id": ["kz-b"]}, [B]),
        ({"source_id": [None]}, [C]),
        ({"licence": ["LicenseRef-kz-a", "LicenseRef-kz-b"]}, [A, B]),
        ({"jurisdiction": ["KZ"], "lang": ["kk"]}, [A, B]),
        ({"basis": ["consent"], "reference": ["Letter of kz-b"]}, [B]),
        ({"outcome": ["refuse"]}, [C]),
        ({"reason": ["ungoverned"]}, [C]),
        ({"reason": ["un:"]}, []),
        ({"licence": ["x' OR '1'='1"]}, []),
    ],
    ids=lambda v: "-".join(map(str, v)) if isinstance(v, dict) else "",
)
def test_by_properties(
    store: Store, where: dict[str, list[str | None]], found: list[Record]
) -> None:
    rows = store.documents(where, at=store.release("v1"))
    assert set(rows["doc_id"]) == {r.doc_id for r in found}


def test_by_keys(store: Store) -> None:
    assert intervals(store.by_url("HTTPS://law.example.kz:443/x/../a.html#top")) == intervals(
        store.by_id([A.doc_id])
    )
    assert set(store.by_url(D.uri)["doc_id"]) == {D.doc_id}
    assert store.by_url("' OR 1=1 --").is_empty() and store.by_id([]).is_empty()
    rows = store.by_key("texts", [sha256(b"one").digest()])
    assert rows.select("first_seq", "last_seq").rows() == [(0, 1)]
    row = store.by_id([D.doc_id]).row(0, named=True)
    assert (row["shard"], row["row"]) == ("data/ru/part-00000.parquet", 0)


def test_absence_names_the_neighbours(store: Store) -> None:
    digests = sorted(sha256(t.encode()).hexdigest() for t in ("one", "two", "three", "other"))
    for text in map(str, range(30)):
        digest = sha256(text.encode())
        before = max((d for d in digests if d < digest.hexdigest()), default=None)
        behind = min((d for d in digests if d > digest.hexdigest()), default=None)
        assert store.neighbours(digest.digest()) == (before, behind)


def test_releases_by_name_number_and_day(store: Store) -> None:
    first, second, third = store.releases
    assert store.release("v2") == store.release("v2@1") == store.release("1") == second
    assert store.as_of("2026-04-01") == second and store.as_of("2026-01-31") == first
    assert store.as_of("2099-01-01") == third
    for ask in (lambda: store.release("v9"), lambda: store.as_of("2026-01-30")):
        with pytest.raises(NoSuchRelease):
            ask()


def test_diff_says_why(store: Store) -> None:
    one, two, three = store.releases
    rows = store.diff(one, two).select("change", "doc_id", "why").rows()
    assert set(rows) == {
        ("entered", D.doc_id, None),
        ("left", B.doc_id, "refuse: consent-withdrawn"),
    }
    unseen = "no input has its record any more"
    rows = store.diff(two, three).select("change", "doc_id", "why").rows()
    assert set(rows) == {("changed", A.doc_id, None), ("left", D.doc_id, unseen)}
    back = store.diff(three, one).select("change", "doc_id").rows()
    assert set(back) == {("changed", A.doc_id), ("entered", B.doc_id)}
    assert store.diff(two, two).is_empty()


def test_roll_ups_add_up(store: Store) -> None:
    for by in (["licence", "source_id"], ["domain"], ["lang", "outcome"]):
        rows = store.roll_up(by, at=store.releases[1])
        assert (rows["records"].sum(), rows["chars"].sum()) == (2, len("one") + len("three"))
    assert store.roll_up(["domain"], at=store.releases[1])["domain"].to_list() == [
        "law.example.kz",
        "ru.example.org",
    ]


def test_a_rebuilt_store_has_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "copy")
    before = _bytes(tmp_path / "copy")
    assert enter_all(tmp_path / "copy") == ([], [])
    assert enter_all(tmp_path / "copy", rebuild=True)[1] == []
    assert _bytes(tmp_path / "copy") == before


def _bytes(folder: Path) -> dict[str, bytes]:
    files = sorted((folder / segments.FOLDER).rglob("*.*"))
    return {str(p.relative_to(folder)): p.read_bytes() for p in files if p.is_file()}


def test_a_replaced_release_keeps_its_history(tmp_path: Path) -> None:
    write_release(tmp_path, "v", [A, B])
    enter_all(tmp_path)
    write_release(tmp_path, "v", [A])
    assert enter_all(tmp_path) == (["v@1"], [])
    assert intervals(lineage.open(tmp_path).by_id([B.doc_id])) == {(B.doc_id, "keep", 0, 0)}
    assert enter_all(tmp_path, rebuild=True) == (["v@1"], ["v@0"])
    assert lineage.open(tmp_path).by_id([B.doc_id]).is_empty()


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[1]", b'{"seq": 0', b"\xff\xfe"], ids=lambda c: c.decode("latin-1")
)
def test_a_damaged_header_is_reported(folder: Path, tmp_path: Path, content: bytes) -> None:
    shutil.copytree(folder, tmp_path / "copy")
    next((tmp_path / "copy").glob(f"_store/*/{segments.HEADER}")).write_bytes(content)
    with pytest.raises(BadStore, match="--rebuild"):
        lineage.open(tmp_path / "copy")


def test_by_url_of_a_file_system(folder: Path) -> None:
    there = lineage.open(f"file://{folder}")
    assert intervals(there.documents()) == intervals(lineage.open(folder).documents())


def test_an_empty_store(tmp_path: Path) -> None:
    empty = lineage.open(tmp_path)
    assert empty.by_id([A.doc_id]).is_empty() and empty.live(["outcome"]).is_empty()
    with pytest.raises(NoSuchRelease):
        empty.documents()


def test_empty_releases(tmp_path: Path) -> None:
    write_release(tmp_path, "v1", [])
    write_release(tmp_path, "v2", [A])
    write_release(tmp_path, "v3", [])
    enter_all(tmp_path)
    assert intervals(lineage.open(tmp_path).documents()) == {(A.doc_id, "keep", 1, 1)}


_states: Callable[[str], st.SearchStrategy[Record]] = lambda uri: st.builds(  # noqa: E731
    Record,
    st.just(uri),
    st.sampled_from(["kz-a", "ru-b"]),
    st.just("keep"),
    st.none(),
    st.sampled_from(["one", "two"]),
)


@settings(max_examples=12)
@given(
    st.lists(
        st.tuples(*(st.none() | _states(f"https://h{i}.example.kz/") for i in range(4))),
        min_size=1,
        max_size=4,
    )
)
def test_the_store_matches_any_history(history: list[tuple[Record | None, ...]]) -> None:
    with TemporaryDirectory() as name:
        for seq, records in enumerate(history):
            write_release(Path(name), f"v{seq}", [r for r in records if r])
        enter_all(Path(name))
        store = lineage.open(name)
        for header, records in zip(store.releases, history, strict=True):
            rows = store.documents(at=header)
            there = {r.doc_id: (r.source_id, len(r.text)) for r in records if r}
            found = {r["doc_id"]: (r["source_id"], r["n_chars"]) for r in rows.to_dicts()}
            assert found == there and rows.height == len(there)
            texts = pl.Series(
                [pl.read_parquet(Path(name) / header.name / r["shard"])["doc_id"][r["row"]]
                 for r in rows.to_dicts()], dtype=pl.String,
            )  # fmt: skip
            assert texts.to_list() == rows["doc_id"].to_list()
        for old in store.releases:
            for new in store.releases:
                sides = [{r for r in history[one.seq] if r} for one in (old, new)]
                ids = [{r.doc_id for r in side} for side in sides]
                changes = store.diff(old, new)
                for change, wanted in (("entered", ids[1] - ids[0]), ("left", ids[0] - ids[1])):
                    assert set(changes.filter(change=change)["doc_id"]) == wanted
                stayed = {r.doc_id for r in sides[1] - sides[0]} & ids[0]
                assert stayed <= set(changes.filter(change="changed")["doc_id"])


@given(st.lists(st.text(alphabet="abA./%:?#~-_0é", max_size=20), max_size=8))
def test_simple_addresses_take_no_other_key(paths: list[str]) -> None:
    uris = pl.Series([f"https://a.example/{p}" for p in paths], dtype=pl.String)
    normal = pl.Series([normal_url(u) for u in uris], dtype=pl.String)
    assert url_keys(uris).to_list() == url_keys("https:" + normal).to_list()


def test_hosts_sort_by_domain() -> None:
    uris = pl.Series(["https://B.a.Example.kz:8080/x", "urn:x", None], dtype=pl.String)
    assert reversed_hosts(uris).to_list() == ["kz.example.a.b", "", ""]
