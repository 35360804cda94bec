"""spdx.json: a release as a `DatasetPackage` of SPDX 3.0.1, in its JSON-LD form.

A fact that nobody has examined is `noAssertion`; it is never guessed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from lineage.reports.facts import Facts, ReleasedSource

CONTEXT: Final = "https://spdx.org/rdf/3.0.1/spdx-context.jsonld"
INFO: Final = "_:creation"


def document(facts: Facts) -> dict[str, Any]:
    """Return the document as a JSON value: a graph whose elements refer to each other by `spdxId`."""
    return {"@context": CONTEXT, "@graph": list(_graph(facts))}


def _graph(facts: Facts) -> Iterator[dict[str, Any]]:
    base, as_of = facts.urn, f"{facts.manifest['as_of']}T00:00:00Z"
    agent, dataset = f"{base}:tamga", f"{base}:dataset"
    yield {
        "@id": INFO,
        "type": "CreationInfo",
        "specVersion": "3.0.1",
        "created": as_of,
        "createdBy": [agent],
    }
    name = f"tamga {facts.manifest['code_version']}"
    yield _element(agent, "SoftwareAgent", name=name)
    publishers = sorted({s.entry["publisher"] for s in facts.sources.values()})
    agents = {p: f"{base}:publisher:{i}" for i, p in enumerate(publishers)}
    for publisher, id in agents.items():
        yield _element(id, "Organization", name=publisher)
    yield _dataset(facts, dataset, list(agents.values()), as_of)
    elements = [agent, *agents.values(), dataset]
    for element in (*_licences(facts, dataset), *_files(facts, dataset)):
        elements.append(element["spdxId"])
        yield element
    yield _element(
        f"{base}:document",
        "SpdxDocument",
        name=facts.manifest["name"],
        profileConformance=["core", "software", "simpleLicensing", "dataset"],
        rootElement=[dataset],
        element=elements,
    )


def _element(id: str, kind: str, **more: Any) -> dict[str, Any]:
    return {"type": kind, "spdxId": id, "creationInfo": INFO, **more}


def _dataset(facts: Facts, id: str, publishers: list[str], as_of: str) -> dict[str, Any]:
    manifest, sizes = facts.manifest, facts.sizes()
    redactions = manifest["counts"].get("redactions") or {}
    kinds = ", ".join(sorted({s.acquired_as for s in facts.sources.values()}))
    properties = {
        "name": manifest["name"],
        "description": f"{sizes['documents']} documents, {sizes['chars']} characters.",
        "software_packageVersion": facts.urn.rpartition(":")[2],
        "software_primaryPurpose": "data",
        "software_downloadLocation": facts.urn,
        "releaseTime": as_of,
        "builtTime": as_of,
        "dataset_datasetType": ["text"],
        "dataset_datasetSize": sum(f["bytes"] for f in facts.data_files.values()),
        "dataset_dataCollectionProcess": "Records of governed sources only, acquired as: "
        f"{kinds or 'none'}. The lineage shows which opt-outs were honoured.",
        "dataset_dataPreprocessing": [
            "text extraction",
            "language identification",
            "quality rules",
            "removal of exact duplicates and near-duplicates",
            "replacement of personal data by placeholders",
        ],
        "dataset_anonymizationMethodUsed": [
            f"placeholder for {kind}: {n}" for kind, n in redactions.items()
        ],
        "dataset_hasSensitivePersonalInformation": "noAssertion",
        "dataset_intendedUse": manifest["purpose"],
        "dataset_datasetUpdateMechanism": "A release never changes. Changes are published as a new "
        "release.",
        "dataset_datasetAvailability": "directDownload",
    }
    if publishers:
        properties["originatedBy"] = publishers
    properties = {key: value for key, value in properties.items() if value not in ([], "")}
    return _element(id, "dataset_DatasetPackage", **properties)


def _licences(facts: Facts, dataset: str) -> Iterator[dict[str, Any]]:
    """Yield the texts of each `LicenseRef-…`, the expressions, and their relation to the dataset."""
    by_expression: dict[str, list[ReleasedSource]] = {}
    for source in facts.sources.values():
        by_expression.setdefault(source.licence, []).append(source)
    texts = {}
    for i, (ref, terms) in enumerate(sorted((facts.manifest.get("licences") or {}).items())):
        texts[ref] = f"{facts.urn}:licence-text:{i}"
        words = [terms.get(key) for key in ("title", "citation", "url", "text")]
        yield _element(
            texts[ref],
            "simplelicensing_SimpleLicensingText",
            name=ref,
            simplelicensing_licenseText="\n".join(word for word in words if word),
        )
    ids = []
    for i, expression in enumerate(sorted(by_expression)):
        ids.append(f"{facts.urn}:licence:{i}")
        custom = [
            {"type": "DictionaryEntry", "key": ref, "value": id}
            for ref, id in texts.items()
            if ref in expression.replace("(", " ").replace(")", " ").split()
        ]
        more = {"simplelicensing_customIdToUri": custom} if custom else {}
        yield _element(
            ids[-1],
            "simplelicensing_LicenseExpression",
            simplelicensing_licenseExpression=expression,
            **more,
        )
    if ids:
        yield _relation(f"{facts.urn}:declares", dataset, "hasDeclaredLicense", ids)


def _files(facts: Facts, dataset: str) -> Iterator[dict[str, Any]]:
    ids = []
    for i, (name, entry) in enumerate(facts.data_files.items()):
        ids.append(f"{facts.urn}:file:{i}")
        yield _element(
            ids[-1],
            "software_File",
            name=name,
            software_primaryPurpose="data",
            contentType="application/vnd.apache.parquet",
            verifiedUsing=[{"type": "Hash", "algorithm": "sha256", "hashValue": entry["sha256"]}],
        )
    if ids:
        yield _relation(f"{facts.urn}:contains", dataset, "contains", ids)


def _relation(id: str, start: str, kind: str, ends: list[str]) -> dict[str, Any]:
    return _element(id, "Relationship", **{"from": start}, to=ends, relationshipType=kind)
