"""A register, a gate and raw records, and the tables that judging them gives."""

from __future__ import annotations

import hashlib
import json
from datetime import date
from pathlib import Path

import polars as pl
from helpers.compressed import gzip_bytes

from pipelines.engine import decisions
from pipelines.engine.input_files import Container
from pipelines.ingest import judge_records, scan
from pipelines.ingest.gate import Gate
from pipelines.ingest.signals.hosts import HostSignals
from pipelines.ingest.signals.observed import Capture
from schemas.params import Params
from schemas.register import Basis, Licence, Register, Source, Withdrawal
from schemas.sections import ReleaseParams
from schemas.tables import DECISIONS, DOCUMENTS, RECORDS

DAY, WHEN = date(2026, 11, 22), "2026-10-01T00:00:00Z"
WORDS = "<p>The council opened a new library on the left bank of the river, for everyone.</p>"
ROBOTS = b"User-agent: *\nDisallow: /private/\n"
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


def make_source(
    id: str,
    *domains: str,
    collections: tuple[str, ...] = (),
    until: date | None = None,
    opt_out: str = "honour",
    kind: str = "licence",
    spdx: str = "CC-BY-4.0",
) -> Source:
    """An entry of the register that grants pretraining."""
    basis = Basis(kind, "N 1", "e.txt", None, None, (), ("pretraining",), date(2025, 2, 1), until)
    return Source(
        id=id,
        title="t",
        publisher="p",
        contact="c",
        jurisdiction="KZ",
        kind="web",
        languages=("kk",),
        acquired_as="crawled",
        domains=domains,
        url_prefixes=(),
        collections=collections,
        licence=Licence(spdx),
        basis=basis,
        opt_out=opt_out,
        personal_data="scrub",
        residency=None,
        entry_json="{}",
        entry_sha256="e" * 64,
        evidence_sha256="f" * 64,
    )


SOURCES = (
    make_source("good", "good.kz"),
    make_source("old", "old.kz", until=date(2026, 1, 1)),
    make_source("deal", "deal.kz", opt_out="overridden"),
    make_source("files", collections=("files",)),
)


def make_judge(
    limit: int = 1 << 20,
    withdrawals: tuple[Withdrawal, ...] = (),
    coinciding: dict[str, int] | None = None,
) -> judge_records.RecordJudge:
    register = Register({s.id: s for s in SOURCES}, {}, withdrawals, "0" * 64)
    captures = [
        Capture(host, "robots", 200, ROBOTS, WHEN, "d" * 32)
        for host in ("good.kz", "old.kz", "deal.kz")
    ]
    return judge_records.RecordJudge(
        Gate(PARAMS, register),
        register,
        HostSignals(captures, PARAMS.robots_agents),
        coinciding or {},
        limit,
    )


def warc_member(
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
    return gzip_bytes(head.encode() + http + b"\r\n\r\n")


def write_container(
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


def judge_containers(
    who: judge_records.RecordJudge, *containers: Container
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """The tables of a unit. Checks that no record is lost and none is added."""
    task = scan.Task("t", containers)
    index = pl.from_arrow(scan.build_index(task, who.max_record_bytes))
    assert isinstance(index, pl.DataFrame)
    records, decided, documents = judge_records.to_tables(
        who.judge_unit(task, index), "run", b"key"
    )
    assert records.columns == RECORDS.names and decided.columns == DECISIONS.names
    assert documents.columns == DOCUMENTS.names
    assert records["doc_id"].to_list() == decided["doc_id"].to_list()
    assert index.height == decided.height == decided["doc_id"].n_unique()
    kept = decided.filter(pl.col("outcome") == "keep")["doc_id"].to_list()
    assert documents["doc_id"].to_list() == kept
    assert all(
        decisions.is_known_reason(o, r) for o, r in decided.select("outcome", "reason").iter_rows()
    )
    assert all(isinstance(json.loads(e), dict) for e in decided["evidence"])
    return records, decided, documents
