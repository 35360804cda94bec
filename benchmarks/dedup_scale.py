"""The job `dedup` on synthetic documents: time, memory, shuffled bytes, and their growth.

    python benchmarks/dedup_scale.py 10000 100000 1000000 [--workers 1] [--folder DIR]

Documents have 60 to 100 words. Of each hundred, ten are copies with one changed word, and five are
exact copies. Each number runs in a separate process with one local worker in memory; ingest's files
are written before the clock starts. Shuffled bytes are counted where batches are divided into
partitions, without Arrow's framing. The last line is the exponent of time between the first and the
last number: 1 is linear.
"""

from __future__ import annotations

import argparse
import json
import math
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa

from lineage.storage import disk
from pipelines.corpus.stage_tables import Corpus
from pipelines.dedup.plan import DedupPlan
from pipelines.dedup.stage import wire
from pipelines.engine import batches, runners, shards
from pipelines.text import ragged, shingles
from schemas.sections import DedupParams
from schemas.tables import DOCUMENTS

SHARD = 20_000
VOCABULARY = 200_000
COPIES, NEAR = 5, 10  # of a hundred


def words() -> pa.Array:
    draw = np.random.default_rng(0)
    letters = draw.choice(np.frombuffer("абвгдежзиклмнопрстуфхц".encode("utf-16-le"), "<u2"),
                          (VOCABULARY, 8))  # fmt: skip
    return pa.array([row.tobytes().decode("utf-16-le") for row in letters])


def texts(first: int, number: int, vocabulary: pa.Array) -> pl.Series:
    """Return the documents first, first + 1, …; a copy is drawn from an earlier document's number."""
    docs = np.arange(first, first + number)
    kind = shingles.fmix64(docs.astype(np.uint64) + np.uint64(1)) % np.uint64(100)
    like = docs.copy()
    again = (kind < COPIES + NEAR) & (docs > 0)
    like[again] = shingles.fmix64(docs[again].astype(np.uint64)) % docs[again].astype(np.uint64)
    sizes = (60 + shingles.fmix64(like.astype(np.uint64)) % np.uint64(41)).astype(np.int64)
    at = ragged.ranges(np.zeros(number, np.int64), sizes)
    seeds = np.repeat(like.astype(np.uint64) << np.uint64(8), sizes) + at.astype(np.uint64)
    drawn = (shingles.fmix64(seeds) % np.uint64(VOCABULARY)).astype(np.int64)
    offsets = ragged.offsets_of(sizes)
    near = again & (kind >= COPIES)
    changed = offsets[:-1][near] + sizes[near] // 2
    drawn[changed] = (drawn[changed] + docs[near]) % VOCABULARY
    flat = vocabulary.take(pa.array(drawn))
    return ragged.lists(flat.cast(pa.large_string()), offsets).list.join(" ")


def corpus(
    folder: Path,
    number: int,
    start: int = 0,
    make: Callable[[int, int, pa.Array], pl.Series] = texts,
) -> tuple[str, ...]:
    vocabulary, names = words(), []
    for first in range(start, start + number, SHARD):
        batch = make(first, min(SHARD, start + number - first), vocabulary)
        frame = pl.DataFrame({"text": batch}).select(
            doc_id=pl.format("{}", pl.int_range(first, first + batch.len())).str.zfill(32),
            source_id=pl.lit("a"),
            uri=pl.lit("urn:x"),
            captured_at=pl.lit("2026"),
            title=pl.lit(None, pl.String),
            text="text",
        )
        name = f"{first:012}"
        kept = frame.select("doc_id", outcome=pl.lit("keep")).to_arrow()
        for path, table in (
            ("ingest/documents", frame.to_arrow().cast(DOCUMENTS)),
            ("quality/decisions", kept),
        ):
            disk.write_bytes(folder / path / f"{name}.parquet", shards.parquet_bytes(table))
        names.append(name)
    return tuple(names)


def measure(
    number: int,
    workers: int,
    folder: Path,
    names: tuple[str, ...],
    params: DedupParams | None = None,
) -> dict[str, float]:
    plan = DedupPlan(
        state=shards.State(str(folder / "state")),
        corpus=Corpus(str(folder)),
        shards=names,
        params=params or DedupParams(),
        ranks={"a": 0},
        licences={},
        distinguishing=(),
        run_id="run",
        document_count=number,
    )
    sent = 0
    divide = batches.partition

    def counted(
        batch: pa.RecordBatch, keys: np.ndarray, partitions: int
    ) -> Iterator[tuple[int, pa.RecordBatch]]:
        nonlocal sent
        sent += batch.nbytes
        yield from divide(batch, keys, partitions)

    batches.partition = counted
    start, clock = time.process_time(), time.perf_counter()
    runners.run(lambda pipeline: wire(pipeline, plan), (), workers)
    seconds, passed = time.process_time() - start, time.perf_counter() - clock
    decided = pl.scan_parquet(folder / "state" / "decisions" / "*.parquet")
    counts = decided.group_by("reason").len().collect()
    reasons = {r or "kept": n for r, n in counts.iter_rows()}
    return {
        "documents": number,
        "cpu_seconds": round(seconds, 1),
        "wall_seconds": round(passed, 1),
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10,
        "shuffled_bytes_per_document": round(sent / number),
        **reasons,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("numbers", type=int, nargs="+")
    parser.add_argument(
        "--workers", type=int, default=1, help="bytes are counted only with one worker"
    )
    parser.add_argument(
        "--folder", type=Path, help="the working folder (default: a temporary folder)"
    )
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        with tempfile.TemporaryDirectory(dir=options.folder) as folder:
            number, home = options.numbers[0], Path(folder)
            print(json.dumps(measure(number, options.workers, home, corpus(home, number))))
        return
    results = []
    for number in options.numbers:
        command = [sys.executable, __file__, "--one", str(number), f"--workers={options.workers}"]
        command += [f"--folder={options.folder}"] if options.folder else []
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        results.append(json.loads(done.stdout))
        print(json.dumps(results[-1]), flush=True)
    if len(results) > 1:
        first, last = results[0], results[-1]
        grown = math.log(last["cpu_seconds"] / first["cpu_seconds"])
        exponent = grown / math.log(last["documents"] / first["documents"])
        print(f"exponent of processor time: {exponent:.2f}")


if __name__ == "__main__":
    main()
