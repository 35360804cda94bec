"""`tamga report`: what a release tells to the outside, as a page or in a standard's own form."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from lineage.chain import NoRelease
from lineage.reports import (
    attribution,
    croissant,
    licences,
    openlineage,
    opt_outs,
    prov_document,
    provenance_standards,
    spdx,
    training_summary,
)
from lineage.reports.facts import Facts, read
from lineage.reports.files import json_bytes
from lineage.reports.prov_document import NoRecord
from schemas import command_line
from schemas.errors import Invalid

#: Report -> (what it is, its page or None, its JSON value).
REPORTS: dict[str, tuple[str, Callable[[Facts], str] | None, Callable[[Facts], Any]]] = {
    "licences": ("roll-ups by licence, source, language", licences.table, licences.value),
    "attribution": ("whom to name, and the licences' terms", attribution.page, attribution.value),
    "eu-summary": (
        "the public summary of training content, Art. 53(1)(d) of the AI Act; what only a provider "
        "knows is flagged",
        training_summary.page,
        training_summary.summary,
    ),
    "opt-outs": (
        "what publishers said at the fetch, and what they say in the latest capture",
        opt_outs.page,
        opt_outs.value,
    ),
    "croissant": ("Croissant 1.1 with RAI", None, croissant.description),
    "spdx": ("an SPDX 3.0.1 dataset", None, spdx.document),
    "dps": (
        "Data Provenance Standards 1.0 of the Data & Trust Alliance",
        None,
        provenance_standards.metadata,
    ),
    "prov": ("one record's way in PROV-JSON; needs --document", None, lambda facts: None),
    "openlineage": ("the runs as OpenLineage events, one a line", None, openlineage.replay),
}

EPILOG = """examples:
  tamga report licences
  tamga report licences --csv --out licences.csv
  tamga report eu-summary --release release/sample --out summary.md
  tamga report eu-summary --release release/sample --json
  tamga report opt-outs --json
  tamga report prov --document 0f3a5c0b9d1e42f7a6b8c9d0e1f2a3b4
  tamga report openlineage --out events.jsonl

reports:
{reports}

Exit codes: 0 made, 1 no such record, 2 wrong usage, or no release."""


def main(argv: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = _parser()
    options = parser.parse_args(argv)
    if (options.report == "prov") != (options.document is not None):
        parser.error("--document names a record for `prov`, and only for it")
    if options.csv and (options.report != "licences" or options.json):
        parser.error("--csv is for `licences`, without --json")
    try:
        content = _made(
            options,
            read(options.release or _release_of(options.params)),
        )
        if options.out:
            options.out.write_bytes(content)
    except NoRecord as error:
        print(error, file=sys.stderr)
        return 1
    except (Invalid, NoRelease) as error:
        print(error, file=sys.stderr)
        return 2
    except OSError as error:
        print(f"{error.filename}: {error.strerror}", file=sys.stderr)
        return 2
    except (KeyError, TypeError, ValueError, pl.exceptions.PolarsError) as error:
        reason = str(error).partition("\n")[0]
        print(
            f"this release cannot be read ({type(error).__name__}: {reason}); "
            "`tamga verify` says what is wrong with it",
            file=sys.stderr,
        )
        return 2
    if not options.out:
        sys.stdout.write(content.decode())
    return 0


def _made(options: argparse.Namespace, facts: Facts) -> bytes:
    """The report's bytes."""
    _, page, value = REPORTS[options.report]
    if options.csv:
        return licences.csv(facts).encode()
    if options.report == "prov":
        return json_bytes(prov_document.document(facts, options.document))
    if options.report == "openlineage" and not options.json:
        lines = (json.dumps(event, ensure_ascii=False) + "\n" for event in value(facts))
        return "".join(lines).encode()
    return json_bytes(value(facts)) if options.json or page is None else page(facts).encode()


def _parser() -> argparse.ArgumentParser:
    told = "\n".join(f"  {name:12} {about}" for name, (about, *_) in REPORTS.items())
    parser = command_line.parser("report", __doc__, EPILOG.format(reports=told))
    parser.add_argument("report", choices=REPORTS, metavar="REPORT", help=", ".join(REPORTS))
    parser.add_argument("--release", type=Path, metavar="DIR", help="else the one that params name")
    command_line.add_params(parser)
    parser.add_argument("--document", metavar="DOC_ID", help="the record, for `prov`")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write there, not to the terminal")
    parser.add_argument("--csv", action="store_true", help="rows as CSV, for `licences`")
    parser.add_argument("--json", action="store_true", help="as JSON, where a page is the default")
    return parser


def _release_of(path: Path) -> Path:
    return command_line.loaded(path, "a release by --release").release_folder


if __name__ == "__main__":
    sys.exit(main())
