"""The records of a unit are read: each with its own body, and each exactly once."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from helpers.compressed import gzip_bytes
from helpers.judged_records import WORDS, judge_containers, make_judge, warc_member, write_container

from lineage.storage import streams
from pipelines.ingest import scan


def test_all_formats_in_one_task(tmp_path):
    """Containers of one task are read one after another; each record gets its own body."""
    rows = [
        {"uri": f"urn:{n}", "text": f"Row {n} of the gazette.", "captured_at": "2026-01-01"}
        for n in range(4)
    ]
    lines = b"\n".join([*(json.dumps(r).encode() for r in rows), b"{broken", b'{"text": " "}'])
    pq.write_table(pa.Table.from_pylist([*rows, {"uri": "urn:null"}]), tmp_path / "c")
    containers = [
        write_container(tmp_path / "a", lines, "jsonl", "files"),
        write_container(tmp_path / "b", gzip_bytes(lines), "jsonl", "files"),
        write_container(tmp_path / "c", (tmp_path / "c").read_bytes(), "parquet", "files"),
        write_container(tmp_path / "d", "Хат мәтіні.".encode("utf-16"), "text", "files"),
        write_container(tmp_path / "e", b"", "text", "files"),
    ]
    judge = make_judge()
    for group in containers[:2], containers[2:3], containers[3:]:
        task = scan.Task("t", tuple(group))
        ids = Counter(pl.Series(scan.build_index(task, 1 << 20)["base_id"]))
        shared = {i: 1 for i, n in ids.items() if n > 1}
        judge = replace(judge, coinciding={**judge.coinciding, **shared})
        _, decided, documents = judge_containers(judge, *group)
        texts = documents.join(decided, on="doc_id")["text"].to_list()
        if group[0].format == "text":
            assert texts == ["Хат мәтіні."] and Counter(decided["reason"])["empty"] == 1
        else:
            assert sorted(texts) == sorted([r["text"] for r in rows] * len(group))
    assert set(documents["uri"]) == {"raw/d"}


def test_coinciding_records_get_different_ids(tmp_path):
    container = write_container(tmp_path / "a", warc_member("https://good.kz/1") * 2)
    copy = write_container(tmp_path / "b", warc_member("https://good.kz/1") * 2)
    index = scan.build_index(scan.Task("t", (container, copy)), 1 << 20)
    (base,) = set(index["base_id"].to_pylist())
    records, decided, _ = judge_containers(make_judge(coinciding={base: 2}), container, copy)
    assert decided["doc_id"].n_unique() == 4 and base not in decided["doc_id"].to_list()
    records, _, _ = judge_containers(make_judge(coinciding={base: 1}), container)
    assert records["doc_id"].n_unique() == 2


@pytest.mark.parametrize("change", ["removed", "shortened", "overwritten"])
def test_a_file_that_changes_between_scan_and_reading(tmp_path, change):
    container = write_container(
        tmp_path / "a", warc_member("https://good.kz/1") + warc_member("https://good.kz/2")
    )
    task, judge = scan.Task("t", (container,)), make_judge()
    index: Any = pl.from_arrow(scan.build_index(task, 1 << 20))
    if change == "removed":
        (tmp_path / "a").unlink()
    else:
        (tmp_path / "a").write_bytes(b"x" * (10 if change == "shortened" else container.size))
    intake = judge.judge_unit(task, index)
    assert [d["reason"] for d in intake.decisions] == ["unreadable"] * 2 and not intake.documents


def test_a_container_without_records_is_one_row(tmp_path):
    records, decided, _ = judge_containers(
        make_judge(), write_container(tmp_path / "a", b"\n\n", "jsonl")
    )
    assert records["uri"].to_list() == ["raw/a"]
    assert decided.select("outcome", "reason").rows() == [("damaged", "unreadable")]


def test_a_file_of_unknown_kind_is_one_row(tmp_path):
    container = write_container(tmp_path / "a.png", b"\x89PNG", "unknown")
    _, decided, _ = judge_containers(make_judge(), container)
    assert decided.select("outcome", "reason").rows() == [("damaged", "unsupported-media-type")]


def test_a_compressed_container_is_unpacked_once_for_all_units(tmp_path, monkeypatch):
    lines = [json.dumps({"uri": f"https://good.kz/{n}", "text": WORDS}).encode() for n in range(9)]
    container = write_container(tmp_path / "a", gzip_bytes(b"\n".join(lines)), "jsonl")
    task = scan.Task("t", (container,))
    index = pl.DataFrame(pl.from_arrow(scan.build_index(task, 1 << 20)))
    opened = []
    decompressed = streams.decompressed
    monkeypatch.setattr(streams, "decompressed", lambda f: opened.append(f) or decompressed(f))
    judge = make_judge()
    for start in range(0, 9, 2):
        intake = judge.judge_unit(task, index.slice(start, 2))
        assert [d["text"] for d in intake.documents] == [WORDS] * len(intake.records)
    assert len(opened) == 1
    again = judge.judge_unit(task, index.slice(0, 2))  # a repeated unit reads backwards
    assert len(again.documents) == 2
    judge.cursor.close()


def test_overruled_and_repaired_charsets_are_in_the_evidence_and_counted(tmp_path):
    page = (
        "<p>Ауылдағы жаңа кітапхана келесі дүйсенбіде ашылады, барлық тұрғындар шақырылады. "
        "Мұнда балаларға арналған үлкен бөлме де болады, қызық кештер өткізіледі.</p>"
    )
    pages = (
        warc_member("https://good.kz/1", page.encode()),
        warc_member(
            "https://good.kz/2", page.encode("kz1048"), media_type="text/html;charset=cp1251"
        ),
        warc_member("https://good.kz/3", page.encode().decode("koi8-r").encode()),
    )
    task = scan.Task("t", (write_container(tmp_path / "a", b"".join(pages)),))
    index = pl.from_arrow(scan.build_index(task, 1 << 20))
    intake = make_judge().judge_unit(task, index)
    assert [d["text"] for d in intake.documents] == [page[3:-4]] * 3
    evidence = [json.loads(d["evidence"]).get("charset") for d in intake.decisions]
    assert evidence[0] is None
    assert evidence[1] == {"declared": "cp1251", "used": "kz1048", "overruled": True}
    assert evidence[2]["repaired"] == ["utf-8 read as koi8-r"]
    assert intake.charsets == {"overruled": 1, "utf-8 read as koi8-r": 1}
