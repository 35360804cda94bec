"""`tamga scrub`: a text in, the text with placeholders for its personal data out."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from schemas import command_line
from schemas.command_entry import with_exit_code
from schemas.errors import Usage

EPILOG = """examples:
  tamga scrub letter.txt --lang kk --jurisdiction KZ
  tamga scrub < letter.txt"""


@with_exit_code
def main(argv: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = command_line.parser("scrub", __doc__, EPILOG)
    parser.add_argument("file", nargs="?", type=Path, help="a UTF-8 text (default: standard input)")
    parser.add_argument("--lang", help="the text's language, ISO 639-1")
    parser.add_argument(
        "--jurisdiction", help="the country whose identifiers are likely, ISO 3166-1 alpha-2"
    )
    parser.add_argument(
        "--json",
        action="store_true",
        help="print the findings (positions and classes) and the text as JSON",
    )
    options = parser.parse_args(argv)
    raw = options.file.read_bytes() if options.file else sys.stdin.buffer.read()
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        name = options.file or "standard input"
        raise Usage(f"{name}: not UTF-8 at byte {error.start}; convert it first") from None
    from pipelines.personal_data.scrub import Scrubber, apply_findings

    one = pl.DataFrame(
        {
            "doc_id": ["-"],
            "text": [text],
            "lang": [options.lang],
            "jurisdiction": [options.jurisdiction],
        },
        schema={
            "doc_id": pl.String,
            "text": pl.String,
            "lang": pl.String,
            "jurisdiction": pl.String,
        },
    )
    released, redactions = apply_findings(one, Scrubber().find(one))
    if options.json:
        print(
            json.dumps(
                {"text": released["text"][0], "redactions": redactions.drop("doc_id").to_dicts()},
                ensure_ascii=False,
            )
        )
    else:
        sys.stdout.write(released["text"][0])
    return 0
