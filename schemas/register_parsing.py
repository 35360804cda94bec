"""Check the parsed files of a register and build the register from them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from schemas.canonical import canonical_json, sorted_unique
from schemas.errors import Invalid, Problem
from schemas.licences import LicenceTerms, normalise
from schemas.matching import MatchIndex
from schemas.register import ACQUIRED_AS, Basis, Licence, Register, Source, Withdrawal
from schemas.schema_check import check, parse_date
from schemas.yaml_source import ParsedFile, YamlSource

SCHEMA: Final = "register.schema.json"


@dataclass(frozen=True)
class RegisterFiles:
    """A register's files, parsed.

    Args:
      folder: the folder of entries, as problems name it.
      entries: the entries, by their files' names without `.yaml`.
      licences: `licences.yaml`; None: there is no such file.
      withdrawals: `withdrawals.yaml`; None: there is no such file.
    """

    folder: str
    entries: Mapping[str, ParsedFile]
    licences: ParsedFile | None
    withdrawals: ParsedFile | None


def parse_register(
    files: RegisterFiles, evidence: Callable[[str], str | None], problems: list[Problem]
) -> Register:
    """Check a register's files and return the register.

    Args:
      files: the parsed files.
      evidence: returns the SHA-256 of a file of the evidence folder; None if it cannot be used.
      problems: the problems known so far.

    Raises:
      Invalid: with all problems of all files.
    """
    terms = _licences(files.licences, problems)
    withdrawals, lifted = _withdrawals(files.withdrawals, problems)
    read_entries = [_entry(stem, file, terms, problems) for stem, file in files.entries.items()]
    entries = {e.value["id"]: e for e in read_entries if e is not None}
    if not read_entries:
        problems.append(
            Problem(
                files.folder, None, "", "holds no source: write one file <id>.yaml for each source"
            )
        )
    problems += _ties(entries)
    if problems:
        raise Invalid(problems)
    sources = {id: _source(e.value, evidence) for id, e in sorted(entries.items())}
    digest = _digest(sources, terms, withdrawals, lifted)
    return Register(sources, terms, withdrawals, digest, lifted)


def _check_entries(
    file: ParsedFile | None, definition: str, problems: list[Problem]
) -> YamlSource | None:
    """Return the file if it has no problem.  Otherwise add its problems to the list."""
    source, found = file or (None, [])
    if source is not None:
        found = found + check(source, SCHEMA, definition)
    problems += found
    return None if found else source


def _licences(file: ParsedFile | None, problems: list[Problem]) -> dict[str, LicenceTerms]:
    source = _check_entries(file, "licences", problems)
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
    file: ParsedFile | None, problems: list[Problem]
) -> tuple[tuple[Withdrawal, ...], tuple[Withdrawal, ...]]:
    """Return the active withdrawals, and the lifted ones."""
    source = _check_entries(file, "withdrawals", problems)
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
        tuple(w for w, is_lifted in zip(read, lifted, strict=True) if not is_lifted),
        tuple(w for w, is_lifted in zip(read, lifted, strict=True) if is_lifted),
    )


def _entry(
    stem: str, file: ParsedFile, terms: Mapping[str, LicenceTerms], problems: list[Problem]
) -> YamlSource | None:
    source, found = file
    if source is not None:
        found = found + check(source, SCHEMA, "entry")
        if isinstance(source.value, dict):
            found += _meaning_problems(source, stem, terms)
    problems += found
    return None if found else source


def _meaning_problems(
    source: YamlSource, stem: str, terms: Mapping[str, LicenceTerms]
) -> list[Problem]:
    """Return the problems of an entry that its JSON Schema cannot express."""
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
    """Return a problem for each key of `match` that two entries claim."""
    index, out = MatchIndex(), []
    for id, source in sorted(entries.items()):
        match = source.value["match"]
        keys = [tuple(match.get(k, ())) for k in ("domains", "url_prefixes", "collections")]
        for kind, position, holder in index.add(id, *keys):
            message = f"claimed by {holder} and by {id}: only one entry can have it in {kind}"
            value = match[kind][position]
            out.append(source.problem(("match", kind, position), message, value))
    return out


def _source(entry: Mapping[str, Any], evidence: Callable[[str], str | None]) -> Source:
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
        evidence_sha256=evidence(basis["evidence"]),
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


def _digest(
    sources: Mapping[str, Source],
    terms: Mapping[str, LicenceTerms],
    withdrawals: tuple[Withdrawal, ...],
    lifted: tuple[Withdrawal, ...],
) -> str:
    """Return the SHA-256 of the register's content, independent of its place and the order in files."""
    content = {
        "sources": {id: [s.entry_sha256, s.evidence_sha256] for id, s in sources.items()},
        "licences": {
            id: [t.title, t.url, sorted(t.purposes), t.attribution, t.share_alike]
            + [x for x in (t.text, t.jurisdiction, t.citation, t.verified_on) if x is not None]
            + ([True] if t.unverified else [])
            for id, t in terms.items()
        },
        "withdrawals": sorted_unique(map(_withdrawal_digest_input, withdrawals)),
    }
    if lifted:
        content["lifted"] = sorted_unique(map(_withdrawal_digest_input, lifted))
    return hashlib.sha256(canonical_json(content).encode()).hexdigest()


def _withdrawal_digest_input(withdrawal: Withdrawal) -> list[Any]:
    """Return what the register's digest covers of a withdrawal; defaults are left out."""
    reason = withdrawal.reason if withdrawal.reason != "withdrawn" else None
    ids = {"documents": sorted(withdrawal.documents), "parts": sorted(withdrawal.parts)}
    more = [x for x in (withdrawal.case, reason, {k: v for k, v in ids.items() if v}) if x]
    recorded_on = withdrawal.recorded_on.isoformat()
    return [withdrawal.scope, withdrawal.value, recorded_on, withdrawal.ground, *more]
