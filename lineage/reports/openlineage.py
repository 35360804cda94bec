"""The runs of a finished release as OpenLineage events, for a catalogue that was added later."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl

from lineage.openlineage import events, rollups
from lineage.reports.facts import Facts
from lineage.reports.prov_document import run_rows
from schemas.stages import RELEASE


def replay(facts: Facts) -> list[dict[str, Any]]:
    """Return the START and COMPLETE events of each stage, in the order of the stages.

    Raises:
      NoRelease: if the release has no `runs` table.
    """
    counts = _counts(facts)
    return [event for row in run_rows(facts) for event in _events(facts, row, counts)]


def _events(facts: Facts, row: Mapping[str, Any], counts: pl.DataFrame) -> Iterator[dict[str, Any]]:
    manifest = facts.manifest
    run = events.Run(
        release=manifest["name"],
        stage=row["stage"],
        run_id=row["run_id"],
        code_version=row["code_version"],
        started=row["started"],
        inputs=[(name, digest) for name, digest in json.loads(row["inputs"])],
        policy={
            "purpose": manifest["purpose"],
            "asOf": manifest["as_of"],
            "storageCountry": manifest.get("storage_country") or "not recorded",
            "signals": (manifest.get("opt_outs") or {}).get("signals") or "not recorded",
            "paramsSha256": row["params_sha256"],
        },
    )
    stage_counts = counts.filter(pl.col("stage") == run.stage)
    is_release = run.stage == RELEASE
    reasons = {
        f"{outcome} {reason}": n
        for outcome, reason, n in stage_counts.drop("stage").rows()
        if reason is not None
    }
    outcomes = dict(stage_counts.group_by("outcome").agg(pl.col("n").sum()).sort("outcome").rows())
    if is_release:  # its kept records are in `documents`, not in `decisions`
        outcomes |= {"keep": manifest["counts"]["documents"]}
    output = events.Output(
        digest=row["outputs"],
        documents=outcomes.get("keep", 0),
        outcomes=outcomes,
        reasons=reasons,
        facets=_facets(facts, run) if is_release else {},
    )
    yield events.start(run)
    yield events.complete(run, row["ended"], output)


def _counts(facts: Facts) -> pl.DataFrame:
    """Count all decisions: stage, outcome, reason, n."""
    keys = ("stage", "outcome", "reason")
    by_reason = facts.table("decisions").group_by(*keys).len("n").sort(*keys)
    return by_reason.collect(engine="streaming")


def _facets(facts: Facts, run: events.Run) -> dict[str, Any]:
    documents = dict(facts.sizes_by("source_id").select("source_id", "documents").rows())
    sources = [
        rollups.SourceTerms(
            id=source.id,
            licence=source.licence,
            duties=source.duties,
            basis=source.basis["kind"],
            expires_on=source.basis.get("expires_on"),
            has_evidence=source.evidence_sha256 is not None,
        )
        for source in facts.sources.values()
    ]
    return {
        "tamga_licence": events.licence_facet(run, rollups.licence_rows(sources, documents)),
        "tamga_consent": events.consent_facet(run, rollups.basis_rows(sources, documents)),
    }
