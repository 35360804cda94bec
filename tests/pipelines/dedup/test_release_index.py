"""A new delivery is compared with earlier releases through the index, without their texts."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from helpers import dedup_job
from helpers.commands import ROOT
from helpers.judged_records import PARAMS, make_source

from lineage.configuration import load_params
from lineage.withdrawal_scope import Scope
from pipelines.dedup import release_index
from pipelines.dedup.release_index import ReleasedRights
from pipelines.engine.published import StageError
from schemas import policy
from schemas.errors import Invalid
from schemas.lawfulness import Use
from schemas.params import Params
from schemas.register import Licence, Register, Withdrawal
from schemas.sections import DedupParams
from schemas.withdrawal_index import WithdrawalIndex

SOURCE = make_source("s", "s.example.kz")
TEXT = " ".join(f"word{n}" for n in range(40))
OTHER = " ".join(f"term{n}" for n in range(40))


def make_params(folder: Path, release: str = "first", **dedup: object) -> Params:
    params = load_params(ROOT / "params.yaml")
    return replace(
        params,
        work=folder / "work",
        dedup=DedupParams(index=str(folder / "index"), **dedup),
        release=replace(params.release, name=release),
    )


def enter_job(folder: Path, name: str, job: dedup_job.Job, where: Path, run_id: str = "1") -> None:
    signed = sorted((where / "state/signatures").glob("*.parquet"))
    released = pl.Series(sorted(job.kept), dtype=pl.String)
    release_index.index_release(make_params(folder, name), run_id, released, signed)


def make_families(number: int) -> dict[str, tuple[str, str]]:
    """Return families of texts from equal to half different, with random ids."""
    draw = random.Random(5)
    documents: dict[str, tuple[str, str]] = {}
    while len(documents) < number:
        words = [f"w{draw.randrange(5000)}" for _ in range(50)]
        for _ in range(draw.randint(1, 6)):
            documents[f"{draw.getrandbits(64):016x}"] = ("a", " ".join(words))
            for _ in range(draw.choice([0, 1, 1, 2])):
                words[draw.randrange(50)] = f"x{draw.randrange(9999)}"
    return documents


def test_two_deliveries_keep_the_same_texts_as_one(tmp_path: Path) -> None:
    documents = make_families(300)
    names = sorted(documents, key=lambda n: n[::-1])
    first, second = names[:200], names[200:]
    captured = dict.fromkeys(first, "2025")
    whole = dedup_job.run_dedup(tmp_path / "whole", documents, captured=captured)
    one = dedup_job.run_dedup(tmp_path / "one", {n: documents[n] for n in first}, captured=captured)
    enter_job(tmp_path, "first", one, tmp_path / "one")
    known = release_index.load_index(make_params(tmp_path, "second"))
    two = dedup_job.run_dedup(tmp_path / "two", {n: documents[n] for n in second}, known=known)
    assert one.kept | two.kept == whole.kept and len(whole.kept) < 200
    copies = [e for e in two.evidence.values() if e.get("release")]
    assert len(copies) > 20 and {e["release"] for e in copies} == {"first"}
    assert {e["kept_doc_id"] for e in copies} <= one.kept
    assert {e["kind"] for e in copies} == {"exact", "near"}
    rows = two.duplicates.filter(pl.col("kept_doc_id").is_in(sorted(one.kept)))
    assert rows.height == len(copies)
    assert dedup_job.run_dedup(tmp_path / "shards", {n: documents[n] for n in second}, number=5,
                         known=known).decisions.equals(two.decisions)  # fmt: skip


def test_texts_without_words_and_a_repeated_record(tmp_path: Path) -> None:
    documents = {"a": ("s", "..."), "b": ("s", "some words that stand here"), "e": ("s", "")}
    one = dedup_job.run_dedup(tmp_path / "one", documents)
    enter_job(tmp_path, "first", one, tmp_path / "one")
    known = release_index.load_index(make_params(tmp_path, "second"))
    again = documents | {"c": ("s", "..."), "d": ("s", "!!!")}
    two = dedup_job.run_dedup(tmp_path / "two", again, known=known)
    assert two.kept == {"d"} and two.evidence["b"]["release"] == "first"
    meet = release_index.IndexEntry.pairs
    keys = pl.read_parquet(tmp_path / "index/first/keys.parquet").select("key", doc="row")
    some = keys.with_columns(pl.col("doc").cast(pl.UInt64))
    met = [
        meet(known[0], p, some, ReleasedRights(frozenset("s"))) for p in range(release_index.PARTS)
    ]
    assert pl.concat(met).height and known[0].sources == ("s",)
    assert not any(
        meet(known[0], p, some, ReleasedRights(frozenset("t"))).height
        for p in range(release_index.PARTS)
    )


@pytest.mark.parametrize(
    ("scope", "value"),
    [
        ("source", "s"),
        ("url", "https://example.org/gone"),
        ("domain", "example.org"),
        ("document", "old"),
        ("text", hashlib.sha256(TEXT.encode()).hexdigest()),
    ],
)
def test_a_withdrawn_document_displaces_no_copy(tmp_path: Path, scope: str, value: str) -> None:
    documents = {"old": ("s", TEXT), "other": ("s", OTHER)}
    uris = {
        "old": "https://www.example.org/gone" if scope == "domain" else "https://example.org/gone"
    }
    params = DedupParams(index=str(tmp_path / "index"))
    one = dedup_job.run_dedup(tmp_path / "one", documents, params, uris=uris)
    enter_job(tmp_path, "first", one, tmp_path / "one")
    known = release_index.load_index(make_params(tmp_path, "second"))
    again = {"copy": ("t", TEXT), "near": ("t", TEXT + " more"), "third": ("t", OTHER)}
    assert dedup_job.run_dedup(tmp_path / "two", again, known=known).kept == set()
    barred = WithdrawalIndex.build([Withdrawal(scope, value, date(2026, 1, 1), "asked for")])
    rights = ReleasedRights(frozenset("st"), barred)
    three = dedup_job.run_dedup(tmp_path / "three", again, known=known, rights=rights)
    alone = scope == "source"  # all its documents are withdrawn
    assert three.kept == ({"copy", "third"} if alone else {"copy"})


@pytest.mark.parametrize(
    ("change", "kept"),
    [
        ({}, set()),
        ({"licence": Licence("CC-BY-NC-4.0")}, {"copy"}),
        ({"residency": ("RU",)}, {"copy"}),
        ({"basis": replace(SOURCE.basis, url_scope=("https://s.example.kz/b/",))}, {"copy"}),
        ({"basis": replace(SOURCE.basis, url_scope=("https://s.example.kz/a/",))}, set()),
    ],
    ids=["lawful", "licence", "residency", "outside the scope", "inside the scope"],
)
def test_a_document_that_is_unlawful_now_displaces_no_lawful_copy(
    tmp_path: Path, change: dict[str, Any], kept: set[str]
) -> None:
    uris = {"old": "https://s.example.kz/a/1"}
    one = dedup_job.run_dedup(tmp_path / "one", {"old": ("s", TEXT)}, uris=uris)
    enter_job(tmp_path, "first", one, tmp_path / "one")
    known = release_index.load_index(make_params(tmp_path, "second"))
    sources = {"s": replace(SOURCE, **change), "t": replace(SOURCE, id="t")}
    rights = ReleasedRights.of(
        Register(sources, {}, (), "0" * 64), Use.from_params(PARAMS, policy.built_in())
    )
    again = {"copy": ("t", TEXT)}
    assert dedup_job.run_dedup(tmp_path / "two", again, known=known, rights=rights).kept == kept


@pytest.mark.parametrize(
    ("scope", "value", "ids"),
    [
        ("source", "s", []),
        ("document", "old", []),
        ("url", "https://else.example.org/", ["old"]),
        ("domain", "old.example.org", []),
        ("text", hashlib.sha256(TEXT.encode()).hexdigest(), []),
    ],
    ids=["source", "document", "ids", "domain", "text"],
)
def test_an_erased_document_leaves_the_entry(
    tmp_path: Path, scope: str, value: str, ids: list[str]
) -> None:
    """The entry equals one that never had the document, and copies of it may be released."""
    documents = {"a": ("t", OTHER), "old": ("s", TEXT), "z": ("t", "a text that is not long")}
    uris = {name: f"https://{name}.example.org/" for name in documents}
    dedup = DedupParams(index=str(tmp_path / "index"))
    job = dedup_job.run_dedup(tmp_path / "one", documents, dedup, uris=uris)
    enter_job(tmp_path, "first", job, tmp_path / "one")
    others = {name: about for name, about in documents.items() if name != "old"}
    job = dedup_job.run_dedup(tmp_path / "two", others, dedup, uris=uris)
    enter_job(tmp_path, "wanted", job, tmp_path / "two")
    params = make_params(tmp_path, "next")
    about = (Scope(scope, value), pl.Series(ids, dtype=pl.String))
    (entry,) = release_index.entries_with(params, *about)
    assert entry == tmp_path / "index/first"
    release_index.forget_documents(entry, *about)
    assert release_index.entries_with(params, *about) == []
    for file in ("documents.parquet", "keys.parquet"):
        left, wanted = (pl.read_parquet(tmp_path / "index" / n / file) for n in ("first", "wanted"))
        assert left.equals(wanted), file
    first, wanted_entry = release_index.load_index(params)
    assert (first.documents, first.sources) == (wanted_entry.documents, wanted_entry.sources)
    again = {"copy": ("t", TEXT), "known": ("t", OTHER)}
    assert dedup_job.run_dedup(tmp_path / "three", again, known=(first,)).kept == {"copy"}
    (entry / "documents.parquet").write_bytes(b"PAR1")
    with pytest.raises(StageError, match="restore it"):
        release_index.entries_with(params, *about)


def test_a_release_keeps_its_place_and_is_not_compared_with_itself(tmp_path: Path) -> None:
    job = dedup_job.run_dedup(tmp_path / "one", {"a": ("s", "one text of a few words")})
    for name in ("first", "second"):
        enter_job(tmp_path, name, job, tmp_path / "one")
    enter_job(tmp_path, "first", job, tmp_path / "one", run_id="2")
    assert release_index.load_index(make_params(tmp_path, "first")) == ()
    assert [e.release for e in release_index.load_index(make_params(tmp_path, "second"))] == [
        "first"
    ]
    assert [e.release for e in release_index.load_index(make_params(tmp_path, "x"))] == [
        "first",
        "second",
    ]
    header = json.loads((tmp_path / "index/first/index.json").read_bytes())
    assert header["run_id"] == "2" and header["documents"] == 1


def test_an_empty_release(tmp_path: Path) -> None:
    job = dedup_job.run_dedup(tmp_path / "one", {}, number=1)
    enter_job(tmp_path, "first", job, tmp_path / "one")
    known = release_index.load_index(make_params(tmp_path, "second"))
    assert [e.documents for e in known] == [0]
    assert dedup_job.run_dedup(tmp_path / "two", {"a": ("s", "text")}, known=known).kept == {"a"}


@pytest.fixture
def index(tmp_path: Path) -> Path:
    job = dedup_job.run_dedup(tmp_path / "one", {"a": ("s", "one text of a few words")})
    enter_job(tmp_path, "first", job, tmp_path / "one")
    return tmp_path / "index/first"


def test_other_parameters_are_refused_and_both_named(index: Path, tmp_path: Path) -> None:
    with pytest.raises(Invalid) as error:
        release_index.load_index(make_params(tmp_path, "second", rows=6))
    assert "rows: 5 there, 6 here" in str(error.value) and "first" in str(error.value)
    assert release_index.load_index(make_params(tmp_path, "second", threshold=0.8))


@pytest.mark.parametrize("file", ["keys.parquet", "documents.parquet", "index.json"])
@pytest.mark.parametrize("change", ["torn", "gone", "other"])
def test_a_damaged_file_is_named(index: Path, tmp_path: Path, file: str, change: str) -> None:
    path = index / file
    content = path.read_bytes()
    if change == "gone":
        path.unlink()
    else:
        path.write_bytes(content[: len(content) // 2] if change == "torn" else b"{}")
    with pytest.raises(StageError, match=rf"first/{file} is missing or changed"):
        release_index.load_index(make_params(tmp_path, "second"))
    shutil.rmtree(index)
    assert release_index.load_index(make_params(tmp_path, "second")) == ()
