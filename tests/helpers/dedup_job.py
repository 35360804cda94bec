"""The job `dedup` on texts alone, as the stage wires it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from lineage.storage import disk
from pipelines.corpus.stage_tables import Corpus
from pipelines.dedup.plan import DedupPlan
from pipelines.dedup.release_index import IndexEntry, ReleasedRights
from pipelines.dedup.stage import wire
from pipelines.engine import runners, shards
from schemas.sections import DedupParams
from schemas.tables import DOCUMENTS


@dataclass(frozen=True)
class Job:
    """The tables that a finished job wrote."""

    decisions: pl.DataFrame
    duplicates: pl.DataFrame
    evidence: dict[str, dict[str, object]] = field(init=False)

    def __post_init__(self) -> None:
        rows = self.decisions.select("doc_id", "evidence").iter_rows()
        object.__setattr__(self, "evidence", {d: json.loads(e) for d, e in rows})

    @property
    def kept(self) -> set[str]:
        return set(self.decisions.filter(pl.col("outcome") == "keep")["doc_id"])


def run_dedup(
    folder: Path,
    documents: dict[str, tuple[str, str]],
    params: DedupParams | None = None,
    number: int = 3,
    claimed: int | None = None,
    workers: int = 1,
    languages: dict[str, str] | None = None,
    known: tuple[IndexEntry, ...] = (),
    captured: dict[str, str] | None = None,
    refused: dict[str, tuple[str, str]] | None = None,
    rights: ReleasedRights | None = None,
    uris: dict[str, str] | None = None,
) -> Job:
    """Deduplicate.

    Args:
      folder: where the job works.
      documents: doc_id -> source and text; sources that begin with `i` are institutional.
      number: how many shards.
      languages: doc_id -> language, of those that have one.
      known: earlier releases; all sources are lawful, unless `rights` say otherwise.
      uris: doc_id -> URI; by default the URI is derived from doc_id.
      captured: doc_id -> capture time; by default all are equal.
      refused: doc_id -> reason and text of records that ingest refused; all copies must be lawful.
      claimed: how many documents the job expects. It wires its rounds for that number.
    """
    rows = pl.DataFrame(
        [
            (d, s, (uris or {}).get(d, f"urn:{d}"), (captured or {}).get(d, "2026"), None, t)
            for d, (s, t) in documents.items()
        ],
        DOCUMENTS.names,
        orient="row",
    ).sort("doc_id")
    names = tuple(f"s{n}" for n in range(number))
    for n, name in enumerate(names):
        some = rows.filter(pl.int_range(pl.len()) % number == n)
        decided = some.select("doc_id", outcome=pl.lit("keep"))
        labels = some.select(
            "doc_id",
            lang=pl.col("doc_id").replace_strict(
                languages or {}, default=None, return_dtype=pl.String
            ),
        )
        no = (refused or {}) if n == 0 else {}
        every = [*some["doc_id"], *no]
        texts = [*some["text"], *(text for _, text in no.values())]
        digests = [hashlib.sha256(text.encode()).hexdigest() for text in texts]
        records = {"doc_id": every, "payload_sha256": digests}
        outcomes = ["keep"] * some.height + ["refuse"] * len(no)
        reasons = [None] * some.height + [reason for reason, _ in no.values()]
        gate = {"doc_id": every, "outcome": outcomes, "reason": reasons}
        for path, table in (
            ("ingest/records", pl.DataFrame(records).cast(pl.String).to_arrow()),
            ("ingest/decisions", pl.DataFrame(gate).cast(pl.String).to_arrow()),
            ("ingest/documents", some.to_arrow().cast(DOCUMENTS)),
            ("quality/decisions", decided.to_arrow()),
            ("language/language", labels.cast(pl.String).to_arrow()),
        ):
            content = shards.parquet_bytes(table)
            disk.write_bytes(folder / path / f"{name}.parquet", content)
    sources = sorted({s for s, _ in documents.values()})
    plan = DedupPlan(
        state=shards.State(str(folder / "state")),
        corpus=Corpus(str(folder)),
        shards=names,
        params=params or DedupParams(),
        ranks={s: n for n, s in enumerate(sources)},
        licences={},
        distinguishing=tuple(s for s in sources if s.startswith("i")),
        run_id="run",
        document_count=claimed or rows.height,
        earlier=known,
        rights=rights or ReleasedRights(frozenset(e for entry in known for e in entry.sources)),
        all_lawful=refused is not None,
    )
    runners.run(lambda pipeline: wire(pipeline, plan), (), workers)
    tables = (
        pl.concat([pl.read_parquet(plan.state.path(t, n)) for n in names]).sort("doc_id")
        for t in ("decisions", "duplicates")
    )
    return Job(*tables)
