"""From raw records to decisions: the order in which a record is judged, and that none is lost."""

from __future__ import annotations

import gzip
import hashlib
import hmac
import json
from collections import Counter
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lineage import streams
from pipelines import intake, ledger, scan
from pipelines.gate import Gate
from pipelines.inventory import Container
from pipelines.signals import Capture, HostSignals
from schemas.params import Params, ReleaseParams
from schemas.reasons import REASONS
from schemas.register import Basis, Licence, Register, Source, Withdrawal
from schemas.tables import DECISIONS, DOCUMENTS, RECORDS

DAY, WHEN = date(2026, 11, 22), "2026-10-01T00:00:00Z"
WORDS = "<p>The council opened a new library on the left bank of the river, for everyone.</p>"
ROBOTS = b"User-agent: *\nDisallow: /private/\n"
RSL = b"<rsl><content url='/'><license><prohibits type='usage'>all</prohibits></license></content></rsl>"
RSL_LINK = b"<link rel=license type='application/rsl+xml' href='https://good.kz/none.xml'>"
BY_NC = b"""<script type="application/ld+json">{"@type": "NewsArticle",
 "license": "https://creativecommons.org/licenses/by-nc/4.0/deed.ru"}</script>"""
PARAMS = Params(
    path=Path("params.yaml"),
    root=Path(),
    as_of=DAY,
    purpose="pretraining",
    storage_country="KZ",
    register=Path("register"),
    inputs=(),
    licences_allow=("CC0-1.0", "CC-BY-4.0"),
    work=Path("work"),
    release=ReleaseParams("r", "release"),
    robots_agents=("*", "GPTBot"),
)


def source(
    id: str,
    *domains: str,
    collections: tuple[str, ...] = (),
    until: date | None = None,
    opt_out: str = "honour",
) -> Source:
    basis = Basis(
        "licence", "N 1", "e.txt", None, None, (), ("pretraining",), date(2025, 1, 1), until
    )
    return Source(
        id,
        "t",
        "p",
        "c",
        "KZ",
        "web",
        ("en",),
        "crawled",
        domains,
        (),
        collections,
        Licence("CC-BY-4.0"),
        basis,
        opt_out,
        "scrub",
        None,
        "{}",
        "0" * 64,
        "1" * 64,
    )


SOURCES = (
    source("good", "good.kz"),
    source("old", "old.kz", until=date(2026, 1, 1)),
    source("deal", "deal.kz", opt_out="overridden"),
    source("files", collections=("files",)),
)


def judge(
    limit: int = 1 << 20,
    withdrawals: tuple[Withdrawal, ...] = (),
    coinciding: dict[str, int] | None = None,
) -> intake.Judge:
    register = Register({s.id: s for s in SOURCES}, {}, withdrawals, "0" * 64)
    captures = [
        Capture(host, "robots", 200, ROBOTS, WHEN, "d" * 32)
        for host in ("good.kz", "old.kz", "deal.kz")
    ]
    return intake.Judge(
        Gate(PARAMS, register),
        register,
        HostSignals(captures, PARAMS.robots_agents),
        coinciding or {},
        limit,
    )


def record(
    uri: str,
    body: bytes = WORDS.encode(),
    *headers: str,
    status: int = 200,
    media_type: str | None = "text/html",
    length: int | None = None,
) -> bytes:
    lines = [
        f"HTTP/1.1 {status} X",
        *([f"Content-Type: {media_type}"] if media_type else []),
        *headers,
        "",
        "",
    ]
    http = "\r\n".join(lines).encode() + body
    head = (
        f"WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: {uri}\r\nWARC-Date: {WHEN}\r\n"
        f"Content-Type: application/http\r\nContent-Length: {length or len(http)}\r\n\r\n"
    )
    return gzip.compress(head.encode() + http + b"\r\n\r\n", mtime=0)


def container(
    path: Path, content: bytes, format: str = "warc", collection: str = "web", **fields: str
) -> Container:
    path.write_bytes(content)
    return Container(
        collection,
        format,
        str(path),
        f"raw/{path.name}",
        len(content),
        hashlib.sha256(content).hexdigest(),
        tuple(fields.items()),
    )


def run(
    who: intake.Judge, *containers: Container
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """The tables of a unit; that nothing is lost or invented is checked for every one."""
    task = scan.Task("t", containers)
    index = pl.from_arrow(scan.index(task, who.max_record_bytes))
    assert isinstance(index, pl.DataFrame)
    records, decided, documents = intake.tables(who.unit(task, index), "run", b"key")
    assert records.columns == RECORDS.names and decided.columns == DECISIONS.names
    assert documents.columns == DOCUMENTS.names
    assert records["doc_id"].to_list() == decided["doc_id"].to_list()
    assert index.height == decided.height == decided["doc_id"].n_unique()
    kept = decided.filter(pl.col("outcome") == "keep")["doc_id"].to_list()
    assert documents["doc_id"].to_list() == kept
    assert all(ledger.known(o, r) for o, r in decided.select("outcome", "reason").iter_rows())
    assert all(isinstance(json.loads(e), dict) for e in decided["evidence"])
    return records, decided, documents


CASES: list[tuple[bytes, str | None]] = [
    # the envelope stands first, whoever's the host is
    (record("https://nobody.kz/1", length=99999), "unreadable"),
    (record("https://old.kz/1", length=99999), "unreadable"),
    # then the register, before status and media type
    (record("https://nobody.kz/2", status=404), "ungoverned"),
    (record("https://old.kz/2", status=404, media_type="application/pdf"), "consent-expired"),
    (record("https://old.kz/private/2"), "consent-expired"),
    (record("https://good.kz/private/2", status=404), "opted-out:robots"),
    (record("https://good.kz/private/3", media_type="image/png"), "opted-out:robots"),
    # captures that are signals
    (record("https://good.kz/robots.txt", ROBOTS, media_type="text/plain"), "signal"),
    (record("https://good.kz/robots.txt?", b"", status=404), "http-status"),
    (record("https://nobody.kz/robots.txt", ROBOTS), "ungoverned"),
    (record("https://good.kz/.well-known/tdmrep.json", b"[]", status=404), "signal"),
    (record("https://good.kz/ai.txt", b"User-agent: *", media_type="text/plain"), "signal"),
    (record("https://good.kz/l", RSL, media_type="application/rsl+xml"), "signal"),
    (record("https://good.kz/license.xml", b"<?xml version='1.0'?>" + RSL), "signal"),
    (record("https://good.kz/l.xml", b"<rss/>", media_type="text/xml"), "empty"),
    # status and media type, before headers and page
    (record("https://good.kz/4", WORDS.encode(), "X-Robots-Tag: noai", status=500), "http-status"),
    (
        record("https://good.kz/5", b"GIF89a", "X-Robots-Tag: noai", media_type="image/gif"),
        "unsupported-media-type",
    ),
    (record("https://good.kz/5a", media_type="Aliya Bekova"), "unsupported-media-type"),
    (record("https://good.kz/6", WORDS.encode(), "X-Robots-Tag: noai"), "opted-out:noai"),
    (
        record("https://good.kz/7", b"<meta name=robots content=noai>" + WORDS.encode()),
        "opted-out:noai",
    ),
    (record("https://good.kz/8", WORDS.encode(), "tdm-reservation: 1"), "opted-out:tdmrep"),
    (record("https://good.kz/8a", RSL_LINK + WORDS.encode()), "opted-out:rsl"),
    (record("https://good.kz/8b", BY_NC + WORDS.encode()), "licence-conflict"),
    (record("https://deal.kz/8c", RSL_LINK + BY_NC + WORDS.encode()), None),
    # what is read then
    (record("https://good.kz/9", b"<html><body></body></html>"), "empty"),
    (record("https://good.kz/10", b""), "empty"),
    (record("https://good.kz/11", b"nothing", media_type=None), "unsupported-media-type"),
    (record("https://good.kz/12", b"\x07x", "Content-Encoding: br"), "undecodable"),
    (
        record("https://good.kz/13", gzip.compress(b"a" * (2 << 20)), "Content-Encoding: gzip"),
        "too-large",
    ),
    (record("https://good.kz/14", b"a" * (1 << 20) + b"b"), "too-large"),
    (record("https://good.kz/15"), None),
    (record("https://sub.good.kz/16"), None),
    (record("https://good.kz/17", media_type="Text/HTML; charset=utf-8"), None),
    (record("https://good.kz/18", gzip.compress(WORDS.encode()), "Content-Encoding: gzip"), None),
    (record("https://deal.kz/private/19", WORDS.encode(), "X-Robots-Tag: noai"), None),
]


@pytest.mark.parametrize("number", range(len(CASES)))
def test_the_order_of_judgement(tmp_path, number):
    raw, reason = CASES[number]
    _, decided, documents = run(judge(), container(tmp_path / "a", raw))
    assert decided["reason"].to_list() == [reason]
    assert decided["outcome"][0] == next(
        (o for o, some in REASONS.items() if reason and ledger.known(o, reason)), "keep"
    )
    assert documents.height == (reason is None)


def test_all_at_once(tmp_path):
    torn = record("https://good.kz/torn")[:-20]
    web = container(tmp_path / "web", b"".join(raw for raw, _ in CASES) + torn)
    records, decided, documents = run(judge(), web)
    wanted = Counter(reason for _, reason in CASES) + Counter(["unreadable"])
    assert Counter(decided["reason"]) == wanted
    assert set(records["container"]) == {"raw/web"}
    assert set(records["container_sha256"]) == {web.sha256}
    assert documents["text"].unique().to_list() == [WORDS[3:-4]]
    whole = web.size
    spans = records.sort("offset").select("offset", "length").rows()
    assert [o for o, _ in spans] == [0, *(o + n for o, n in spans[:-1])]
    assert sum(n for _, n in spans) == whole  # every byte is in one record


def test_evidence_says_what_was_seen(tmp_path):
    raw = b"".join(
        [
            record("https://good.kz/4", status=503),
            record("https://good.kz/1"),
            record("https://nobody.kz/secret", length=99999),
        ]
    )
    _, decided, _ = run(judge(), container(tmp_path / "a", raw))
    seen = {r["reason"]: json.loads(r["evidence"]) for r in decided.iter_rows(named=True)}
    assert seen["http-status"] == {"status": 503}
    assert seen[None]["source_id"] == "good" and seen[None]["evidence_sha256"] == "1" * 64
    assert "99999" in seen["unreadable"]["detail"]
    assert "secret" not in decided.filter(pl.col("reason") == "unreadable")["evidence"][0]


def test_what_is_no_media_type_stands_nowhere(tmp_path):
    raw = record("https://good.kz/1", media_type="Aliya Bekova")
    records, decided, _ = run(judge(), container(tmp_path / "a", raw))
    assert records["media_type"].to_list() == [None]
    assert decided["reason"].to_list() == ["unsupported-media-type"]
    assert json.loads(decided["evidence"][0]) == {}


def test_all_formats_in_one_task(tmp_path):
    """Containers of one task are read one after another; each record finds its own body."""
    rows = [
        {"uri": f"urn:{n}", "text": f"Row {n} of the gazette.", "captured_at": "2026-01-01"}
        for n in range(4)
    ]
    lines = b"\n".join([*(json.dumps(r).encode() for r in rows), b"{broken", b'{"text": " "}'])
    pq.write_table(pa.Table.from_pylist([*rows, {"uri": "urn:null"}]), tmp_path / "c")
    some = [
        container(tmp_path / "a", lines, "jsonl", "files"),
        container(tmp_path / "b", gzip.compress(lines), "jsonl", "files"),
        container(tmp_path / "c", (tmp_path / "c").read_bytes(), "parquet", "files"),
        container(tmp_path / "d", "Хат мәтіні.".encode("utf-16"), "text", "files"),
        container(tmp_path / "e", b"", "text", "files"),
    ]
    who = judge()
    for one in some[:2], some[2:3], some[3:]:
        ids = Counter(pl.Series(scan.index(scan.Task("t", tuple(one)), 1 << 20)["base_id"]))
        who = replace(who, coinciding={**who.coinciding, **{i: 1 for i, n in ids.items() if n > 1}})
        _, decided, documents = run(who, *one)
        texts = documents.join(decided, on="doc_id")["text"].to_list()
        if one[0].format == "text":
            assert texts == ["Хат мәтіні."] and Counter(decided["reason"])["empty"] == 1
        else:
            assert sorted(texts) == sorted([r["text"] for r in rows] * len(one))
    assert set(documents["uri"]) == {"raw/d"}


def test_coinciding_records_are_told_apart(tmp_path):
    one = container(tmp_path / "a", record("https://good.kz/1") * 2)
    copy = container(tmp_path / "b", record("https://good.kz/1") * 2)
    index = scan.index(scan.Task("t", (one, copy)), 1 << 20)
    (base,) = set(index["base_id"].to_pylist())
    records, decided, _ = run(judge(coinciding={base: 2}), one, copy)
    assert decided["doc_id"].n_unique() == 4 and base not in decided["doc_id"].to_list()
    records, _, _ = run(judge(coinciding={base: 1}), one)
    assert records["doc_id"].n_unique() == 2


def test_a_withdrawn_text_is_refused_by_its_digest(tmp_path):
    digest = hashlib.sha256(WORDS[3:-4].encode()).hexdigest()
    barred = (Withdrawal("text", digest, date(2026, 11, 1), "request"),)
    _, decided, _ = run(
        judge(withdrawals=barred),
        container(
            tmp_path / "a",
            record("https://good.kz/1") + record("https://good.kz/2", b"<p>Other</p>"),
        ),
    )
    assert sorted(decided["reason"], key=str) == [None, "withdrawn"]


@pytest.mark.parametrize("then", ["gone", "short", "other"])
def test_a_file_that_changes_between_scan_and_reading(tmp_path, then):
    one = container(tmp_path / "a", record("https://good.kz/1") + record("https://good.kz/2"))
    task, who = scan.Task("t", (one,)), judge()
    index: Any = pl.from_arrow(scan.index(task, 1 << 20))
    if then == "gone":
        (tmp_path / "a").unlink()
    else:
        (tmp_path / "a").write_bytes(b"x" * (10 if then == "short" else one.size))
    found = who.unit(task, index)
    assert [d["reason"] for d in found.decisions] == ["unreadable"] * 2 and not found.documents


def test_uris_with_personal_data_are_redacted(tmp_path):
    raw = record("https://good.kz/u?mail=aigul.test@example.org") + record("https://good.kz/plain")
    records, decided, documents = run(judge(), container(tmp_path / "a", raw))
    for frame in (records, decided, documents):
        assert not any("aigul" in str(uri) for uri in frame["uri"])
        assert "https://good.kz/plain" in frame["uri"].to_list()
    assert records["uri_hmac"].null_count() == 1
    keyed = hmac.new(b"key", b"https://good.kz/u?mail=aigul.test@example.org", "sha256")
    assert keyed.hexdigest() in records["uri_hmac"].to_list()


def test_a_container_without_records_is_one_row(tmp_path):
    records, decided, _ = run(judge(), container(tmp_path / "a", b"\n\n", "jsonl"))
    assert records["uri"].to_list() == ["raw/a"]
    assert decided.select("outcome", "reason").rows() == [("damaged", "unreadable")]


def test_a_revisit_is_dropped_and_names_what_it_repeats(tmp_path):
    said = (
        b"WARC-Refers-To-Target-URI: https://good.kz/ann@example.org\r\n"
        b"WARC-Payload-Digest: sha1:ABC\r\nWARC-Refers-To-Date: Ann\r\nContent-Type: application/http\r\n"
    )

    def revisit(uri: str, status: int) -> bytes:
        raw = gzip.decompress(record(uri, b"", status=status))
        raw = raw.replace(b"WARC-Type: response", b"WARC-Type: revisit")
        return gzip.compress(raw.replace(b"Content-Type: application/http\r\n", said, 1), mtime=0)

    uris = ["https://good.kz/1", "https://good.kz/2", "https://good.kz/3", "https://none.kz/4"]
    raw = b"".join(map(revisit, uris, (200, 304, 404, 200)))
    _, decided, _ = run(judge(), container(tmp_path / "a", raw))
    found = dict(zip(decided["uri"], decided.select("outcome", "reason").iter_rows(), strict=True))
    assert [found[u] for u in uris] == [
        ("drop", "empty"), ("drop", "empty"), ("damaged", "http-status"), ("refuse", "ungoverned")
    ]  # fmt: skip
    row = decided.filter(pl.col("uri") == uris[0]).row(0, named=True)
    assert row["rule"] == "revisit"
    assert json.loads(row["evidence"]) == {
        "refers_to_uri": "https://good.kz/<EMAIL_ADDRESS>",
        "payload_digest": "sha1:ABC",
    }


def test_a_file_of_no_known_kind_is_one_row(tmp_path):
    one = container(tmp_path / "a.png", b"\x89PNG", "unknown")
    _, decided, _ = run(judge(), one)
    assert decided.select("outcome", "reason").rows() == [("damaged", "unsupported-media-type")]


def test_units_of_a_compressed_container_unpack_it_once(tmp_path, monkeypatch):
    lines = [json.dumps({"uri": f"https://good.kz/{n}", "text": WORDS}).encode() for n in range(9)]
    one = container(tmp_path / "a", gzip.compress(b"\n".join(lines)), "jsonl")
    task = scan.Task("t", (one,))
    index = pl.DataFrame(pl.from_arrow(scan.index(task, 1 << 20)))
    opened = []
    unpacked = streams.unpacked
    monkeypatch.setattr(streams, "unpacked", lambda f: opened.append(f) or unpacked(f))
    who = judge()
    for start in range(0, 9, 2):
        found = who.unit(task, index.slice(start, 2))
        assert [d["text"] for d in found.documents] == [WORDS] * len(found.records)
    assert len(opened) == 1
    again = who.unit(task, index.slice(0, 2))  # a unit that is done over reads backwards
    assert len(again.documents) == 2
    who.cursor.close()


def test_what_became_of_charsets_is_told_and_counted(tmp_path):
    told = (
        "<p>Ауылдағы жаңа кітапхана келесі дүйсенбіде ашылады, барлық тұрғындар шақырылады. "
        "Мұнда балаларға арналған үлкен бөлме де болады, қызық кештер өткізіледі.</p>"
    )
    pages = (
        record("https://good.kz/1", told.encode()),
        record("https://good.kz/2", told.encode("kz1048"), media_type="text/html;charset=cp1251"),
        record("https://good.kz/3", told.encode().decode("koi8-r").encode()),
    )
    task = scan.Task("t", (container(tmp_path / "a", b"".join(pages)),))
    index = pl.from_arrow(scan.index(task, 1 << 20))
    found = judge().unit(task, index)
    assert [d["text"] for d in found.documents] == [told[3:-4]] * 3
    evidence = [json.loads(d["evidence"]).get("charset") for d in found.decisions]
    assert evidence[0] is None
    assert evidence[1] == {"declared": "cp1251", "used": "kz1048", "overruled": True}
    assert evidence[2]["repaired"] == ["utf-8 read as koi8-r"]
    assert found.charsets == {"overruled": 1, "utf-8 read as koi8-r": 1}
