"""Passages that documents share (`dedup.spans`): found beside brute force, and what they cost.

    python benchmarks/dedup_spans.py [--check 2000] [10000 100000] [--share 0.3]

Documents of 400 words of a vocabulary of 200,000.  A share of them holds a passage of 40 to 150
words out of a pool with a tenth as many as there are documents, a few of which are in very many of
them; of each ten one has a word changed.  Of each hundred documents one has a part of itself twice.

First, brute force on a few documents: every run of 50 words as a string, the places of equal ones,
which of them go.  Then the job with `dedup.spans` and without, for each number, in processes of
their own: processor time and bytes shuffled, of which the difference is the cost of the spans.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
from dedup_scale import VOCABULARY, corpus, measure

from pipelines.text import shingles
from pipelines.text.ragged import lists, offsets_of
from schemas.sections import DedupParams, SpanParams

WORDS, LONGEST, LEAST = 400, 150, 50


def texts(first: int, number: int, vocabulary: pa.Array, total: int, share: float) -> pl.Series:
    """Documents first, first + 1, …, the same however they are divided."""
    docs = np.arange(first, first + number, dtype=np.uint64)

    def draw(salt: int, of: np.ndarray, below: int) -> np.ndarray:
        mixed = shingles.fmix64(of ^ shingles.fmix64(np.array([salt], np.uint64)))
        return (mixed % np.uint64(below)).astype(np.int64)

    at = docs[:, None] * np.uint64(WORDS) + np.arange(WORDS, dtype=np.uint64)
    drawn = draw(1, at.ravel(), VOCABULARY).reshape(number, WORDS)
    skewed = (draw(2, docs, 1 << 20) / (1 << 20)) ** 3
    pool = (skewed * max(1, total // 10)).astype(np.int64)
    for row in np.flatnonzero(draw(3, docs, 1000) < share * 1000).tolist():
        passage = pool[row] * LONGEST + np.arange(40 + pool[row] % (LONGEST - 39))
        said = draw(4, passage.astype(np.uint64), VOCABULARY)
        if draw(5, docs[row : row + 1], 10)[0] == 0:
            said[len(said) // 2] = drawn[row, 0]
        where = draw(6, docs[row : row + 1], WORDS - len(said))[0]
        drawn[row, where : where + len(said)] = said
    twice = draw(7, docs, 100) == 0
    drawn[twice, 300:360] = drawn[twice, 100:160]
    flat = vocabulary.take(pa.array(drawn.ravel())).cast(pa.large_string())
    return lists(flat, offsets_of(np.full(number, WORDS))).list.join(" ")


def brute(frame: pl.DataFrame) -> set[tuple[str, int, str, int]]:
    """(document, word, the document that keeps it, word there) of every run that goes, of doc_id
    and text in the order of right; each run a string, each string looked up."""
    first: dict[str, tuple[str, int]] = {}
    repeated = []
    for doc, text in frame.select("doc_id", "text").iter_rows():
        said = text.split()
        for at in range(len(said) - LEAST + 1):
            best = first.setdefault(" ".join(said[at : at + LEAST]), (doc, at))
            if best[0] != doc or at - best[1] >= LEAST:
                repeated.append((doc, at, *best))
    lost = {(doc, word) for doc, at, *_ in repeated for word in range(at, at + LEAST)}
    return {run for run in repeated if not any((run[2], run[3] + n) in lost for n in range(LEAST))}


def found(frame: pl.DataFrame, decisions: pl.DataFrame) -> set[tuple[str, int, str, int]]:
    """The same by the evidence of a job."""
    said = dict(frame.select("doc_id", "text").iter_rows())
    out = set()
    for doc, evidence in decisions.select("doc_id", "evidence").iter_rows():
        for one in json.loads(evidence).get("passages", {"found": ()})["found"]:
            at = len(said[doc][: one["start"]].split())
            there = len(said[one["kept_doc_id"]][: one["kept_start"]].split())
            runs = range(one["words"] - LEAST + 1)
            out |= {(doc, at + n, one["kept_doc_id"], there + n) for n in runs}
    return out


def check(number: int, share: float, folder: Path) -> dict[str, float]:
    names = write(folder, number, share)
    measure(number, 1, folder, names, DedupParams(spans=SpanParams(LEAST)))
    decisions = pl.read_parquet(folder / "state/decisions/*.parquet")
    kept = decisions.filter(pl.col("outcome") == "keep").select("doc_id")
    documents = pl.read_parquet(folder / "ingest/documents/*.parquet").sort("doc_id")
    staying = documents.join(kept, on="doc_id", how="semi", maintain_order="left")
    start = time.process_time()
    expected = brute(staying)
    seconds = time.process_time() - start
    told = found(staying, decisions)
    return {
        "documents": staying.height,
        "runs_by_brute_force": len(expected),
        "runs_by_the_job": len(told),
        "recall": len(told & expected) / max(1, len(expected)),
        "precision": len(told & expected) / max(1, len(told)),
        "brute_force_seconds": round(seconds, 1),
    }


def write(folder: Path, number: int, share: float) -> tuple[str, ...]:
    return corpus(folder, number, make=lambda *some: texts(*some, total=number, share=share))


def one(number: int, share: float, spans: bool, folder: Path) -> dict[str, float]:
    params = DedupParams(spans=SpanParams(LEAST) if spans else None)
    return measure(number, 1, folder, write(folder, number, share), params)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("numbers", type=int, nargs="*", help="of documents, for the costs")
    parser.add_argument("--check", type=int, default=2000, help="documents for brute force")
    parser.add_argument("--share", type=float, default=0.3, help="of documents with a passage")
    parser.add_argument("--one", choices=["with", "without"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if options.one:
            told = one(options.numbers[0], options.share, options.one == "with", Path(folder))
            print(json.dumps(told))
            return
        if options.check:
            print(json.dumps(check(options.check, options.share, Path(folder))), flush=True)
    costs = []
    for number in options.numbers:
        told = {}
        for kind in ("without", "with"):
            command = [sys.executable, __file__, str(number), f"--share={options.share}"]
            done = subprocess.run(
                [*command, f"--one={kind}"], check=True, stdout=subprocess.PIPE, text=True
            )
            told[kind] = json.loads(done.stdout)
            print(kind, json.dumps(told[kind]), flush=True)
        cost = told["with"]["cpu_seconds"] - told["without"]["cpu_seconds"]
        sent = [told[k]["shuffled_bytes_per_document"] for k in ("with", "without")]
        print(
            f"spans of {number}: {cost:.1f} s of processor time, {number / max(cost, 0.1):.0f} "
            f"documents per second; {sent[0] - sent[1]} bytes shuffled each"
        )
        costs.append((number, max(cost, 0.1)))
    if len(costs) > 1:
        (a, x), (b, y) = costs[0], costs[-1]
        print(f"exponent of processor time: {np.log(y / x) / np.log(b / a):.2f}")


if __name__ == "__main__":
    main()
