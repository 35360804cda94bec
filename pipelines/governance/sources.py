"""`tamga sources`: check and list the register, show an entry, print the schemas."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import yaml

from lineage.configuration import load_both
from lineage.register_files import load_policies, load_register
from pipelines.governance import coverage, policies, register_warnings
from pipelines.governance.coverage import Coverage
from schemas import command_line, lawfulness, params, register
from schemas.command_entry import with_exit_code
from schemas.errors import Invalid
from schemas.lawfulness import GRANTED, Refusal, Use
from schemas.register import Source
from schemas.schema_check import schema_of

EPILOG: Final = """examples:
  tamga sources check                          the register that params.yaml names
  tamga sources check --register register      a register without parameters
  tamga sources check --release release/sample warnings from the run of that release
  tamga sources list --as-of 2026-12-31        the standing of each source on that day
  tamga sources show kz-official --json        one entry with its digests and its standing
  tamga sources schema > register.schema.json  lets an editor check entries as you type

exit codes: 0 yes; 1 no such source; 2 bad usage, no such release, or an invalid configuration
"""
#: Argument of `schema` -> the schema file, and the definition in it.
SCHEMAS: Final = {
    "source": ("register.schema.json", "entry"),
    "licences": ("register.schema.json", "licences"),
    "withdrawals": ("register.schema.json", "withdrawals"),
    "params": ("params.schema.json", "params"),
}


@dataclass(frozen=True)
class LoadedRegister:
    """A valid register with what is needed to judge its sources.

    Args:
      register: the register.
      params: the parameters; None: only the register was named.
      as_of: the day to judge on.
      last: the coverage of the last run; None: there was no run.
    """

    register: register.Register
    params: params.Params | None
    as_of: date
    last: Coverage | None = None

    @cached_property
    def use(self) -> Use | None:
        """The use that the parameters describe, on the day to judge on; None: no parameters."""
        if self.params is None:
            return None
        use = Use.from_params(self.params, load_policies(self.params.policy.path))
        return replace(use, as_of=self.as_of)

    def standing(self, source: Source) -> str:
        """Return the state of a source on the day, independent of the use."""
        return lawfulness.register_status(source, self.as_of, self.register)

    def refusal(self, source: Source) -> Refusal | None:
        """Return why the run would refuse a source; None: it would not, or there are no parameters."""
        return lawfulness.refusal(source, self.use, self.register) if self.use else None

    def describe(self, source: Source) -> str:
        """Return the state, and for a granted source the reason why the run refuses it."""
        standing, refusal = self.standing(source), self.refusal(source)
        here = f"; refused here: {refusal.reason}" if refusal and standing == GRANTED else ""
        return standing + here

    def standing_json(self, source: Source) -> dict[str, Any]:
        """Return the state as JSON values; `refused_here` only if there are parameters."""
        refusal = self.refusal(source)
        here = {"refused_here": refusal.reason if refusal else None} if self.use else {}
        return {"standing": self.standing(source)} | here


@with_exit_code
def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    options = _parser().parse_args(argv)
    if options.command == "schema":
        _print_json(schema_of(*SCHEMAS[options.of]))
        return 0
    try:
        loaded = _load(options)
    except Invalid as invalid:  # --json prints an object; without it the number of problems follows
        return _invalid(invalid, options.json)
    command = {"check": _check, "list": _list, "show": _show}[options.command]
    return command(loaded, options)


def _parser() -> argparse.ArgumentParser:
    parser = command_line.parser("sources", __doc__, EPILOG)
    commands = parser.add_subparsers(
        dest="command", required=True, metavar="check|list|show|schema"
    )
    for name, help_text in (
        ("check", "all problems of the parameters and the register, and warnings"),
        ("list", "a line per source: id, jurisdiction, kind, licence, basis, standing"),
        ("show", "one source: its entry, digests and standing"),
        (
            "schema",
            "the JSON Schema of an entry, of licences.yaml, withdrawals.yaml or params.yaml",
        ),
    ):
        command = commands.add_parser(
            name,
            help=help_text,
            description=help_text,
            epilog=EPILOG,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        if name == "schema":
            _add_schema_options(command)
            continue
        _add_register_options(command)
        if name == "show":
            command.add_argument("id", metavar="ID", help="the source's id")
        if name == "check":
            _add_check_options(command)
    return parser


def _add_schema_options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "of",
        nargs="?",
        choices=list(SCHEMAS),
        default="source",
        help="the file that the schema describes (default: %(default)s)",
    )
    command.add_argument("--json", action="store_true", help="no effect: the output is always JSON")


def _add_register_options(command: argparse.ArgumentParser) -> None:
    """Add the options that name a register, the day and the form of the output."""
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
        type=command_line.day,
        metavar="DATE",
        help="the day to judge on (default: the parameters' as_of, or today)",
    )
    command.add_argument("--json", action="store_true", help="print JSON to standard output")


def _add_check_options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--release",
        type=Path,
        metavar="DIR",
        help="use the run of this release, not the last run in the work folder",
    )
    command.add_argument(
        "--top",
        type=int,
        default=20,
        metavar="N",
        help="the number of ungoverned hosts to list (default: %(default)s)",
    )


def _load(options: argparse.Namespace) -> LoadedRegister:
    """Load the register and the parameters; report the problems of both together."""
    release = getattr(options, "release", None)
    last = coverage.of_release(release) if release else None
    if options.register is not None:
        entries = load_register(options.register)
        return LoadedRegister(entries, None, options.as_of or date.today(), last)
    path = options.params or Path("params.yaml")
    run, entries = load_both(path)
    last = last or coverage.of_work(run.work)
    return LoadedRegister(entries, run, options.as_of or run.as_of, last)


def _invalid(invalid: Invalid, as_json: bool) -> int:
    if as_json:
        _print_json({"valid": False, "problems": [asdict(p) for p in invalid.problems]})
    else:
        print(invalid.message(), file=sys.stderr)
        count = len(invalid.problems)
        print(f"invalid: {count} problem{'s' if count != 1 else ''}", file=sys.stderr)
    return invalid.exit_code


def _check(loaded: LoadedRegister, options: argparse.Namespace) -> int:
    warnings = list(_warnings(loaded))
    sources = loaded.register.sources
    granted = [s for s in sources.values() if loaded.standing(s) == GRANTED]
    refused = {s.id: refusal.reason for s in granted if (refusal := loaded.refusal(s))}
    hosts = loaded.last.ungoverned_hosts().head(options.top).to_dicts() if loaded.last else []
    if options.json:
        _print_json(
            {
                "valid": True,
                "problems": [],
                "as_of": loaded.as_of.isoformat(),
                "register_sha256": loaded.register.sha256,
                "sources": len(sources),
                "granted": len(granted),
                **({"refused_here": len(refused)} if loaded.use else {}),
                "warnings": [{"source_id": id, "message": message} for id, message in warnings],
                "last_run": str(loaded.last.folder) if loaded.last else None,
                "ungoverned": hosts,
            }
        )
        return 0
    for id, message in warnings:
        print(f"warning: {id}: {message}", file=sys.stderr)
    print(
        f"valid: {len(sources)} sources, {len(granted)} granted on {loaded.as_of}, "
        f"{len(loaded.register.licences)} own licences, "
        f"{len(loaded.register.withdrawals)} withdrawals, {len(warnings)} warnings"
    )
    if refused:
        print(f"{len(refused)} granted sources are refused here: {_named(refused, options.top)}")
    if hosts:
        print(
            "\nwhat to license next: hosts refused as ungoverned in the last run, by bytes as stored"
        )
        _print_table(
            [
                {
                    "host": host["host"] or f"(collection {host['collection']})",
                    "records": host["records"],
                    "bytes": host["bytes"],
                }
                for host in hosts
            ]
        )
    return 0


def _named(refused: Mapping[str, str], top: int) -> str:
    """Return the first `top` sources, each with the reason of its refusal."""
    listed = [f"{id} ({reason})" for id, reason in refused.items()][:top]
    return ", ".join([*listed, *(["…"] if len(refused) > top else [])])


def _warnings(loaded: LoadedRegister) -> register_warnings.Warnings:
    """Yield all warnings as (source id or section, message)."""
    yield from register_warnings.entry_warnings(loaded.register, loaded.as_of)
    if loaded.params is not None and loaded.use is not None:
        yield from register_warnings.params_warnings(loaded.register, loaded.params, loaded.use)
    if loaded.last is not None:
        yield from register_warnings.last_run_warnings(loaded.register, loaded.last)
    yield from policies.warnings(loaded.register, loaded.params, loaded.as_of)


def _row(source: Source) -> dict[str, Any]:
    return {
        "id": source.id,
        "jurisdiction": source.jurisdiction,
        "kind": source.kind,
        "licence": source.licence.spdx,
        "basis": source.basis.kind,
    }


def _list(loaded: LoadedRegister, options: argparse.Namespace) -> int:
    sources = loaded.register.sources.values()
    if options.json:
        rows = [_row(source) | loaded.standing_json(source) for source in sources]
        _print_json({"as_of": loaded.as_of.isoformat(), "sources": rows})
        return 0
    _print_table([_row(source) | {"standing": loaded.describe(source)} for source in sources])
    return 0


def _show(loaded: LoadedRegister, options: argparse.Namespace) -> int:
    source = loaded.register.sources.get(options.id)
    if source is None:
        close = get_close_matches(options.id, loaded.register.sources, 1)
        hint = f"; did you mean {close[0]}?" if close else "; `tamga sources list` shows all ids"
        print(f"no source has the id {options.id}{hint}", file=sys.stderr)
        return 1
    entry = json.loads(source.entry_json)
    facts = {
        "as_of": loaded.as_of.isoformat(),
        "acquired_as": source.acquired_as,
        "entry_sha256": source.entry_sha256,
        "evidence_sha256": source.evidence_sha256,
    }
    if options.json:
        _print_json({"entry": entry, **loaded.standing_json(source), **facts})
        return 0
    print(yaml.safe_dump(entry, allow_unicode=True, sort_keys=False), end="")
    print("---")
    for key, value in {"standing": loaded.describe(source), **facts}.items():
        print(f"{key}: {value if value is not None else 'missing or empty'}")
    return 0


def _print_table(rows: Sequence[Mapping[str, Any]]) -> None:
    table = [list(rows[0]), *([str(v) for v in row.values()] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for line in table:
        print("  ".join(map(str.ljust, line, widths)).rstrip())


def _print_json(value: Any) -> None:
    print(json.dumps(value, ensure_ascii=False, indent=2))


if __name__ == "__main__":
    sys.exit(main())
