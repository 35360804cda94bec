"""The history of one record in PROV-JSON (W3C member submission of 24 April 2013).

A whole corpus would be too large for one PROV file, so the report covers one record.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

import polars as pl

from lineage.reports.facts import Facts
from lineage.storage.release_tables import NoRelease
from schemas.columns import RUNS
from schemas.errors import NO, TamgaError
from schemas.stages import STAGES

PREFIX: Final = {"tamga": "urn:tamga:", "prov": "http://www.w3.org/ns/prov#"}


class NoRecord(TamgaError):
    """The release has no record with this id."""

    exit_code = NO


def document(facts: Facts, doc_id: str) -> dict[str, Any]:
    """Return the history of a record as a PROV-JSON value.

    Raises:
      NoRecord: if the release has no record with this id.
    """
    records = _rows(facts, "records", doc_id)
    if not records:
        raise NoRecord(f"the release {facts.manifest['name']} has no record with the id {doc_id}")
    record = records[0]
    decisions = sorted(_rows(facts, "decisions", doc_id), key=lambda d: STAGES.index(d["stage"]))
    released = _rows(facts, "documents", doc_id)
    source = _source(facts, record["source_id"])
    raw, text = f"tamga:record-{doc_id}", f"tamga:document-{doc_id}"
    graph: dict[str, Any] = {
        "prefix": PREFIX,
        "entity": {raw: _attributes(record)},
        "activity": {},
        "agent": {"tamga:software": {"prov:type": "prov:SoftwareAgent"}},
        "used": {},
        "wasAssociatedWith": {},
        "wasInformedBy": {},
    }
    runs = _runs(facts)
    previous = None
    for step in decisions:
        id = f"tamga:step-{step['stage']}-{doc_id}"
        graph["activity"][id] = _activity(step, runs.get(step["run_id"], {}))
        graph["used"][f"_:u-{step['stage']}"] = {"prov:activity": id, "prov:entity": raw}
        graph["wasAssociatedWith"][f"_:a-{step['stage']}"] = {
            "prov:activity": id,
            "prov:agent": "tamga:software",
        }
        if previous:
            graph["wasInformedBy"][f"_:i-{step['stage']}"] = {
                "prov:informed": id,
                "prov:informant": previous,
            }
        previous = id
    if released:
        _add_document(graph, text, raw, released[0], previous, _rows(facts, "redactions", doc_id))
    if source:
        _add_source(graph, raw, source)
    return {name: members for name, members in graph.items() if members}


def _rows(facts: Facts, table: str, doc_id: str) -> list[dict[str, Any]]:
    return facts.table(table).filter(pl.col("doc_id") == doc_id).collect().to_dicts()


def _source(facts: Facts, id: str | None) -> dict[str, Any] | None:
    rows = facts.table("sources").filter(pl.col("source_id") == (id or "")).collect().to_dicts()
    return rows[0] if rows else None


def run_rows(facts: Facts) -> list[dict[str, Any]]:
    """Return the rows of `runs` in the order of the stages; the manifest does not list these files.

    Raises:
      NoRelease: if the release has no `runs` table.
    """
    files = sorted((facts.folder / "lineage/runs").glob("*.parquet"))
    if not files:
        raise NoRelease(f"{facts.folder}/lineage/runs is missing")
    rows = pl.read_parquet(files, columns=list(RUNS), hive_partitioning=False).to_dicts()
    return sorted(rows, key=lambda row: STAGES.index(row["stage"]))


def _runs(facts: Facts) -> dict[str, dict[str, Any]]:
    return {row["run_id"]: row for row in run_rows(facts)}


def _attributes(row: Mapping[str, Any], *leave_out: str) -> dict[str, Any]:
    """Return the values of a row that are not null, under keys with the prefix `tamga:`."""
    return {f"tamga:{k}": v for k, v in row.items() if v is not None and k not in leave_out}


def _activity(step: Mapping[str, Any], run: Mapping[str, Any]) -> dict[str, Any]:
    attributes = _attributes(step, "doc_id", "uri")
    times = {"prov:startTime": run.get("started"), "prov:endTime": run.get("ended")}
    known = {"tamga:code_version": run.get("code_version"), "tamga:models": run.get("models")}
    return attributes | {k: v for k, v in {**times, **known}.items() if v}


def _add_document(
    graph: dict[str, Any],
    text: str,
    raw: str,
    row: Mapping[str, Any],
    step: str | None,
    redactions: list[dict[str, Any]],
) -> None:
    classes = sorted({span["entity_type"] for span in redactions})
    graph["entity"][text] = _attributes(row) | {"tamga:redacted": ", ".join(classes) or "nothing"}
    graph["wasDerivedFrom"] = {
        "_:d": {"prov:generatedEntity": text, "prov:usedEntity": raw}
        | ({"prov:activity": step} if step else {})
    }
    if step:
        graph["wasGeneratedBy"] = {"_:g": {"prov:entity": text, "prov:activity": step}}


def _add_source(graph: dict[str, Any], raw: str, source: Mapping[str, Any]) -> None:
    """Add the publisher, and the licence and evidence on which the use of the record rests."""
    entry = json.loads(source["entry"])
    publisher, right = f"tamga:source-{source['source_id']}", f"tamga:right-{source['source_id']}"
    graph["agent"][publisher] = {
        "prov:type": "prov:Organization",
        "prov:label": entry["publisher"],
    }
    graph["entity"][right] = {
        "tamga:licence": source["licence"],
        "tamga:jurisdiction": source["jurisdiction"],
        "tamga:basis": entry["basis"]["kind"],
        "tamga:reference": entry["basis"]["reference"],
        "tamga:granted_on": entry["basis"]["granted_on"],
        "tamga:entry_sha256": source["entry_sha256"],
        "tamga:evidence_sha256": source["evidence_sha256"] or "missing",
    }
    graph["wasAttributedTo"] = {"_:o": {"prov:entity": raw, "prov:agent": publisher}}
    gate = next((id for id in graph["activity"] if id.startswith("tamga:step-ingest-")), None)
    if gate:
        graph["used"]["_:u-right"] = {"prov:activity": gate, "prov:entity": right}
