"""spdx.json: a release as a `DatasetPackage` of SPDX 3.0.1, in its JSON-LD form.

What nobody has looked at stands as `noAssertion`, never as a guess.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from lineage.reports.facts import Facts, ReleasedSource

CONTEXT: Final = "https://spdx.org/rdf/3.0.1/spdx-context.jsonld"
INFO: Final = "_:creation"


def document(facts: Facts) -> dict[str, Any]:
    """The document as a JSON value: a graph of elements that name each other by `spdxId`."""
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
    for made in (*_licences(facts, dataset), *_files(facts, dataset)):
        elements.append(made["spdxId"])
        yield made
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
    about, sizes = facts.manifest, facts.sizes()
    redactions = about["counts"].get("redactions") or {}
    kinds = ", ".join(sorted({s.acquired_as for s in facts.sources.values()}))
    told = {
        "name": about["name"],
        "description": f"{sizes['documents']} documents, {sizes['chars']} characters.",
        "software_packageVersion": facts.urn.rpartition(":")[2],
        "software_primaryPurpose": "data",
        "software_downloadLocation": facts.urn,
        "releaseTime": as_of,
        "builtTime": as_of,
        "dataset_datasetType": ["text"],
        "dataset_datasetSize": sum(f["bytes"] for f in facts.data_files.values()),
        "dataset_dataCollectionProcess": "Records of governed sources alone, acquired as: "
        f"{kinds or 'none'}; opt-outs honoured as lineage tells.",
        "dataset_dataPreprocessing": [
            "text extraction",
            "language identification",
            "quality rules",
            "removal of exact and near-duplicates",
            "replacement of personal data by placeholders",
        ],
        "dataset_anonymizationMethodUsed": [
            f"placeholder in place of {kind}: {n}" for kind, n in redactions.items()
        ],
        "dataset_hasSensitivePersonalInformation": "noAssertion",
        "dataset_intendedUse": about["purpose"],
        "dataset_datasetUpdateMechanism": "A release is not changed; a new one follows it.",
        "dataset_datasetAvailability": "directDownload",
    }
    if publishers:
        told["originatedBy"] = publishers
    told = {k: v for k, v in told.items() if v not in ([], "")}
    return _element(id, "dataset_DatasetPackage", **told)


def _licences(facts: Facts, dataset: str) -> Iterator[dict[str, Any]]:
    """The expressions, the texts of those of our own, and that the dataset is under them."""
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
    for i, (name, about) in enumerate(facts.data_files.items()):
        ids.append(f"{facts.urn}:file:{i}")
        yield _element(
            ids[-1],
            "software_File",
            name=name,
            software_primaryPurpose="data",
            contentType="application/vnd.apache.parquet",
            verifiedUsing=[{"type": "Hash", "algorithm": "sha256", "hashValue": about["sha256"]}],
        )
    if ids:
        yield _relation(f"{facts.urn}:contains", dataset, "contains", ids)


def _relation(id: str, start: str, kind: str, ends: list[str]) -> dict[str, Any]:
    return _element(id, "Relationship", **{"from": start}, to=ends, relationshipType=kind)
