"""Run events of OpenLineage as JSON values: START, COMPLETE and FAIL of a stage."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from schemas.canonical import canonical_json

SPEC: Final = "https://openlineage.io/spec"
SCHEMA_URL: Final = f"{SPEC}/2-0-2/OpenLineage.json#/$defs/RunEvent"
#: Schema of the `tamga_` facets: `schemas/openlineage/1-0-0.json`. A published version never changes.
TAMGA_SCHEMA: Final = "urn:tamga:openlineage:1-0-0"
NAMESPACE: Final = "tamga"
MAX_MESSAGE_CHARS: Final = 2000


@dataclass(frozen=True)
class Run:
    """A stage's execution as it is known at its start.

    Args:
      release: name of the release.
      stage: name of the stage.
      run_id: id of the run; the same work has the same id.
      code_version: version of the code that runs.
      started: time in ISO 8601 with a zone.
      inputs: (name, digest) of each input; personal data in names is already redacted.
      policy: the fields of TamgaPolicyRunFacet except `outcomes` and `reasons`.
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
    """The result of a stage.

    Args:
      digest: digest of the output; None: not known.
      documents: number of kept documents.
      outcomes: outcome -> number of records.
      reasons: `outcome reason` -> number of records.
      facets: further dataset facets of the output.
    """

    digest: str | None
    documents: int
    outcomes: Mapping[str, int] = field(default_factory=dict)
    reasons: Mapping[str, int] = field(default_factory=dict)
    facets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def start(run: Run) -> dict[str, Any]:
    """Return the START event of a run."""
    return _event(
        "START", run, run.started, {"tamga_policy": _policy(run, {})}, [_output(run, None)]
    )


def complete(run: Run, ended: str, output: Output) -> dict[str, Any]:
    """Return the COMPLETE event of a run; `ended` is a time in ISO 8601 with a zone."""
    results = {"outcomes": dict(output.outcomes), "reasons": dict(output.reasons)}
    facets = {"tamga_policy": _policy(run, results)}
    return _event("COMPLETE", run, ended, facets, [_output(run, output)])


def fail(run: Run, ended: str, message: str) -> dict[str, Any]:
    """Return the FAIL event of a run.

    `message` must not hold personal data.  The project's own error messages never do.
    """
    error = _facet(
        run,
        f"{SPEC}/facets/1-0-1/ErrorMessageRunFacet.json#/$defs/ErrorMessageRunFacet",
        message=message[:MAX_MESSAGE_CHARS],
        programmingLanguage="PYTHON",
    )
    facets = {"tamga_policy": _policy(run, {}), "errorMessage": error}
    return _event("FAIL", run, ended, facets, [_output(run, None)])


def licence_facet(run: Run, licences: list[dict[str, Any]]) -> dict[str, Any]:
    """Return a TamgaLicenceDatasetFacet with the rows of `rollups.licence_rows`."""
    return _tamga_facet(run, "TamgaLicenceDatasetFacet", licences=licences)


def consent_facet(run: Run, bases: list[dict[str, Any]]) -> dict[str, Any]:
    """Return a TamgaConsentDatasetFacet with the rows of `rollups.basis_rows`."""
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
        "inputs": [_dataset(run, name, digest) for name, digest in _merge_raw_files(run.inputs)],
        "outputs": outputs,
    }


def _uuid(run: Run) -> str:
    """Return the id of one execution; a repeated execution of the same work gets another id."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"urn:tamga:run:{run.run_id}:{run.started}"))


def _producer(run: Run) -> str:
    return f"urn:tamga:{run.code_version}"


def _facet(run: Run, url: str, **values: Any) -> dict[str, Any]:
    return {"_producer": _producer(run), "_schemaURL": url, **values}


def _tamga_facet(run: Run, name: str, **values: Any) -> dict[str, Any]:
    return _facet(run, f"{TAMGA_SCHEMA}#/$defs/{name}", **values)


def _policy(run: Run, results: Mapping[str, Any]) -> dict[str, Any]:
    return _tamga_facet(run, "TamgaPolicyRunFacet", **run.policy, **results)


def _merge_raw_files(inputs: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return one dataset per collection of raw files (`collection:path`); catalogues fail on too many.

    The output of a stage keeps its digest, so a catalogue can match it with the input of another
    stage.
    """
    raw_files: dict[str, list[str]] = {}
    datasets = []
    for name, digest in inputs:
        collection, raw, path = name.partition(":")
        if raw:
            raw_files.setdefault(f"raw/{collection}", []).append(f"{path} {digest}")
        else:
            datasets.append((name, digest))
    collections = [
        (name, hashlib.sha256(canonical_json(sorted(entries)).encode()).hexdigest())
        for name, entries in raw_files.items()
    ]
    return sorted(datasets + collections)


def _dataset(run: Run, name: str, version: str | None) -> dict[str, Any]:
    url = f"{SPEC}/facets/1-0-1/DatasetVersionDatasetFacet.json#/$defs/DatasetVersionDatasetFacet"
    facets = {"version": _facet(run, url, datasetVersion=version)} if version else {}
    return {"namespace": NAMESPACE, "name": f"{run.release}/{name}", "facets": facets}


def _output(run: Run, output: Output | None) -> dict[str, Any]:
    dataset = _dataset(run, run.stage, output.digest if output else None)
    if output is None:
        return dataset
    dataset["facets"] |= output.facets
    url = (
        f"{SPEC}/facets/1-0-2/OutputStatisticsOutputDatasetFacet.json"
        "#/$defs/OutputStatisticsOutputDatasetFacet"
    )
    statistics = _facet(run, url, rowCount=output.documents)
    return dataset | {"outputFacets": {"outputStatistics": statistics}}
