"""Judge the records of a unit by the gate, and read the documents that pass.

The order is: envelope, register, signal captures, HTTP status and media type, then headers and
page. Only records that pass so far are decoded.
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
from pipelines.ingest.signals import stated_licences
from pipelines.ingest.signals.hosts import HostSignals
from pipelines.ingest.signals.observed import Observation, Pairs
from pipelines.personal_data.uri_redaction import redact_uris
from schemas.register import Register
from schemas.tables import DOCUMENTS, RECORDS
from schemas.urls import hosts

CONTENT_RULE = "1"


@dataclass
class Intake:
    """The outcome of a unit, before it becomes tables.

    `charsets` counts overruled charsets, and repairs by kind.
    """

    records: list[dict[str, Any]] = field(default_factory=list)
    decisions: list[dict[str, Any]] = field(default_factory=list)
    documents: list[dict[str, Any]] = field(default_factory=list)
    charsets: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class RecordJudge:
    """Judges records.

    Attributes:
      gate: the gate of the run.
      register: the register.
      signals: the signal captures of the crawl.
      coinciding: ids that several records share, with the `level` of `scan.doc_id` for each.
      max_record_bytes: the most bytes of a record.
      extractor: the library that reads the main text of HTML.
      cursor: keeps a compressed container open between units.
    """

    gate: Gate
    register: Register
    signals: HostSignals
    coinciding: Mapping[str, int]
    max_record_bytes: int
    extractor: str = "resiliparse"
    cursor: Cursor = field(default_factory=Cursor)

    def judge_unit(self, task: scan.Task, index: pl.DataFrame) -> Intake:
        """Judge and read the records of a unit.

        Args:
          task: the task that the unit belongs to.
          index: the unit's rows of the index.
        """
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
            verdict, observations = self._judge_envelope(row, doc_id, source_id, host)
            verdict = self._check_document_withdrawal(row, container) or verdict
            if verdict:
                out.records.append(record)
                self._add_decision(out, record, verdict)
            else:
                pending.append(_Pending(record, row, container, observations))
        for item, body in _read_bodies(pending, self.max_record_bytes, self.cursor):
            self._judge_content(out, item, body)
        return out

    def _doc_id(self, row: Mapping[str, Any], container: Any) -> str:
        level = self.coinciding.get(row["base_id"], 0)
        return _id_at(row, container, level) if level else str(row["base_id"])

    def _check_document_withdrawal(self, row: Mapping[str, Any], container: Any) -> Verdict | None:
        """Return the verdict of a withdrawal of the record, under each id that it can have.

        A copy of a record changes the ids of both.
        """
        if "document" not in self.gate.withdrawals.scopes:
            return None
        return self.gate.check_document_withdrawal(_possible_ids(row, container))

    def _judge_envelope(
        self, row: Mapping[str, Any], doc_id: str, source_id: str | None, host: str | None
    ) -> tuple[Verdict | None, Sequence[Observation]]:
        """Judge a record before its body is read.

        Returns:
          The verdict, or None if the body must be read; and what the host's captures say of it.
        """
        if row["error"]:
            return _damaged_verdict(row["error"], detail=row["detail"]), ()
        uri = row["uri"] or ""
        if row["signal"]:
            return self.gate.check_signal(source_id, uri, doc_id), ()
        observations: Sequence[Observation] = ()
        if host in self.signals.hosts and source_id:
            observations = self.signals.observations(uri, row["captured_at"] or "")
        status, media_type = row["http_status"], row["media_type"]
        answered = status is None or status == 200
        revisit = row["revisit"]
        refused = self.gate.check_before_reading(
            source_id, uri, doc_id, observations, page_follows=answered and not revisit
        )
        if refused:
            return refused, observations
        if revisit and (answered or status == 304):
            return _revisit_verdict(revisit), observations
        if not answered:
            return _damaged_verdict("http-status", status=status), observations
        if not text_extraction.is_supported(media_type):
            verdict = _damaged_verdict("unsupported-media-type", media_type=media_type or None)
            return verdict, observations
        return None, observations

    def _judge_content(self, out: Intake, item: _Pending, body: Content) -> None:
        """Read the text of a record, judge it, and add its rows to `out`."""
        record = item.record
        document = text_extraction.extract_document(body, self.max_record_bytes, self.extractor)
        record |= {"charset": document.used, "charset_declared": document.declared}
        out.records.append(record)
        verdict = self._check_content(item, body.headers, document)
        if verdict is None:
            verdict = self._keep(item, body.headers, document)
            out.charsets.update(str(repair) for repair in document.repairs)
            out.charsets.update(["overruled"] * document.overruled)
            columns = ("doc_id", "source_id", "uri", "captured_at")
            text = {"title": document.title, "text": document.text}
            out.documents.append({name: record[name] for name in columns} | text)
        self._add_decision(out, record, verdict)

    def _check_content(
        self, item: _Pending, headers: Pairs, document: text_extraction.Document
    ) -> Verdict | None:
        """Return the first reason not to keep a record that was read; None if it is kept."""
        if document.error:
            return _damaged_verdict(document.error, detail=document.detail)
        verdict = self.gate.check_after_reading(
            item.record["source_id"],
            item.observations,
            headers,
            document.metas,
            document.links,
            document.jsonld,
            follow=partial(
                self.signals.follow,
                uri=item.row["uri"] or "",
                captured_at=item.record["captured_at"] or "",
            ),
        )
        if verdict is None and not document.text.strip():
            verdict = Verdict(
                "drop", "empty", "content", CONTENT_RULE, {"chars": len(document.text)}
            )
        if verdict is None and "text" in self.gate.withdrawals.scopes:
            verdict = self.gate.check_text_withdrawal(_text_digest(document.text))
        return verdict

    def _keep(self, item: _Pending, headers: Pairs, document: text_extraction.Document) -> Verdict:
        """Return the verdict for a record that is kept."""
        source_id = item.record["source_id"]
        stated = stated_licences.detect_licences(
            headers, document.metas, document.links, document.jsonld
        )
        verdict = self.gate.keep(source_id, item.observations, stated)
        evidence = dict(verdict.evidence)
        if self.gate.lifted_withdrawals.scopes:
            evidence |= self.gate.reinstatement_evidence(
                source_id,
                item.record["uri"] or "",
                _possible_ids(item.row, item.container),
                _text_digest(document.text),
            )
        if charset := text_extraction.charset_evidence(document):
            evidence["charset"] = charset
        return replace(verdict, evidence=evidence)

    def _add_decision(self, out: Intake, record: Mapping[str, Any], verdict: Verdict) -> None:
        """Add a verdict to `out`; for a governed record with the policy pack that was applied."""
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


def _text_digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _possible_ids(row: Mapping[str, Any], container: Any) -> list[str]:
    """Return all ids that a record can have: at each level of `scan.doc_id`."""
    return [_id_at(row, container, level) for level in range(3)]


def _id_at(row: Mapping[str, Any], container: Any, level: int) -> str:
    """Return the id of a record at a level of `scan.doc_id`."""
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
    """A record whose body must be read: its row of `RECORDS`, its row of the index, its container,
    and what the host's captures say of it."""

    record: dict[str, Any]
    row: Mapping[str, Any]
    container: Any
    observations: Sequence[Observation]


def _read_bodies(
    pending: Sequence[_Pending], limit: int, cursor: Cursor
) -> Iterator[tuple[_Pending, Content]]:
    """Yield each pending record with its body.

    A container is opened once. A compressed stream continues where the last unit stopped.
    """
    start = 0
    while start < len(pending):
        container = pending[start].container
        stop = start
        while stop < len(pending) and pending[stop].container is container:
            stop += 1
        group = pending[start:stop]
        wanted = [(item.row["offset"], item.row["length"]) for item in group]
        bodies = reader(container.format).contents(
            scan.container_source(container, limit, cursor), wanted
        )
        for item in group:
            try:
                body = next(bodies, None)
            except Exception as error:  # the file changed or vanished after the scan
                body, bodies = Content(error="unreadable", detail=type(error).__name__), iter(())
            yield (
                item,
                body
                or Content(error="unreadable", detail="the container changed since it was scanned"),
            )
        start = stop


def _damaged_verdict(reason: str, **observed: Any) -> Verdict:
    """Return the verdict for a record that cannot be read; None values are left out."""
    rule = "envelope" if reason == "unreadable" else "content"
    evidence = {k: v for k, v in observed.items() if v is not None}
    return Verdict("damaged", reason, rule, CONTENT_RULE, evidence)


def _revisit_verdict(revisit: str) -> Verdict:
    """Return the verdict for a revisit, which has no text of its own.

    A revisit holds only the crawler's claim that an earlier capture has the same content. It is not
    an `exact-duplicate`: nothing was measured, and the earlier capture may be refused or in another
    crawl. The evidence names that capture.

    Args:
      revisit: the JSON of the envelope.
    """
    forms = {
        "refers_to_uri": _redact_uri,
        "refers_to_date": declared_fields.capture_time,
        "payload_digest": declared_fields.digest,
        "profile": _redact_uri,
    }
    declared = {name: forms[name](value) for name, value in json.loads(revisit).items()}
    evidence = {name: value for name, value in declared.items() if value is not None}
    return Verdict("drop", "empty", "revisit", CONTENT_RULE, evidence)


def _redact_uri(uri: str) -> str | None:
    return redact_uris(pl.Series([uri]))[0]


def to_tables(
    intake: Intake, run_id: str, secret: bytes
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Return records, decisions and documents in the form of their tables, sorted by doc_id.

    A URI or file name with personal data is redacted in all three; `records` keeps its HMAC.

    Args:
      intake: the outcome of a unit.
      run_id: the id of the run.
      secret: the key of the HMACs.
    """
    decision = ("doc_id", "uri", "outcome", "reason", "rule", "rule_version", "evidence")
    numbers = {"offset": pl.Int64, "length": pl.Int64, "http_status": pl.Int32}
    records = _to_frame(intake.records, RECORDS.names, numbers).sort("doc_id")
    documents = _to_frame(intake.documents, DOCUMENTS.names, {}).sort("doc_id")
    decided = ledger.decisions(_to_frame(intake.decisions, decision, {}), "ingest", run_id)
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
    """Redact the personal data in columns of a frame.

    Args:
      frame: the frame.
      columns: names of columns, each with the column for the HMAC of the original value, or None.
      secret: the key of the HMACs.
    """
    for name, keyed in columns.items():
        old = frame[name]
        new = redact_uris(old.clone())  # it may change its argument in place
        changed = (old != new).fill_null(False)
        frame = frame.with_columns(new.alias(name))
        if keyed and changed.any():
            digests = [
                redacted_names.keyed_digest(secret, value) if hit and value else None
                for value, hit in zip(old, changed, strict=True)
            ]
            frame = frame.with_columns(pl.Series(keyed, digests, dtype=pl.String))
    return frame
