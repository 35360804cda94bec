"""A run event of OpenLineage as a JSON value: START, COMPLETE or FAIL of a stage."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from schemas.canonical import canonical_json

SPEC: Final = "https://openlineage.io/spec"
SCHEMA_URL: Final = f"{SPEC}/2-0-2/OpenLineage.json#/$defs/RunEvent"
#: Where our facets are defined: `schemas/openlineage/1-0-0.json`, which never changes.
TAMGA_SCHEMA: Final = "urn:tamga:openlineage:1-0-0"
NAMESPACE: Final = "tamga"
MAX_MESSAGE_CHARS: Final = 2000


@dataclass(frozen=True)
class Run:
    """What is known of a stage's execution when it starts.

    `inputs`: name -> digest; names with personal data come redacted.  `policy`: the fields of
    TamgaPolicyRunFacet but for what came out.
    """

    release: str
    stage: str
    run_id: str
    code_version: str
    started: str
    inputs: Iterable[tuple[str, str]]
    policy: Mapping[str, Any]


@dataclass(frozen=True)
class Output:
    """What a stage made: its digest, its documents, how records ended, and facets of its own."""

    digest: str | None
    documents: int
    outcomes: Mapping[str, int] = field(default_factory=dict)
    reasons: Mapping[str, int] = field(default_factory=dict)
    facets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def start(run: Run) -> dict[str, Any]:
    """The event that a stage begins."""
    return _event(
        "START", run, run.started, {"tamga_policy": _policy(run, {})}, [_output(run, None)]
    )


def complete(run: Run, ended: str, output: Output) -> dict[str, Any]:
    """The event that it is published; `ended` in ISO 8601 with a zone."""
    told = {"outcomes": dict(output.outcomes), "reasons": dict(output.reasons)}
    facets = {"tamga_policy": _policy(run, told)}
    return _event("COMPLETE", run, ended, facets, [_output(run, output)])


def fail(run: Run, ended: str, message: str) -> dict[str, Any]:
    """The event that it stopped; `message` holds no personal data, as no message of ours does."""
    error = _facet(
        run,
        f"{SPEC}/facets/1-0-1/ErrorMessageRunFacet.json#/$defs/ErrorMessageRunFacet",
        message=message[:MAX_MESSAGE_CHARS],
        programmingLanguage="PYTHON",
    )
    facets = {"tamga_policy": _policy(run, {}), "errorMessage": error}
    return _event("FAIL", run, ended, facets, [_output(run, None)])


def licence_facet(run: Run, licences: list[dict[str, Any]]) -> dict[str, Any]:
    """TamgaLicenceDatasetFacet."""
    return _tamga_facet(run, "TamgaLicenceDatasetFacet", licences=licences)


def consent_facet(run: Run, bases: list[dict[str, Any]]) -> dict[str, Any]:
    """TamgaConsentDatasetFacet."""
    return _tamga_facet(run, "TamgaConsentDatasetFacet", bases=bases)


def _event(
    kind: str, run: Run, at: str, facets: dict[str, Any], outputs: list[dict[str, Any]]
) -> dict[str, Any]:
    job_type = _facet(
        run,
        f"{SPEC}/facets/2-0-4/JobTypeJobFacet.json#/$defs/JobTypeJobFacet",
        processingType="BATCH",
        integration="TAMGA",
        jobType="STAGE",
    )
    return {
        "eventType": kind,
        "eventTime": at,
        "producer": _producer(run),
        "schemaURL": SCHEMA_URL,
        "run": {"runId": _uuid(run), "facets": facets},
        "job": {
            "namespace": NAMESPACE,
            "name": f"{run.release}.{run.stage}",
            "facets": {"jobType": job_type},
        },
        "inputs": [_dataset(run, *one) for one in _merge_raw_files(run.inputs)],
        "outputs": outputs,
    }


def _uuid(run: Run) -> str:
    """Of one execution: the same work done again is another run."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"urn:tamga:run:{run.run_id}:{run.started}"))


def _producer(run: Run) -> str:
    return f"urn:tamga:{run.code_version}"


def _facet(run: Run, url: str, **values: Any) -> dict[str, Any]:
    return {"_producer": _producer(run), "_schemaURL": url, **values}


def _tamga_facet(run: Run, name: str, **values: Any) -> dict[str, Any]:
    return _facet(run, f"{TAMGA_SCHEMA}#/$defs/{name}", **values)


def _policy(run: Run, told: Mapping[str, Any]) -> dict[str, Any]:
    return _tamga_facet(run, "TamgaPolicyRunFacet", **run.policy, **told)


def _merge_raw_files(inputs: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """A dataset per collection of raw files (`collection:path`), not per file: catalogues choke on
    those.  What a stage made keeps its digest, by which it is found as another's input."""
    found: dict[str, list[str]] = {}
    whole = []
    for name, digest in inputs:
        collection, raw, path = name.partition(":")
        if raw:
            found.setdefault(f"raw/{collection}", []).append(f"{path} {digest}")
        else:
            whole.append((name, digest))
    files = [
        (name, hashlib.sha256(canonical_json(sorted(parts)).encode()).hexdigest())
        for name, parts in found.items()
    ]
    return sorted(whole + files)


def _dataset(run: Run, name: str, version: str | None) -> dict[str, Any]:
    url = f"{SPEC}/facets/1-0-1/DatasetVersionDatasetFacet.json#/$defs/DatasetVersionDatasetFacet"
    facets = {"version": _facet(run, url, datasetVersion=version)} if version else {}
    return {"namespace": NAMESPACE, "name": f"{run.release}/{name}", "facets": facets}


def _output(run: Run, output: Output | None) -> dict[str, Any]:
    made = _dataset(run, run.stage, output.digest if output else None)
    if output is None:
        return made
    made["facets"] |= output.facets
    url = (
        f"{SPEC}/facets/1-0-2/OutputStatisticsOutputDatasetFacet.json"
        "#/$defs/OutputStatisticsOutputDatasetFacet"
    )
    statistics = _facet(run, url, rowCount=output.documents)
    return made | {"outputFacets": {"outputStatistics": statistics}}
