"""Shared passages (`dedup.spans`): compared with brute force, and their cost.

    python benchmarks/dedup_spans.py [--check 2000] [10000 100000] [--share 0.3]

Documents have 400 words from a vocabulary of 200,000. A share of them holds a passage of 40 to 150
words from a pool. The pool has a tenth as many passages as there are documents, and a few of them
are in very many documents. One passage in ten has a changed word. One document in a hundred
contains a part of itself twice.

The first step is brute force on a few documents: each run of 50 words is a string, and equal
strings are compared. Then the job runs with and without `dedup.spans` for each number, in separate
processes. The difference in processor time and shuffled bytes is the cost of the spans.
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
    """Return the texts of the documents first, first + 1, …; they do not depend on the division."""
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
        words = draw(4, passage.astype(np.uint64), VOCABULARY)
        if draw(5, docs[row : row + 1], 10)[0] == 0:
            words[len(words) // 2] = drawn[row, 0]
        where = draw(6, docs[row : row + 1], WORDS - len(words))[0]
        drawn[row, where : where + len(words)] = words
    twice = draw(7, docs, 100) == 0
    drawn[twice, 300:360] = drawn[twice, 100:160]
    flat = vocabulary.take(pa.array(drawn.ravel())).cast(pa.large_string())
    return lists(flat, offsets_of(np.full(number, WORDS))).list.join(" ")


def brute(frame: pl.DataFrame) -> set[tuple[str, int, str, int]]:
    """Find the removed runs by looking up each run as a string.

    Args:
      frame: doc_id, text, sorted by right.

    Returns:
      (document, word, the keeping document, word there) of each removed run.
    """
    first: dict[str, tuple[str, int]] = {}
    repeated = []
    for doc, text in frame.select("doc_id", "text").iter_rows():
        words = text.split()
        for at in range(len(words) - LEAST + 1):
            best = first.setdefault(" ".join(words[at : at + LEAST]), (doc, at))
            if best[0] != doc or at - best[1] >= LEAST:
                repeated.append((doc, at, *best))
    lost = {(doc, word) for doc, at, *_ in repeated for word in range(at, at + LEAST)}
    return {run for run in repeated if not any((run[2], run[3] + n) in lost for n in range(LEAST))}


def recorded_runs(frame: pl.DataFrame, decisions: pl.DataFrame) -> set[tuple[str, int, str, int]]:
    """Return the removed runs by the evidence of a job."""
    texts = dict(frame.select("doc_id", "text").iter_rows())
    out = set()
    for doc, evidence in decisions.select("doc_id", "evidence").iter_rows():
        for passage in json.loads(evidence).get("passages", {"found": ()})["found"]:
            at = len(texts[doc][: passage["start"]].split())
            there = len(texts[passage["kept_doc_id"]][: passage["kept_start"]].split())
            runs = range(passage["words"] - LEAST + 1)
            out |= {(doc, at + n, passage["kept_doc_id"], there + n) for n in runs}
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
    recorded = recorded_runs(staying, decisions)
    return {
        "documents": staying.height,
        "runs_by_brute_force": len(expected),
        "runs_by_the_job": len(recorded),
        "recall": len(recorded & expected) / max(1, len(expected)),
        "precision": len(recorded & expected) / max(1, len(recorded)),
        "brute_force_seconds": round(seconds, 1),
    }


def write(folder: Path, number: int, share: float) -> tuple[str, ...]:
    return corpus(folder, number, make=lambda *args: texts(*args, total=number, share=share))


def measure_cost(number: int, share: float, spans: bool, folder: Path) -> dict[str, float]:
    params = DedupParams(spans=SpanParams(LEAST) if spans else None)
    return measure(number, 1, folder, write(folder, number, share), params)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "numbers", type=int, nargs="*", help="numbers of documents whose cost is measured"
    )
    parser.add_argument(
        "--check", type=int, default=2000, help="how many documents brute force compares"
    )
    parser.add_argument(
        "--share", type=float, default=0.3, help="the share of documents with a passage"
    )
    parser.add_argument("--one", choices=["with", "without"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if options.one:
            spans = options.one == "with"
            cost = measure_cost(options.numbers[0], options.share, spans, Path(folder))
            print(json.dumps(cost))
            return
        if options.check:
            print(json.dumps(check(options.check, options.share, Path(folder))), flush=True)
    costs = []
    for number in options.numbers:
        results = {}
        for kind in ("without", "with"):
            command = [sys.executable, __file__, str(number), f"--share={options.share}"]
            done = subprocess.run(
                [*command, f"--one={kind}"], check=True, stdout=subprocess.PIPE, text=True
            )
            results[kind] = json.loads(done.stdout)
            print(kind, json.dumps(results[kind]), flush=True)
        cost = results["with"]["cpu_seconds"] - results["without"]["cpu_seconds"]
        sent = [results[k]["shuffled_bytes_per_document"] for k in ("with", "without")]
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
