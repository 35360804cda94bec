"""`tamga identify`: a text per line in, `language<TAB>script<TAB>score` per line out."""

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
    """The command line; returns the exit code."""
    parser = command_line.parser("identify", __doc__, EPILOG)
    parser.add_argument(
        "file", nargs="?", type=Path, help="a UTF-8 text per line (default: standard input)"
    )
    parser.add_argument("--model", help="a fastText model (default: lid.176.ftz)")
    options = parser.parse_args(argv)
    identifier = Identifier(model_path(options.model, Path()))
    with options.file.open("rb") if options.file else sys.stdin.buffer as lines:
        for rows in _identified(lines, identifier):
            sys.stdout.write(rows)
    return 0


def _identified(lines: BinaryIO, identifier: Identifier) -> Iterator[str]:
    while some := list(islice(lines, LINES)):
        texts = [line.decode("utf-8", "replace").rstrip("\r\n") for line in some]
        found = identifier.identify(pl.DataFrame({"doc_id": [""] * len(texts), "text": texts}))
        yield "".join(
            f"{lang or 'und'}\t{script or 'Zzzz'}\t{score:.4f}\n"
            for lang, script, score in found.select("lang", "script", "score").iter_rows()
        )
