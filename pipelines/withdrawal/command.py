"""Withdraw a source, URL, domain, document or text.  Without --confirm, only show what would change."""

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

exit codes:
  0  the effect was shown, or the withdrawal is done (now or before)
  1  nothing matches; or only similar texts match; or a release would become empty (see --all);
     or a release cannot be read; or something is still to do: the output names it
  2  the arguments or the parameters are wrong"""

#: The earliest time zone is 14 hours ahead of UTC: its date may be tomorrow's date in UTC.
_FIRST_ZONE = timedelta(hours=14)


@with_exit_code
def main(argv: Sequence[str] | None = None) -> int:
    """Run `tamga withdraw`; return the exit code."""
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
    from pipelines.release import time_authority
    from pipelines.withdrawal import execution, impact

    params, register = load_both(options.params)
    scope = impact.scope_of(params, options.scope, options.value)
    _check(options, scope.value)
    if not options.confirm:
        return _show(impact.Impact(params, register, scope).to_json(), options.json)
    with execution.exclusive_access(params):
        resumed = execution.resume_unfinished(params, register)
        if not options.json:
            for receipt in resumed:
                print(f"finished the interrupted withdrawal {receipt['id']}")
        effect = impact.Impact(params, load_register(params.register), scope)
        affected = [one.release.folder.name for one in effect.affected]
        erased = any(receipt["erased"] for receipt in effect.receipts)
        due = affected if options.erase else [n for n in affected if n == params.release.name]
        if effect.active_entry and not due and (erased or not options.erase):
            unstamped = time_authority.stamp_missing(params)
            return max(_show(effect.to_json(), options.json), _report_unstamped(unstamped))
        if effect.empties_release and not options.all:
            print(
                "tamga: the withdrawal would remove EVERYTHING from a release; add --all to allow it",
                file=sys.stderr,
            )
            return 1
        done = execution.start(effect, _order(options)).carry_out()
        unstamped = time_authority.stamp_missing(params)
    code = _report_done(done, [n for n in affected if n not in due], options.json)
    return max(code, _report_unstamped(unstamped))


def _report_unstamped(unstamped: Mapping[str, str]) -> int:
    """Print the releases that still need a time stamp, each with the reason; return the exit code."""
    for name, why in unstamped.items():
        print(
            f"tamga: {name} has no time stamp, and needs one: {why}; the same command requests it "
            "again",
            file=sys.stderr,
        )
    return 1 if unstamped else 0


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
    """Raise `Invalid` for arguments that the register cannot record."""
    from pipelines.personal_data.uri_redaction import redact_uri
    from schemas.errors import Invalid, Problem
    from schemas.withdrawals import check_entry

    order = {k: v for k, v in _order(options).items() if v is not None and k != "erase"}
    check_entry({"scope": options.scope, "value": value, "ground": "none"} | order)
    if options.ground and redact_uri(options.ground) != options.ground:
        problem = "must not contain personal data: write a file number instead"
        raise Invalid([Problem("--ground", None, "", problem)])
    received, due = order["received_on"], order.get("due_on")  # ISO 8601 dates sort as text
    if received > (datetime.now(UTC) + _FIRST_ZONE).date().isoformat():
        raise Invalid([Problem("--received", None, "", "is in the future", received)])
    if due and due < received:
        problem = f"is before the day of receipt, {received}: give that day with --received"
        raise Invalid([Problem("--due", None, "", problem, due)])


def _show(effect: dict[str, Any], as_json: bool) -> int:
    """Print a dry run (`Impact.to_json`); return the exit code."""
    if as_json:
        print(json.dumps(effect, ensure_ascii=False, indent=1))
    else:
        print("\n".join(_effect_lines(effect)))
    known = effect["documents"] or effect["recorded"]
    return 0 if known and not effect["out_of_reach"] else 1


def _effect_lines(effect: dict[str, Any]) -> Iterator[str]:
    """Yield a dry run as text for a person."""
    what = f"{effect['scope']} {effect['value']}"
    if entry := effect["recorded"]:
        with_receipt = f", receipt {', '.join(effect['receipts'])}" if effect["receipts"] else ""
        yield f"{what} is already withdrawn: recorded on {entry['recorded_on']}{with_receipt}"
    for id in effect["unfinished"]:
        yield f"withdrawal {id} was interrupted: the next --confirm finishes it first"
    yield from _unreached_lines(effect)
    for release in effect["releases"]:
        yield from _release_lines(release)
    if not effect["documents"] and effect["recorded"]:
        yield "nothing was changed"
    elif not effect["documents"]:
        yield f"nothing in the releases matches {what}; --confirm would bar it from now on"
    elif effect["everything"]:
        yield "WARNING: EVERYTHING in a release would go; --confirm needs --all"
    elif not effect["recorded"]:
        yield "nothing was changed; --confirm --by ROLE --ground WHY withdraws it"


def _release_lines(release: dict[str, Any]) -> Iterator[str]:
    """Yield what would change in one release."""
    tokens = "" if release["tokens"] is None else f", {release['tokens']} tokens"
    share = 100 * release["chars"] / max(release["of_chars"], 1)
    yield (
        f"{release['release']}: {release['documents']} of {release['of']} documents, "
        f"{release['chars']} characters ({share:.1f} %){tokens}, "
        f"in {len(release['shards'])} shards; {release['shards_untouched']} stay"
    )
    for lang, counts in release["languages"].items():
        share = 100 * counts["share"]
        yield f"  {lang}: {counts['documents']} of {counts['of']} documents, {share:.1f} %"
    for reason, count in release["not_released"].items():
        yield f"  already not in the release: {count} ({reason})"
    for kind, (text, passage) in _COPIES.items():
        for copy in release["copies"][kind]:
            words = passage if copy["kinds"] == ["passage"] else text
            right = copy.get("reason") or f"{copy['basis']}: {copy['reference']}"
            hand = f"; {copy['text_at_hand']} in the work folder" if "text_at_hand" in copy else ""
            yield (
                f"  {words}: {copy['documents']} of {copy['source_id']} "
                f"({copy['licence']}, {right}){hand}"
            )
    if release["containers"]:
        yield f"  raw files that hold it and are not changed: {', '.join(release['containers'])}"


#: Effect on a copy -> its line for a copy of the whole text, and for a copy of a passage.
_COPIES = {
    "stay": ("a copy of the text stays", "a copy of a passage stays"),
    "take_over": (
        "a copy of the text takes its place at the next run",
        "a passage comes back at the next run in another document",
    ),
    "barred": ("a copy of the text stays out", "a passage stays out of another document"),
}


def _unreached_lines(effect: dict[str, Any]) -> Iterator[str]:
    """Yield a line for each DVC remote that the project cannot reach."""
    for name in effect["out_of_reach"]:
        yield (
            f"NOT purged: DVC remote {name}: delete there the objects that the tombstones list "
            "(receipts/<id>.tombstones.jsonl)"
        )


def _report_done(receipt: dict[str, Any], others: list[str], as_json: bool) -> int:
    """Print a receipt's predicate and the releases that still hold the text; return the exit code."""
    if as_json:
        print(json.dumps(receipt | {"still_in": others}, ensure_ascii=False, indent=1))
    else:
        print(f"withdrawn: {receipt['scope']}, receipt receipts/{receipt['id']}.dsse.json")
        for release in receipt["releases"]:
            print(
                f"{release['name']}: {release['documents']} documents removed, "
                f"{len(release['shards'])} shards written again, {release['untouched']} unchanged"
            )
        for kind, count in receipt["purged"].items():
            print(f"{kind}: {count}")
        for name in others:
            print(f"still in {name}: --erase would remove it there too")
        print("".join(f"{line}\n" for line in _unreached_lines(receipt)), end="")
    return 1 if receipt["out_of_reach"] else 0


def _parser() -> argparse.ArgumentParser:
    parser = command_line.parser("withdraw", __doc__, EPILOG)
    parser.add_argument("scope", choices=SCOPES, help="what kind of thing to withdraw")
    parser.add_argument(
        "value",
        metavar="VALUE",
        help="the id of a source or document, a URL, a host (its subdomains are included), "
        "the SHA-256 of a text, or a file that holds the text",
    )
    command_line.add_params(parser)
    parser.add_argument(
        "--confirm",
        action="store_true",
        help="carry out the withdrawal; without it, only show the effect",
    )
    parser.add_argument("--by", metavar="ROLE", help="who decided: a role, not a person's name")
    parser.add_argument(
        "--ground",
        metavar="WHY",
        help="the ground for the withdrawal; it must not contain personal data",
    )
    parser.add_argument(
        "--received", metavar="DATE", help="the day of the request, YYYY-MM-DD (default: today)"
    )
    parser.add_argument("--due", metavar="DATE", help="the deadline, YYYY-MM-DD")
    parser.add_argument(
        "--case", metavar="CASE", help="the case that was decided, for example c-0001"
    )
    parser.add_argument(
        "--erase",
        action="store_true",
        help="also remove the text from older releases, work files, DVC's cache and local remotes",
    )
    parser.add_argument(
        "--all", action="store_true", help="allow a withdrawal that leaves no document in a release"
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    return parser


if __name__ == "__main__":
    sys.exit(main())
