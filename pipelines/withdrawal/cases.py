"""`tamga case`: objections to records, with evidence, deadlines and decisions."""

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

What is upheld is written into register/withdrawals.yaml, with the case: the next release is made
without it (`tamga withdraw … --confirm` does it at once), or with it again, where a removal was
wrong.  Exit codes: 0 done; 1 no such case, or it cannot be taken further; with `list --overdue`,
some are; 2 wrong usage or parameters."""


@with_exit_code
def main(argv: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
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
    from pipelines.withdrawal.impact import scope_of

    today = _today().isoformat()
    value = scope_of(params, options.scope, options.value).value  # of a part, the record
    entry = {
        "scope": options.scope,
        "value": value,
        "recorded_on": today,
        "ground": "none",
        "recorded_by": options.by,
    }
    due = options.due and options.due.isoformat()
    withdrawals.checked(entry | ({"due_on": due} if due else {}))
    event = {"kind": options.kind, "at": today, "by": options.by, "due_on": due}
    about = {"scope": options.scope, "value": value, "note": _impersonal(options.note)}
    identity = _identity(options.requester_file)
    id = case_files.open_case(params.register, event | about)
    if identity:
        case_files.remember_requester(_keys(params), id, identity)
    return _said(options, {"case": id, "state": "open"}, f"{id} opened")


def _add(options: argparse.Namespace, params: Params) -> int:
    """Evidence by its digest: the files stay where they are."""
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
    told = {"case": options.case, "evidence": events}
    return _said(options, told, f"{options.case}: {len(events)} files added by their digests")


def _decide(options: argparse.Namespace, params: Params) -> int:
    """The register changes first: a decision that was killed on the way is taken once more."""
    case = case_files.read_case(params.register, options.case)
    if case.decision:
        raise BadCase(f"{case.id} was decided on {case.decision['at']}; open another case")
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
            f"\ntamga withdraw {opened['scope']} {opened['value']} takes it out of releases at hand"
        )
    told = {"case": case.id, "state": options.outcome, "effect": effect}
    return _said(options, told, f"{case.id} {options.outcome}: {effect}{hint}")


def _apply(params: Params, case: case_files.Case, today: str, role: str) -> str:
    """Write what was upheld into the register; what came of it in words."""
    opened = case.opened
    scope, value, reason = opened["scope"], opened["value"], KINDS[opened["kind"]]
    if reason is None:
        lifted = {"lifted_on": today, "lifted_by_case": case.id}
        if register_files.lift_withdrawals(params.register, scope, value, lifted):
            return "reinstated from the next run"
        known = register_files.recorded_withdrawals(params.register)
        if any(one.get("lifted_by_case") == case.id for one in known):  # killed before the decision
            return "reinstated from the next run"
        raise BadCase(
            f"{case.id}: no withdrawal of {scope} {value} stands in the register, so that there is "
            "nothing to lift"
        )
    found = withdrawals.standing(register_files.recorded_withdrawals(params.register), scope, value)
    if found:
        return f"barred already, since {found['recorded_on']}"
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
    today = options.as_of or _today()
    identity = _identity(options.requester_file)
    mine = case_files.cases_of_requester(_keys(params), identity) if identity else None
    told = [
        case.to_json(today)
        for case in case_files.all_cases(params.register)
        if (mine is None or case.id in mine) and (not options.overdue or case.overdue(today))
    ]
    if options.json:
        print(json.dumps(told, ensure_ascii=False, indent=1))
    else:
        for one in told:
            due = f", due {one['due_on']}" if one["due_on"] else ""
            late = " OVERDUE" if one["overdue"] else ""
            what = f"{one['kind']}: {one['scope']} {one['value']}"
            print(f"{one['case']} {one['state']}{late} {what}, {len(one['evidence'])} files{due}")
    return 1 if options.overdue and told else 0


def _keys(params: Params) -> Path:
    return params.work / "keys"


def _identity(path: Path | None) -> str:
    try:
        return path.read_text("utf-8") if path else ""
    except UnicodeDecodeError as error:
        raise Usage(f"{path} is not UTF-8 at byte {error.start}: convert it first") from None


def _role(role: str) -> str:
    """Raises `Invalid` where this is no role."""
    about = {"scope": "source", "value": "x", "recorded_on": "2000-01-01", "ground": "none"}
    withdrawals.checked(about | {"recorded_by": role})
    return role


def _redacted(text: str) -> str:
    from pipelines.personal_data.uris import redact_uri

    return redact_uri(text)


def _impersonal(text: str | None) -> str | None:
    """Raises `Invalid` where a recogniser finds something."""
    if text and _redacted(text) != text:
        problem = "holds what looks like personal data: name a file number instead"
        raise Invalid([Problem("note or reason", None, "", problem)])
    return text


def _said(options: argparse.Namespace, told: dict[str, Any], words: str) -> int:
    print(json.dumps(told, ensure_ascii=False) if options.json else words)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = command_line.parser("case", __doc__, EPILOG)
    shared = argparse.ArgumentParser(add_help=False)
    command_line.add_params(shared)
    shared.add_argument("--json", action="store_true", help="print the result as JSON")
    signed = argparse.ArgumentParser(add_help=False)
    signed.add_argument("--by", required=True, metavar="ROLE", help="a role, no person's name")
    known = argparse.ArgumentParser(add_help=False)
    known.add_argument(
        "--requester-file",
        type=Path,
        metavar="FILE",
        help="who objects, in a file: only a keyed digest is kept, under work/keys",
    )
    actions = parser.add_subparsers(dest="action", required=True)
    opening = actions.add_parser("open", parents=[shared, signed, known], help="begin a case")
    opening.add_argument("kind", choices=list(KINDS), help="what is objected")
    opening.add_argument("scope", choices=withdrawals.SCOPES, help="to what kind of thing")
    opening.add_argument("value", help="which, as for `tamga withdraw`")
    opening.add_argument(
        "--due", type=command_line.day, metavar="DATE", help="until when to decide"
    )
    opening.add_argument("--note", help="no personal data")
    adding = actions.add_parser("add", parents=[shared, signed], help="add evidence to a case")
    adding.add_argument("case", metavar="CASE")
    adding.add_argument("file", nargs="+", type=Path, help="only its name and digest are kept")
    adding.add_argument("--note", help="no personal data")
    deciding = actions.add_parser("decide", parents=[shared, signed], help="decide a case")
    deciding.add_argument("case", metavar="CASE")
    deciding.add_argument("outcome", choices=OUTCOMES)
    deciding.add_argument("--reason", required=True, help="why; no personal data")
    listing = actions.add_parser("list", parents=[shared, known], help="cases and their state")
    listing.add_argument("--overdue", action="store_true", help="those past their date alone")
    listing.add_argument("--as-of", type=command_line.day, metavar="DATE", help="(default: today)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
