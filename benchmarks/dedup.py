"""Near-duplicate signatures: documents per second of one core, ours beside datasketch.

    POLARS_MAX_THREADS=1 OMP_NUM_THREADS=1 python benchmarks/dedup.py FOLDER [--documents 3000]

FOLDER holds <language>.txt files with a sentence per line; texts of 400 words are drawn from
them.  Everything is timed, from strings to signatures of 130 values, the best of three rounds.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Callable
from pathlib import Path

import polars as pl
from datasketch import MinHash

from pipelines.minhash import band_keys, signatures
from pipelines.shingles import shingle

WORDS, WIDTH, BANDS, ROWS = 400, 5, 26, 5


def sample(folder: Path, number: int) -> list[str]:
    """Texts of `WORDS` words, each in one language, the same at every run."""
    draw = random.Random(0)
    languages = [path.read_text("utf-8").split("\n") for path in sorted(folder.glob("*.txt"))]
    texts = []
    for i in range(number):
        words: list[str] = []
        while len(words) < WORDS:
            words += draw.choice(languages[i % len(languages)]).split()
        texts.append(" ".join(words[:WORDS]))
    return texts


def ours(texts: list[str]) -> None:
    band_keys(signatures(shingle(pl.Series(texts), WIDTH), BANDS * ROWS), BANDS, ROWS)


def datasketch(texts: list[str]) -> None:
    for text in texts:
        words = text.lower().split()
        grams = [" ".join(words[i : i + WIDTH]).encode() for i in range(len(words) - WIDTH + 1)]
        MinHash(BANDS * ROWS).update_batch(grams)


def rate(method: Callable[[list[str]], None], texts: list[str], rounds: int = 3) -> float:
    best = float("inf")
    for _ in range(rounds):
        start = time.process_time()
        method(texts)
        best = min(best, time.process_time() - start)
    return len(texts) / best


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--documents", type=int, default=3000)
    options = parser.parse_args()
    texts = sample(options.folder, options.documents)
    for name, method, share in (("tamga", ours, 1), ("datasketch", datasketch, 10)):
        print(f"{name:12}{rate(method, texts[: len(texts) // share]):10.0f} documents/s per core")


if __name__ == "__main__":
    main()
