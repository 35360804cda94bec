"""`tamga quality train`: a classifier from labelled documents, or from curated against raw ones."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from lineage.storage import disk
from pipelines.quality.training import BadInput, Columns, Settings
from schemas import command_line
from schemas.command_entry import with_exit_code

EPILOG = """examples:
  tamga quality train --curated release/sample/data --raw raw.jsonl --out models/quality.bin
  tamga quality train labelled.jsonl --label-column topic --out models/domains.bin
  tamga quality train labelled.parquet --loss ova --out models/topics.bin --json

Files end in .jsonl, .jsonl.gz, .parquet or .txt (a document a line; with labels, a line begins
with __label__NAME).  A folder means all such files below it.  Documents of --curated bear the
label `curated`, those of --raw `raw`.  Which documents are held out follows from their digests.
Beside the model a card is written, MODEL.card.json: its digest, inputs, settings, precision and
recall by language.  In params.yaml: `quality: {classifier: {model: models/quality.bin}}`, or
`quality: {domains: {classifier: {model: models/domains.bin}}}`.

Exit codes: 0 done, 2 wrong usage or documents, or the model must not be written there, 3 the disk
failed."""


@with_exit_code
def main(argv: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    options = _parser().parse_args(argv)
    told = _train(options)
    if options.json:
        print(json.dumps(told, ensure_ascii=False, indent=1))
    else:
        _print(told)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = command_line.parser("quality train", __doc__, EPILOG, allow_abbrev=False)
    add = parser.add_argument
    add("labelled", nargs="*", type=Path, help="files or folders with a label for each document")
    add("--curated", nargs="+", type=Path, default=[], help="documents that are good examples")
    add("--raw", nargs="+", type=Path, default=[], help="documents as they come")
    add("--out", type=Path, required=True, help="where the model goes")
    add("--text-column", default="text", help="default: %(default)s")
    add("--label-column", default="label", help="a string, or a list (default: %(default)s)")
    add("--lang-column", default="lang", help="identified where absent (default: %(default)s)")
    add(
        "--held-out",
        type=_share,
        default=0.2,
        help="share of the documents to evaluate on (default: %(default)s)",
    )
    for one in fields(Settings):
        choices = ("softmax", "ova") if one.name == "loss" else None
        add(
            "--" + {"wordNgrams": "word-ngrams", "minCount": "min-count"}.get(one.name, one.name),
            dest=one.name,
            type=type(one.default),
            default=one.default,
            choices=choices,
            help="of fastText (default: %(default)s)",
        )
    add("--json", action="store_true", help="print the card as JSON")
    return parser


def _share(text: str) -> float:
    number = float(text)
    if not 0 < number < 1:
        raise argparse.ArgumentTypeError("between 0 and 1")
    return number


def _train(options: argparse.Namespace) -> dict[str, Any]:
    import polars as pl

    from pipelines.quality import training

    if not options.labelled and not (options.curated and options.raw):
        raise BadInput("name labelled files, or both --curated and --raw; see --help")
    columns = Columns(options.text_column, options.label_column, options.lang_column)
    settings = Settings(**{f.name: getattr(options, f.name) for f in fields(Settings)})
    parts, inputs = [], []
    for paths, label in (
        (options.labelled, None),
        (options.curated, "curated"),
        (options.raw, "raw"),
    ):
        for path in training.list_files(paths):
            parts.append(training.read_documents(path, columns, label))
            inputs.append((label or "labelled", path.name, disk.sha256_file(path)))
    prepared = training.prepare(_identified(pl.concat(parts)), options.held_out)
    model = training.train(prepared, settings, options.out, loud=sys.stderr.isatty())
    rows = training.evaluate(model, prepared, settings.loss == "ova")
    told = training.model_card(model, prepared, settings, inputs, rows)
    disk.write_json(options.out.with_name(f"{options.out.name}.card.json"), told)
    return told


def _identified(documents: Any) -> Any:
    """Documents with their languages, identified where no column says them."""
    import polars as pl

    from pipelines.language import identifier

    unknown = documents["lang"].is_null()
    if not unknown.any():
        return documents
    some = documents.filter(unknown).select(doc_id=pl.lit(""), text=pl.col("text").fill_null(""))
    found = identifier.Identifier(identifier.model_path(None, Path())).identify(some)["lang"]
    return documents.with_columns(documents["lang"].scatter(unknown.arg_true(), found))


def _print(told: dict[str, Any]) -> None:
    print(f"{told['model']}  sha256 {told['sha256']}")
    for label, counts in told["documents"].items():
        print(f"  {label}: {counts['trained']} trained on, {counts['held_out']} held out")
    print(f"{'label':16} {'lang':5} {'documents':>9} {'precision':>9} {'recall':>7}")
    for row in told["held_out"]:
        cells = ["-" if row[k] is None else f"{row[k]:.3f}" for k in ("precision", "recall")]
        print(
            f"{row['label']:16} {row['lang']:5} {row['documents']:>9} {cells[0]:>9} {cells[1]:>7}"
        )


if __name__ == "__main__":
    sys.exit(main())
