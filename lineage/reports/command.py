"""`tamga report`: what a release tells to the outside, as a page or in a standard's own form."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from lineage.reports import (
    attribution,
    croissant,
    html,
    licences,
    openlineage,
    opt_outs,
    prov_document,
    provenance_standards,
    spdx,
    training_summary,
)
from lineage.reports.facts import Facts, read_facts
from lineage.reports.files import json_bytes
from lineage.storage import disk
from lineage.storage.release_tables import NoRelease, readable
from schemas import command_line
from schemas.command_entry import with_exit_code


@dataclass(frozen=True)
class Report:
    """What a report is, and the forms that it has: a JSON value, and where it has them a page in
    Markdown and rows as CSV."""

    about: str
    value: Callable[[Facts], Any]
    page: Callable[[Facts], str] | None = None
    csv: Callable[[Facts], str] | None = None


REPORTS: Final = {
    "licences": Report(
        "roll-ups by licence, source, language",
        licences.to_json,
        licences.to_markdown,
        licences.to_csv,
    ),
    "attribution": Report(
        "whom to name, and the licences' terms", attribution.to_json, attribution.to_markdown
    ),
    "eu-summary": Report(
        "the public summary of training content, Art. 53(1)(d) of the AI Act; what only a provider "
        "knows is flagged",
        training_summary.summary,
        training_summary.to_markdown,
        training_summary.domains_to_csv,
    ),
    "opt-outs": Report(
        "what publishers said at the fetch, and what they say in the latest capture",
        opt_outs.to_json,
        opt_outs.to_markdown,
    ),
    "croissant": Report("Croissant 1.1 with RAI", croissant.description),
    "spdx": Report("an SPDX 3.0.1 dataset", spdx.document),
    "dps": Report(
        "Data Provenance Standards 1.0 of the Data & Trust Alliance", provenance_standards.metadata
    ),
    "prov": Report("one record's way in PROV-JSON; needs --document", lambda facts: None),
    "openlineage": Report("the runs as OpenLineage events, one a line", openlineage.replay),
}

EPILOG = """examples:
  tamga report licences
  tamga report licences --csv --out licences.csv
  tamga report eu-summary --release release/sample --out summary.md
  tamga report eu-summary --release release/sample --html --out summary.html
  tamga report eu-summary --csv --out domains.csv
  tamga report opt-outs --json
  tamga report prov --document 0f3a5c0b9d1e42f7a6b8c9d0e1f2a3b4
  tamga report openlineage --out events.jsonl

reports:
{reports}

Exit codes: 0 made, 1 no such record, 2 wrong usage, or no release."""


@with_exit_code
def main(argv: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = _parser()
    options = parser.parse_args(argv)
    if (options.report == "prov") != (options.document is not None):
        parser.error("--document names a record for `prov`, and only for it")
    _check_form(parser, options)
    folder = options.release or _release_of(options.params)
    # a manifest of another form lacks keys or has other types: then there is no release to report on
    with readable(NoRelease, KeyError, TypeError, ValueError):
        content = _made(options, read_facts(folder))
    if options.out:
        disk.write_output(options.out, content)
    else:
        sys.stdout.write(content.decode())
    return 0


def _made(options: argparse.Namespace, facts: Facts) -> bytes:
    """The report's bytes."""
    report = REPORTS[options.report]
    if options.csv and report.csv:
        return report.csv(facts).encode()
    if options.html and report.page:
        title = f"{options.report}: {facts.manifest['name']}"
        return html.page(title, report.page(facts)).encode()
    if options.report == "prov":
        return json_bytes(prov_document.document(facts, options.document))
    if options.report == "openlineage" and not options.json:
        lines = (json.dumps(event, ensure_ascii=False) + "\n" for event in report.value(facts))
        return "".join(lines).encode()
    if options.json or report.page is None:
        return json_bytes(report.value(facts))
    return report.page(facts).encode()


def _check_form(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """End with a message where a report does not have the form that is asked for."""
    if sum((options.csv, options.html, options.json)) > 1:
        parser.error("one of --csv, --html and --json")
    for form, has in (
        ("csv", [name for name, one in REPORTS.items() if one.csv]),
        ("html", [name for name, one in REPORTS.items() if one.page]),
    ):
        if getattr(options, form) and options.report not in has:
            parser.error(f"--{form} is for {', '.join(has)}")


def _parser() -> argparse.ArgumentParser:
    told = "\n".join(f"  {name:12} {one.about}" for name, one in REPORTS.items())
    parser = command_line.parser("report", __doc__, EPILOG.format(reports=told))
    parser.add_argument("report", choices=REPORTS, metavar="REPORT", help=", ".join(REPORTS))
    parser.add_argument("--release", type=Path, metavar="DIR", help="else the one that params name")
    command_line.add_params(parser)
    parser.add_argument("--document", metavar="DOC_ID", help="the record, for `prov`")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write there, not to the terminal")
    parser.add_argument(
        "--csv",
        action="store_true",
        help="rows as CSV: of `licences`, of the domains in `eu-summary`",
    )
    parser.add_argument(
        "--html", action="store_true", help="a page to print, where Markdown is one"
    )
    parser.add_argument("--json", action="store_true", help="as JSON, where a page is the default")
    return parser


def _release_of(path: Path) -> Path:
    from lineage.configuration import required_params  # heavy

    return required_params(path, "a release by --release").release_folder


if __name__ == "__main__":
    sys.exit(main())
