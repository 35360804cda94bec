"""`tamga scrub`: replace the personal data of a text by placeholders, and print the text."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from schemas import command_line
from schemas.command_entry import with_exit_code
from schemas.errors import Usage

EPILOG = """examples:
  tamga scrub letter.txt --lang kk --jurisdiction KZ
  tamga scrub < letter.txt"""


@with_exit_code
def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
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
    released, redactions = _scrub(text, options.lang, options.jurisdiction)
    if options.json:
        result = {"text": released, "redactions": redactions}
        print(json.dumps(result, ensure_ascii=False))
    else:
        sys.stdout.write(released)
    return 0


def _scrub(
    text: str, lang: str | None, jurisdiction: str | None
) -> tuple[str, list[dict[str, Any]]]:
    """Return the text with placeholders, and its redactions."""
    from pipelines.personal_data.scrub import Scrubber, apply_findings  # takes a second to load

    document = pl.DataFrame(
        {
            "doc_id": ["-"],
            "text": [text],
            "lang": [lang],
            "jurisdiction": [jurisdiction],
        },
        schema={
            "doc_id": pl.String,
            "text": pl.String,
            "lang": pl.String,
            "jurisdiction": pl.String,
        },
    )
    released, redactions = apply_findings(document, Scrubber().find(document))
    return released["text"][0], redactions.drop("doc_id").to_dicts()
