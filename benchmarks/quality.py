"""Quality rules: documents per second of one core, beside datatrove's filters.

    POLARS_MAX_THREADS=1 OMP_NUM_THREADS=1 python benchmarks/quality.py FOLDER
    python benchmarks/quality.py FOLDER --calibrate

FOLDER holds <language>.txt files with a sentence per line.  Texts of 2,000 characters are made of
random sentences.  Times are CPU seconds, the best of three rounds.  datatrove is left out if it is
not installed.  --calibrate prints the measured rows of `pipelines/quality/thresholds.tsv`.  Only odd
lines are used, because the lists of function words were made of the even ones.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import polars as pl

from pipelines.quality import rules
from pipelines.quality.statistics import measure

CHARS = 2000
#: Factors from measured extremes to thresholds.  The maximum of the mean length of words is at least
#: Gopher's 10.
ABOVE, BELOW, STOPS = 2.0, 0.4, 0.25


def lines(folder: Path) -> dict[str, list[str]]:
    """Return language -> its odd lines."""
    return {p.stem: p.read_text("utf-8").splitlines()[1::2] for p in sorted(folder.glob("*.txt"))}


def texts(sentences: dict[str, list[str]], number: int) -> pl.DataFrame:
    """Return lang, text: paragraphs of two to four sentences, cut at `CHARS`; each run the same."""
    draw, rows = random.Random(0), []
    for i in range(number):
        lang = [*sentences][i % len(sentences)]
        text = ""
        while len(text) < CHARS:
            text += " ".join(draw.choices(sentences[lang], k=draw.randint(2, 4))) + "\n\n"
        rows.append((lang, text[:CHARS]))
    return pl.DataFrame(rows, schema=["lang", "text"], orient="row")


def ours(documents: pl.DataFrame) -> int:
    """Apply all statistics and rules; return how many documents fail a rule."""
    measured = measure(documents["text"], documents["lang"].to_list())
    with_failures = rules.find_failures(
        measured.with_columns(documents["lang"], kind=pl.lit("web")), rules.load()
    )
    return with_failures.filter(pl.col("failures").list.len() > 0).height


def peers(lang: str) -> dict[str, Callable[[pl.DataFrame], int]]:
    """Return datatrove's filters by name; none if it is not installed."""
    if not find_spec("datatrove"):
        print("datatrove is not installed: its filters are left out")
        return {}
    from datatrove.data import Document
    from datatrove.pipeline import filters

    def counter(rule: filters.base_filter.BaseFilter) -> Callable[[pl.DataFrame], int]:
        def count(documents: pl.DataFrame) -> int:
            own = [Document(text=t, id=str(i)) for i, t in enumerate(documents["text"])]
            return sum(rule.filter(document) is not True for document in own)

        return count

    kinds = ("GopherQuality", "GopherRepetition", "C4Quality", "FineWebQuality")
    return {kind: counter(getattr(filters, f"{kind}Filter")(language=lang)) for kind in kinds}


def rate(
    work: Callable[[pl.DataFrame], int], documents: pl.DataFrame, rounds: int
) -> tuple[float, int]:
    """Return documents per CPU second, and how many fail."""
    work(documents.head(2))  # loads tables and tokenizers
    best, failed = float("inf"), 0
    for _ in range(rounds):
        start = time.process_time()
        failed = work(documents)
        best = min(best, time.process_time() - start)
    return documents.height / best, failed


def calibrate(sentences: dict[str, list[str]]) -> None:
    """Print rows of thresholds by language."""
    draw = random.Random(1)
    for lang, own in sentences.items():
        documents = [
            "\n\n".join(draw.choices(own, k=draw.randint(8, most)))
            for most in (22, 200)
            for _ in range(170 if most == 22 else 20)
        ]
        measured = measure(pl.Series(documents), [lang] * len(documents))
        length, stops = measured["mean_word_length"], measured["stop_word_share"]
        origin = f"measured {length.min():.1f} to {length.max():.1f}, with a margin"
        rows = [
            (
                "long-words",
                "mean_word_length",
                "max",
                f"{max(10.0, length.max() * ABOVE):.1f}",
                "*",
                origin,
            ),
            ("short-words", "mean_word_length", "min", f"{length.min() * BELOW:.1f}", "*", origin),
        ]
        if stops.null_count() == 0:
            origin = f"measured from {stops.min():.3f}, divided by 4"
            value = f"{stops.min() * STOPS:.3f}"
            rows.append(("stop-words", "stop_word_share", "min", value, "web", origin))
        for name, statistic, bound, value, kind, source in rows:
            print(name, statistic, bound, value, "", lang, kind, source, sep="\t")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--documents", type=int, default=4000)
    parser.add_argument("--peer-language", default="ru", help="of datatrove's tokenizer")
    parser.add_argument("--calibrate", action="store_true")
    options = parser.parse_args()
    sentences = lines(options.folder)
    if options.calibrate:
        calibrate(sentences)
        return
    lang = options.peer_language
    all_languages, single = (
        texts(sentences, options.documents),
        texts({lang: sentences[lang]}, options.documents),
    )
    print(f"texts of {CHARS} characters{'documents/s':>24}{'failed':>10}")
    for name, documents in (
        (f"all {len(sentences)} languages", all_languages),
        (f"{lang} alone", single),
    ):
        speed, failed = rate(ours, documents, 3)
        print(f"{'tamga, ' + name:32}{speed:18,.0f}{failed:10}")
    total = 0.0
    for name, work in peers(lang).items():
        sample = single.head(options.documents // 20)
        speed, failed = rate(work, sample, 1)
        total += 1 / speed
        print(f"{f'datatrove {name}, {lang}':32}{speed:18,.0f}{failed:10}  of {sample.height}")
    if total:
        print(f"{'datatrove, all four':32}{1 / total:18,.1f}")


if __name__ == "__main__":
    main()
