"""How well names of persons are found: natasha in Russian news, patterns in the other languages.

    python benchmarks/names.py [--show 20]

`names_set.yaml` holds own sentences of the languages for which there is no set: what is measured
there is whether the marks that a pattern knows are found, and what looks like them is left; it
says nothing of how often real names bear such marks.  There a name counts as covered where all of
it lies in findings (a word before it may be lost with it), and a finding is good where it touches a
name; exit 1 where either falls short.

Other sets, beside the repository in ../shared/data/names: factRuEval-2016 (MIT), KazNERD (CC-BY-4.0).
A name counts as found where start and end agree; `overlap` where any of it was found.

Last, translated news without labels (NTREX-128 in ../shared/data/sentences, CC-BY-SA-4.0): how much is
found in every second sentence, and some of it for the eye, on the terminal only.  The sentences
between served to mend the rules.
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


def own(sentences: dict[str, str]) -> Iterator[tuple[str, Spans]]:
    """Sentences of a language with the names that stand in brackets, and those without any."""
    for line in (sentences["named"] + sentences["plain"]).splitlines():
        found = []
        for i, match in enumerate(_BRACKETS.finditer(line)):
            start = match.start() - 2 * i
            found.append((start, start + len(match[1])))
        yield _BRACKETS.sub(r"\1", line), found


def factrueval(folder: Path) -> Iterator[tuple[str, Spans]]:
    """Texts with their persons: from the first to the last part of each name."""
    for file in sorted(folder.glob("*.txt")):
        parts = {}
        for line in file.with_suffix(".spans").read_text("utf-8").splitlines():
            if len(told := line.split()) >= 4:
                parts[told[0]] = (int(told[2]), int(told[2]) + int(told[3]), told[1])
        found = set()
        for line in file.with_suffix(".objects").read_text("utf-8").splitlines():
            told = line.partition("#")[0].split()
            if len(told) > 2 and told[1] == "Person":
                named = [parts[i] for i in told[2:] if i in parts]
                named = [p for p in named if p[2] in ("name", "surname", "patronymic", "nickname")]
                if named:
                    found.add((min(p[0] for p in named), max(p[1] for p in named)))
        yield file.read_text("utf-8"), sorted(found)


def kaznerd(file: Path, least: int) -> Iterator[tuple[str, Spans]]:
    """Sentences with their persons of at least so many tokens."""
    for block in file.read_text("utf-8").split("\n\n"):
        text, found, tokens = "", [], 0
        for line in block.splitlines():
            token, _, tag = line.rpartition(" ")
            glued = re.match(r"[.,;:!?)»…]", token) or re.search(r"[(«]$", text)
            text += token if glued or not text else " " + token
            if tag == "B-PERSON":
                found.append((len(text) - len(token), len(text)))
                tokens = 1
            elif tag == "I-PERSON" and found:
                found[-1] = (found[-1][0], len(text))
                tokens += 1
            elif found and 0 < tokens < least:
                found.pop()
                tokens = 0
            else:
                tokens = 0
        if found and 0 < tokens < least:
            found.pop()
        yield text, found


def prose(namer: NameFinder, file: Path) -> tuple[int, list[str]]:
    """How many sentences were read (every second), and what was found in them, with what stands
    beside it."""
    sentences = file.read_text("utf-8").splitlines()[1::2]
    return len(sentences), [
        f"{text[max(0, s.start - 15) : s.start]}[{text[s.start : s.end]}]{text[s.end : s.end + 10]}"
        for text in sentences
        for s in namer.find(text)
    ]


def measure(name: str, namer: NameFinder, texts: Iterable[tuple[str, Spans]]) -> dict[str, float]:
    """Precision, recall and F1 of exact spans, recall of overlap, characters a second of CPU."""
    right = wanted = told = touched = covered = good = chars = 0
    seconds = 0.0
    for text, truth in texts:
        start = time.process_time()
        found = [(s.start, s.end) for s in namer.find(text)]
        seconds += time.process_time() - start
        right += len({*found} & {*truth})
        covered += sum(_covers(found, a, b) for a, b in truth)
        good += sum(any(a < d and c < b for a, b in truth) for c, d in found)
        touched += sum(any(a < d and c < b for c, d in found) for a, b in truth)
        wanted, told, chars = wanted + len(truth), told + len(found), chars + len(text)
    p, r = right / max(told, 1), right / max(wanted, 1)
    f = 2 * p * r / max(p + r, 1e-9)
    print(
        f"{name:44} {wanted:5} names  P {p:.3f}  R {r:.3f}  F1 {f:.3f}  "
        f"overlap {touched / max(wanted, 1):.3f}  {chars / max(seconds, 1e-9):,.0f} characters/s"
    )
    return {
        "precision": p,
        "recall": r,
        "f1": f,
        "covered": covered / max(wanted, 1),
        "touching": good / max(told, 1),
    }


def _covers(found: Spans, start: int, end: int) -> bool:
    """Whether all of a name but blanks lies in findings."""
    for a, b in found:
        if a <= start < b:
            start = b + 1
    return start >= end


def look(shown: int) -> None:
    """Prints what is found in prose of each language that has a pattern."""
    for language in supported_languages():
        file = SHARED / f"sentences/{language}.txt"
        if language == RUSSIAN or not file.is_file():
            continue
        read, found = prose(FullNames(language), file)
        print(f"prose, {language}: {1000 * len(found) / read:.1f} findings per 1,000 sentences")
        for one in found[:: max(1, -(-len(found) // max(shown, 1)))] if shown else ():
            print(f"    {one}")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--show", type=int, default=10, help="findings in prose of each language")
    asked = parser.parse_args()
    short = []
    for language, sentences in yaml.safe_load(OWN.read_text("utf-8")).items():
        told = measure(f"patterns, own sentences, {language}", FullNames(language), own(sentences))
        print(f"  covered {told['covered']:.3f}, findings in names {told['touching']:.3f}")
        if min(told["touching"], told["covered"]) < LEAST:
            short.append(language)
    print(f"falls short: {', '.join(short) or 'nothing'}")
    if not DATA.is_dir():
        print(f"{DATA} is not there")
        return int(bool(short))
    if find_spec("natasha"):
        measure("natasha, factRuEval devset", Natasha(), factrueval(DATA / "factrueval/devset"))
    else:
        print("natasha is not installed: pip install --no-deps -r requirements-names.lock")
    kazakh, file = FullNames("kk"), DATA / "kaznerd/IOB2_valid.txt"
    measure("patterns, KazNERD, all persons", kazakh, kaznerd(file, 1))
    measure("patterns, KazNERD, two words and more", kazakh, kaznerd(file, 2))
    look(asked.show)
    return int(bool(short))


if __name__ == "__main__":
    sys.exit(main())
