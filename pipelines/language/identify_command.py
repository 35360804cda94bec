"""`tamga identify`: reads one text per line, prints `language<TAB>script<TAB>score` per line."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import polars as pl

from pipelines.language.identifier import Identifier, model_path
from schemas import command_line
from schemas.command_entry import with_exit_code

LINES = 4096
EPILOG = """examples:
  tamga identify texts.txt
  cut -f2 corpus.tsv | tamga identify"""


@with_exit_code
def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    parser = command_line.parser("identify", __doc__, EPILOG)
    parser.add_argument(
        "file", nargs="?", type=Path, help="UTF-8, one text per line (default: standard input)"
    )
    parser.add_argument("--model", help="a fastText model (default: lid.176.ftz)")
    options = parser.parse_args(argv)
    identifier = Identifier(model_path(options.model, Path()))
    with options.file.open("rb") if options.file else sys.stdin.buffer as lines:
        for rows in _label_lines(lines, identifier):
            sys.stdout.write(rows)
    return 0


def _label_lines(lines: BinaryIO, identifier: Identifier) -> Iterator[str]:
    """Yield the output for up to `LINES` lines of input at a time."""
    while batch := list(islice(lines, LINES)):
        texts = [line.decode("utf-8", "replace").rstrip("\r\n") for line in batch]
        labels = identifier.identify(pl.DataFrame({"doc_id": [""] * len(texts), "text": texts}))
        yield "".join(
            f"{lang or 'und'}\t{script or 'Zzzz'}\t{score:.4f}\n"
            for lang, script, score in labels.select("lang", "script", "score").iter_rows()
        )
