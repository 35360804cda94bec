"""`tamga policy`: list and show policy packs; compare what two packs change in a release."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any, Final

import polars as pl

from lineage.register_files import load_policies, load_policy
from lineage.release_folder import ReleaseFolder
from schemas import command_line, policy, ruling
from schemas.command_entry import with_exit_code
from schemas.errors import NO, TamgaError, Usage
from schemas.params import Params
from schemas.policy import Pack, Packs, Rule
from schemas.privacy import PrivacyParams
from schemas.register import Register
from schemas.schema_check import parse_date

EPILOG: Final = """examples:
  tamga policy list                                    the packs, and the number of rules in force
  tamga policy show KZ --as-of 2026-01-01              the rules of a pack on that day
  tamga policy diff KZ@2026-01-01 KZ@2026-11-22 --release release/sample
  tamga policy diff KZ packs/KZ.yaml --release release/sample --csv > flips.csv
  tamga policy diff @2026-01-01 @2026-11-22 --release release/sample    all packs, two days

Name a pack by its name, its file or a folder of files.  An empty name means all packs of this
installation.  @DATE selects the rules in force on that day (default: the day of the run).

exit codes: 0 yes, or no outcome changes; 1 no such pack, or an outcome changes; 2 bad usage, no such
release, or an invalid pack
"""


@with_exit_code
def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    options = _parser().parse_args(argv)
    return int({"list": _list, "show": _show, "diff": _diff}[options.command](options))


def warnings(register: Register, params: Params | None, as_of: date) -> Iterator[tuple[str, str]]:
    """Yield the warnings of the packs in force about a register, for `tamga sources check`.

    Without parameters the country of storage is not known, and no rule about it is checked.

    Yields:
      (source id or pack, message).

    Raises:
      Invalid: if the packs that the parameters name cannot be read.
    """
    if params is None:
        circumstances = ruling.Circumstances(as_of, "pretraining")
        return ruling.warnings(register, policy.built_in(), circumstances)
    circumstances = ruling.Circumstances(
        as_of, params.purpose, params.storage_country, replaced_entities(params.privacy)
    )
    return ruling.warnings(register, load_policies(params.policy.path), circumstances)


def replaced_entities(privacy: PrivacyParams) -> tuple[str, ...] | None:
    """Return the classes of personal data that are replaced in every source; None: all classes."""
    from pipelines.personal_data.rules import entities

    known = entities() if privacy.entities is None else privacy.entities
    replaced = tuple(e for e in known if privacy.operator_for(e, None, None) != "keep")
    return None if privacy.entities is None and len(replaced) == len(known) else replaced


class NoPack(TamgaError):
    """No policy pack has the given name."""

    exit_code = NO


def _parser() -> argparse.ArgumentParser:
    shape: Any = argparse.RawDescriptionHelpFormatter
    parser = command_line.parser("policy", __doc__, EPILOG)
    commands = parser.add_subparsers(dest="command", required=True, metavar="list|show|diff")
    for name, about in (
        ("list", "a line per pack: version, jurisdictions, rules in force, unverified rules"),
        ("show", "the rules of a pack in force, with citation and confidence"),
        (
            "diff",
            "the records of a release whose outcome another pack, version or day would change",
        ),
    ):
        command = commands.add_parser(
            name, help=about, description=about, epilog=EPILOG, formatter_class=shape
        )
        command.add_argument("--json", action="store_true", help="print JSON to standard output")
        if name == "diff":
            command.add_argument("before", metavar="A", help="a pack, file or folder, and @DATE")
            command.add_argument("after", metavar="B", help="a pack, file or folder, and @DATE")
            command.add_argument(
                "--release", type=Path, required=True, metavar="DIR", help="the release's folder"
            )
            command.add_argument(
                "--storage-country",
                metavar="CC",
                help="the country of storage, for a release whose decisions do not record it",
            )
            command.add_argument(
                "--csv", action="store_true", help="print a line per record as CSV"
            )
            continue
        command.add_argument(
            "--as-of",
            type=command_line.day,
            default=None,
            metavar="DATE",
            help="the day (default: today)",
        )
        if name == "show":
            command.add_argument("pack", metavar="PACK", help="its name or file, for example KZ")
        else:
            command.add_argument(
                "--packs", type=Path, metavar="DIR", help="a folder of your own packs"
            )
    return parser


def _list(options: argparse.Namespace) -> int:
    day = options.as_of or date.today()
    rows = [_row(pack, day) for pack in load_policies(options.packs).packs]
    if options.json:
        _print_json({"as_of": day.isoformat(), "packs": rows})
        return 0
    for row in rows:
        print(
            f"{row['pack']:4} {row['version']:10} {' '.join(row['jurisdictions']):9} "
            f"{row['in_force']} rules in force, {row['unverified']} unverified, "
            f"{row['grants']} that permit"
        )
    return 0


def _row(pack: Pack, day: date) -> dict[str, Any]:
    rules = pack.in_force(day)
    return {
        "pack": pack.name,
        "version": pack.version,
        "title": pack.title,
        "jurisdictions": pack.jurisdictions,
        "rules": len(pack.rules),
        "in_force": len(rules),
        "unverified": sum(r.unverified for r in rules),
        "grants": sum(r.grants(day) for r in rules),
        "sha256": pack.sha256,
    }


def _show(options: argparse.Namespace) -> int:
    day = options.as_of or date.today()
    for pack in _packs(options.pack).packs:
        rules = pack.in_force(day)
        if options.json:
            _print_json(
                _row(pack, day) | {"as_of": day.isoformat(), "of": list(map(asdict, rules))}
            )
            continue
        print(f"{pack.name} {pack.version}: {pack.title}; rules in force on {day}")
        for rule in rules:
            print("\n".join(_rule_lines(rule)))
    return 0


def _rule_lines(rule: Rule) -> Iterator[str]:
    """Yield a rule as lines for the terminal."""
    since = f"since {rule.effective_from}" if rule.effective_from else "start not established"
    until = f", until {rule.effective_to}" if rule.effective_to else ""
    doubt = ", unverified" if rule.unverified else ""
    checked = f"examined on {rule.verified_on}" if rule.verified_on else "not examined"
    yield f"\n{rule.id} ({rule.drives}): {rule.says}"
    yield f"    {rule.citation}; {since}{until}"
    yield f"    confidence {rule.confidence}{doubt}; {checked}, verified by {rule.verified_by or 'nobody'}"


def _packs(name: str) -> Packs:
    """Return the packs that a name, a file or a folder stands for; an empty name: all built-in packs."""
    if not name:
        return policy.built_in()
    path = Path(name)
    if path.is_dir():
        return load_policies(path)
    if path.suffix == ".yaml" or path.is_file():
        return policy.index_packs([load_policy(path)])
    matches = [pack for pack in policy.built_in().packs if pack.name == name.upper()]
    if not matches:
        known = ", ".join(pack.name for pack in policy.built_in().packs)
        raise NoPack(f"no policy pack has the name {name}; known: {known}; or name a file")
    return policy.index_packs(matches)


def _side(text: str) -> Any:
    from lineage.policy_diff import Side

    name, at, day = text.rpartition("@")
    if not at:
        return Side(_packs(text))
    on = parse_date(day)
    if on is None:
        raise Usage(f"{text}: the part after @ is not a date YYYY-MM-DD")
    return Side(_packs(name), on)


def _diff(options: argparse.Namespace) -> int:
    from lineage.policy_diff import flips

    release = ReleaseFolder(options.release, options.release)
    changed = flips(release, _side(options.before), _side(options.after), options.storage_country)
    by = ("source_id", "flip", "drives", "rule", "reason")
    grouped = (
        changed.group_by(by)
        .agg(records=pl.len(), released=pl.col("released").sum(), doc_ids=pl.col("doc_id"))
        .sort(by)
    )
    if options.csv:
        print(changed.write_csv(), end="")
    elif options.json:
        _print_json(
            {
                "before": options.before,
                "after": options.after,
                "records": changed.height,
                "released": int(changed["released"].sum()),
                "sources": grouped.to_dicts(),
            }
        )
    else:
        for row in grouped.iter_rows(named=True):
            print(
                f"{row['source_id']}: {row['flip']}: {row['released']} released documents, "
                f"{row['records']} records: {row['rule'] or row['drives']}: {row['reason']}"
            )
        print(
            f"{int(changed['released'].sum())} released documents of {changed.height} records "
            f"change their outcome from {options.before} to {options.after}"
        )
    return 1 if changed.height else 0


def _print_json(value: Any) -> None:
    print(json.dumps(value, ensure_ascii=False, indent=2, default=_plain))


def _plain(value: Any) -> Any:
    return sorted(value) if isinstance(value, frozenset) else str(value)


if __name__ == "__main__":
    sys.exit(main())
