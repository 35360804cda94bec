"""`tamga quality train`: trains a classifier on labelled documents, or on curated and raw ones."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lineage.storage import disk
from pipelines.quality.training import BadInput, Columns, Settings
from schemas import command_line
from schemas.command_entry import with_exit_code

if TYPE_CHECKING:
    import polars as pl

EPILOG = """examples:
  tamga quality train --curated release/sample/data --raw raw.jsonl --out models/quality.bin
  tamga quality train labelled.jsonl --label-column topic --out models/domains.bin
  tamga quality train labelled.parquet --loss ova --out models/topics.bin --json

Files end in .jsonl, .jsonl.gz, .parquet or .txt.  A .txt file holds one document per line; a line
with labels begins with __label__NAME.  A folder means all such files below it.  Documents of
--curated get the label `curated`, those of --raw `raw`.  Digests decide which documents are held
out.  The command also writes a card, MODEL.card.json: digest, inputs, settings, and precision and
recall by language.  To use the model, add to params.yaml:
`quality: {classifier: {model: models/quality.bin}}`, or
`quality: {domains: {classifier: {model: models/domains.bin}}}`.

Exit codes: 0 done, 2 wrong usage, wrong documents or a wrong path of the model, 3 the disk failed."""


@with_exit_code
def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    options = _parser().parse_args(argv)
    card = _train(options)
    if options.json:
        print(json.dumps(card, ensure_ascii=False, indent=1))
    else:
        _print_card(card)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = command_line.parser("quality train", __doc__, EPILOG, allow_abbrev=False)
    add = parser.add_argument
    add("labelled", nargs="*", type=Path, help="files or folders with a label for each document")
    add("--curated", nargs="+", type=Path, default=[], help="documents that are good examples")
    add("--raw", nargs="+", type=Path, default=[], help="unselected documents")
    add("--out", type=Path, required=True, help="the model's file")
    add("--text-column", default="text", help="the texts (default: %(default)s)")
    add("--label-column", default="label", help="strings or lists (default: %(default)s)")
    add(
        "--lang-column",
        default="lang",
        help="languages; identified where missing (default: %(default)s)",
    )
    add(
        "--held-out",
        type=_share,
        default=0.2,
        help="share of the documents for evaluation (default: %(default)s)",
    )
    for field in fields(Settings):
        choices = ("softmax", "ova") if field.name == "loss" else None
        name = {"wordNgrams": "word-ngrams", "minCount": "min-count"}.get(field.name, field.name)
        add(
            f"--{name}",
            dest=field.name,
            type=type(field.default),
            default=field.default,
            choices=choices,
            help="fastText's setting (default: %(default)s)",
        )
    add("--json", action="store_true", help="print the card as JSON")
    return parser


def _share(text: str) -> float:
    number = float(text)
    if not 0 < number < 1:
        raise argparse.ArgumentTypeError("must be between 0 and 1")
    return number


def _train(options: argparse.Namespace) -> dict[str, Any]:
    """Train and evaluate a model, write it and its card; return the card."""
    import polars as pl

    from pipelines.quality import training

    if not options.labelled and not (options.curated and options.raw):
        raise BadInput("no documents: name labelled files, or both --curated and --raw; see --help")
    columns = Columns(options.text_column, options.label_column, options.lang_column)
    settings = Settings(**{f.name: getattr(options, f.name) for f in fields(Settings)})
    documents, inputs = [], []
    for paths, label in (
        (options.labelled, None),
        (options.curated, "curated"),
        (options.raw, "raw"),
    ):
        for path in training.list_files(paths):
            documents.append(training.read_documents(path, columns, label))
            inputs.append((label or "labelled", path.name, disk.sha256_file(path)))
    prepared = training.prepare(_add_languages(pl.concat(documents)), options.held_out)
    model = training.train(prepared, settings, options.out, loud=sys.stderr.isatty())
    rows = training.evaluate(model, prepared, settings.loss == "ova")
    card = training.model_card(
        model=model, prepared=prepared, settings=settings, inputs=inputs, rows=rows
    )
    disk.write_json(options.out.with_name(f"{options.out.name}.card.json"), card)
    return card


def _add_languages(documents: pl.DataFrame) -> pl.DataFrame:
    """Identify the languages of the documents that have none."""
    import polars as pl

    from pipelines.language import identifier

    unknown = documents["lang"].is_null()
    if not unknown.any():
        return documents
    texts = documents.filter(unknown).select(doc_id=pl.lit(""), text=pl.col("text").fill_null(""))
    languages = identifier.Identifier(identifier.model_path(None, Path())).identify(texts)["lang"]
    return documents.with_columns(documents["lang"].scatter(unknown.arg_true(), languages))


def _print_card(card: dict[str, Any]) -> None:
    print(f"{card['model']}  sha256 {card['sha256']}")
    for label, counts in card["documents"].items():
        print(f"  {label}: {counts['trained']} trained on, {counts['held_out']} held out")
    print(f"{'label':16} {'lang':5} {'documents':>9} {'precision':>9} {'recall':>7}")
    for row in card["held_out"]:
        cells = ["-" if row[k] is None else f"{row[k]:.3f}" for k in ("precision", "recall")]
        print(
            f"{row['label']:16} {row['lang']:5} {row['documents']:>9} {cells[0]:>9} {cells[1]:>7}"
        )


if __name__ == "__main__":
    sys.exit(main())
