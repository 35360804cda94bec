"""What models call languages, and what this project does: ISO 639-1, else ISO 639-3.

Understood are `__label__uz`, `__label__uzn_Cyrl`, `uzn-Cyrl`, `uz` and the older codes of CLD2.
`iso639.tsv` pairs ISO 639-3 codes with ISO 639-1 ones: those of ISO 639's own table, and individual
languages that stand for their macrolanguage (`uzn`, `azj`, `ekk`, `lvs`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

from schemas.errors import BAD_USAGE, TamgaError

#: Codes that ISO 639 withdrew or models coined -> those in use.
OLD = {"iw": "he", "jw": "jv", "in": "id", "ji": "yi", "mo": "ro", "bh": "bho",
       "als": "gsw", "eml": "egl", "bat-smg": "sgs", "sr-ME": "sr"}  # fmt: skip
#: No languages: CLD2's unknown and joke languages, script names, non-linguistic text.
NONE = frozenset(("un", "und", "zxx", "mis", "mul", "xxx", "zzb", "zze", "zzh", "zzp"))
#: Script -> the languages written in it; a language that stands nowhere here is written in Latin
#: letters.  CLDR likely subtags, with the second scripts of the region.
WRITTEN = {
    "Cyrl": "ab abq ady agx alt av az ba be bg bua bxr ce chm cjs crh cv dar eve evn gld inh kaa "
    "kbd kjh kk koi krc kum kv ky lbe lez mdf mhr mk mn mrj myv niv nog os ru rue rut sah sr sty "
    "tab tg tk tt tyv udm ug uk uz xal yrk",
    "Arab": "ar arz azb az bal ckb fa glk ks ku ky kk lrc ms mzn pnb prs ps sd skr ug ur uz",
    "Hebr": "he yi lad", "Deva": "awa bho bh dty gom hi ks kok mai mr ne new raj sa sd",
    "Grek": "el pnt", "Armn": "hy hyw", "Geor": "ka lzz sva xmf", "Mong": "mn mnc",
    "Ethi": "am ti", "Hani": "gan ja ko wuu yue zh",
}  # fmt: skip
#: Languages of scripts that are not told apart (`Zyyy`).
OTHERS = "as bn bo bpy chr dv dz gu iu ja kn km ko lo lif ml my or pa sat si syr ta te th"
#: Of the languages in `WRITTEN`, those also written in Latin letters.
ALSO_LATIN = frozenset(
    ["az", "crh", "kaa", "kk", "ku", "ms", "rut", "sr", "tk", "tt", "ug", "uz", "gom"]
)


class LabelsError(TamgaError):
    """The file of labels is not there, or holds none."""

    exit_code = BAD_USAGE


class Label(NamedTuple):
    """A language and, where the label names it, a script (ISO 15924)."""

    language: str | None
    script: str | None


def normalise(label: str, mapping: Mapping[str, str] | None = None) -> Label:
    """A model's label as this project writes it; language None for what is none."""
    plain = label.removeprefix("__label__")
    if mapping and (named := mapping.get(label) or mapping.get(plain)):
        plain = named
    language, _, rest = plain.replace("-", "_").partition("_")
    script = rest[:4].title() if len(rest.split("_")[0]) == 4 and rest[:4].isalpha() else None
    if plain in NONE or language in NONE or language == "xx" or not language.isalpha():
        return Label(None, script)
    language = OLD.get(plain, language.lower())  # `als_Latn` is not lid.176's `als`
    return Label(_shorter().get(language, language), script)


def load_mapping(labels: Mapping[str, str] | str | None, root: Path) -> dict[str, str]:
    """A label mapping from params: itself, or the JSON object in the file that it names.

    Raises:
      LabelsError: names the file and what is wrong with it.
    """
    if labels is None or not isinstance(labels, str):
        return dict(labels or {})
    path = root / labels
    try:
        found = json.loads(path.read_bytes())
    except OSError as error:
        raise LabelsError(f"language.labels: {path}: {error.strerror}") from None
    except ValueError:
        raise LabelsError(f"language.labels: {path} is not JSON") from None
    if not isinstance(found, dict) or not all(isinstance(v, str) for v in found.values()):
        raise LabelsError(f"language.labels: {path} must be an object of labels and codes")
    return found


def is_possible(script: str, language: str) -> bool:
    """Whether a language may be written in a script; any may in one that is not told apart."""
    if script == "Latn":
        return language in ALSO_LATIN or language not in _not_latin()
    return language in WRITTEN[script].split() if script in WRITTEN else True


@cache
def _not_latin() -> frozenset[str]:
    return frozenset(" ".join(WRITTEN.values()).split()) | frozenset(OTHERS.split())


@cache
def _shorter() -> dict[str, str]:
    rows = files("pipelines.language").joinpath("iso639.tsv").read_text("utf-8").splitlines()
    return dict(row.split("\t") for row in rows)
