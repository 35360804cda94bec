"""Keep objections to records as cases, with evidence, deadlines and decisions."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from hashlib import file_digest
from pathlib import Path
from typing import Any

from lineage import case_files, register_files
from lineage.case_files import KINDS, OUTCOMES, BadCase
from lineage.configuration import load_params
from schemas import command_line, withdrawals
from schemas.command_entry import with_exit_code
from schemas.errors import Invalid, Problem, Usage
from schemas.params import Params

EPILOG = """examples:
  tamga case open wrong-licence url https://law.example.kz/news/1.html --by counsel --due 2026-12-22
  tamga case open removal domain example.kz --by counsel --requester-file identity.txt
  tamga case add c-0001 letter.pdf --by counsel
  tamga case decide c-0001 upheld --by counsel --reason "the page names CC BY-NC"
  tamga case list --overdue

An upheld objection changes register/withdrawals.yaml, which names the case.  The next release leaves
out the records; `tamga withdraw … --confirm` removes them from existing releases at once.  If the
objection is `wrong-removal`, the next release can contain the records again.

exit codes:
  0  done
  1  the case does not exist, or its state does not allow the step; with `list --overdue`: at least
     one case is overdue
  2  the arguments or the parameters are wrong"""


@with_exit_code
def main(argv: Sequence[str] | None = None) -> int:
    """Run `tamga case`; return the exit code."""
    options = _parser().parse_args(argv)
    actions: dict[str, Callable[[argparse.Namespace, Params], int]] = {
        "open": _open,
        "add": _add,
        "decide": _decide,
        "list": _list,
    }
    from lineage.storage.release_tables import DamagedRelease, readable

    params = load_params(options.params)
    # a manifest of another form raises ValueError
    with readable(DamagedRelease, ValueError):
        return actions[options.action](options, params)


def _today() -> date:
    return datetime.now(UTC).date()


def _open(options: argparse.Namespace, params: Params) -> int:
    """Open a case."""
    from pipelines.withdrawal.impact import scope_of

    today = _today().isoformat()
    value = scope_of(
        params, options.scope, options.value
    ).value  # the id of a part stands for its record
    entry = {
        "scope": options.scope,
        "value": value,
        "recorded_on": today,
        "ground": "none",
        "recorded_by": options.by,
    }
    due = options.due and options.due.isoformat()
    withdrawals.check_entry(entry | ({"due_on": due} if due else {}))
    event = {"kind": options.kind, "at": today, "by": options.by, "due_on": due}
    about = {"scope": options.scope, "value": value, "note": _impersonal(options.note)}
    identity = _identity(options.requester_file)
    id = case_files.open_case(params.register, event | about)
    if identity:
        case_files.remember_requester(_keys(params), id, identity)
    return _report(options, {"case": id, "state": "open"}, f"{id}: opened")


def _add(options: argparse.Namespace, params: Params) -> int:
    """Add evidence: the name, size and SHA-256 of each file.  The files stay where they are."""
    events = []
    for path in options.file:
        with path.open("rb") as file:
            digest, size = file_digest(file, "sha256").hexdigest(), path.stat().st_size
        name = _redacted(path.name)
        events.append(
            {
                "event": "evidence",
                "name": name,
                "sha256": digest,
                "bytes": size,
                "at": _today().isoformat(),
                "by": _role(options.by),
                "note": _impersonal(options.note),
            }
        )
    case_files.add_events(params.register, options.case, events)
    result = {"case": options.case, "evidence": events}
    return _report(
        options, result, f"{options.case}: recorded the name and SHA-256 of {len(events)} files"
    )


def _decide(options: argparse.Namespace, params: Params) -> int:
    """Decide a case.  The register changes first, so an interrupted decision can be repeated."""
    case = case_files.read_case(params.register, options.case)
    if case.decision:
        raise BadCase(f"{case.id} was decided on {case.decision['at']}: open a new case")
    today, role = _today().isoformat(), _role(options.by)
    reason = _impersonal(options.reason)
    effect = "none"
    if options.outcome == "upheld":
        effect = _apply(params, case, today, role)
    event = {"event": "decided", "outcome": options.outcome, "at": today, "by": role}
    case_files.add_events(params.register, case.id, [event | {"reason": reason, "effect": effect}])
    hint = ""
    if effect.startswith("barred"):
        opened = case.opened
        hint = (
            f"\nto remove it from existing releases: "
            f"tamga withdraw {opened['scope']} {opened['value']}"
        )
    result = {"case": case.id, "state": options.outcome, "effect": effect}
    return _report(options, result, f"{case.id} {options.outcome}: {effect}{hint}")


def _apply(params: Params, case: case_files.Case, today: str, role: str) -> str:
    """Write an upheld objection into the register; return the effect in words."""
    opened = case.opened
    scope, value, reason = opened["scope"], opened["value"], KINDS[opened["kind"]]
    if reason is None:
        lifted = {"lifted_on": today, "lifted_by_case": case.id}
        if register_files.lift_withdrawals(params.register, scope, value, lifted):
            return "reinstated from the next run"
        known = register_files.recorded_withdrawals(params.register)
        if any(
            entry.get("lifted_by_case") == case.id for entry in known
        ):  # interrupted before the decision
            return "reinstated from the next run"
        raise BadCase(
            f"{case.id}: the register has no active withdrawal of {scope} {value}, so there is "
            "nothing to lift"
        )
    active = withdrawals.active_entry(
        register_files.recorded_withdrawals(params.register), scope, value
    )
    if active:
        return f"barred already, since {active['recorded_on']}"
    entry = {
        "scope": scope,
        "value": value,
        "recorded_on": today,
        "ground": f"{opened['kind']}, decided in {case.id}",
        "reason": reason,
        "recorded_by": role,
        "received_on": opened["at"],
        "case": case.id,
    }
    if opened.get("due_on"):
        entry["due_on"] = opened["due_on"]
    register_files.add_withdrawal(params.register, entry)
    return f"barred from the next run as {reason}"


def _list(options: argparse.Namespace, params: Params) -> int:
    """List cases; exit code 1 if `--overdue` finds any."""
    today = options.as_of or _today()
    identity = _identity(options.requester_file)
    mine = case_files.cases_of_requester(_keys(params), identity) if identity else None
    rows = [
        case.to_json(today)
        for case in case_files.all_cases(params.register)
        if (mine is None or case.id in mine) and (not options.overdue or case.overdue(today))
    ]
    if options.json:
        print(json.dumps(rows, ensure_ascii=False, indent=1))
    else:
        for row in rows:
            due = f", due {row['due_on']}" if row["due_on"] else ""
            late = " OVERDUE" if row["overdue"] else ""
            what = f"{row['kind']}: {row['scope']} {row['value']}"
            print(f"{row['case']} {row['state']}{late} {what}, {len(row['evidence'])} files{due}")
    return 1 if options.overdue and rows else 0


def _keys(params: Params) -> Path:
    return params.work / "keys"


def _identity(path: Path | None) -> str:
    try:
        return path.read_text("utf-8") if path else ""
    except UnicodeDecodeError as error:
        raise Usage(f"{path} is not UTF-8 at byte {error.start}: convert it first") from None


def _role(role: str) -> str:
    """Return the role; raise `Invalid` if it looks like a person's name."""
    about = {"scope": "source", "value": "x", "recorded_on": "2000-01-01", "ground": "none"}
    withdrawals.check_entry(about | {"recorded_by": role})
    return role


def _redacted(text: str) -> str:
    from pipelines.personal_data.uri_redaction import redact_uri

    return redact_uri(text)


def _impersonal(text: str | None) -> str | None:
    """Return the text; raise `Invalid` if a recogniser finds personal data in it."""
    if text and _redacted(text) != text:
        problem = "must not contain personal data: write a file number instead"
        raise Invalid([Problem("note or reason", None, "", problem)])
    return text


def _report(options: argparse.Namespace, result: dict[str, Any], words: str) -> int:
    print(json.dumps(result, ensure_ascii=False) if options.json else words)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = command_line.parser("case", __doc__, EPILOG)
    shared = argparse.ArgumentParser(add_help=False)
    command_line.add_params(shared)
    shared.add_argument("--json", action="store_true", help="print the result as JSON")
    signed = argparse.ArgumentParser(add_help=False)
    signed.add_argument(
        "--by", required=True, metavar="ROLE", help="who acts: a role, not a person's name"
    )
    known = argparse.ArgumentParser(add_help=False)
    known.add_argument(
        "--requester-file",
        type=Path,
        metavar="FILE",
        help="a file that names the person who objects: only its keyed digest is stored, under work/keys",
    )
    actions = parser.add_subparsers(dest="action", required=True)
    opening = actions.add_parser("open", parents=[shared, signed, known], help="open a case")
    opening.add_argument("kind", choices=list(KINDS), help="the kind of objection")
    opening.add_argument(
        "scope", choices=withdrawals.SCOPES, help="what kind of thing the objection is about"
    )
    opening.add_argument("value", help="which one, as in `tamga withdraw`")
    opening.add_argument(
        "--due",
        type=command_line.day,
        metavar="DATE",
        help="the deadline for the decision, YYYY-MM-DD",
    )
    opening.add_argument("--note", help="a remark; it must not contain personal data")
    adding = actions.add_parser("add", parents=[shared, signed], help="add evidence to a case")
    adding.add_argument("case", metavar="CASE")
    adding.add_argument(
        "file", nargs="+", type=Path, help="only its name, size and SHA-256 are stored"
    )
    adding.add_argument("--note", help="a remark; it must not contain personal data")
    deciding = actions.add_parser("decide", parents=[shared, signed], help="decide a case")
    deciding.add_argument("case", metavar="CASE")
    deciding.add_argument("outcome", choices=OUTCOMES)
    deciding.add_argument("--reason", required=True, help="why; it must not contain personal data")
    listing = actions.add_parser("list", parents=[shared, known], help="list cases and their state")
    listing.add_argument(
        "--overdue", action="store_true", help="list only open cases that are past their deadline"
    )
    listing.add_argument(
        "--as-of",
        type=command_line.day,
        metavar="DATE",
        help="judge deadlines on this day, YYYY-MM-DD (default: today)",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
