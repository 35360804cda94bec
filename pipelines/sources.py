"""`tamga sources`: the register checked, listed, and one of its entries shown."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

import yaml

from pipelines import policies
from schemas import params, register
from schemas.configuration import load_both
from schemas.errors import Invalid
from schemas.licences import allowed, purposes_of, references
from schemas.standing import EXPIRED, GRANTED, NO_EVIDENCE, NOT_YET, WITHDRAWN, standing
from schemas.validation import parse_date

SOON_DAYS: Final = 60
EPILOG: Final = """examples:
  tamga sources check                          the register that params.yaml names
  tamga sources check --register register      a register without parameters
  tamga sources list --as-of 2026-12-31        how each source will stand on that day
  tamga sources show kz-official --json        one entry, its digests and its standing

exit codes: 0 yes; 1 no such source; 2 bad usage, or a configuration that is invalid
"""


@dataclass(frozen=True)
class Loaded:
    """A valid register, the parameters if they were given, and the day to judge on."""

    register: register.Register
    params: params.Params | None
    as_of: date


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit code."""
    options = _parser().parse_args(argv)
    try:
        loaded = _load(options)
    except Invalid as invalid:
        return _invalid(invalid, options.json)
    command = {"check": _check, "list": _list, "show": _show}[options.command]
    return command(loaded, options)


def _parser() -> argparse.ArgumentParser:
    shape: Any = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        "tamga sources", description=__doc__, epilog=EPILOG, formatter_class=shape
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="check|list|show")
    for name, help_text in (
        ("check", "every problem of the parameters and the register, and what to look after"),
        ("list", "a line per source: id, jurisdiction, kind, licence, basis, standing"),
        ("show", "one source: its entry, digests and standing"),
    ):
        command = commands.add_parser(
            name, help=help_text, description=help_text, epilog=EPILOG, formatter_class=shape
        )
        place = command.add_mutually_exclusive_group()
        place.add_argument(
            "--params",
            type=Path,
            metavar="FILE",
            default=None,
            help="the parameters that name the register (default: params.yaml)",
        )
        place.add_argument("--register", type=Path, metavar="DIR", help="the register's folder")
        command.add_argument(
            "--as-of",
            type=_day,
            metavar="DATE",
            help="the day to judge on (default: the parameters' as_of, or today)",
        )
        command.add_argument("--json", action="store_true", help="JSON on standard output")
        if name == "show":
            command.add_argument("id", metavar="ID", help="a source's id")
    return parser


def _day(text: str) -> date:
    day = parse_date(text)
    if day is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no date YYYY-MM-DD")
    return day


def _load(options: argparse.Namespace) -> Loaded:
    """Both files' problems at once: a register is checked even when the parameters are bad."""
    if options.register is not None:
        found = register.load(options.register)
        return Loaded(found, None, options.as_of or date.today())
    path = options.params or Path("params.yaml")
    run, found = load_both(path)
    return Loaded(found, run, options.as_of or run.as_of)


def _invalid(invalid: Invalid, as_json: bool) -> int:
    if as_json:
        _print_json({"valid": False, "problems": [asdict(p) for p in invalid.problems]})
    else:
        print(invalid, file=sys.stderr)
        count = len(invalid.problems)
        print(f"invalid: {count} problem{'s' if count != 1 else ''}", file=sys.stderr)
    return 2


def _check(loaded: Loaded, options: argparse.Namespace) -> int:
    warnings = list(_warnings(loaded))
    sources = loaded.register.sources
    granted = sum(standing(s, loaded.as_of, loaded.register) == GRANTED for s in sources.values())
    if options.json:
        _print_json(
            {
                "valid": True,
                "problems": [],
                "as_of": loaded.as_of.isoformat(),
                "register_sha256": loaded.register.sha256,
                "sources": len(sources),
                "granted": granted,
                "warnings": [{"source_id": id, "message": message} for id, message in warnings],
            }
        )
        return 0
    for id, message in warnings:
        print(f"warning: {id}: {message}", file=sys.stderr)
    print(
        f"valid: {len(sources)} sources, {granted} granted on {loaded.as_of}, "
        f"{len(loaded.register.licences)} own licences, "
        f"{len(loaded.register.withdrawals)} withdrawals, {len(warnings)} warnings"
    )
    return 0


def _warnings(loaded: Loaded) -> Iterator[tuple[str, str]]:
    """What is valid and may still not be meant, as (source or section, message)."""
    for id, source in loaded.register.sources.items():
        basis = source.basis
        state = standing(source, loaded.as_of, loaded.register)
        detail = {
            WITHDRAWN: f"withdrawn on {basis.withdrawn_on or 'a day that was recorded'}",
            EXPIRED: f"expired on {basis.expires_on}",
            NOT_YET: f"not granted before {basis.granted_on}",
            NO_EVIDENCE: f"evidence/{basis.evidence} is missing or empty",
        }.get(state)
        if detail:
            yield id, f"{detail}: its records are refused"
        elif basis.expires_on and (left := (basis.expires_on - loaded.as_of).days) <= SOON_DAYS:
            yield id, f"expires on {basis.expires_on}, in {left} days"
        if state not in (NO_EVIDENCE, GRANTED) and source.evidence_sha256 is None:
            yield id, f"evidence/{basis.evidence} is missing or empty"
        for domain in source.domains:
            if "." not in domain.strip("."):
                yield id, f"the domain {domain} has one label: it stands for that host alone"
        if source.opt_out == "overridden" and basis.kind != "contract":
            yield id, f"opt_out: overridden rests on a contract, and its basis is {basis.kind}"
    if loaded.params is not None:
        yield from _run_warnings(loaded.register, loaded.params)
    yield from policies.warnings(loaded.register, loaded.params, loaded.as_of)


def _run_warnings(found: register.Register, run: params.Params) -> Iterator[tuple[str, str]]:
    for one in run.licences_allow:
        if references(one) - set(found.licences):
            yield "licences.allow", f"{one} is not in the register's licences.yaml"
    for id, source in found.sources.items():
        spdx = source.licence.spdx
        if not allowed(spdx, run.licences_allow):
            yield id, f"its licence, {spdx}, is not in licences.allow: its records are refused"
        limit = purposes_of(spdx, found.licences, run.licences_allow)
        if run.purpose not in source.basis.purposes:
            yield id, f"its basis does not grant {run.purpose}: its records are refused"
        elif limit is not None and run.purpose not in limit:
            yield id, f"its licence, {spdx}, does not grant {run.purpose}"
        if source.residency is not None and run.storage_country not in source.residency:
            yield id, f"may not be stored in {run.storage_country}: its records are refused"
    inputs = {i.collection for i in run.inputs}
    for id, source in found.sources.items():
        for collection in sorted(set(source.collections) - inputs):
            yield id, f"no input is called {collection}"


def _row(source: register.Source, loaded: Loaded) -> dict[str, Any]:
    return {
        "id": source.id,
        "jurisdiction": source.jurisdiction,
        "kind": source.kind,
        "licence": source.licence.spdx,
        "basis": source.basis.kind,
        "standing": standing(source, loaded.as_of, loaded.register),
    }


def _list(loaded: Loaded, options: argparse.Namespace) -> int:
    rows = [_row(source, loaded) for source in loaded.register.sources.values()]
    if options.json:
        _print_json({"as_of": loaded.as_of.isoformat(), "sources": rows})
        return 0
    table = [list(rows[0]), *([str(v) for v in row.values()] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for line in table:
        print("  ".join(map(str.ljust, line, widths)).rstrip())
    return 0


def _show(loaded: Loaded, options: argparse.Namespace) -> int:
    source = loaded.register.sources.get(options.id)
    if source is None:
        close = get_close_matches(options.id, loaded.register.sources, 1)
        hint = f"; did you mean {close[0]}?" if close else "; `tamga sources list` names them"
        print(f"no source is called {options.id}{hint}", file=sys.stderr)
        return 1
    entry = json.loads(source.entry_json)
    facts = {
        "standing": standing(source, loaded.as_of, loaded.register),
        "as_of": loaded.as_of.isoformat(),
        "acquired_as": source.acquired_as,
        "entry_sha256": source.entry_sha256,
        "evidence_sha256": source.evidence_sha256,
    }
    if options.json:
        _print_json({"entry": entry, **facts})
        return 0
    print(yaml.safe_dump(entry, allow_unicode=True, sort_keys=False), end="")
    print("---")
    for key, value in facts.items():
        print(f"{key}: {value if value is not None else 'missing or empty'}")
    return 0


def _print_json(value: Any) -> None:
    print(json.dumps(value, ensure_ascii=False, indent=2))


if __name__ == "__main__":
    sys.exit(main())
