"""MinHash sketches (signatures) of a release's documents, as objects of the library datasketch.

They are computed from the shingles in `dedup.index`. Sketches of other texts with the same
parameters can be compared with them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pyarrow.parquet as pq

from pipelines.dedup import duplicates, release_index
from pipelines.engine import batches
from pipelines.engine.published import StageError
from pipelines.text import minhash, ragged, shingles
from schemas.sections import DedupParams

if TYPE_CHECKING:
    from datasketch import LeanMinHash

_ROWS = 4096


def indexed_params(entry: Path | str) -> DedupParams:
    """Return the parameters with which an indexed release was compared.

    Args:
      entry: the release's folder in `dedup.index`.

    Raises:
      StageError: if the entry is damaged, or was written by other algorithms than these.
    """
    theirs = release_index.read_header(Path(entry))["parameters"]
    names = release_index.comparison_parameters(DedupParams()).keys() - {"layout", "algorithm"}
    params = DedupParams(**{n: theirs[n] for n in names & theirs.keys()})
    if theirs != release_index.comparison_parameters(params):
        raise StageError(
            f"dedup.index: {entry} was written by {theirs.get('algorithm')}, layout "
            f"{theirs.get('layout')}; this version reads {duplicates.RULE_VERSION}, layout "
            f"{release_index.LAYOUT}: run the release {Path(entry).name} again"
        )
    return params


def bands_and_rows(params: DedupParams) -> tuple[int, int]:
    """Return (bands, values in a band): the argument `params` of `datasketch.MinHashLSH`."""
    return minhash.fewest_bands(params.candidate, params.recall, params.rows), params.rows


def indexed_sketches(entry: Path | str) -> Iterator[tuple[str, LeanMinHash]]:
    """Yield doc_id and sketch of each document of an indexed release, in the index's order.

    Documents without shingles are left out: their sketches would all be equal.

    Args:
      entry: the release's folder in `dedup.index`.

    Raises:
      StageError: as `indexed_params` does.
    """
    params = indexed_params(entry)
    with pq.ParquetFile(Path(entry) / "documents.parquet") as file:
        for batch in file.iter_batches(_ROWS, columns=["doc_id", "shingles"]):
            documents = batches.frame(batch).filter(pl.col("shingles").list.len() > 0)
            flat = documents["shingles"].explode().cast(pl.UInt64).to_numpy()
            offsets = ragged.offsets_of(documents["shingles"].list.len().to_numpy())
            sketches = _sketches(shingles.Shingles(flat, offsets), params)
            yield from zip(documents["doc_id"], sketches, strict=True)


def text_sketches(texts: Sequence[str], params: DedupParams) -> list[LeanMinHash | None]:
    """Return the sketch of each text; None for a text without shingles."""
    words = shingles.words(pl.Series(texts, dtype=pl.String))
    by_word = params.shingle_of == "words"
    grams = shingles.shingle(words, params.shingle, "word" if by_word else "character")
    sketches = _sketches(grams, params)
    return [s if size else None for s, size in zip(sketches, grams.sizes, strict=True)]


def _sketches(grams: shingles.Shingles, params: DedupParams) -> Iterator[LeanMinHash]:
    """Yield the sketch of each set of shingles."""
    bands, rows = bands_and_rows(params)
    signatures = minhash.signatures(grams, bands * rows, params.seed)
    return (minhash.to_datasketch(row, params.seed) for row in signatures)
