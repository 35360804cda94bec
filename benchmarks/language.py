"""Language identification: accuracy and speed, beside plain lid.176 and CLD2 in the same run.

    POLARS_MAX_THREADS=1 OMP_NUM_THREADS=1 python benchmarks/language.py SENTENCES UDHR [--half 1]

SENTENCES holds <language>.txt files with a sentence per line.  UDHR holds the Universal Declaration
of Human Rights as Unicode publishes it.  Letters' shares and weights were tuned on half 0: each
second line and paragraph, from the first.  The report is about the other half.

1. Single sentences, and five sentences together: share of correct labels, by language.
2. Paragraphs of the Declaration of at least 20 characters: the same.
3. Paragraphs of documents in which two languages alternate: a sentence per paragraph, ten per
   document.
4. Two languages inside a paragraph: phrases of both alternate, five such paragraphs per document.
   This imitates surzhyk and trasianka.  It is synthetic: real ones also mix inside words, and no
   corpus of them is available.  Two shares of documents: those in whose histogram both languages
   reach a tenth, and those that `mixed` counts as mixed.  The same documents unmixed are beside it.
5. CPU time on texts of 2,000 characters, as one paragraph and as sentences on lines.
"""

from __future__ import annotations

import argparse
import json
import time
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import mean, median

import polars as pl
import pycld2

from pipelines.language.identifier import Identifier, model_path
from schemas.sections import LanguageParams

REGION = (
    "ru", "uk", "be", "kk", "ky", "uz", "tg", "tk", "tt", "ba", "az", "hy", "ka", "ro", "et", "lv",
    "lt", "bg", "mk", "mn", "sr",
)  # fmt: skip
#: File of the Declaration -> language: those in the mean of the region, then all others.
JUDGED = {
    "uzn_cyrl": "uz", "uzn_latn": "uz", "azj_cyrl": "az", "azj_latn": "az", "tuk_cyrl": "tk",
    "tuk_latn": "tk", "oss": "os", "chv": "cv", "sah": "sah",
}  # fmt: skip
OTHERS = {
    "abk": "ab", "ady": "ady", "alt": "alt", "amh": "am", "arb": "ar", "bel": "be", "bul": "bg",
    "crh": "crh", "deu_1996": "de", "eng": "en", "est": "et", "fin": "fi", "fra": "fr",
    "gag": "gag", "hau_NG": "ha", "heb": "he", "hin": "hi", "hun": "hu", "hye": "hy", "ind": "id",
    "kaa": "kaa", "kat": "ka", "kaz": "kk", "kbd": "kbd", "khk": "mn", "kir": "ky", "kjh": "kjh",
    "koi": "koi", "lit": "lt", "mkd": "mk", "pes_1": "fa", "pol": "pl", "por_PT": "pt",
    "ron_2006": "ro", "rus": "ru", "som": "so", "spa": "es", "srp_cyrl": "sr", "swh": "sw",
    "tat": "tt", "tgk": "tg", "tur": "tr", "tyv": "tyv", "ukr": "uk", "vie": "vi", "yor": "yo",
    "zul": "zu",
}  # fmt: skip
OTHERS_JUDGED = OTHERS | JUDGED
PAIRS = ("uz", "kk", "uk", "ky", "tg")
OLD = {"iw": "he", "jw": "jv", "zh-Hant": "zh", "sr-ME": "sr"}
PEERS = ("ours", "lid.176", "cld2")
Guess = Callable[[Sequence[str]], list[str | None]]


def guesses(identifier: Identifier) -> dict[str, Guess]:
    """Return peer -> its function from texts to languages."""
    from fasttext.FastText import _FastText

    model = _FastText(str(identifier.path))

    def ours(texts: Sequence[str]) -> list[str | None]:
        frame = pl.DataFrame({"doc_id": [""] * len(texts), "text": list(texts)})
        return identifier.identify(frame)["lang"].to_list()

    def lid(texts: Sequence[str]) -> list[str | None]:
        lines = [" ".join(t.split()) + "\n" for t in texts]
        labels = model.f.multilinePredict(lines, 1, 0.0, "strict")[0]
        return [row[0].removeprefix("__label__") if row else None for row in labels]

    def cld2(texts: Sequence[str]) -> list[str | None]:
        codes = []
        for text in texts:
            try:
                code = pycld2.detect(text, bestEffort=True)[2][0][1]
            except pycld2.error:
                code = None
            codes.append(OLD.get(code, code))
        return codes

    return {"ours": ours, "lid.176": lid, "cld2": cld2}


def accuracy(truth: str, labels: Sequence[str | None]) -> float:
    """Return the share of labels that equal the truth."""
    return sum(label == truth for label in labels) / max(1, len(labels))


def sentences(folder: Path, language: str, half: int) -> list[str]:
    """Return half of the sentences of a language."""
    return (folder / f"{language}.txt").read_text("utf-8").splitlines()[half::2]


def paragraphs(folder: Path, name: str, half: int) -> list[str]:
    """Return half of the Declaration's paragraphs of at least 20 characters."""
    root = ET.parse(folder / f"udhr_{name}.xml").getroot()
    texts = [" ".join((e.text or "").split()) for e in root.iter() if e.tag.endswith("}para")]
    return [text for text in texts if len(text) >= 20][half::2]


def by_language(
    sets: dict[str, tuple[str, list[str]]], peers: dict[str, Guess]
) -> dict[str, dict[str, object]]:
    """Return set -> the accuracy of each peer, and the most frequent wrong labels of ours."""
    table: dict[str, dict[str, object]] = {}
    for name, (truth, texts) in sets.items():
        labels = {peer: guess(texts) for peer, guess in peers.items()}
        table[name] = {p: round(accuracy(truth, own), 4) for p, own in labels.items()}
        wrong = Counter(str(label) for label in labels["ours"] if label != truth)
        table[name]["instead"] = dict(wrong.most_common(3))
    return table


def alternating_accuracy(folder: Path, other: str, half: int, identifier: Identifier) -> float:
    """Return the accuracy on paragraphs of documents in which Russian and another language
    alternate."""
    pairs = list(zip(sentences(folder, "ru", half), sentences(folder, other, half), strict=False))
    correct = total = 0
    for i in range(0, len(pairs) - 4, 5):
        lines = [line for pair in pairs[i : i + 5] for line in pair]
        labels = [language for _, _, language in identifier.label_spans("\n".join(lines))]
        correct += sum(a == b for a, b in zip(labels, ["ru", other] * 5, strict=True))
        total += len(lines)
    return correct / total


def blend(left: str, right: str, words: int) -> str:
    """Join two sentences to a paragraph in which phrases of this many words alternate."""
    first, second = left.split(), right.split()
    size = max(len(first), len(second))
    return " ".join(
        " ".join(first[i : i + words] + second[i : i + words]) for i in range(0, size, words)
    )


def blend_figures(folder: Path, other: str, half: int, identifier: Identifier) -> dict[str, object]:
    """Return the figures of documents that are mixed inside paragraphs, by the length of a phrase.

    Length 0 is the control: documents in the language `other` alone.
    """
    pairs = list(zip(sentences(folder, "ru", half), sentences(folder, other, half), strict=False))
    table: dict[str, object] = {}
    for words in (0, 2, 4, 8):
        lines = [blend(a, b, words) if words else b for a, b in pairs]
        texts = ["\n".join(lines[i : i + 5]) for i in range(0, len(lines) - 4, 5)]
        frame = pl.DataFrame({"doc_id": [""] * len(texts), "text": texts})
        labels = identifier.identify(frame)
        shares = [{x["lang"]: x["share"] for x in langs} for langs in labels["langs"]]
        table[f"{words} words"] = {
            "both shown": round(
                mean(min(x.get("ru", 0), x.get(other, 0)) >= 0.1 for x in shares), 4
            ),
            "mixed": round(mean(max(x.values()) < LanguageParams.main_share for x in shares), 4),
            "main": dict(Counter(labels["lang"].to_list()).most_common(3)),
        }
    return table


def floors(folder: Path, udhr: Path, identifier: Identifier) -> None:
    """Print `pipelines/language/floors.tsv`.

    A floor is the score that 999 in 1,000 correctly labelled texts of the first halves reach, by
    sentence, else by paragraph.  It is at least 0.2 and at most 0.5.
    """
    print("# language, script, least score, from what: see benchmarks/language.py --floors")
    sets: dict[str, tuple[str, str, list[str]]] = {
        n: (OTHERS_JUDGED[n], "udhr", paragraphs(udhr, n, 0)) for n in OTHERS_JUDGED
    }
    for path in sorted(folder.glob("*.txt")):
        sets[path.stem] = path.stem, "news", sentences(folder, path.stem, 0)
    scores = {}
    for truth, source, texts in sets.values():
        frame = pl.DataFrame({"doc_id": [""] * len(texts), "text": texts})
        correct = identifier.identify(frame).filter(lang=truth)
        for (script,), rows_of_script in correct.group_by("script"):
            if rows_of_script.height >= 20:
                least = float(rows_of_script["score"].quantile(0.001) or 0)
                scores[truth, str(script)] = (round(min(max(least, 0.2), 0.5), 2), source)
    for (language, script), (floor, source) in sorted(scores.items()):
        print(language, script, floor, f"{source}, half 0", sep="\t")


def speed(folder: Path, half: int, peers: dict[str, Guess], rounds: int = 9) -> dict[str, object]:
    """Return CPU microseconds per text of 2,000 characters, and the ratio to lid.176.

    The time is the best of the rounds, the ratio their median.  Each peer runs in each round.
    """
    table: dict[str, object] = {}
    for shape, blank in (("one paragraph", " "), ("sentences on lines", "\n")):
        texts = []
        for language in REGION:
            joined = blank.join(sentences(folder, language, half))
            texts += [joined[i : i + 2000] for i in range(0, 40_000, 2000)]
        took: dict[str, list[float]] = {peer: [] for peer in peers}
        for _ in range(rounds):
            for peer, guess in peers.items():
                started = time.process_time()
                guess(texts)
                took[peer].append(time.process_time() - started)
        ratios = [lid / ours for lid, ours in zip(took["lid.176"], took["ours"], strict=True)]
        table[shape] = {p: round(1e6 * min(s) / len(texts)) for p, s in took.items()} | {
            "ratio": round(median(ratios), 2)
        }
    return table


def show(title: str, table: dict[str, dict[str, object]], chosen: Sequence[str]) -> None:
    print(
        f"\n{title}\n\n| set | {' | '.join(PEERS)} | wrong labels of ours |\n|---|---|---|---|---|"
    )
    for name, row in table.items():
        print(f"| {name} | {' | '.join(f'{row[p]:.4f}' for p in PEERS)} | {row['instead'] or ''} |")
    for label, names in (("macro, chosen", chosen), ("macro, all", list(table))):
        means = [mean(float(table[n][p]) for n in names) for p in PEERS]  # type: ignore[arg-type]
        print(f"| **{label}** | {' | '.join(f'{m:.4f}' for m in means)} | |")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("sentences", type=Path)
    parser.add_argument("udhr", type=Path)
    parser.add_argument("--half", type=int, choices=(0, 1), default=1)
    parser.add_argument("--model", help="another fastText model for both")
    parser.add_argument("--floors", action="store_true", help="print floors.tsv instead")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    identifier = Identifier(model_path(options.model, Path()))
    if options.floors:
        floors(options.sentences, options.udhr, identifier)
        return
    peers = guesses(identifier)
    names = sorted(p.stem for p in options.sentences.glob("*.txt") if p.stem != "LICENSE")
    lines = {name: sentences(options.sentences, name, options.half) for name in names}
    single = by_language({n: (n, own) for n, own in lines.items()}, peers)
    five = by_language(
        {
            n: (n, [" ".join(s[i : i + 5]) for i in range(0, len(s) - 4, 5)])
            for n, s in lines.items()
        },
        peers,
    )
    udhr = by_language(
        {
            n: (truth, paragraphs(options.udhr, n, options.half))
            for n, truth in OTHERS_JUDGED.items()
        },
        peers,
    )
    pairs = {
        f"ru-{o}": round(alternating_accuracy(options.sentences, o, options.half, identifier), 4)
        for o in PAIRS
    }
    blends = {
        f"ru-{o}": blend_figures(options.sentences, o, options.half, identifier)
        for o in ("uk", "be", "uz")
    }
    times = speed(options.sentences, options.half, peers)
    if options.json:
        print(
            json.dumps(
                {"one": single, "five": five, "udhr": udhr, "mixed": pairs}
                | {"inside": blends, "speed": times}
            )
        )
        return
    show("One sentence", single, REGION)
    show("Five sentences", five, REGION)
    show("The Declaration by paragraph", udhr, list(JUDGED))
    print("\nMixed documents, share of paragraphs labelled correctly:", pairs)
    for pair, table in blends.items():
        print(f"\n{pair} mixed inside paragraphs (synthetic), by phrase:", table)
    print("\nCPU microseconds per text of 2,000 characters:", times)


if __name__ == "__main__":
    main()
