"""`tamga withdraw`: take a source, URL, domain, document or text out; first, show what would go."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from schemas import command_line
from schemas.command_entry import with_exit_code
from schemas.withdrawals import SCOPES

EPILOG = """examples:
  tamga withdraw source kz-bilik
  tamga withdraw url https://law.example.kz/news/1.html --json
  tamga withdraw text letter.txt
  tamga withdraw source kz-bilik --confirm --by counsel --ground "licence ended, letter 12/7"
  tamga withdraw domain example.kz --confirm --erase --by data-protection-officer \\
    --ground "request for erasure" --received 2026-11-02 --due 2026-12-02

Without --confirm nothing is changed.  Exit codes: 0 shown, done, or done before; 1 nothing matches,
or only what is like a text; everything would go without --all; a release cannot be read; or something
is left to do.  2 wrong usage or parameters."""

#: Where a day begins first, it is so much later than in UTC.
_FIRST_ZONE = timedelta(hours=14)


@with_exit_code
def main(argv: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = _parser()
    options = parser.parse_args(argv)
    if options.confirm and not (options.by and options.ground):
        parser.error("--confirm needs --by and --ground")
    from lineage.storage.release_tables import DamagedRelease, readable

    # a manifest, envelope or list of another form raises ValueError
    with readable(DamagedRelease, ValueError):
        return _withdraw(options)


def _withdraw(options: argparse.Namespace) -> int:
    from lineage.configuration import load_both
    from lineage.register_files import load_register
    from pipelines.release import timestamp
    from pipelines.withdrawal import execution, impact

    params, register = load_both(options.params)
    scope = impact.scope_of(params, options.scope, options.value)
    _check(options, scope.value)
    if not options.confirm:
        return _show(impact.Impact(params, register, scope).told(), options.json)
    with execution.exclusive_access(params):
        resumed = execution.resume_unfinished(params, register)
        if not options.json:
            print("".join(f"finished {one['id']}, begun before\n" for one in resumed), end="")
        found = impact.Impact(params, load_register(params.register), scope)
        held = [f.release.folder.name for f in found.concerned]
        erased = any(one["erased"] for one in found.receipts)
        due = held if options.erase else [n for n in held if n == params.release.name]
        if found.standing and not due and (erased or not options.erase):
            unstamped = timestamp.stamp_missing(params)
            return max(_show(found.told(), options.json), _stampless(unstamped))
        if found.everything and not options.all:
            print(
                "tamga: EVERYTHING in a release would go; say --all if that is meant",
                file=sys.stderr,
            )
            return 1
        done = execution.start(found, _order(options)).carry_out()
        unstamped = timestamp.stamp_missing(params)
    left = _done(done, [n for n in held if n not in due], options.json)
    return max(left, _stampless(unstamped))


def _stampless(left: Mapping[str, str]) -> int:
    """Tell of releases that need a time stamp and have none; the exit code."""
    for name, why in left.items():
        print(
            f"tamga: {name} has no time stamp, and needs one: {why}; the same command asks again",
            file=sys.stderr,
        )
    return 1 if left else 0


def _order(options: argparse.Namespace) -> dict[str, Any]:
    today = datetime.now(UTC).date().isoformat()
    return {
        "recorded_on": today,
        "ground": options.ground,
        "recorded_by": options.by,
        "received_on": options.received or today,
        "due_on": options.due,
        "case": options.case,
        "erase": options.erase,
    }


def _check(options: argparse.Namespace, value: str) -> None:
    """Raises `Invalid` for what the register cannot take up."""
    from pipelines.personal_data.uris import redact_uri
    from schemas.errors import Invalid, Problem
    from schemas.withdrawals import check_entry

    order = {k: v for k, v in _order(options).items() if v is not None and k != "erase"}
    check_entry({"scope": options.scope, "value": value, "ground": "none"} | order)
    if options.ground and redact_uri(options.ground) != options.ground:
        problem = "holds what looks like personal data: name a file number instead"
        raise Invalid([Problem("--ground", None, "", problem)])
    received, due = order["received_on"], order.get("due_on")  # ISO 8601: they sort as days do
    if received > (datetime.now(UTC) + _FIRST_ZONE).date().isoformat():
        raise Invalid([Problem("--received", None, "", "is in the future", received)])
    if due and due < received:
        problem = f"is before the day of receipt, {received}: name that day by --received"
        raise Invalid([Problem("--due", None, "", problem, due)])


def _show(told: dict[str, Any], as_json: bool) -> int:
    if as_json:
        print(json.dumps(told, ensure_ascii=False, indent=1))
    else:
        print("\n".join(_lines(told)))
    known = told["documents"] or told["recorded"]
    return 0 if known and not told["out_of_reach"] else 1


def _lines(told: dict[str, Any]) -> Iterator[str]:
    """A dry run in lines that a person reads."""
    what = f"{told['scope']} {told['value']}"
    if entry := told["recorded"]:
        with_receipt = f", receipt {', '.join(told['receipts'])}" if told["receipts"] else ""
        yield f"{what} is already withdrawn, on {entry['recorded_on']}{with_receipt}"
    for id in told["unfinished"]:
        yield f"{id} was begun and not ended: any --confirm ends it first"
    yield from _left(told)
    for one in told["releases"]:
        yield from _release(one)
    if not told["documents"] and told["recorded"]:
        yield "nothing was changed"
    elif not told["documents"]:
        yield f"nothing in the releases is of {what}; --confirm would bar it from now on"
    elif told["everything"]:
        yield "WARNING: EVERYTHING in a release would go; --confirm needs --all"
    elif not told["recorded"]:
        yield "nothing was changed; --confirm --by ROLE --ground WHY withdraws it"


def _release(one: dict[str, Any]) -> Iterator[str]:
    tokens = "" if one["tokens"] is None else f", {one['tokens']} tokens"
    share = 100 * one["chars"] / max(one["of_chars"], 1)
    yield (
        f"{one['release']}: {one['documents']} of {one['of']} documents, {one['chars']} characters "
        f"({share:.1f} %){tokens}, in {len(one['shards'])} shards; {one['shards_untouched']} stay"
    )
    for lang, n in one["languages"].items():
        yield f"  {lang}: {n['documents']} of {n['of']} documents, {100 * n['share']:.1f} %"
    for reason, n in one["not_released"].items():
        yield f"  not released before: {n} ({reason})"
    for kind, (text, passage) in _COPIES.items():
        for copy in one["copies"][kind]:
            words = passage if copy["kinds"] == ["passage"] else text
            right = copy.get("reason") or f"{copy['basis']}: {copy['reference']}"
            hand = f"; {copy['text_at_hand']} in the work folder" if "text_at_hand" in copy else ""
            yield (
                f"  {words}: {copy['documents']} of {copy['source_id']} "
                f"({copy['licence']}, {right}){hand}"
            )
    if one["containers"]:
        yield f"  raw files that hold it, which stay as they are: {', '.join(one['containers'])}"


_COPIES = {
    "stay": ("the same text stays", "a passage of it stays"),
    "take_over": (
        "a copy takes its place at the next run",
        "a passage that it kept alone comes back at the next run",
    ),
    "barred": ("a copy does not take its place", "a passage of it does not come back"),
}


def _left(told: dict[str, Any]) -> Iterator[str]:
    for name in told["out_of_reach"]:
        yield f"NOT purged: DVC remote {name}; the objects known here stand in the tombstones"


def _done(told: dict[str, Any], others: list[str], as_json: bool) -> int:
    if as_json:
        print(json.dumps(told | {"still_in": others}, ensure_ascii=False, indent=1))
    else:
        print(f"withdrawn: {told['scope']}, receipt receipts/{told['id']}.dsse.json")
        for one in told["releases"]:
            print(
                f"{one['name']}: {one['documents']} documents went, {len(one['shards'])} shards "
                f"made anew, {one['untouched']} untouched"
            )
        for kind, n in told["purged"].items():
            print(f"{kind}: {n}")
        for name in others:
            print(f"still in {name}, which --erase would redact too")
        print("".join(f"{line}\n" for line in _left(told)), end="")
    return 1 if told["out_of_reach"] else 0


def _parser() -> argparse.ArgumentParser:
    parser = command_line.parser("withdraw", __doc__, EPILOG)
    parser.add_argument("scope", choices=SCOPES, help="what kind of thing is withdrawn")
    parser.add_argument(
        "value",
        metavar="VALUE",
        help="a source's or document's id, a URL, a host with its "
        "subdomains, a text's SHA-256 or a file that holds it",
    )
    command_line.add_params(parser)
    parser.add_argument("--confirm", action="store_true", help="do it; else it is only shown")
    parser.add_argument("--by", metavar="ROLE", help="who decided: a role, no person's name")
    parser.add_argument("--ground", metavar="WHY", help="on what ground; no personal data")
    parser.add_argument("--received", metavar="DATE", help="when it was asked for (default: today)")
    parser.add_argument("--due", metavar="DATE", help="until when it must be done")
    parser.add_argument("--case", metavar="CASE", help="the case that was decided so, e.g. c-0001")
    parser.add_argument(
        "--erase",
        action="store_true",
        help="also from older releases, work files, DVC's cache and local remotes",
    )
    parser.add_argument("--all", action="store_true", help="even if nothing is left of a release")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    return parser


if __name__ == "__main__":
    sys.exit(main())
