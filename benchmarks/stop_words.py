"""Make `pipelines/quality/stop_words.tsv`: the function words of languages.

    python benchmarks/stop_words.py SENTENCES UDHR > pipelines/quality/stop_words.tsv

SENTENCES holds `<code>.txt`, a sentence a line (NTREX-128, CC BY-SA 4.0); UDHR the Universal
Declaration of Human Rights as Unicode publishes it (public domain).  A word is taken if it is
among the `RANKS` words that stand in most sentences (of the even lines: the odd ones are left to
test on), and if the Declaration, which is of another kind and time, has it too.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import polars as pl
from folders import folders
from letters import text

RANKS, WORDS = 60, 30
#: Files of the Declaration, both scripts of a language; a language without one goes by rank alone.
FILES = {
    "am": ["amh"], "az": ["azj_latn"], "be": ["bel"], "bg": ["bul"], "en": ["eng"], "es": ["spa"],
    "et": ["est"], "fa": ["pes_1"], "ha": ["hau_NG"], "hi": ["hin"], "hy": ["hye"], "id": ["ind"],
    "ka": ["kat"], "kk": ["kaz"], "ky": ["kir"], "lt": ["lit"], "mk": ["mkd"], "mn": ["khk"],
    "pt": ["por_PT"], "ro": ["ron_2006"], "ru": ["rus"], "sr": ["srp_cyrl"], "sw": ["swh"],
    "tg": ["tgk"], "tk": ["tuk_latn"], "tr": ["tur"], "tt": ["tat"], "uk": ["ukr"],
    "uz": ["uzn_latn"], "vi": ["vie"], "yo": ["yor"],
}  # fmt: skip
#: The other script of a language has the words that are frequent in the Declaration and short.
OTHER = {"az": "azj_cyrl", "sr": "srp_latn", "tk": "tuk_cyrl", "uz": "uzn_cyrl"}
SHORT, OFTEN = 5, 8
_WORD = r"\p{L}[\p{L}\p{M}'\u2018\u2019\u02bb\u02bc\u200c]*"
HEADER = (
    "# language, its function words; made by benchmarks/stop_words.py, see there for the sources"
)


def words(passage: str) -> list[str]:
    """The words of a text, as the stored view has them (NFC), in lower case."""
    lower = pl.Series([passage]).str.normalize("NFC").str.to_lowercase()
    return lower.str.extract_all(_WORD)[0].to_list()


def frequent(sentences: Path, declaration: set[str]) -> list[str]:
    """The words of most sentences that the Declaration has too, the commonest first."""
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
            w for name in FILES.get(language, ()) for w in words(text(udhr / f"udhr_{name}.xml"))
        }
        found = frequent(path, declaration)
        if language in OTHER:
            counted = Counter(words(text(udhr / f"udhr_{OTHER[language]}.xml")))
            found += sorted(w for w, n in counted.items() if n >= OFTEN and len(w) <= SHORT)
        print(language, " ".join(dict.fromkeys(found)), sep="\t")


if __name__ == "__main__":
    main()
