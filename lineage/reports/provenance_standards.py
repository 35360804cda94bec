"""A release in the Data Provenance Standards 1.0.0 of the Data & Trust Alliance, as JSON.

Field names are those of its schema: Source, Provenance, Use.  Of its code lists only the code
`ai-pre-training` could be checked.  `x-tamga` names the codes that are not verified and the fields
that the issuer must fill.
"""

from __future__ import annotations

from typing import Any, Final

from lineage.reports.facts import Facts

#: Purpose in the register -> code of the intended use, and whether the code was verified.
PURPOSES: Final = {
    "pretraining": ("ai-pre-training", True),
    "finetuning": ("ai-fine-tuning", False),
    "evaluation": ("ai-evaluation", False),
    "redistribution": ("redistribution", False),
}
_OPEN: Final = (
    "source.issuer",
    "source.location",
    "provenance.previous-date",
    "use.classification",
    "use.processing-included",
    "use.processing-excluded",
    "use.storage-forbidden",
    "use.copyright",
    "use.patent",
    "use.trademark",
)


def metadata(facts: Facts) -> dict[str, Any]:
    """Return the metadata as a JSON value; `x-tamga` names the fields that only the issuer knows."""
    code, verified = PURPOSES[facts.manifest["purpose"]]
    unverified = ["provenance.generation-method.code", "use.privacy-enhancing.tool-category.code"]
    if not verified:
        unverified.append("use.intended-purpose.code")
    return {
        "source": _source(facts),
        "provenance": _provenance(facts),
        "use": _use(facts, code),
        "x-tamga": {"to-be-filled-by-the-issuer": list(_OPEN), "codes-not-verified": unverified},
    }


def _source(facts: Facts) -> dict[str, Any]:
    sizes = facts.sizes()
    return {
        "version": "1.0.0",
        "title": facts.manifest["name"],
        "id": facts.urn,
        "issuer": [{"name": "to be filled by the issuer"}],
        "description": f"{sizes['documents']} documents, {sizes['chars']} characters, from "
        f"{len(facts.sources)} governed sources, for the purpose {facts.manifest['purpose']}.",
    }


def _provenance(facts: Facts) -> dict[str, Any]:
    sources, sizes = facts.sources.values(), facts.sizes()
    period = {key: day for key, day in (("start", sizes["first"]), ("end", sizes["last"])) if day}
    provenance: dict[str, Any] = {
        "source": "lineage/sources",
        "origin": [{"name": name} for name in sorted({s.entry["publisher"] for s in sources})],
        "origin-geography": _countries({s.entry["jurisdiction"] for s in sources}),
        "date": facts.manifest["as_of"],
        "generation-method": [
            {"code": kind, "description": f"number of sources acquired as {kind}: {number}"}
            for kind, number in sorted(_kinds(facts).items())
        ],
        "format": ["text"],
    }
    return provenance | ({"generation-period": period} if period else {})


def _kinds(facts: Facts) -> dict[str, int]:
    kinds = [s.acquired_as for s in facts.sources.values()]
    return {kind: kinds.count(kind) for kind in kinds}


def _use(facts: Facts, code: str) -> dict[str, Any]:
    sources = facts.sources.values()
    redactions = facts.manifest["counts"].get("redactions") or {}
    consents = [
        f"register/evidence/{s.basis['evidence']} SHA-256 {s.evidence_sha256}"
        for s in sources
        if s.basis["kind"] == "consent"
    ]
    use: dict[str, Any] = {
        "consents": consents,
        "privacy-enhancing": [
            {
                "tool-category": {"code": "masking", "description": f"placeholder for {kind}"},
                "tool-used": f"tamga {facts.manifest['code_version']}",
                "result": [f"{number} replaced"],
            }
            for kind, number in redactions.items()
        ],
        "storage-allowed": _countries(storage_countries(facts) or set()),
        "license": sorted({s.licence for s in sources}),
        "intended-purpose": [{"code": code, "description": facts.manifest["purpose"]}],
    }
    return {key: value for key, value in use.items() if value}


def storage_countries(facts: Facts) -> set[str] | None:
    """Return the countries in which all sources allow storage; None: any country."""
    allowed = [s.entry["residency"] for s in facts.sources.values() if "residency" in s.entry]
    return set.intersection(*map(set, allowed)) if allowed else None


def _countries(codes: set[str]) -> list[dict[str, str]]:
    return [{"country": code} for code in sorted(codes)]
