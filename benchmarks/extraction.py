"""Measure main-text extraction: precision, recall, F1 and pages per second, against others.

    python benchmarks/extraction.py FOLDER [--rounds 3] [--only ours] [--worst 10]

FOLDER is a copy of the article extraction benchmark of Zyte (github.com/scrapinghub/
article-extraction-benchmark): `ground-truth.json` and `html/<id>.html.gz`. The measure is that of
the benchmark: texts become bags of 4-grams of their `\\w+` tokens; precision and recall are means
over the pages, F1 is their harmonic mean. A digest of its id puts each page into half A or B. Only
pages of A were examined while the rules were written. Pages per second are of one process, in the
best round, from decoded markup to text. `trafilatura` (without comments) is in the extra
`extraction`.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from statistics import fmean

from resiliparse.extract.html2text import extract_plain_text
from resiliparse.parse.html import HTMLTree

from pipelines.ingest.extract import html

Extractor = Callable[[str], str]
Timed = tuple[list[str], float]
WIDTH = 4
_TOKEN = re.compile(r"\w+")


def shingles(text: str) -> Counter[tuple[str, ...]]:
    """Return the bag of a text's 4-grams; a shorter text is one shingle, an empty text none."""
    tokens = _TOKEN.findall(text)
    last = max(1, len(tokens) - WIDTH + 1)
    return Counter(gram for i in range(last) if (gram := tuple(tokens[i : i + WIDTH])))


def counts(truth: str, text: str) -> tuple[int, int, int]:
    """Return true positives, false positives and false negatives of a page, in shingles."""
    expected, extracted = shingles(truth), shingles(text)
    shared = (expected & extracted).total()
    return shared, extracted.total() - shared, expected.total() - shared


def scores(pages: Iterable[tuple[int, int, int]]) -> tuple[float, float, float]:
    """Return precision and recall, each the mean over the pages that define it, and F1."""
    pages = list(pages)
    precision = fmean(tp / (tp + fp) for tp, fp, _ in pages if tp + fp)
    recall = fmean(tp / (tp + fn) for tp, _, fn in pages if tp + fn)
    return precision, recall, 2 * precision * recall / (precision + recall)


def half(page_id: str) -> str:
    """Return the half of a page: A for tuning, B for checking."""
    return "AB"[hashlib.sha256(page_id.encode()).digest()[0] & 1]


def plain(markup: str) -> str:
    """Extract the main text with resiliparse alone."""
    tree = HTMLTree.parse(markup)
    return str(extract_plain_text(tree, main_content=True, alt_texts=False, list_bullets=False))


def ours(markup: str) -> str:
    return html.extract(markup).text


def trafilatura(markup: str, fast: bool) -> str:
    from trafilatura import extract

    return extract(markup, fast=fast, include_comments=False) or ""


EXTRACTORS: dict[str, Extractor] = {
    "ours": ours,
    "resiliparse": plain,
    "trafilatura": partial(trafilatura, fast=False),
    "trafilatura fast": partial(trafilatura, fast=True),
}


def measure(names: Sequence[str], pages: Sequence[str], rounds: int) -> dict[str, Timed]:
    """Run extractors; return the texts and the pages per second in the best round, by name.

    The extractors take turns, so that other load on the machine affects all of them.
    """
    texts, best = dict[str, list[str]](), dict.fromkeys(names, float("inf"))
    for _ in range(rounds):
        for name in names:
            start = time.process_time()
            texts[name] = [EXTRACTORS[name](page) for page in pages]
            best[name] = min(best[name], time.process_time() - start)
    return {name: (texts[name], len(pages) / best[name]) for name in names}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=EXTRACTORS, nargs="+", default=list(EXTRACTORS))
    parser.add_argument("--worst", type=int, default=0, help="list so many worst pages of half A")
    options = parser.parse_args()
    entries = json.loads((options.folder / "ground-truth.json").read_text("utf-8"))
    truth = {name: entry.get("articleBody", "") for name, entry in sorted(entries.items())}
    files = (options.folder / "html" / f"{name}.html.gz" for name in truth)
    pages = [gzip.decompress(file.read_bytes()).decode() for file in files]
    halves = [half(name) for name in truth]
    print(f"{len(pages)} pages, {halves.count('A')} in A, {halves.count('B')} in B")
    print(f"{'':17}{'precision':>10}{'recall':>8}{'F1':>8}{'F1 A':>8}{'F1 B':>8}{'pages/s':>9}")
    for name, (texts, speed) in measure(options.only, pages, options.rounds).items():
        counted = [counts(*pair) for pair in zip(truth.values(), texts, strict=True)]
        precision, recall, f1 = scores(counted)
        a, b = (
            scores(count for count, own in zip(counted, halves, strict=True) if own == which)[2]
            for which in "AB"
        )
        print(f"{name:17}{precision:10.3f}{recall:8.3f}{f1:8.3f}{a:8.3f}{b:8.3f}{speed:9.0f}")
        losses = sorted(
            ((fp + fn) / max(1, tp + fp + fn), page, tp, fp, fn)
            for page, (tp, fp, fn), own in zip(truth, counted, halves, strict=True)
            if own == "A"
        )
        for loss, page, tp, fp, fn in losses[::-1][: options.worst]:
            print(f"  {loss:.2f} {page[:12]} tp {tp} fp {fp} fn {fn}")


if __name__ == "__main__":
    main()
