"""Near-duplicates: speed of signatures beside peers, recall beside brute force, planted pairs.

    POLARS_MAX_THREADS=1 OMP_NUM_THREADS=1 RAYON_NUM_THREADS=1 \\
        python benchmarks/dedup.py signatures SENTENCES [--documents 3000] [--rounds 3]
    python benchmarks/dedup.py recall SENTENCES [--documents 2000]
    python benchmarks/dedup.py planted FOLDER

SENTENCES holds <language>.txt files with a sentence per line. Texts of 400 words are drawn from
them. FOLDER holds articles_<n>.train (name and text on a line) and .truth (two names).

The time of a signature is measured from strings to 130 values, in processor time, as the best of
the rounds. All methods run in turn in one process. Peers that are not installed (datatrove with
spacy, rensa) are skipped and named. Install them in an environment of their own.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import polars as pl
from scipy import sparse

from pipelines.dedup import clusters, duplicates
from pipelines.text import minhash, shingles
from schemas.sections import DedupParams

WORDS = 400
PARAMS = DedupParams()
WIDTH, ROWS = PARAMS.shingle, PARAMS.rows
BANDS = minhash.fewest_bands(PARAMS.candidate, PARAMS.recall, ROWS)
FIELDS = ("doc_id", "uri", "source_id", "captured_at", "lang", "quality")
Method = Callable[[list[str]], object]


def sample(folder: Path, number: int) -> list[str]:
    """Return texts of `WORDS` words, each in one language. They are the same at each run."""
    draw = random.Random(0)
    languages = [path.read_text("utf-8").split("\n") for path in sorted(folder.glob("*.txt"))]
    texts = []
    for i in range(number):
        words: list[str] = []
        while len(words) < WORDS:
            words += draw.choice(languages[i % len(languages)]).split()
        texts.append(" ".join(words[:WORDS]))
    return texts


def grams(text: str) -> list[str]:
    """Return the n-grams of lower-case words, for peers that take tokens."""
    words = text.lower().split()
    return [" ".join(words[i : i + WIDTH]) for i in range(len(words) - WIDTH + 1)]


def sign_texts(texts: list[str]) -> object:
    signatures = minhash.signatures(shingles.shingle(pl.Series(texts), WIDTH), BANDS * ROWS)
    return minhash.band_keys(signatures, BANDS, ROWS)


def compute_all_signatures(texts: list[str]) -> object:
    """Compute all that the stage stores of a text: exact key, shingles, signature, figures."""
    frame = pl.DataFrame({"text": texts}).with_columns(pl.lit("x").alias(name) for name in FIELDS)
    return [duplicates.compute_signatures(part, {}, [], PARAMS) for part in frame.iter_slices(2048)]


def peers() -> Iterator[tuple[str, Method, int]]:
    """Yield name, method, and the divisor of its sample's size."""
    from datasketch import MinHash

    yield (
        "datasketch",
        lambda texts: [
            MinHash(BANDS * ROWS).update_batch([g.encode() for g in grams(t)]) for t in texts
        ],
        10,
    )
    try:
        from rensa import RMinHash  # type: ignore[import-not-found]
    except ImportError as error:
        print(f"{'rensa':24} left out: {error}")
    else:

        def one_by_one(texts: list[str]) -> object:
            digests = []
            for text in texts:
                sketch = RMinHash(num_perm=BANDS * ROWS, seed=1)
                sketch.update(grams(text))
                digests.append(sketch.digest())
            return digests

        yield "rensa, a text at a time", one_by_one, 3
        yield (
            "rensa, whole batches",
            lambda texts: RMinHash.digest_matrix_from_token_sets(
                [grams(t) for t in texts], BANDS * ROWS, 1
            ),
            3,
        )
    try:
        yield "datatrove, stage 1", datatrove(), 30
    except ImportError as error:
        print(f"{'datatrove':24} left out: {error}")


def datatrove() -> Method:
    """Return datatrove's signature stage with our bands and rows. It writes to a folder."""
    from datatrove.data import Document  # type: ignore[import-not-found]
    from datatrove.pipeline.dedup.minhash import (  # type: ignore[import-not-found]
        MinhashConfig,
        MinhashDedupSignature,
    )
    from loguru import logger  # type: ignore[import-not-found]

    logger.remove()
    config = MinhashConfig(n_grams=WIDTH, num_buckets=BANDS, hashes_per_bucket=ROWS)

    def run(texts: list[str]) -> object:
        documents = (Document(text=t, id=str(i)) for i, t in enumerate(texts))
        with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stderr(None):
            MinhashDedupSignature(folder, config).run(documents)

    run(["This text loads the tokeniser."])
    return run


def speeds(folder: Path, documents: int, rounds: int) -> None:
    texts = sample(folder, documents)
    methods: list[tuple[str, Method, int]] = [
        ("tamga, signatures", sign_texts, 1),
        ("tamga, all of the stage", compute_all_signatures, 1),
        *peers(),
    ]
    best = dict.fromkeys((name for name, _, _ in methods), float("inf"))
    for _ in range(rounds):  # in turn, so that other load on the machine affects all methods
        for name, method, share in methods:
            sampled = texts[: max(30, len(texts) // share)]
            start = time.process_time()
            method(sampled)
            best[name] = min(best[name], (time.process_time() - start) / len(sampled))
    own = best["tamga, signatures"]
    for name, seconds in best.items():
        print(f"{name:24}{1 / seconds:10.0f} documents/s per core; ours is {seconds / own:6.1f} x")


def brute(texts: list[str]) -> sparse.coo_array:
    """Compute the Jaccard similarities of all pairs that share an n-gram, left < right.

    The n-grams are strings, counted in a matrix of texts and n-grams.
    """
    number: dict[str, int] = {}
    sets = [
        sorted({number.setdefault(g, len(number)) for g in grams(text)})
        for text in shingles.key_views(shingles.words(pl.Series(texts)))
    ]
    sizes = np.array([len(s) for s in sets])
    has = sparse.csr_array(
        (np.ones(sizes.sum(), np.int32), np.concatenate(sets), np.append(0, np.cumsum(sizes))),
        (len(sets), len(number)),
    )
    both = sparse.triu(has @ has.T, 1).tocoo()
    both.data = both.data / (sizes[both.row] + sizes[both.col] - both.data)
    return both


def varied(folder: Path, number: int) -> list[str]:
    """Return families of four texts, from one changed word to half different."""
    draw = random.Random(4)
    texts = []
    for text in sample(folder, number // 4):
        for share in (0.0, *sorted(draw.uniform(0.001, 0.05) for _ in range(3))):
            words = text.split()
            for at in draw.sample(range(WORDS), round(share * WORDS)):
                words[at] = f"word{draw.randrange(10**6)}"
            texts.append(" ".join(words))
    return texts


def verified_edges(texts: list[str]) -> pl.DataFrame:
    """Return the verified edges, computed by the functions of the stage."""
    frame = pl.DataFrame({"text": texts}).with_columns(pl.lit("x").alias(name) for name in FIELDS)
    signed = duplicates.compute_signatures(frame, {}, [], PARAMS)
    signed = signed.with_columns(duplicates.document_numbers(0, signed.height))
    pairs = clusters.candidate_pairs(duplicates.band_keys(signed, PARAMS))
    return duplicates.verify_pairs(pairs, signed, PARAMS)


def recall(folder: Path, documents: int) -> None:
    texts = varied(folder, documents)
    every, edges = brute(texts), verified_edges(texts)
    true = {
        (a, b): s
        for a, b, s in zip(every.row.tolist(), every.col.tolist(), every.data.tolist(), strict=True)
    }
    found = {(a, b): s for a, b, s in edges.select("left", "right", "similarity").iter_rows()}
    wanted = {pair: s for pair, s in true.items() if s >= PARAMS.threshold}
    print(f"{len(texts)} texts; pairs at {PARAMS.threshold} or more by brute force: {len(wanted)}")
    print(f"found {len(found)}; of them with another Jaccard than by brute force: "
          f"{sum(true.get(pair) != s for pair, s in found.items())}; below the threshold: "
          f"{sum(s < PARAMS.threshold for s in found.values())}")  # fmt: skip
    for low in (0.7, 0.75, 0.8, 0.85, 0.9, 0.95):
        inside = {pair: s for pair, s in wanted.items() if low <= s < low + 0.05}
        curve = [minhash.probability(s, BANDS, ROWS) for s in inside.values()]
        met = sum(pair in found for pair in inside)
        print(f"{low:.2f} to {low + 0.05:.2f}: {len(inside):5} pairs, recall "
              f"{met / max(1, len(inside)):.4f}, the S-curve's {np.mean(curve or [1]):.4f}")  # fmt: skip


def planted(folder: Path) -> None:
    for path in sorted(folder.glob("articles_*.train")):
        lines = path.read_text("utf-8").splitlines()
        names, texts = zip(*(line.split(" ", 1) for line in lines), strict=True)
        truth = {
            frozenset(line.split())
            for line in path.with_suffix(".truth").read_text("utf-8").splitlines()
            if line.strip()
        }
        edges = verified_edges(list(texts)).select("left", "right").iter_rows()
        found = {frozenset((names[a], names[b])) for a, b in edges}
        print(f"{path.stem}: {len(truth)} planted, found {len(found & truth)} of them and "
              f"{len(found - truth)} others")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("part", choices=("signatures", "recall", "planted"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--documents", type=int)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    if options.part == "signatures":
        speeds(options.folder, options.documents or 3000, options.rounds)
    elif options.part == "recall":
        recall(options.folder, options.documents or 2000)
    else:
        planted(options.folder)


if __name__ == "__main__":
    main()
