"""Measure how well names of persons are found: natasha in Russian news, patterns in other languages.

    python benchmarks/names.py [--show 20]

`names_set.yaml` contains own sentences, for languages without a public set.  They measure whether
names with the marks of a pattern are found, and whether similar words are not.  They do not measure
how often real names have such marks.  A name is covered if all of it lies in findings (which may
include a word before it).  A finding is good if it touches a name.  Exit 1 if one of the two shares
misses its target.

Public sets, beside the repository in ../shared/data/names: factRuEval-2016 (MIT), KazNERD
(CC-BY-4.0).  A name counts as found if start and end are equal; `overlap` counts a partly found name.

At the end, translated news without labels (NTREX-128 in ../shared/data/sentences, CC-BY-SA-4.0): the
number of findings in every second sentence, and a sample of them, on the terminal only.  The other
sentences were used to improve the rules.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path

import yaml

from pipelines.personal_data.names import (
    RUSSIAN,
    FullNames,
    NameFinder,
    Natasha,
    supported_languages,
)

SHARED = Path(__file__).resolve().parents[2] / "shared/data"
DATA = SHARED / "names"
OWN = Path(__file__).with_name("names_set.yaml")
LEAST = 0.95
Spans = list[tuple[int, int]]
_BRACKETS = re.compile(r"\[([^]]+)\]")


def read_own_sentences(sentences: dict[str, str]) -> Iterator[tuple[str, Spans]]:
    """Yield (sentence, names) of a language; in the file brackets mark the names."""
    for line in (sentences["named"] + sentences["plain"]).splitlines():
        names = []
        for i, match in enumerate(_BRACKETS.finditer(line)):
            start = match.start() - 2 * i
            names.append((start, start + len(match[1])))
        yield _BRACKETS.sub(r"\1", line), names


def read_factrueval(folder: Path) -> Iterator[tuple[str, Spans]]:
    """Yield (text, persons); a person reaches from the first to the last part of the name."""
    for file in sorted(folder.glob("*.txt")):
        name_parts = {}
        for line in file.with_suffix(".spans").read_text("utf-8").splitlines():
            if len(fields := line.split()) >= 4:
                start = int(fields[2])
                name_parts[fields[0]] = (start, start + int(fields[3]), fields[1])
        persons = set()
        for line in file.with_suffix(".objects").read_text("utf-8").splitlines():
            fields = line.partition("#")[0].split()
            if len(fields) > 2 and fields[1] == "Person":
                parts = [name_parts[i] for i in fields[2:] if i in name_parts]
                parts = [p for p in parts if p[2] in ("name", "surname", "patronymic", "nickname")]
                if parts:
                    persons.add((min(p[0] for p in parts), max(p[1] for p in parts)))
        yield file.read_text("utf-8"), sorted(persons)


def read_kaznerd(file: Path, least: int) -> Iterator[tuple[str, Spans]]:
    """Yield (sentence, persons with at least `least` tokens)."""
    for block in file.read_text("utf-8").split("\n\n"):
        text, persons, tokens = "", [], 0
        for line in block.splitlines():
            token, _, tag = line.rpartition(" ")
            glued = re.match(r"[.,;:!?)»…]", token) or re.search(r"[(«]$", text)
            text += token if glued or not text else " " + token
            if tag == "B-PERSON":
                persons.append((len(text) - len(token), len(text)))
                tokens = 1
            elif tag == "I-PERSON" and persons:
                persons[-1] = (persons[-1][0], len(text))
                tokens += 1
            elif persons and 0 < tokens < least:
                persons.pop()
                tokens = 0
            else:
                tokens = 0
        if persons and 0 < tokens < least:
            persons.pop()
        yield text, persons


def find_in_prose(finder: NameFinder, file: Path) -> tuple[int, list[str]]:
    """Find names in every second sentence of a file.

    Returns:
      The number of sentences read, and each finding in brackets with the text beside it.
    """
    sentences = file.read_text("utf-8").splitlines()[1::2]
    return len(sentences), [
        f"{text[max(0, s.start - 15) : s.start]}[{text[s.start : s.end]}]{text[s.end : s.end + 10]}"
        for text in sentences
        for s in finder.find(text)
    ]


def measure(name: str, finder: NameFinder, texts: Iterable[tuple[str, Spans]]) -> dict[str, float]:
    """Print and return precision, recall and F1 of exact spans, and the shares of partial matches.

    Also prints the characters per second of processor time.
    """
    right = wanted = given = touched = covered = good = chars = 0
    seconds = 0.0
    for text, truth in texts:
        start = time.process_time()
        spans = [(s.start, s.end) for s in finder.find(text)]
        seconds += time.process_time() - start
        right += len({*spans} & {*truth})
        covered += sum(_covers(spans, a, b) for a, b in truth)
        good += sum(any(a < d and c < b for a, b in truth) for c, d in spans)
        touched += sum(any(a < d and c < b for c, d in spans) for a, b in truth)
        wanted, given, chars = wanted + len(truth), given + len(spans), chars + len(text)
    precision, recall = right / max(given, 1), right / max(wanted, 1)
    f1 = 2 * precision * recall / max(precision + recall, 1e-9)
    print(
        f"{name:44} {wanted:5} names  P {precision:.3f}  R {recall:.3f}  F1 {f1:.3f}  "
        f"overlap {touched / max(wanted, 1):.3f}  {chars / max(seconds, 1e-9):,.0f} characters/s"
    )
    return {
        "precision": precision,
        "recall": recall,
        "f1": f1,
        "covered": covered / max(wanted, 1),
        "touching": good / max(given, 1),
    }


def _covers(spans: Spans, start: int, end: int) -> bool:
    """Whether all of a name, except blanks, lies in findings."""
    for a, b in spans:
        if a <= start < b:
            start = b + 1
    return start >= end


def print_prose(shown: int) -> None:
    """Print findings in prose of each language that has a pattern, at most `shown` per language."""
    for language in supported_languages():
        file = SHARED / f"sentences/{language}.txt"
        if language == RUSSIAN or not file.is_file():
            continue
        read, findings = find_in_prose(FullNames(language), file)
        print(f"prose, {language}: {1000 * len(findings) / read:.1f} findings per 1,000 sentences")
        for finding in findings[:: max(1, -(-len(findings) // max(shown, 1)))] if shown else ():
            print(f"    {finding}")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--show", type=int, default=10, help="findings to print per language")
    options = parser.parse_args()
    short = []
    for language, sentences in yaml.safe_load(OWN.read_text("utf-8")).items():
        texts = read_own_sentences(sentences)
        figures = measure(f"patterns, own sentences, {language}", FullNames(language), texts)
        print(f"  covered {figures['covered']:.3f}, findings in names {figures['touching']:.3f}")
        if min(figures["touching"], figures["covered"]) < LEAST:
            short.append(language)
    print(f"targets missed: {', '.join(short) or 'none'}")
    if not DATA.is_dir():
        print(f"{DATA}: no such folder; the public sets are skipped")
        return int(bool(short))
    if find_spec("natasha"):
        measure(
            "natasha, factRuEval devset", Natasha(), read_factrueval(DATA / "factrueval/devset")
        )
    else:
        print("natasha is not installed; run `pip install --no-deps -r requirements-names.lock`")
    kazakh, file = FullNames("kk"), DATA / "kaznerd/IOB2_valid.txt"
    measure("patterns, KazNERD, all persons", kazakh, read_kaznerd(file, 1))
    measure("patterns, KazNERD, two words and more", kazakh, read_kaznerd(file, 2))
    print_prose(options.show)
    return int(bool(short))


if __name__ == "__main__":
    sys.exit(main())
