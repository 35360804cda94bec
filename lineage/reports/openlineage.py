"""A release's runs as OpenLineage events, for a catalogue that was not there when it was made."""

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
    """START and COMPLETE of each stage, in their order.

    Raises:
      NoRelease: where the release's `runs` are not there.
    """
    counts = _counts(facts)
    return [event for row in run_rows(facts) for event in _events(facts, row, counts)]


def _events(facts: Facts, row: Mapping[str, Any], counts: pl.DataFrame) -> Iterator[dict[str, Any]]:
    about = facts.manifest
    run = events.Run(
        release=about["name"],
        stage=row["stage"],
        run_id=row["run_id"],
        code_version=row["code_version"],
        started=row["started"],
        inputs=[(name, digest) for name, digest in json.loads(row["inputs"])],
        policy={
            "purpose": about["purpose"],
            "asOf": about["as_of"],
            "storageCountry": about.get("storage_country") or "not recorded",
            "signals": (about.get("opt_outs") or {}).get("signals") or "not recorded",
            "paramsSha256": row["params_sha256"],
        },
    )
    mine = counts.filter(pl.col("stage") == run.stage)
    released = run.stage == RELEASE
    reasons = {f"{o} {r}": n for o, r, n in mine.drop("stage").rows() if r is not None}
    outcomes = dict(mine.group_by("outcome").agg(pl.col("n").sum()).sort("outcome").rows())
    if released:  # what it keeps stands in `documents`, not among decisions
        outcomes |= {"keep": about["counts"]["documents"]}
    output = events.Output(
        digest=row["outputs"],
        documents=outcomes.get("keep", 0),
        outcomes=outcomes,
        reasons=reasons,
        facets=_facets(facts, run) if released else {},
    )
    yield events.start(run)
    yield events.complete(run, row["ended"], output)


def _counts(facts: Facts) -> pl.DataFrame:
    """stage, outcome, reason, n over all decisions."""
    keys = ("stage", "outcome", "reason")
    counted = facts.table("decisions").group_by(*keys).len("n").sort(*keys)
    return counted.collect(engine="streaming")


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
