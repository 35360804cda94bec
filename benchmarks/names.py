"""How well names of persons are found: natasha in Russian news, patterns in Kazakh texts.

    python benchmarks/names.py

Sets, beside the repository in ../shared/data/names: factRuEval-2016 (MIT), KazNERD (CC-BY-4.0).
A name counts as found where start and end agree; `overlap` where any of it was found.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path

from pipelines.personal_data.names import FullNames, Namer, Natasha

DATA = Path(__file__).resolve().parents[2] / "shared/data/names"
Spans = list[tuple[int, int]]


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


def measure(name: str, namer: Namer, texts: Iterable[tuple[str, Spans]]) -> dict[str, float]:
    """Precision, recall and F1 of exact spans, recall of overlap, characters a second of CPU."""
    right = wanted = told = touched = chars = 0
    seconds = 0.0
    for text, truth in texts:
        start = time.process_time()
        found = [(s.start, s.end) for s in namer.find(text)]
        seconds += time.process_time() - start
        right += len({*found} & {*truth})
        touched += sum(any(a < d and c < b for c, d in found) for a, b in truth)
        wanted, told, chars = wanted + len(truth), told + len(found), chars + len(text)
    p, r = right / max(told, 1), right / max(wanted, 1)
    f = 2 * p * r / max(p + r, 1e-9)
    print(
        f"{name:44} {wanted:5} names  P {p:.3f}  R {r:.3f}  F1 {f:.3f}  "
        f"overlap {touched / max(wanted, 1):.3f}  {chars / max(seconds, 1e-9):,.0f} characters/s"
    )
    return {"precision": p, "recall": r, "f1": f}


def main() -> None:
    if not DATA.is_dir():
        raise SystemExit(f"{DATA} is not there")
    if find_spec("natasha"):
        measure("natasha, factRuEval devset", Natasha(), factrueval(DATA / "factrueval/devset"))
    else:
        print("natasha is not installed: pip install 'tamga[names]'")
    kazakh, file = FullNames("kk"), DATA / "kaznerd/IOB2_valid.txt"
    measure("patterns, KazNERD, all persons", kazakh, kaznerd(file, 1))
    measure("patterns, KazNERD, two words and more", kazakh, kaznerd(file, 2))


if __name__ == "__main__":
    main()
