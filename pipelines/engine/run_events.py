"""Emit OpenLineage events for a stage.  This does not affect its output."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from lineage.openlineage import events, rollups
from pipelines.personal_data.uri_redaction import redact_uri
from schemas.duties import duties
from schemas.register import Register
from schemas.stages import RELEASE

if TYPE_CHECKING:
    from pipelines.engine.context import Context


@contextmanager
def emit_events(
    context: Context, run: Mapping[str, Any]
) -> Iterator[Callable[[Mapping[str, Any]], None]]:
    """Emit START before the block, FAIL if it raises.

    Args:
      context: its parameters name the transports.
      run: run_id, stage, code_version, params_sha256, inputs, started.

    Yields:
      A function that emits COMPLETE for a stage's summary.
    """
    emitter = context.events

    def complete(summary: Mapping[str, Any]) -> dict[str, Any]:
        event_run = _event_run(context, run)
        return events.complete(event_run, _now(), _event_output(context, event_run, summary))

    emitter.emit(lambda: events.start(_event_run(context, run)))
    try:
        yield lambda summary: emitter.emit(lambda: complete(summary))
    except BaseException as error:
        message = _safe_message(error)
        emitter.emit(lambda: events.fail(_event_run(context, run), _now(), message))
        raise


def _event_run(context: Context, run: Mapping[str, Any]) -> events.Run:
    params = context.params
    return events.Run(
        release=params.release.name,
        stage=run["stage"],
        run_id=run["run_id"],
        code_version=run["code_version"],
        started=run["started"],
        inputs=[(redact_uri(name), digest) for name, digest in run["inputs"].items()],
        policy={
            "purpose": params.purpose,
            "asOf": params.as_of.isoformat(),
            "storageCountry": params.storage_country,
            "signals": params.signals,
            "paramsSha256": run["params_sha256"],
        },
    )


def _event_output(context: Context, run: events.Run, summary: Mapping[str, Any]) -> events.Output:
    from pipelines.engine.published import digest

    totals = summary["totals"]
    outcomes = totals.get("outcome", {})
    facets = {}
    if run.stage == RELEASE:  # earlier stages count the sources of their input
        sources = list(_source_terms(context.register))
        counted = totals.get("source", {})
        facets = {
            "tamga_licence": events.licence_facet(run, rollups.licence_rows(sources, counted)),
            "tamga_consent": events.consent_facet(run, rollups.basis_rows(sources, counted)),
        }
    return events.Output(
        digest=digest(summary["files"]),
        documents=outcomes.get("keep", 0),
        outcomes=outcomes,
        reasons=totals.get("reason", {}),
        facets=facets,
    )


def _source_terms(register: Register) -> Iterator[rollups.SourceTerms]:
    terms = {name: asdict(term) for name, term in register.licences.items()}
    """The terms of each registered source."""
    for source in register.sources.values():
        ends, spdx = source.basis.expires_on, source.licence.spdx
        yield rollups.SourceTerms(
            id=source.id,
            licence=spdx,
            duties=duties(spdx, terms),
            basis=source.basis.kind,
            expires_on=ends.isoformat() if ends else None,
            has_evidence=source.evidence_sha256 is not None,
        )


def _safe_message(error: BaseException) -> str:
    """The error's class, and the message if it is our own: others may quote personal data."""
    kind = type(error)
    ours = kind.__module__.partition(".")[0] in ("pipelines", "lineage", "schemas")
    return f"{kind.__name__}: {error}" if ours else kind.__name__


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
