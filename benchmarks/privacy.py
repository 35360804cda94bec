"""Documents a second: the scrubber beside a plain Presidio engine on every document.

    python benchmarks/privacy.py --sentences DIR

DIR holds a UTF-8 file per language (`ru.txt`), a sentence a line; texts of 2,000 characters are
cut from it, once as they are and once with an e-mail address, a telephone number and an ИНН.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import polars as pl

from pipelines.personal_data.recognisers import ANY, analyzer
from pipelines.personal_data.scrub import Scrubber, apply

PLANTED = " ИНН 500100732259, тел. +7 915 123 45 67, почта n.petrov@pochta.example.ru. "


def documents(texts: list[str], lang: str) -> pl.DataFrame:
    """A batch as the privacy stage sees it."""
    return pl.DataFrame(
        {"doc_id": [f"{i:032x}" for i in range(len(texts))], "text": texts},
    ).with_columns(lang=pl.lit(lang), jurisdiction=pl.lit("RU"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sentences", type=Path, required=True)
    parser.add_argument("--lang", default="ru")
    options = parser.parse_args()
    text = " ".join((options.sentences / f"{options.lang}.txt").read_text("utf-8").split("\n"))
    clean = [text[i : i + 2000] for i in range(0, len(text) - 2000, 200)]
    scrubber, engine = Scrubber(), analyzer((ANY,))
    scrubber.find(documents([PLANTED], options.lang))  # warm: patterns compile once per worker
    print("texts\tdocuments\tfindings\tscrubber docs/s\tpresidio docs/s")
    for name, texts in (
        ("clean", clean),
        ("planted", [t[:1000] + PLANTED + t[1000:] for t in clean]),
    ):
        batch = documents(texts, options.lang)
        started = time.perf_counter()
        _, redactions = apply(batch, scrubber.find(batch))
        ours = len(texts) / (time.perf_counter() - started)
        started = time.perf_counter()
        for t in texts:
            engine.analyze(t, ANY)
        theirs = len(texts) / (time.perf_counter() - started)
        print(f"{name}\t{len(texts)}\t{redactions.height}\t{ours:.0f}\t{theirs:.0f}")


if __name__ == "__main__":
    main()
