"""Convert the language labels of models to the project's codes: ISO 639-1, else ISO 639-3.

Labels have the form `__label__uz`, `__label__uzn_Cyrl`, `uzn-Cyrl` or `uz`, or are older codes of
CLD2.  `iso639.tsv` pairs ISO 639-3 codes with ISO 639-1 codes.  It holds ISO 639's own table, and
individual languages that represent their macrolanguage (`uzn`, `azj`, `ekk`, `lvs`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

from schemas.errors import BAD_USAGE, TamgaError

#: Code that ISO 639 withdrew or a model invented -> the code in use.
OLD = {"iw": "he", "jw": "jv", "in": "id", "ji": "yi", "mo": "ro", "bh": "bho",
       "als": "gsw", "eml": "egl", "bat-smg": "sgs", "sr-ME": "sr"}  # fmt: skip
#: Codes that do not name a language: CLD2's unknown and joke languages, script names,
#: non-linguistic text.
NONE = frozenset(("un", "und", "zxx", "mis", "mul", "xxx", "zzb", "zze", "zzh", "zzp"))
#: Script -> the languages that are written in it, by CLDR's likely subtags, with the second scripts
#: of the region.  A language that is not listed here is written in Latin letters.
WRITTEN = {
    "Cyrl": "ab abq ady agx alt av az ba be bg bua bxr ce chm cjs crh cv dar eve evn gld inh kaa "
    "kbd kjh kk koi krc kum kv ky lbe lez mdf mhr mk mn mrj myv niv nog os ru rue rut sah sr sty "
    "tab tg tk tt tyv udm ug uk uz xal yrk",
    "Arab": "ar arz azb az bal ckb fa glk ks ku ky kk lrc ms mzn pnb prs ps sd skr ug ur uz",
    "Hebr": "he yi lad", "Deva": "awa bho bh dty gom hi ks kok mai mr ne new raj sa sd",
    "Grek": "el pnt", "Armn": "hy hyw", "Geor": "ka lzz sva xmf", "Mong": "mn mnc",
    "Ethi": "am ti", "Hani": "gan ja ko wuu yue zh",
}  # fmt: skip
#: Languages whose scripts all count as `Zyyy`, see `pipelines.language.alphabets.SCRIPTS`.
OTHERS = "as bn bo bpy chr dv dz gu iu ja kn km ko lo lif ml my or pa sat si syr ta te th"
#: The languages of `WRITTEN` that are also written in Latin letters.
ALSO_LATIN = frozenset(
    ["az", "crh", "kaa", "kk", "ku", "ms", "rut", "sr", "tk", "tt", "ug", "uz", "gom"]
)


class LabelsError(TamgaError):
    """The file of labels is missing, or does not hold labels."""

    exit_code = BAD_USAGE


class Label(NamedTuple):
    """A language and, where the label names it, a script (ISO 15924)."""

    language: str | None
    script: str | None


def normalise(label: str, mapping: Mapping[str, str] | None = None) -> Label:
    """Convert a model's label to the project's code.

    Args:
      label: the label, with or without fastText's prefix.
      mapping: label -> code, for labels that are not codes themselves.

    Returns:
      The language is None if the label does not name one.
    """
    plain = label.removeprefix("__label__")
    if mapping and (named := mapping.get(label) or mapping.get(plain)):
        plain = named
    language, _, rest = plain.replace("-", "_").partition("_")
    script = rest[:4].title() if len(rest.split("_")[0]) == 4 and rest[:4].isalpha() else None
    if plain in NONE or language in NONE or language == "xx" or not language.isalpha():
        return Label(None, script)
    language = OLD.get(plain, language.lower())  # `als_Latn` is not lid.176's `als`
    return Label(_short_codes().get(language, language), script)


def load_mapping(labels: Mapping[str, str] | str | None, root: Path) -> dict[str, str]:
    """Return the label mapping of params.

    Args:
      labels: the mapping itself, or the path of a JSON file that holds it.
      root: the folder of params, which the path is relative to.

    Raises:
      LabelsError: the file is missing or wrong; the message names it.
    """
    if labels is None or not isinstance(labels, str):
        return dict(labels or {})
    path = root / labels
    try:
        mapping = json.loads(path.read_bytes())
    except OSError as error:
        raise LabelsError(f"language.labels: {path}: {error.strerror}") from None
    except ValueError:
        raise LabelsError(f"language.labels: {path} is not JSON") from None
    if not isinstance(mapping, dict) or not all(isinstance(v, str) for v in mapping.values()):
        raise LabelsError(
            f"language.labels: {path} must hold a JSON object of labels and language codes"
        )
    return mapping


def is_possible(script: str, language: str) -> bool:
    """Whether a language can be written in a script; every language can be in `Zyyy`."""
    if script == "Latn":
        return language in ALSO_LATIN or language not in _not_latin()
    return language in WRITTEN[script].split() if script in WRITTEN else True


@cache
def _not_latin() -> frozenset[str]:
    """The languages that have a script other than Latin."""
    return frozenset(" ".join(WRITTEN.values()).split()) | frozenset(OTHERS.split())


@cache
def _short_codes() -> dict[str, str]:
    """ISO 639-3 code -> ISO 639-1 code."""
    rows = files("pipelines.language").joinpath("iso639.tsv").read_text("utf-8").splitlines()
    return dict(row.split("\t") for row in rows)
