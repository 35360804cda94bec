"""croissant.json: a release in Croissant 1.1 with Croissant-RAI 1.0, PROV and ODRL, as JSON-LD.

This module writes the whole file itself.  mlcroissant can read the file, but when it writes one it
changes `odrl:Offer` and loses the conditions of use.  The digests in the file are those of the data
files.  The manifest has the digest of this file.
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
PARQUET: Final = "application/x-parquet"  # the media type that mlcroissant reads

#: The context of the specification's Appendix 1; schema.org has the prefix that its tools use.
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
    "doc_id": "The document's id: the key to all lineage tables.",
    "text": "The text; placeholders replace the personal data that was found.",
    "lang": "The identified language: ISO 639-1, else ISO 639-3.",
    "script": "The identified script: ISO 15924.",
    "source_id": "The source: the id of its entry in the register.",
    "licence": "The licence: an SPDX expression; the register explains each LicenseRef.",
    "uri": "The record's address; personal data in it is redacted.",
    "captured_at": "When the record was captured.",
    "n_chars": "Number of code points in the text.",
    "n_tokens": "Number of tokens in the text; null if the parameters name no tokenizer.",
    "domain": "The subject of the text; null if it is not known.",
    "quality": "A classifier's score from 0 to 1; null if the parameters name no classifier.",
}
#: Column -> the PROV property by which it annotates the text.
_PROVENANCE: Final = {"uri": "prov:wasDerivedFrom", "source_id": "prov:wasAttributedTo"}


def description(facts: Facts) -> dict[str, Any]:
    """Return the description as a JSON value."""
    manifest, sizes, sources = facts.manifest, facts.sizes(), facts.sources.values()
    languages = facts.sizes_by("lang")["lang"].to_list()
    urls = sorted({url for s in sources for url in s.licence_urls} | _licences_without_url(facts))
    return {
        "@context": dict(CONTEXT),
        "@type": "sc:Dataset",
        "@id": facts.urn,
        "conformsTo": list(CONFORMS_TO),
        "name": manifest["name"],
        "description": (
            f"{sizes['documents']} documents in {len(languages)} languages from "
            f"{len(facts.sources)} governed sources. Each document has a licence and a lineage."
        ),
        "url": facts.urn,
        "version": manifest["as_of"].replace("-", "."),
        "sdVersion": manifest["code_version"],
        "datePublished": manifest["as_of"],
        "isLiveDataset": False,
        "inLanguage": languages,
        "license": urls,
        "citeAs": f"{manifest['name']}, {manifest['as_of']}, {facts.urn}",
        "creator": {"@type": "sc:Organization", "name": "not stated: to be filled by the issuer"},
        "keywords": sorted({"text corpus", "language models", "data provenance", *languages}),
        "usageInfo": [_offer(source) for source in sources],
        "prov:wasGeneratedBy": {
            "@type": "prov:Activity",
            "prov:label": f"tamga {manifest['code_version']}, parameters {manifest['params_sha256']}, "
            f"register {manifest['register_sha256']}",
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


def _licences_without_url(facts: Facts) -> set[str]:
    """Return the names of the licences that have no address."""
    return {s.licence for s in facts.sources.values() if not s.licence_urls}


def _offer(source: ReleasedSource) -> dict[str, Any]:
    """Return the register's grant for a source as an ODRL offer: purposes, term, countries, duties."""
    basis, residency = source.basis, source.entry.get("residency")
    limits = [_limit("odrl:purpose", "odrl:isAnyOf", sorted(basis["purposes"]))]
    if basis.get("expires_on"):
        limits.append(_limit("odrl:dateTime", "odrl:lteq", basis["expires_on"]))
    if residency is not None:
        limits.append(_limit("odrl:spatial", "odrl:isAnyOf", sorted(residency)))
    duties = [
        {"@type": "odrl:Duty", "odrl:action": {"@id": action}}
        for action, is_required in (
            ("cc:Attribution", source.duties.attribution),
            ("cc:ShareAlike", source.duties.share_alike),
        )
        if is_required
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
    """Return the properties of Croissant-RAI that the lineage knows."""
    sizes, redactions = facts.sizes(), facts.manifest["counts"].get("redactions") or {}
    kinds = sorted({s.acquired_as for s in facts.sources.values()})
    by_language = facts.sizes_by("lang").sort("chars", descending=True)
    shares = ", ".join(
        f"{lang} {chars / max(sizes['chars'], 1):.1%}"
        for lang, chars in by_language.select("lang", "chars").iter_rows()
    )
    timeframe = [day for day in (sizes["first"], sizes["last"]) if day]
    return {
        "rai:dataCollection": "Records of governed sources only: each source has an entry in a "
        "register with licence, lawful basis and evidence. The lineage shows which opt-outs were "
        "honoured.",
        "rai:dataCollectionType": kinds,
        "rai:dataCollectionTimeframe": timeframe,
        "rai:dataPreprocessingProtocol": [
            "text extracted from its container",
            "language identified",
            "quality rules applied",
            "exact duplicates and near-duplicates removed",
            "personal data replaced by placeholders",
        ],
        "rai:personalSensitiveInformation": [f"{k}: {n} replaced" for k, n in redactions.items()],
        "rai:dataBiases": f"Characters by language: {shares or 'none'}.",
        "rai:dataUseCases": facts.manifest["purpose"],
        "rai:dataReleaseMaintenancePlan": "A release never changes; after a withdrawal a new release is "
        "published.",
    }


def _distribution(facts: Facts) -> Iterator[dict[str, Any]]:
    for name, entry in facts.data_files.items():
        yield {
            "@type": "cr:FileObject",
            "@id": name,
            "name": name,
            "contentUrl": name,
            "contentSize": f"{entry['bytes']} B",
            "encodingFormat": PARQUET,
            "sha256": entry["sha256"],
        }
    if facts.data_files:
        yield {
            "@type": "cr:FileSet",
            "@id": FILES,
            "name": FILES,
            "description": "All documents, with at least one file for each language.",
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
    field = _column(name, f"documents/{name}", kind)
    if name == "text":
        field["annotation"] = [
            _column(column, f"documents/text/{column}", DATA[column])
            | {"equivalentProperty": prov_property}
            for column, prov_property in _PROVENANCE.items()
        ]
    return field


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
