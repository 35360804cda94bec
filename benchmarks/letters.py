"""Write `pipelines/ingest/decoding/letters.tsv`: how often a language has each letter.

    python benchmarks/letters.py UDHR_FOLDER > pipelines/ingest/decoding/letters.tsv

UDHR_FOLDER holds the Universal Declaration of Human Rights as Unicode publishes it
(`udhr_<language>.xml`). The counts are per 10,000, in lower case, of letters beyond ASCII and the
ASCII letters next to them, as in `pipelines.ingest.decoding.letter_model`. Letters of a language
that the Declaration lacks get the least count. `ba`, `el` and `lv` have no file; their rounded
frequencies are in this module.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections import Counter
from pathlib import Path

from folders import folders

FILES = {
    "ru": "rus", "uk": "ukr", "be": "bel", "bg": "bul", "mk": "mkd", "sr": "srp_cyrl",
    "kk": "kaz", "ky": "kir", "tt": "tat", "tg": "tgk", "mn": "khk", "uz": "uzn_cyrl",
    "az": "azj_latn", "tr": "tur", "tk": "tuk_latn", "et": "est", "lt": "lit", "ro": "ron_2006",
    "pl": "pol", "hu": "hun", "de": "deu_1996", "fr": "fra", "es": "spa", "pt": "por_PT",
    "fi": "fin", "he": "heb",
}  # fmt: skip
#: Letters that get the least count if the Declaration has fewer of them.
RARE = {
    "ru": "ёъэщфцюж", "uk": "ґїєфщ", "be": "ўёэф", "bg": "щюьъфц", "mk": "ѓќѕџљњф", "sr": "ђћџљњф",
    "kk": "әғқңөұүһіёцщъэюяфвчь", "ky": "ңөүёцщъэюфвья", "tt": "әөүҗңһёцщъэюфвья",
    "tg": "ғӣқӯҳҷёъэюя", "mn": "өүёъщфцьюяэпк", "uz": "ўқғҳёъэюяцжф",
    "az": "əıöüğşç", "tr": "ıöüğşçâîû", "tk": "ýňäöüşžç", "et": "õäöüšž", "lt": "ąčęėįšųūž",
    "ro": "ăâîșț", "pl": "ąćęłńóśźż", "hu": "áéíóöőúüű", "de": "äöüß", "fr": "àâçéèêëîïôùûœ",
    "es": "áéíóúñü", "pt": "ãõáéíóúâêôàç", "fi": "äöå", "he": "",
}  # fmt: skip
#: Rounded frequencies of languages without a file.
ROUNDED = {
    "el": "α980 ο900 ι780 ε800 τ800 σ490 ν650 η490 υ430 ρ430 π400 κ400 μ330 λ290 ς350 ί240 ά200 "
    "έ170 ό190 ή160 ώ90 ύ100 γ170 δ170 θ110 χ110 φ80 β70 ω160 ξ40 ζ40 ψ15 ϊ4 ΐ3 ϋ2 ΰ1",
    "ba": "а1030 ы680 е560 ә560 н610 р560 л560 т450 и330 у330 к250 д240 м270 б260 һ240 й230 ҡ280 "
    "ҙ300 с180 ш150 г160 о190 п160 ө200 ү190 ғ170 ҫ120 ң110 в110 з50 я150 ж40 х60 э50 ф30 ю30 ц15 "
    "ч30 ь40 ъ4 щ2 ё4",
    "lv": "ā2400 ī1150 ē1050 š700 ņ380 ū330 ļ250 ž180 č70 ķ110 ģ80 t480 n420 r420 s400 m300 k300 "
    "l290 d270 v250 j240 i260 a250 e170 p160 c110 b100 g80 u120 z130 o30 f20 h20",
}
NS = "{http://efele.net/udhr}"


def read_text(path: Path) -> str:
    """Return the paragraphs of a file."""
    root = ET.parse(path).getroot()
    return "\n".join(part.text or "" for part in root.iter() if part.tag in (NS + "para",))


#: Shares that differ in a legal text: it has `õigus` (right) too often, and no names.
USUAL = {"et": {"ä": 1900, "õ": 1150, "ü": 700, "ö": 250, "š": 60, "ž": 40}}


def letter_shares(language: str, text: str) -> str:
    """Return the row of a language: each letter with its share per 10,000."""
    lower = text.replace("İ", "i").lower() if language in ("az", "tr") else text.lower()
    letters = Counter(
        char
        for char in re.findall(r"[^\x00-\x7f]|[a-z](?=[^\x00-\x7f])|(?<=[^\x00-\x7f])[a-z]", lower)
        if char.isalpha()
    )
    total = sum(letters.values())
    shares = {c: round(10_000 * n / total) for c, n in letters.items()}
    # Fewer are stray letters of another language.
    least = 3
    row = {c: n for c, n in shares.items() if n >= least} | {
        c: max(shares.get(c, 0), least) for c in RARE[language] if c.isalpha()
    }
    row |= USUAL.get(language, {})
    return " ".join(f"{c}{n}" for c, n in sorted(row.items(), key=lambda kv: (-kv[1], kv[0])))


def main() -> None:
    (folder,) = folders(__doc__, "UDHR_FOLDER")
    rows = {
        la: letter_shares(la, read_text(folder / f"udhr_{name}.xml")) for la, name in FILES.items()
    }
    for language, row in sorted((rows | ROUNDED).items()):
        print(f"{language}\t{row}")


if __name__ == "__main__":
    main()
