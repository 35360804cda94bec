"""From a unit of an index to records, decisions and documents: where the gate stands.

A record is judged in the design's order: its envelope, the register, captures that are signals,
HTTP status and media type, then headers and page.  Only what passes is decoded.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import polars as pl

from lineage.storage import redacted_names
from pipelines.engine import decisions as ledger
from pipelines.ingest import declared_fields, scan, text_extraction
from pipelines.ingest.gate import Gate, Verdict
from pipelines.ingest.readers.records import Content, Cursor, Envelope
from pipelines.ingest.readers.registry import reader
from pipelines.ingest.signals import licences
from pipelines.ingest.signals.hosts import HostSignals
from pipelines.ingest.signals.observed import Observation
from pipelines.personal_data.uris import redact_uris
from schemas.register import Register
from schemas.tables import DOCUMENTS, RECORDS
from schemas.urls import hosts

CONTENT_RULE = "1"


@dataclass
class Intake:
    """A unit's outcome, before it becomes tables."""

    records: list[dict[str, Any]] = field(default_factory=list)
    decisions: list[dict[str, Any]] = field(default_factory=list)
    documents: list[dict[str, Any]] = field(default_factory=list)
    charsets: Counter[str] = field(default_factory=Counter)  # overruled, and repaired, by kind


@dataclass(frozen=True)
class RecordJudge:
    """What judging a record takes."""

    gate: Gate
    register: Register
    signals: HostSignals
    coinciding: Mapping[str, int]
    max_record_bytes: int
    extractor: str = "resiliparse"
    cursor: Cursor = field(default_factory=Cursor)

    def judge_unit(self, task: scan.Task, index: pl.DataFrame) -> Intake:
        """Judge and read the records of a unit."""
        out = Intake()
        sources = self.register.match(index["uri"], task.collection).to_list()
        names = hosts(index["uri"]).to_list()
        pending: list[_Pending] = []
        for row, source_id, host in zip(index.iter_rows(named=True), sources, names, strict=True):
            container = task.containers[row["container"]]
            doc_id = self._doc_id(row, container)
            record = {name: row.get(name) for name in RECORDS.names} | {
                "doc_id": doc_id,
                "source_id": source_id,
                "media_type": row["media_type"] or None,
                "collection": task.collection,
                "container": container.uri,
                "container_sha256": container.sha256,
            }
            verdict, seen = self._before(row, doc_id, source_id, host)
            verdict = self._withdrawn(row, container) or verdict
            if verdict:
                out.records.append(record)
                self._decide(out, record, verdict)
            else:
                pending.append(_Pending(record, row, container, seen))
        for one, body in _read_bodies(pending, self.max_record_bytes, self.cursor):
            self._read(out, one, body)
        return out

    def _doc_id(self, row: Mapping[str, Any], container: Any) -> str:
        level = self.coinciding.get(row["base_id"], 0)
        return _id_at(row, container, level) if level else str(row["base_id"])

    def _withdrawn(self, row: Mapping[str, Any], container: Any) -> Verdict | None:
        """A copy of a record gives both a longer id: a withdrawal bars it under each of them."""
        if "document" not in self.gate.withdrawals.scopes:
            return None
        return self.gate.check_document_withdrawal(_possible_ids(row, container))

    def _before(
        self, row: Mapping[str, Any], doc_id: str, source_id: str | None, host: str | None
    ) -> tuple[Verdict | None, Sequence[Observation]]:
        """What can be said before the body is read."""
        if row["error"]:
            return _damaged_verdict(row["error"], detail=row["detail"]), ()
        uri = row["uri"] or ""
        if row["signal"]:
            return self.gate.check_signal(source_id, uri, doc_id), ()
        seen: Sequence[Observation] = ()
        if host in self.signals.hosts and source_id:
            seen = self.signals.observations(uri, row["captured_at"] or "")
        status, media_type = row["http_status"], row["media_type"]
        answered = status is None or status == 200
        revisit = row["revisit"]
        refused = self.gate.check_register(
            source_id, uri, doc_id, seen, page_follows=answered and not revisit
        )
        if refused:
            return refused, seen
        if revisit and (answered or status == 304):
            return _revisit_verdict(revisit), seen
        if not answered:
            return _damaged_verdict("http-status", status=status), seen
        if not text_extraction.is_supported(media_type):
            return _damaged_verdict("unsupported-media-type", media_type=media_type or None), seen
        return None, seen

    def _read(self, out: Intake, one: _Pending, body: Content) -> None:
        record = one.record
        document = text_extraction.extract_document(body, self.max_record_bytes, self.extractor)
        record |= {"charset": document.used, "charset_declared": document.declared}
        out.records.append(record)
        source_id = record["source_id"]
        verdict = None
        if document.error:
            verdict = _damaged_verdict(document.error, detail=document.detail)
        else:
            follow = partial(
                self.signals.follow,
                uri=one.row["uri"] or "",
                captured_at=record["captured_at"] or "",
            )
            declared = (body.headers, document.metas, document.links, document.jsonld)
            verdict = self.gate.check_page(source_id, one.seen, *declared, follow=follow)
        if verdict is None and not document.text.strip():
            verdict = Verdict(
                "drop", "empty", "content", CONTENT_RULE, {"chars": len(document.text)}
            )
        if verdict is None and "text" in self.gate.withdrawals.scopes:
            digest = hashlib.sha256(document.text.encode()).hexdigest()
            verdict = self.gate.check_text_withdrawal(digest)
        if verdict is None:
            verdict = self.gate.keep(source_id, one.seen, licences.detect_licences(*declared))
            if self.gate.lifted_withdrawals.scopes:
                digest = hashlib.sha256(document.text.encode()).hexdigest()
                ids = _possible_ids(one.row, one.container)
                lifted = self.gate.reinstatement_evidence(
                    source_id, record["uri"] or "", ids, digest
                )
                verdict = replace(verdict, evidence={**verdict.evidence, **lifted})
            if told := text_extraction.charset_evidence(document):
                verdict = replace(verdict, evidence={**verdict.evidence, "charset": told})
                out.charsets.update(str(repair) for repair in document.repairs)
                out.charsets.update(["overruled"] * document.overruled)
            out.documents.append(
                {
                    "doc_id": record["doc_id"],
                    "source_id": source_id,
                    "uri": record["uri"],
                    "captured_at": record["captured_at"],
                    "title": document.title,
                    "text": document.text,
                }
            )
        self._decide(out, record, verdict)

    def _decide(self, out: Intake, record: Mapping[str, Any], verdict: Verdict) -> None:
        """Enter a verdict; of a governed record, with the policy pack that was applied."""
        source_id = record["source_id"]
        policy = {} if source_id is None else {"policy": self.gate.policy_evidence(source_id)}
        out.decisions.append(
            {
                "doc_id": record["doc_id"],
                "uri": record["uri"],
                "outcome": verdict.outcome,
                "reason": verdict.reason,
                "rule": verdict.rule,
                "rule_version": verdict.rule_version,
                "evidence": ledger.evidence({**verdict.evidence, **policy}),
            }
        )


def _possible_ids(row: Mapping[str, Any], container: Any) -> list[str]:
    """A record's id, and those that it has where others coincide with it."""
    return [_id_at(row, container, level) for level in range(3)]


def _id_at(row: Mapping[str, Any], container: Any, level: int) -> str:
    """A record's id as it is, or as it would be where others coincide with it (`scan.doc_id`)."""
    envelope = Envelope(
        row["locator"],
        row["offset"],
        row["length"],
        row["uri"],
        row["payload_sha256"],
        row["captured_at"],
        error=row["error"],
    )
    return scan.doc_id(envelope, container, level)


@dataclass(slots=True)
class _Pending:
    record: dict[str, Any]
    row: Mapping[str, Any]
    container: Any
    seen: Sequence[Observation]


def _read_bodies(
    pending: Sequence[_Pending], limit: int, cursor: Cursor
) -> Iterator[tuple[_Pending, Content]]:
    """Each pending record with its body; a container is opened once, and a
    compressed stream is read on from where the last unit left it."""
    start = 0
    while start < len(pending):
        container = pending[start].container
        stop = start
        while stop < len(pending) and pending[stop].container is container:
            stop += 1
        some = pending[start:stop]
        wanted = [(one.row["offset"], one.row["length"]) for one in some]
        bodies = reader(container.format).contents(
            scan.container_source(container, limit, cursor), wanted
        )
        for one in some:
            try:
                body = next(bodies, None)
            except Exception as error:  # a file that changed or vanished since the scan
                body, bodies = Content(error="unreadable", detail=type(error).__name__), iter(())
            yield (
                one,
                body
                or Content(error="unreadable", detail="the container changed since it was scanned"),
            )
        start = stop


def _damaged_verdict(reason: str, **seen: Any) -> Verdict:
    rule = "envelope" if reason == "unreadable" else "content"
    return Verdict(
        "damaged", reason, rule, CONTENT_RULE, {k: v for k, v in seen.items() if v is not None}
    )


def _revisit_verdict(revisit: str) -> Verdict:
    """A revisit carries no text of its own, only the word of the crawler that an earlier capture
    has the same.  It is no `exact-duplicate`: nothing was measured, and what it refers to may be
    refused, or in another crawl.  The evidence names it, so that it can be found."""
    forms = {
        "refers_to_uri": _redact_uri,
        "refers_to_date": declared_fields.capture_time,
        "payload_digest": declared_fields.digest,
        "profile": _redact_uri,
    }
    named = {name: forms[name](value) for name, value in json.loads(revisit).items()}
    told = {name: value for name, value in named.items() if value is not None}
    return Verdict("drop", "empty", "revisit", CONTENT_RULE, told)


def _redact_uri(uri: str) -> str | None:
    return redact_uris(pl.Series([uri]))[0]


def to_tables(
    found: Intake, run_id: str, secret: bytes
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """records, decisions and documents as frames in the shape of their tables, sorted by doc_id.

    A URI or file name in which a recogniser finds personal data is redacted in all three;
    `records` keeps its HMAC under `secret`.
    """
    decision = ("doc_id", "uri", "outcome", "reason", "rule", "rule_version", "evidence")
    numbers = {"offset": pl.Int64, "length": pl.Int64, "http_status": pl.Int32}
    records = _to_frame(found.records, RECORDS.names, numbers).sort("doc_id")
    documents = _to_frame(found.documents, DOCUMENTS.names, {}).sort("doc_id")
    decided = ledger.decisions(_to_frame(found.decisions, decision, {}), "ingest", run_id)
    return (
        redact_columns(records, {"uri": "uri_hmac", "container": "container_hmac"}, secret),
        redact_columns(decided, {"uri": None}, secret),
        redact_columns(documents, {"uri": None}, secret),
    )


def _to_frame(
    rows: list[dict[str, Any]], names: Sequence[str], types: Mapping[str, type[pl.DataType]]
) -> pl.DataFrame:
    return pl.DataFrame(rows, schema={name: types.get(name, pl.String) for name in names})


def redact_columns(
    frame: pl.DataFrame, columns: Mapping[str, str | None], secret: bytes
) -> pl.DataFrame:
    """A frame with personal data in `columns` replaced; each names the column for the HMAC of what
    stood there, if it has one."""
    for name, keyed in columns.items():
        old = frame[name]
        new = redact_uris(old.clone())  # which it may change in place
        changed = (old != new).fill_null(False)
        frame = frame.with_columns(new.alias(name))
        if keyed and changed.any():
            digests = [
                redacted_names.keyed_digest(secret, value) if hit and value else None
                for value, hit in zip(old, changed, strict=True)
            ]
            frame = frame.with_columns(pl.Series(keyed, digests, dtype=pl.String))
    return frame
