"""A fastText classifier from labelled documents: read, part, train, evaluate.

The same documents, settings and version of fastText give the same model, in whatever order the
files come: documents are sorted by digest, one thread works, the seed is fixed.
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
    """Training documents or settings that cannot be used; the message names what and why."""

    exit_code = BAD_USAGE


@dataclass(frozen=True)
class Settings:
    """Of fastText (Joulin et al. 2016, arXiv 1607.01759); `loss` is `ova` where documents may
    bear several labels.  Sequences of letters (`minn` to `maxn`) carry agglutinative languages."""

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
    """Names of columns or keys; a language is optional."""

    text: str = "text"
    label: str = "label"
    lang: str = "lang"


def list_files(paths: Sequence[Path]) -> Iterator[Path]:
    """The files named, and of a folder all below it that can be read.

    Raises:
      BadInput: for what is not there, a kind that is not read, a folder without files.
    """
    for path in paths:
        if path.is_dir():
            below = sorted(p for p in path.rglob("*") if p.is_file() and _kind(p))
            if not below:
                raise BadInput(f"{path}: no file that ends in {', '.join(SUFFIXES)}")
            yield from below
        elif not path.is_file():
            raise BadInput(f"{path}: is not there")
        elif not _kind(path):
            raise BadInput(f"{path}: a training file ends in {', '.join(SUFFIXES)}")
        else:
            yield path


def read_documents(path: Path, columns: Columns, label: str | None) -> pl.DataFrame:
    """The documents of a file.

    Args:
      path: `.jsonl`, `.jsonl.gz` or `.parquet` with the columns; `.txt` a document a line, which
        begins with `__label__…` words where `label` is None.
      label: what all its documents bear; None: the column (a string, or a list of them) says it.

    Returns:
      The columns of `DOCUMENTS`; `lang` is null where the file has none.

    Raises:
      BadInput: names the file and what is wrong.
    """
    kind = _kind(path)
    try:
        if kind == ".txt":
            return _lines(path, label)
        if kind == ".parquet":
            frame = pl.read_parquet(path, hive_partitioning=False)
        else:
            raw = path.read_bytes()
            raw = gzip.decompress(raw) if kind.endswith(".gz") else raw
            frame = pl.read_ndjson(raw, infer_schema_length=None)
    except (pl.exceptions.PolarsError, OSError, EOFError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: cannot be read ({type(error).__name__})") from None
    wanted = [columns.text] if label is not None else [columns.text, columns.label]
    for name in wanted:
        if name not in frame.columns:
            raise BadInput(f"{path}: no column {name!r}, but {', '.join(frame.columns[:12])}")
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
    """Sort, and part by digest.

    Args:
      documents: the columns of `DOCUMENTS`.
      held_out: the share that is not trained on.

    Returns:
      line (what a model is shown), labels, lang, held (bool), in the order of digests.  Left out
      are documents without text or label, and copies; one that bears unlike labels in two places
      has all of them.

    Raises:
      BadInput: for a label that fastText cannot hold, or fewer than two labels on either side.
    """
    lines = documents.with_columns(
        line=to_model_lines(documents["text"]), labels=pl.col("labels").list.drop_nulls()
    ).filter((pl.col("line") != "") & (pl.col("labels").list.len() > 0))
    digests = [hashlib.sha256(line.encode()).hexdigest() for line in lines["line"]]
    whole = (
        lines.with_columns(digest=pl.Series(digests, dtype=pl.String))
        .group_by("digest")
        .agg(
            pl.col("line").first(),
            pl.col("labels").list.explode(empty_as_null=False).unique().sort(),
            pl.col("lang").drop_nulls().sort().first(),
        )
        .sort("digest")
    )
    bad = whole["labels"].list.explode(empty_as_null=False).unique().sort()
    bad = bad.filter(bad.str.contains(r"\s|^$"))
    if len(bad):
        raise BadInput(f"label {bad[0]!r}: a label has no white space in it")
    place = pl.col("digest").str.head(8).str.to_integer(base=16) / (1 << 32)
    parted = whole.with_columns(held=place < held_out).drop("digest")
    for held, name in ((False, "to train on"), (True, "held out")):
        some = parted.filter(pl.col("held") == held)["labels"]
        known = some.list.explode(empty_as_null=False).n_unique()
        if known < 2:
            raise BadInput(
                f"{len(some)} documents with {known} labels {name}: at least two labels are "
                "needed, and some documents of each"
            )
    return parted


def train(prepared: pl.DataFrame, settings: Settings, out: Path, loud: bool = False) -> Classifier:
    """A model from the documents that are not held out, saved at `out`.

    Raises:
      BadInput: where fastText gives up (a learning rate that is too high, no memory).
      OSError: where the model cannot be written.
    """
    part = prepared.filter(~pl.col("held"))
    marks = pl.col("labels").list.eval(pl.lit(LABEL) + pl.element()).list.join(" ")
    lines = part.select(pl.concat_str(marks, pl.lit(" "), "line")).to_series()
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
            raise BadInput(f"fastText gave up: {error}; try a lower --lr or --dim") from None
    return Classifier(out, "model")


def evaluate(model: Classifier, prepared: pl.DataFrame, several: bool) -> list[dict[str, Any]]:
    """Precision and recall on the documents held out, by label and language.

    Args:
      several: whether a document may bear several labels: all of at least 0.5 are then predicted,
        else the most probable.

    Returns:
      Rows label, lang (`*`: all; `-`: unknown), documents (that bear the label), precision and
      recall (null where nothing was predicted, or bears it).
    """
    held = prepared.filter("held")
    found = model.model.f.multilinePredict(
        [line + "\n" for line in held["line"]], -1 if several else 1, 0.5 if several else 0.0,
        "strict",
    )[0]  # fmt: skip
    predicted = [[name.removeprefix(LABEL) for name in names] for names in found]
    both = held.select(pl.col("lang").fill_null("-"), "labels").with_columns(
        predicted=pl.Series(predicted, dtype=pl.List(pl.String))
    )
    rows = []
    for label in sorted(set(both["labels"].list.explode(empty_as_null=False))):
        for lang in ("*", *sorted(set(both["lang"]))):
            some = both if lang == "*" else both.filter(pl.col("lang") == lang)
            borne = some["labels"].list.contains(label)
            said = some["predicted"].list.contains(label)
            right = int((borne & said).sum())
            rows.append(
                {
                    "label": label,
                    "lang": lang,
                    "documents": int(borne.sum()),
                    "precision": right / int(said.sum()) if said.any() else None,
                    "recall": right / int(borne.sum()) if borne.any() else None,
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
    """What a model is, as a JSON value: digest, settings, inputs (label, name, SHA-256), counts,
    figures; the same in whatever order the inputs came."""
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


def _kind(path: Path) -> str:
    return next((s for s in SUFFIXES if path.name.endswith(s)), "")


def _lines(path: Path, label: str | None) -> pl.DataFrame:
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
                f"{path}: {bare.height} lines without a {LABEL}… word; name the file with "
                "--curated or --raw, or begin its lines with their labels"
            )
    return frame.select(text=text, labels=labels, lang=pl.lit(None, pl.String))
