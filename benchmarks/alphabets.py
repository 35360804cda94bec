"""Make `pipelines/language/alphabets.tsv`: how often each language uses each letter.

    python benchmarks/alphabets.py SENTENCES_FOLDER UDHR_FOLDER > pipelines/language/alphabets.tsv

SENTENCES_FOLDER holds a sentence per line in `<language>.txt`.  UDHR_FOLDER holds the Universal
Declaration of Human Rights as Unicode publishes it (`udhr_<key>.xml`).  Each second line or
paragraph, from the first, is counted.  The other halves are left for measurements.

A row is language, script, sources (`news`, `udhr`), and each letter with its share per 100,000, in
lower case.  A letter that occurs less than three times is left out.
"""

from __future__ import annotations

import unicodedata
import xml.etree.ElementTree as ET
from collections import Counter
from pathlib import Path

from folders import folders

#: UDHR file -> language and script.
UDHR = {
    "abk": "ab Cyrl", "ady": "ady Cyrl", "alt": "alt Cyrl", "azj_cyrl": "az Cyrl",
    "azj_latn": "az Latn", "bel": "be Cyrl", "bul": "bg Cyrl", "chv": "cv Cyrl", "crh": "crh Latn",
    "deu_1996": "de Latn", "eng": "en Latn", "est": "et Latn", "evn": "evn Cyrl", "fin": "fi Latn",
    "fra": "fr Latn", "gag": "gag Latn", "hau_NG": "ha Latn", "hun": "hu Latn", "ibo": "ig Latn",
    "ind": "id Latn", "kaa": "kaa Cyrl", "kaz": "kk Cyrl", "kbd": "kbd Cyrl", "khk": "mn Cyrl",
    "kir": "ky Cyrl", "kjh": "kjh Cyrl", "kmr": "ku Latn", "koi": "koi Cyrl", "lit": "lt Latn",
    "mkd": "mk Cyrl", "niv": "niv Cyrl", "oss": "os Cyrl", "pol": "pl Latn", "por_PT": "pt Latn",
    "ron_2006": "ro Latn", "ron_1953": "ro Latn", "rus": "ru Cyrl", "sah": "sah Cyrl",
    "som": "so Latn", "spa": "es Latn", "srp_cyrl": "sr Cyrl", "srp_latn": "sr Latn",
    "swh": "sw Latn", "tat": "tt Cyrl", "tgk": "tg Cyrl", "tuk_cyrl": "tk Cyrl",
    "tuk_latn": "tk Latn", "tur": "tr Latn", "tyv": "tyv Cyrl", "uig_latn": "ug Latn",
    "ukr": "uk Cyrl", "uzn_cyrl": "uz Cyrl", "uzn_latn": "uz Latn", "vie": "vi Latn",
    "yor": "yo Latn", "yrk": "yrk Cyrl", "zul": "zu Latn",
}  # fmt: skip
DOTTED = frozenset(("az", "tr", "crh", "gag", "tt"))
CYRILLIC = frozenset(["ba", "be", "bg", "kk", "ky", "mk", "mn", "ru", "sr", "tg", "tt", "uk"])
LATIN = frozenset(
    ["az", "en", "es", "et", "ha", "id", "lt", "lv", "pt", "ro", "sw", "tk", "tr", "uz", "vi", "yo"]
)
NAMES = {"Cyrl": "CYRILLIC", "Latn": "LATIN"}
LEAST = 3


def letters(language: str, text: str, script: str) -> Counter[str]:
    """Count the letters of the script in a text."""
    text = unicodedata.normalize("NFC", text)
    if language in DOTTED and script == "Latn":
        text = text.replace("I", "ı").replace("İ", "i")
    return Counter(
        c for c in text.lower() if c.isalpha() and unicodedata.name(c, "").startswith(NAMES[script])
    )


def paragraphs(path: Path) -> list[str]:
    """Return the Declaration's paragraphs of at least 20 characters."""
    texts = [" ".join((e.text or "").split()) for e in ET.parse(path).getroot().iter()
             if e.tag.endswith("}para")]  # fmt: skip
    return [text for text in texts if len(text) >= 20]


def main() -> None:
    sentences, udhr = folders(__doc__, "SENTENCES_FOLDER", "UDHR_FOLDER")
    counts: dict[tuple[str, str], Counter[str]] = {}
    sources: dict[tuple[str, str], set[str]] = {}
    for path in sorted(sentences.glob("*.txt")):
        script = "Cyrl" if path.stem in CYRILLIC else "Latn" if path.stem in LATIN else None
        if script:
            lines = path.read_text("utf-8").splitlines()[::2]
            key = path.stem, script
            counts[key] = letters(path.stem, "\n".join(lines), script)
            sources[key] = {"news"}
    for name, pair in UDHR.items():
        language, script = pair.split()
        key = language, script
        text = "\n".join(paragraphs(udhr / f"udhr_{name}.xml")[::2])
        counts.setdefault(key, Counter()).update(letters(language, text, script))
        sources.setdefault(key, set()).add("udhr")
    for (language, script), count in sorted(counts.items()):
        total = sum(count.values())
        row = [
            f"{c}{round(100_000 * n / total)}"
            for c, n in sorted(count.items(), key=lambda kv: (-kv[1], kv[0]))
            if n >= LEAST
        ]
        print(
            language, script, ",".join(sorted(sources[language, script])), " ".join(row), sep="\t"
        )


if __name__ == "__main__":
    main()
