"""The bare kernels in plain loops, over what the stages of a finished run read.

    POLARS_MAX_THREADS=1 OMP_NUM_THREADS=1 python benchmarks/kernels.py --params params.yaml

The run's work folder must be there.  Prints JSON: kernel -> stage, own (or for comparison),
documents, megabytes and seconds (the best of the rounds); what a kernel is fed with is prepared
before its clock starts.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
from resiliparse.parse.html import HTMLTree

from lineage.configuration import load_params
from pipelines.corpus import stage_tables
from pipelines.engine import input_files
from pipelines.ingest import inventory, scan, text_extraction
from pipelines.ingest.decoding import http_encodings
from pipelines.ingest.extract.main_text import depth_limit
from pipelines.ingest.readers import registry as readers
from pipelines.language import identifier
from pipelines.text.minhash import fewest_bands, signatures
from pipelines.text.shingles import key_views, shingle, words
from schemas.params import Params
from schemas.stages import previous

#: What stages are held against; the other kernels stand beside for comparison.
OWN = frozenset(
    {
        "WARC parsing",
        "extraction",
        "fastText, samples",
        "signatures, one batch",
        "recognisers, whole texts",
    }
)


def timed(work: Callable[[], object], rounds: int) -> float:
    """Seconds of the best of several rounds."""
    best = float("inf")
    for _ in range(rounds):
        started = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - started)
    return best


def texts(params: Params, after: str) -> list[str]:
    """The texts of the documents that a stage kept."""
    source = stage_tables.Corpus(str(params.work))
    names = sorted(path.stem for path in (params.work / "ingest" / "documents").glob("*.parquet"))
    return [
        t
        for name in names
        for batch in source.documents(name, after, ["doc_id", "text"])
        for t in batch["text"]
    ]


def parse(paths: Sequence[Path]) -> int:
    """FastWARC over whole files, the payload's SHA-256 with it; a broken file ends early."""
    from fastwarc.warc import ArchiveIterator

    records = 0
    for path in paths:
        with path.open("rb") as file:
            try:
                for record in ArchiveIterator(file, parse_http=True):
                    hashlib.sha256(record.reader.read()).digest()
                    records += 1
            except Exception:  # the parser's own classes
                continue
    return records


def extract(pages: Sequence[str]) -> None:
    """resiliparse's main text of decoded pages."""
    from resiliparse.extract.html2text import extract_plain_text

    for page in pages:
        extract_plain_text(page, main_content=True, alt_texts=False, list_bullets=False)


def pages(params: Params, containers: Sequence[input_files.Container]) -> list[str]:
    """The decoded markup of all HTML records that ingest kept, but for those nested so deep that
    the stage leaves the heuristics out: the bare extractor takes seconds for one of them."""
    records = pl.read_parquet(params.work / "ingest" / "records" / "*.parquet")
    decided = pl.read_parquet(params.work / "ingest" / "decisions" / "*.parquet")
    kept = (
        records.filter(pl.col("media_type").is_in(list(text_extraction.HTML_TYPES)))
        .join(decided.filter(pl.col("outcome") == "keep"), on="doc_id", how="semi")
        .sort("container", "offset")
    )
    found, limit = [], params.ingest.max_record_bytes
    for one in containers:
        some = kept.filter(pl.col("container") == one.uri)
        wanted = list(some.select("offset", "length").iter_rows())
        bodies = (
            readers.reader(one.format).contents(scan.container_source(one, limit), wanted)
            if wanted
            else ()
        )
        for body, charset in zip(bodies, some["charset"], strict=False):
            markup, _ = http_encodings.decode_body(body.payload or b"", body.headers, limit)
            found.append(markup.decode(charset or "utf-8", "replace"))
    return [page for page in found if depth_limit(page, HTMLTree.parse(page)) is None]


def predict(model: Any, lines: Sequence[str]) -> None:
    """fastText, a line at a time."""
    for line in lines:
        model.predict(line)


def minhashes(views: Sequence[str], width: int, number: int) -> None:
    """datasketch, a document at a time: the shingles of key views, then the signature."""
    from datasketch import MinHash

    for view in views:
        words = view.split()
        grams = [
            " ".join(words[i : i + width]).encode() for i in range(max(1, len(words) - width + 1))
        ]
        MinHash(number).update_batch(grams)


def measure(params: Params, rounds: int) -> dict[str, dict[str, Any]]:
    """All kernels: name -> stage, documents, megabytes, seconds."""
    from pipelines.personal_data.recognisers import ANY, analyzer

    found: dict[str, dict[str, Any]] = {}

    def add(name: str, stage: str, documents: int, size: int, work: Callable[[], object]) -> None:
        found[name] = {
            "stage": stage,
            "own": name in OWN,
            "documents": documents,
            "megabytes": round(size / 1e6, 3),
            "seconds": timed(work, rounds),
        }

    warcs = [c for c in inventory.containers(params) if c.format == "warc"]
    paths = [Path(c.path) for c in warcs]
    add("WARC parsing", "ingest", parse(paths), sum(c.size for c in warcs), lambda: parse(paths))
    markup = pages(params, warcs)
    add("extraction", "ingest", len(markup), _bytes(markup), lambda: extract(markup))

    read = texts(params, "ingest")
    named = identifier.model_path(params.language.model, params.root)
    from fasttext.FastText import _FastText

    model = _FastText(str(named))
    samples = [
        " ".join(identifier.spread_sample(t, params.language.sample_chars).split()) for t in read
    ]
    lines = [" ".join(t.split()) for t in read]
    for name, some in (("fastText, samples", samples), ("fastText, whole texts", lines)):
        add(name, "language", len(some), _bytes(some), partial(predict, model, some))

    options = params.dedup
    number = fewest_bands(options.candidate, options.recall, options.rows) * options.rows
    documents = texts(params, previous("dedup"))
    batch = pl.Series(documents, dtype=pl.String)
    viewed = key_views(words(batch)).to_list()
    add(
        "signatures, one batch",
        "dedup",
        len(documents),
        _bytes(documents),
        lambda: signatures(shingle(batch, options.shingle), number, options.seed),
    )
    add(
        "datasketch, plain loop",
        "dedup",
        len(documents),
        _bytes(documents),
        lambda: minhashes(viewed, options.shingle, number),
    )

    engine, unlike = analyzer((ANY,)), texts(params, previous("privacy"))
    add(
        "recognisers, whole texts",
        "privacy",
        len(unlike),
        _bytes(unlike),
        lambda: [engine.analyze(t, ANY) for t in unlike],
    )
    return found


def _bytes(some: Sequence[str]) -> int:
    return sum(len(t.encode("utf-8", "replace")) for t in some)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--params", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    print(json.dumps(measure(load_params(options.params), options.rounds)))


if __name__ == "__main__":
    main()
