"""Train a fastText classifier from labelled documents: read, divide, train, evaluate.

The same documents, settings and version of fastText give the same model, in any order of the
files: documents are sorted by digest, one thread trains, and the seed is fixed.
"""

from __future__ import annotations

import gzip
import hashlib
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import polars as pl

from lineage.storage import disk
from pipelines.quality.classifier import LABEL, Classifier, to_model_lines
from pipelines.quality.fit import FitError, fit
from schemas.errors import BAD_USAGE, TamgaError

SUFFIXES: Final = (".jsonl", ".jsonl.gz", ".parquet", ".txt")
DOCUMENTS: Final = {"text": pl.String, "labels": pl.List(pl.String), "lang": pl.String}


class BadInput(TamgaError):
    """Training documents or settings cannot be used; the message names what is wrong."""

    exit_code = BAD_USAGE


@dataclass(frozen=True)
class Settings:
    """Settings of fastText (Joulin et al. 2016, arXiv 1607.01759).

    `loss` is `ova` where documents can have several labels.  Letter n-grams (`minn` to `maxn`)
    help with agglutinative languages.
    """

    epoch: int = 10
    lr: float = 0.5
    dim: int = 32
    wordNgrams: int = 2  # fastText's name
    minn: int = 3
    maxn: int = 5
    minCount: int = 2
    bucket: int = 1 << 18
    loss: str = "softmax"
    seed: int = 1


@dataclass(frozen=True)
class Columns:
    """The names of columns or keys.  The column of languages is optional."""

    text: str = "text"
    label: str = "label"
    lang: str = "lang"


def list_files(paths: Sequence[Path]) -> Iterator[Path]:
    """Yield the training files: the given files, and all files of `SUFFIXES` below given folders.

    Raises:
      BadInput: a path is missing or has another suffix, or a folder holds no training files.
    """
    for path in paths:
        if path.is_dir():
            below = sorted(p for p in path.rglob("*") if p.is_file() and _suffix(p))
            if not below:
                raise BadInput(f"{path}: no training files; allowed are {', '.join(SUFFIXES)}")
            yield from below
        elif not path.is_file():
            raise BadInput(f"{path}: is missing")
        elif not _suffix(path):
            raise BadInput(f"{path}: is not a training file; allowed are {', '.join(SUFFIXES)}")
        else:
            yield path


def read_documents(path: Path, columns: Columns, label: str | None) -> pl.DataFrame:
    """Read the documents of a file.

    Args:
      path: `.jsonl`, `.jsonl.gz` or `.parquet` with the columns; or `.txt` with one document per
        line.  If `label` is None, a line of `.txt` begins with `__label__…` words.
      columns: the names of the columns.
      label: the label of all documents; None: the column holds it, as a string or a list.

    Returns:
      The columns of `DOCUMENTS`; `lang` is null where the file has no such column.

    Raises:
      BadInput: the file cannot be read, or lacks a column; the message names it.
    """
    suffix = _suffix(path)
    try:
        if suffix == ".txt":
            return _read_lines(path, label)
        if suffix == ".parquet":
            frame = pl.read_parquet(path, hive_partitioning=False)
        else:
            raw = path.read_bytes()
            raw = gzip.decompress(raw) if suffix.endswith(".gz") else raw
            frame = pl.read_ndjson(raw, infer_schema_length=None)
    except (pl.exceptions.PolarsError, OSError, EOFError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: cannot be read ({type(error).__name__})") from None
    needed = [columns.text] if label is not None else [columns.text, columns.label]
    for name in needed:
        if name not in frame.columns:
            known = ", ".join(frame.columns[:12])
            raise BadInput(f"{path}: no column {name!r}; its columns are {known}")
    if label is not None:
        labels = pl.lit([label])
    elif isinstance(frame.schema[columns.label], pl.List):
        labels = pl.col(columns.label).cast(pl.List(pl.String))
    else:
        labels = pl.concat_list(pl.col(columns.label).cast(pl.String))
    lang = pl.col(columns.lang) if columns.lang in frame.columns else pl.lit(None)
    return frame.select(
        text=pl.col(columns.text).cast(pl.String), labels=labels, lang=lang.cast(pl.String)
    )


def prepare(documents: pl.DataFrame, held_out: float) -> pl.DataFrame:
    """Sort documents by digest, and divide them into training and evaluation documents.

    Documents without text or label are left out.  Copies of a document become one document with
    the labels of all copies.

    Args:
      documents: the columns of `DOCUMENTS`.
      held_out: the share of documents for evaluation.

    Returns:
      line (the model's input), labels, lang, held (bool: for evaluation), in the order of digests.

    Raises:
      BadInput: a label has white space, or one side has fewer than two labels.
    """
    lines = documents.with_columns(
        line=to_model_lines(documents["text"]), labels=pl.col("labels").list.drop_nulls()
    ).filter((pl.col("line") != "") & (pl.col("labels").list.len() > 0))
    digests = [hashlib.sha256(line.encode()).hexdigest() for line in lines["line"]]
    distinct = (
        lines.with_columns(digest=pl.Series(digests, dtype=pl.String))
        .group_by("digest")
        .agg(
            pl.col("line").first(),
            pl.col("labels").list.explode(empty_as_null=False).unique().sort(),
            pl.col("lang").drop_nulls().sort().first(),
        )
        .sort("digest")
    )
    bad = distinct["labels"].list.explode(empty_as_null=False).unique().sort()
    bad = bad.filter(bad.str.contains(r"\s|^$"))
    if len(bad):
        raise BadInput(f"label {bad[0]!r}: white space is not allowed in a label")
    place = pl.col("digest").str.head(8).str.to_integer(base=16) / (1 << 32)
    divided = distinct.with_columns(held=place < held_out).drop("digest")
    for held, name in ((False, "to train on"), (True, "held out")):
        labels = divided.filter(pl.col("held") == held)["labels"]
        known = labels.list.explode(empty_as_null=False).n_unique()
        if known < 2:
            raise BadInput(
                f"{len(labels)} documents with {known} labels {name}: at least two labels are "
                "needed; add documents with other labels"
            )
    return divided


def train(prepared: pl.DataFrame, settings: Settings, out: Path, loud: bool = False) -> Classifier:
    """Train a model on the documents that are not held out, and save it at `out`.

    Args:
      prepared: see `prepare`.
      settings: fastText's settings.
      out: the model's file.
      loud: show fastText's progress.

    Raises:
      BadInput: fastText failed: the learning rate is too high, or the memory too small.
      OSError: the model cannot be written.
    """
    training = prepared.filter(~pl.col("held"))
    marks = pl.col("labels").list.eval(pl.lit(LABEL) + pl.element()).list.join(" ")
    lines = training.select(pl.concat_str(marks, pl.lit(" "), "line")).to_series()
    out.parent.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix=".train-", dir=out.parent) as folder,
        disk.atomic_path(out) as model,
    ):
        path = Path(folder) / "lines.txt"
        disk.write_bytes(path, "\n".join([*lines, ""]).encode())
        arguments = {"input": str(path), "verbose": 2 if loud else 0, **asdict(settings)}
        try:
            fit(arguments, str(model))
        except FitError as error:
            raise BadInput(f"fastText failed: {error}; try a lower --lr or --dim") from None
    return Classifier(out, "model")


def evaluate(model: Classifier, prepared: pl.DataFrame, several: bool) -> list[dict[str, Any]]:
    """Measure precision and recall on the held-out documents, by label and language.

    Args:
      model: the model.
      prepared: see `prepare`.
      several: whether a document can have several labels.  If so, all labels with a probability
        of at least 0.5 are predicted, else the most probable label.

    Returns:
      Rows label, lang (`*`: all; `-`: unknown), documents (with the label), precision (null if the
      label was never predicted) and recall (null if no document has the label).
    """
    held = prepared.filter("held")
    names_by_line = model.model.f.multilinePredict(
        [line + "\n" for line in held["line"]], -1 if several else 1, 0.5 if several else 0.0,
        "strict",
    )[0]  # fmt: skip
    predicted = [[name.removeprefix(LABEL) for name in names] for names in names_by_line]
    labelled = held.select(pl.col("lang").fill_null("-"), "labels").with_columns(
        predicted=pl.Series(predicted, dtype=pl.List(pl.String))
    )
    rows = []
    for label in sorted(set(labelled["labels"].list.explode(empty_as_null=False))):
        for lang in ("*", *sorted(set(labelled["lang"]))):
            group = labelled if lang == "*" else labelled.filter(pl.col("lang") == lang)
            actual = group["labels"].list.contains(label)
            positive = group["predicted"].list.contains(label)
            correct = int((actual & positive).sum())
            rows.append(
                {
                    "label": label,
                    "lang": lang,
                    "documents": int(actual.sum()),
                    "precision": correct / int(positive.sum()) if positive.any() else None,
                    "recall": correct / int(actual.sum()) if actual.any() else None,
                }
            )
    return rows


def model_card(
    model: Classifier,
    prepared: pl.DataFrame,
    settings: Settings,
    inputs: Sequence[tuple[str, str, str]],
    rows: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """Describe a model as a JSON value.  The order of the inputs does not change it.

    Args:
      model: the model.
      prepared: see `prepare`.
      settings: fastText's settings.
      inputs: (label, file name, SHA-256) of each training file.
      rows: see `evaluate`.
    """
    from importlib.metadata import version

    counted = prepared.explode("labels").group_by("labels", "held").len()
    return {
        "model": model.path.name,
        "sha256": model.sha256,
        "trainer": f"fasttext-numpy2 {version('fasttext-numpy2')}",
        "settings": asdict(settings),
        "inputs": [
            {"label": label, "file": name, "sha256": digest}
            for label, name, digest in sorted(inputs)
        ],
        "documents": {
            label: {
                name: int(counted.filter(labels=label, held=held)["len"].sum())
                for name, held in (("trained", False), ("held_out", True))
            }
            for label in sorted(counted["labels"].unique())
        },
        "held_out": list(rows),
    }


def _suffix(path: Path) -> str:
    """Return the suffix of a training file, "" for other files."""
    return next((s for s in SUFFIXES if path.name.endswith(s)), "")


def _read_lines(path: Path, label: str | None) -> pl.DataFrame:
    """Read the documents of a `.txt` file; see `read_documents`."""
    lines = pl.Series("text", path.read_text("utf-8").splitlines(), dtype=pl.String)
    frame = lines.to_frame()
    if label is not None:
        labels, text = pl.lit([label]), pl.col("text")
    else:
        labels = (
            pl.col("text")
            .str.extract_all(LABEL + r"\S+")
            .list.eval(pl.element().str.strip_prefix(LABEL))
        )
        text = pl.col("text").str.replace_all(LABEL + r"\S+", "")
        bare = frame.filter(labels.list.len() == 0, pl.col("text").str.strip_chars() != "")
        if bare.height:
            raise BadInput(
                f"{path}: {bare.height} lines without a {LABEL}… word; pass the file with "
                "--curated or --raw, or begin its lines with their labels"
            )
    return frame.select(text=text, labels=labels, lang=pl.lit(None, pl.String))
