"""croissant.json: a release in Croissant 1.1 with Croissant-RAI 1.0, PROV and ODRL, as JSON-LD.

Written here in full: mlcroissant reads it, but rewrites `odrl:Offer` and would lose the conditions
of use.  Digests are those of the data files; the manifest has the digest of this file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from lineage.reports.facts import Facts, ReleasedSource
from schemas.columns import DATA

CONFORMS_TO: Final = (
    "http://mlcommons.org/croissant/1.1",
    "http://mlcommons.org/croissant/RAI/1.0",
)
FILES: Final = "documents-files"
PARQUET: Final = "application/x-parquet"  # the name by which mlcroissant reads it

#: Appendix 1 of the specification, with schema.org under the name that its tools use.
CONTEXT: Final[Mapping[str, Any]] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "annotation": "cr:annotation",
    "arrayShape": "cr:arrayShape",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "containedIn": "cr:containedIn",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "description": {"@container": "@language"},
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "excludes": "cr:excludes",
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isArray": "cr:isArray",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "name": {"@container": "@language"},
    "parentField": "cr:parentField",
    "path": "cr:path",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "readLines": "cr:readLines",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "sdVersion": "cr:sdVersion",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
    "unArchive": "cr:unArchive",
    "value": "cr:value",
    "cc": "http://creativecommons.org/ns#",
    "odrl": "http://www.w3.org/ns/odrl/2/",
    "prov": "http://www.w3.org/ns/prov#",
}

_COLUMNS: Final = {
    "doc_id": "Names the document: the key to all lineage tables.",
    "text": "The text; personal data that was found stands as a placeholder.",
    "lang": "Language as identified: ISO 639-1, else 639-3.",
    "script": "Script as identified: ISO 15924.",
    "source_id": "The governed source, an entry of the register.",
    "licence": "The licence: an SPDX expression, or a LicenseRef of the register.",
    "uri": "The record's address, redacted where it held personal data.",
    "captured_at": "When the record was captured.",
    "n_chars": "Code points of the text.",
    "n_tokens": "Tokens of the text; null where no tokenizer was named.",
    "domain": "What the text is about; null where nothing tells.",
    "quality": "A classifier's score from 0 to 1; null where none was named.",
}
#: Column -> what it is of the text, as an annotation with a property of PROV.
_PROVENANCE: Final = {"uri": "prov:wasDerivedFrom", "source_id": "prov:wasAttributedTo"}


def description(facts: Facts) -> dict[str, Any]:
    """The description as a JSON value."""
    about, sizes, sources = facts.manifest, facts.sizes(), facts.sources.values()
    languages = facts.sizes_by("lang")["lang"].to_list()
    urls = sorted({url for s in sources for url in s.licence_urls} | _unlinked(facts))
    return {
        "@context": dict(CONTEXT),
        "@type": "sc:Dataset",
        "@id": facts.urn,
        "conformsTo": list(CONFORMS_TO),
        "name": about["name"],
        "description": (
            f"{sizes['documents']} documents in {len(languages)} languages from "
            f"{len(facts.sources)} governed sources, each with licence and lineage."
        ),
        "url": facts.urn,
        "version": about["as_of"].replace("-", "."),
        "sdVersion": about["code_version"],
        "datePublished": about["as_of"],
        "isLiveDataset": False,
        "inLanguage": languages,
        "license": urls,
        "citeAs": f"{about['name']}, {about['as_of']}, {facts.urn}",
        "creator": {"@type": "sc:Organization", "name": "not stated: to be filled by the issuer"},
        "keywords": sorted({"text corpus", "language models", "data provenance", *languages}),
        "usageInfo": [_offer(source) for source in sources],
        "prov:wasGeneratedBy": {
            "@type": "prov:Activity",
            "prov:label": f"tamga {about['code_version']}, parameters {about['params_sha256']}, "
            f"register {about['register_sha256']}",
        },
        "prov:wasDerivedFrom": [{"@id": _source_id(source)} for source in sources],
        "prov:wasAttributedTo": [
            {"@type": "prov:Agent", "prov:label": name}
            for name in sorted({source.attribution for source in sources})
        ],
        **_rai(facts),
        "distribution": list(_distribution(facts)),
        "recordSet": [_record_set(facts)] if facts.data_files else [],
    }


def _source_id(source: ReleasedSource) -> str:
    return f"urn:tamga:source:{source.id}"


def _unlinked(facts: Facts) -> set[str]:
    """Licences of our own that have no address stand by their name."""
    return {s.licence for s in facts.sources.values() if not s.licence_urls}


def _offer(source: ReleasedSource) -> dict[str, Any]:
    """What the register grants of a source, as an ODRL offer: purposes, how long, where, duties."""
    basis, residency = source.basis, source.entry.get("residency")
    limits = [_limit("odrl:purpose", "odrl:isAnyOf", sorted(basis["purposes"]))]
    if basis.get("expires_on"):
        limits.append(_limit("odrl:dateTime", "odrl:lteq", basis["expires_on"]))
    if residency is not None:
        limits.append(_limit("odrl:spatial", "odrl:isAnyOf", sorted(residency)))
    duties = [
        {"@type": "odrl:Duty", "odrl:action": {"@id": action}}
        for action, asked in (
            ("cc:Attribution", source.duties.attribution),
            ("cc:ShareAlike", source.duties.share_alike),
        )
        if asked
    ]
    permission = {
        "@type": "odrl:Permission",
        "odrl:target": {"@id": _source_id(source)},
        "odrl:action": {"@id": "odrl:use"},
        "odrl:constraint": limits,
    }
    return {
        "@type": ["CreativeWork", "odrl:Offer"],
        "@id": f"{_source_id(source)}:offer",
        "name": f"{source.entry['title']}: {source.licence}",
        "odrl:assigner": source.entry["publisher"],
        "odrl:permission": permission | ({"odrl:duty": duties} if duties else {}),
    }


def _limit(operand: str, operator: str, value: Any) -> dict[str, Any]:
    return {
        "@type": "odrl:Constraint",
        "odrl:leftOperand": {"@id": operand},
        "odrl:operator": {"@id": operator},
        "odrl:rightOperand": value,
    }


def _rai(facts: Facts) -> dict[str, Any]:
    """Properties of Croissant-RAI, as far as lineage knows them."""
    sizes, redactions = facts.sizes(), facts.manifest["counts"].get("redactions") or {}
    kinds = sorted({s.acquired_as for s in facts.sources.values()})
    by = facts.sizes_by("lang").sort("chars", descending=True)
    shares = ", ".join(
        f"{lang} {chars / max(sizes['chars'], 1):.1%}"
        for lang, chars in by.select("lang", "chars").iter_rows()
    )
    frame = {k: v for k, v in (("first", sizes["first"]), ("last", sizes["last"])) if v}
    return {
        "rai:dataCollection": "Records of governed sources alone: each has an entry in a register "
        "with licence, basis and evidence; opt-outs were honoured as lineage tells.",
        "rai:dataCollectionType": kinds,
        "rai:dataCollectionTimeframe": list(frame.values()),
        "rai:dataPreprocessingProtocol": [
            "text taken out of its container",
            "language identified",
            "quality rules applied",
            "exact and near-duplicates dropped",
            "personal data replaced by placeholders",
        ],
        "rai:personalSensitiveInformation": [f"{k}: {n} replaced" for k, n in redactions.items()],
        "rai:dataBiases": f"Characters by language: {shares or 'none'}.",
        "rai:dataUseCases": facts.manifest["purpose"],
        "rai:dataReleaseMaintenancePlan": "Releases are not changed; a withdrawal makes a new one.",
    }


def _distribution(facts: Facts) -> Iterator[dict[str, Any]]:
    for name, about in facts.data_files.items():
        yield {
            "@type": "cr:FileObject",
            "@id": name,
            "name": name,
            "contentUrl": name,
            "contentSize": f"{about['bytes']} B",
            "encodingFormat": PARQUET,
            "sha256": about["sha256"],
        }
    if facts.data_files:
        yield {
            "@type": "cr:FileSet",
            "@id": FILES,
            "name": FILES,
            "description": "All documents, a file or more for each language.",
            "encodingFormat": PARQUET,
            "includes": "data/*/*.parquet",
        }


def _record_set(facts: Facts) -> dict[str, Any]:
    return {
        "@type": "cr:RecordSet",
        "@id": "documents",
        "name": "documents",
        "description": "The released documents, one per row.",
        "key": {"@id": "documents/doc_id"},
        "field": [_field(*column) for column in DATA.items()],
    }


def _field(name: str, kind: str) -> dict[str, Any]:
    told = _column(name, f"documents/{name}", kind)
    if name == "text":
        told["annotation"] = [
            _column(part, f"documents/text/{part}", DATA[part]) | {"equivalentProperty": prop}
            for part, prop in _PROVENANCE.items()
        ]
    return told


def _column(name: str, id: str, kind: str) -> dict[str, Any]:
    return {
        "@type": "cr:Field",
        "@id": id,
        "name": id,
        "description": _COLUMNS[name],
        "dataType": _data_type(kind),
        "source": {"fileSet": {"@id": FILES}, "extract": {"column": name}},
    }


def _data_type(kind: str) -> str:
    if kind.startswith("int"):
        return "sc:Integer"
    return "sc:Float" if kind in ("float", "double") else "sc:Text"
