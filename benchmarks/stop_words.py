"""Make `pipelines/quality/stop_words.tsv`: the function words of languages.

    python benchmarks/stop_words.py SENTENCES UDHR > pipelines/quality/stop_words.tsv

SENTENCES holds `<code>.txt` with a sentence per line (NTREX-128, CC BY-SA 4.0).  UDHR holds the
Universal Declaration of Human Rights as Unicode publishes it (public domain).

A function word is one of the `RANKS` words that occur in most sentences, and also occurs in the
Declaration, a text of another kind and time.  Only even lines are counted; tests use the odd ones.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import polars as pl
from folders import folders
from letters import read_text

RANKS, WORDS = 60, 30
#: Language -> files of the Declaration.  Without a file the rank alone decides.
FILES = {
    "am": ["amh"], "az": ["azj_latn"], "be": ["bel"], "bg": ["bul"], "en": ["eng"], "es": ["spa"],
    "et": ["est"], "fa": ["pes_1"], "ha": ["hau_NG"], "hi": ["hin"], "hy": ["hye"], "id": ["ind"],
    "ka": ["kat"], "kk": ["kaz"], "ky": ["kir"], "lt": ["lit"], "mk": ["mkd"], "mn": ["khk"],
    "pt": ["por_PT"], "ro": ["ron_2006"], "ru": ["rus"], "sr": ["srp_cyrl"], "sw": ["swh"],
    "tg": ["tgk"], "tk": ["tuk_latn"], "tr": ["tur"], "tt": ["tat"], "uk": ["ukr"],
    "uz": ["uzn_latn"], "vi": ["vie"], "yo": ["yor"],
}  # fmt: skip
#: Language -> the Declaration in its other script, of which short and frequent words are used.
OTHER = {"az": "azj_cyrl", "sr": "srp_latn", "tk": "tuk_cyrl", "uz": "uzn_cyrl"}
SHORT, OFTEN = 5, 8
_WORD = r"\p{L}[\p{L}\p{M}'\u2018\u2019\u02bb\u02bc\u200c]*"
HEADER = (
    "# language, its function words; made by benchmarks/stop_words.py, see there for the sources"
)


def words(passage: str) -> list[str]:
    """Return the words of a text as in the stored view (NFC), in lower case."""
    lower = pl.Series([passage]).str.normalize("NFC").str.to_lowercase()
    return lower.str.extract_all(_WORD)[0].to_list()


def frequent(sentences: Path, declaration: set[str]) -> list[str]:
    """Return the words of most sentences that the Declaration has too, by frequency."""
    counted: Counter[str] = Counter()
    for line in sentences.read_text("utf-8").splitlines()[::2]:
        counted.update(set(words(line)))
    ranked = sorted(counted, key=lambda w: (-counted[w], w))[:RANKS]
    return [w for w in ranked if not declaration or w in declaration][:WORDS]


def main() -> None:
    sentences, udhr = folders(__doc__, "SENTENCES", "UDHR")
    print(HEADER)
    for path in sorted(sentences.glob("*.txt")):
        language = path.stem
        declaration = {
            w
            for name in FILES.get(language, ())
            for w in words(read_text(udhr / f"udhr_{name}.xml"))
        }
        chosen = frequent(path, declaration)
        if language in OTHER:
            counted = Counter(words(read_text(udhr / f"udhr_{OTHER[language]}.xml")))
            chosen += sorted(w for w, n in counted.items() if n >= OFTEN and len(w) <= SHORT)
        print(language, " ".join(dict.fromkeys(chosen)), sep="\t")


if __name__ == "__main__":
    main()
