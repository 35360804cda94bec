"""`tamga report`: write a report about a release, as a page or in the form of a standard."""

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
    licences,
    markdown,
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
    """A report and its forms.

    Args:
      summary: a line for `--help`.
      to_json: returns the report as a JSON value.
      to_markdown: returns it as a page; None: it has no page.
      to_csv: returns its rows as CSV; None: it has no rows.
    """

    summary: str
    to_json: Callable[[Facts], Any]
    to_markdown: Callable[[Facts], str] | None = None
    to_csv: Callable[[Facts], str] | None = None


REPORTS: Final = {
    "licences": Report(
        "documents by licence, source and language",
        licences.to_json,
        licences.to_markdown,
        licences.to_csv,
    ),
    "attribution": Report(
        "the names to credit, and the terms of the licences",
        attribution.to_json,
        attribution.to_markdown,
    ),
    "eu-summary": Report(
        "the public summary of training content, Art. 53(1)(d) of the AI Act; fields that only a "
        "provider can fill are marked",
        training_summary.summary,
        training_summary.to_markdown,
        training_summary.domains_to_csv,
    ),
    "opt-outs": Report(
        "publishers' statements at the fetch and in the latest capture, where they differ",
        opt_outs.to_json,
        opt_outs.to_markdown,
    ),
    "croissant": Report("a description in Croissant 1.1 with RAI", croissant.description),
    "spdx": Report("an SPDX 3.0.1 dataset", spdx.document),
    "dps": Report(
        "Data Provenance Standards 1.0 of the Data & Trust Alliance", provenance_standards.metadata
    ),
    "prov": Report(
        "the history of one record in PROV-JSON; requires --document", lambda facts: None
    ),
    "openlineage": Report("the runs as OpenLineage events, one event per line", openlineage.replay),
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

Exit codes: 0 the report was written; 1 no such record; 2 wrong usage, or no release."""


@with_exit_code
def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    parser = _parser()
    options = parser.parse_args(argv)
    if (options.report == "prov") != (options.document is not None):
        parser.error("`prov` requires --document DOC_ID; no other report takes it")
    _check_form(parser, options)
    folder = options.release or _release_of(options.params)
    # a manifest of another form lacks keys or has values of other types
    with readable(NoRelease, KeyError, TypeError, ValueError):
        content = _render(options, read_facts(folder))
    if options.out:
        disk.write_output(options.out, content)
    else:
        sys.stdout.write(content.decode())
    return 0


def _render(options: argparse.Namespace, facts: Facts) -> bytes:
    """Return the report in the form that the options name."""
    report = REPORTS[options.report]
    if options.csv and report.to_csv:
        return report.to_csv(facts).encode()
    if options.html and report.to_markdown:
        title = f"{options.report}: {facts.manifest['name']}"
        return markdown.html_page(title, report.to_markdown(facts)).encode()
    if options.report == "prov":
        return json_bytes(prov_document.document(facts, options.document))
    if options.report == "openlineage" and not options.json:
        lines = (json.dumps(event, ensure_ascii=False) + "\n" for event in report.to_json(facts))
        return "".join(lines).encode()
    if options.json or report.to_markdown is None:
        return json_bytes(report.to_json(facts))
    return report.to_markdown(facts).encode()


def _check_form(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """Stop with a usage error if the report does not have the requested form."""
    if sum((options.csv, options.html, options.json)) > 1:
        parser.error("--csv, --html and --json exclude each other; name one of them")
    for form, reports in (
        ("csv", [name for name, report in REPORTS.items() if report.to_csv]),
        ("html", [name for name, report in REPORTS.items() if report.to_markdown]),
    ):
        if getattr(options, form) and options.report not in reports:
            parser.error(
                f"{options.report} has no {form.upper()} form; reports with --{form}: "
                f"{', '.join(reports)}"
            )


def _parser() -> argparse.ArgumentParser:
    summaries = "\n".join(f"  {name:12} {report.summary}" for name, report in REPORTS.items())
    parser = command_line.parser("report", __doc__, EPILOG.format(reports=summaries))
    parser.add_argument("report", choices=REPORTS, metavar="REPORT", help=", ".join(REPORTS))
    parser.add_argument(
        "--release",
        type=Path,
        metavar="DIR",
        help="the release's folder (default: the release that the parameters name)",
    )
    command_line.add_params(parser)
    parser.add_argument("--document", metavar="DOC_ID", help="the id of the record, for `prov`")
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="write to this file, not to the terminal"
    )
    parser.add_argument(
        "--csv",
        action="store_true",
        help="print rows as CSV: `licences`, or the domains of `eu-summary`",
    )
    parser.add_argument(
        "--html", action="store_true", help="print the page as HTML, for reports that have a page"
    )
    parser.add_argument(
        "--json", action="store_true", help="print JSON, also for reports that have a page"
    )
    return parser


def _release_of(path: Path) -> Path:
    from lineage.configuration import required_params  # heavy

    return required_params(path, "a release by --release").release_folder


if __name__ == "__main__":
    sys.exit(main())
