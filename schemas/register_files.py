"""The register's files: read, checked, and put together."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from schemas.canonical import canonical_json, sorted_unique
from schemas.errors import Invalid, Problem
from schemas.licences import LicenceTerms, normalise
from schemas.matching import MatchIndex
from schemas.register import Basis, Licence, Register, Source, Withdrawal
from schemas.validation import check, parse_date
from schemas.yaml_source import YamlSource, read

SCHEMA: Final = "register.schema.json"
#: How a source's text was acquired where its entry does not say.
ACQUIRED_AS: Final = {"web": "crawled", "institutional": "licensed"}


def read_register(directory: Path) -> Register:
    """As `schemas.register.load`."""
    folder = directory / "sources"
    if not folder.is_dir():
        raise Invalid([Problem(str(folder), None, "", "no such folder: one YAML file per source")])
    problems = _misplaced(folder)
    terms = _licences(directory / "licences.yaml", problems)
    withdrawals, lifted = _withdrawals(directory / "withdrawals.yaml", problems)
    read_entries = [
        _entry(path, terms, problems)
        for path in sorted(folder.glob("*.yaml"))
        if not path.name.startswith(".")
    ]
    entries = {e.value["id"]: e for e in read_entries if e is not None}
    if not read_entries:
        problems.append(Problem(str(folder), None, "", "holds no source: one <id>.yaml each"))
    problems += _ties(entries)
    if problems:
        raise Invalid(problems)
    sources = {id: _source(e.value, directory / "evidence") for id, e in sorted(entries.items())}
    digest = _digest(sources, terms, withdrawals, lifted)
    return Register(sources, terms, withdrawals, digest, lifted)


def _misplaced(folder: Path) -> list[Problem]:
    """Files that would be passed over in silence."""
    message = "not read: an entry is sources/<id>.yaml"
    return [
        Problem(str(p), None, "", message)
        for p in sorted(folder.rglob("*.y*ml"))
        if not p.name.startswith(".") and (p.parent != folder or p.suffix != ".yaml")
    ]


def _checked(path: Path, definition: str, problems: list[Problem]) -> YamlSource | None:
    """The file when it has no problem; else its problems are added to the list."""
    source, found = read(path)
    if source is not None:
        found = found + check(source, SCHEMA, definition)
    problems += found
    return None if found else source


def _licences(path: Path, problems: list[Problem]) -> dict[str, LicenceTerms]:
    source = _checked(path, "licences", problems) if path.exists() else None
    terms = source.value if source is not None else {}
    return {
        id: LicenceTerms(
            id,
            t["title"],
            t.get("url"),
            tuple(t["purposes"]),
            t["attribution"],
            t["share_alike"],
            t.get("text"),
            t.get("jurisdiction"),
            t.get("citation"),
            t.get("verified_on"),
            t.get("unverified", False),
        )
        for id, t in sorted(terms.items())
        if id != "schema_version"
    }


def _withdrawals(
    path: Path, problems: list[Problem]
) -> tuple[tuple[Withdrawal, ...], tuple[Withdrawal, ...]]:
    """Those that bar, and those that were lifted."""
    source = _checked(path, "withdrawals", problems) if path.exists() else None
    rows = sorted_unique(
        {k: v for k, v in w.items() if k != "schema_version"}
        for w in (source.value if source is not None else ())
    )
    read = [
        Withdrawal(
            w["scope"],
            w["value"],
            _date(w["recorded_on"]),
            w["ground"],
            w.get("reason", "withdrawn"),
            w.get("lifted_by_case", w.get("case")),
            tuple(w.get("documents", ())),
            tuple(w.get("parts", ())),
        )
        for w in rows
    ]
    lifted = ["lifted_on" in w for w in rows]
    return (
        tuple(w for w, gone in zip(read, lifted, strict=True) if not gone),
        tuple(w for w, gone in zip(read, lifted, strict=True) if gone),
    )


def _entry(
    path: Path, terms: Mapping[str, LicenceTerms], problems: list[Problem]
) -> YamlSource | None:
    source, found = read(path)
    if source is not None:
        found = found + check(source, SCHEMA, "entry")
        if isinstance(source.value, dict):
            found += _meaning(source, path.stem, terms)
    problems += found
    return None if found else source


def _meaning(source: YamlSource, stem: str, terms: Mapping[str, LicenceTerms]) -> list[Problem]:
    """What a schema cannot say of an entry."""
    out = []
    id = source.value.get("id")
    if isinstance(id, str) and id != stem:
        out.append(source.problem(("id",), f"must be the file's name, {stem}", id))
    licence, basis = source.value.get("licence"), source.value.get("basis")
    spdx = licence.get("spdx") if isinstance(licence, dict) else None
    if isinstance(spdx, str) and spdx.strip():
        try:
            normalise(spdx, terms)
        except ValueError as error:
            message = f"must be an SPDX licence expression, e.g. CC-BY-4.0: {error}"
            out.append(source.problem(("licence", "spdx"), message, spdx))
    if isinstance(basis, dict):
        first, last = (basis.get(k) for k in ("granted_on", "expires_on"))
        if isinstance(first, str) and isinstance(last, str):
            start, end = parse_date(first), parse_date(last)
            if start and end and end < start:
                message = f"must not be before granted_on ({first})"
                out.append(source.problem(("basis", "expires_on"), message, last))
    return out


def _ties(entries: Mapping[str, YamlSource]) -> list[Problem]:
    index, out = MatchIndex(), []
    for id, source in sorted(entries.items()):
        match = source.value["match"]
        keys = [tuple(match.get(k, ())) for k in ("domains", "url_prefixes", "collections")]
        for kind, position, holder in index.add(id, *keys):
            message = f"claimed by {holder} and by {id}: {kind} belong to one entry"
            value = match[kind][position]
            out.append(source.problem(("match", kind, position), message, value))
    return out


def _source(entry: Mapping[str, Any], evidence: Path) -> Source:
    match, licence, basis = entry["match"], entry["licence"], entry["basis"]
    text = canonical_json(entry)
    return Source(
        id=entry["id"],
        title=entry["title"],
        publisher=entry["publisher"],
        contact=entry["contact"],
        jurisdiction=entry["jurisdiction"],
        kind=entry["kind"],
        languages=tuple(entry["languages"]),
        acquired_as=entry.get("acquired_as", ACQUIRED_AS[entry["kind"]]),
        domains=tuple(match.get("domains", ())),
        url_prefixes=tuple(match.get("url_prefixes", ())),
        collections=tuple(match.get("collections", ())),
        licence=Licence(normalise(licence["spdx"]), licence.get("url"), licence.get("attribution")),
        basis=_basis(basis),
        opt_out=entry.get("opt_out", "honour"),
        personal_data=entry.get("personal_data", "scrub"),
        residency=tuple(entry["residency"]) if "residency" in entry else None,
        entry_json=text,
        entry_sha256=hashlib.sha256(text.encode()).hexdigest(),
        evidence_sha256=_file_digest(evidence / basis["evidence"]),
    )


def _basis(basis: Mapping[str, Any]) -> Basis:
    dates = {
        k: _date(basis[k]) for k in ("verified_on", "expires_on", "withdrawn_on") if k in basis
    }
    return Basis(
        kind=basis["kind"],
        reference=basis["reference"],
        evidence=basis["evidence"],
        verified_by=basis.get("verified_by"),
        verified_on=dates.get("verified_on"),
        url_scope=tuple(basis.get("url_scope", ())),
        purposes=tuple(basis["purposes"]),
        granted_on=_date(basis["granted_on"]),
        expires_on=dates.get("expires_on"),
        withdrawn_on=dates.get("withdrawn_on"),
    )


def _date(text: str) -> Any:
    return parse_date(text)


def _file_digest(path: Path) -> str | None:
    """SHA-256 of a file; None when it is missing, empty or cannot be read.  Links are followed:
    DVC may link evidence from its cache; a path that leaves the folder is refused before."""
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            return digest if file.tell() else None
    except OSError:
        return None


def _digest(
    sources: Mapping[str, Source],
    terms: Mapping[str, LicenceTerms],
    withdrawals: tuple[Withdrawal, ...],
    lifted: tuple[Withdrawal, ...],
) -> str:
    """SHA-256 of the register's content: not of its place, nor of the order in its files."""
    content = {
        "sources": {id: [s.entry_sha256, s.evidence_sha256] for id, s in sources.items()},
        "licences": {
            id: [t.title, t.url, sorted(t.purposes), t.attribution, t.share_alike]
            + [x for x in (t.text, t.jurisdiction, t.citation, t.verified_on) if x is not None]
            + ([True] if t.unverified else [])
            for id, t in terms.items()
        },
        "withdrawals": sorted_unique(map(_told, withdrawals)),
    }
    if lifted:
        content["lifted"] = sorted_unique(map(_told, lifted))
    return hashlib.sha256(canonical_json(content).encode()).hexdigest()


def _told(one: Withdrawal) -> list[Any]:
    reason = one.reason if one.reason != "withdrawn" else None
    ids = {"documents": sorted(one.documents), "parts": sorted(one.parts)}
    more = [x for x in (one.case, reason, {k: v for k, v in ids.items() if v}) if x]
    return [one.scope, one.value, one.recorded_on.isoformat(), one.ground, *more]
