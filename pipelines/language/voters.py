"""The three voters on a batch of samples, and how their votes add up.

Per language: `LETTERS` times the log odds of the letters against the best alphabet of the script,
CLD2's share of the sample times `CLD2`, and, where the first two do not settle it, the log p of a
fastText model.  The score is the softmax of the sums, where a language of which nothing is known
stands for text that fits none: gibberish, code in one letter, a language that nobody knows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.language import labels, model_file
from pipelines.language.alphabets import SCRIPTS, Letters, alphabets
from schemas.errors import BAD_USAGE, TamgaError

if TYPE_CHECKING:
    from fasttext.FastText import _FastText

Array = np.ndarray[Any, Any]
#: Tuned on the first halves of the texts of `benchmarks/language.py`.  What the log odds of letters
#: weigh (letters of one word are not independent), and the most that they say against a language;
#: what a whole share of CLD2 weighs; the model's log p, and the least that it counts as.
LETTERS, MOST, CLD2, MODEL, LEAST_P = 0.7, 12.0, 5.0, 1.0, 1e-3
#: A language without a known alphabet pays `NO_ALPHABET`, and more the better the letters fit one
#: that is known, up to `FITTING`, and nothing where they fit none: where they diverge by over `OWN` nats each.
NO_ALPHABET, FITTING, OWN = 3.0, 8.0, 0.15
#: The model's log p of languages that it does not know, or never saw in a script: its Uzbek,
#: Azerbaijani and Turkmen are Latin, its Ossetic has the Latin letter, its Tuvan is Kyrgyz.
NO_LABEL, NOT_SEEN, UNSEEN = -3.5, -1.5, {"Cyrl": ("az", "os", "sah", "tk", "tyv", "uz")}
#: CLD2 names these too easily: Serbian for Macedonian and Russian, English for names, Malay for
#: Indonesian.
HASTY = {"sr": 0.4, "en": 0.7, "ms": 0.15}
#: The first two settle it where they agree and the next language is so far behind.
SETTLED = 4.0
#: Languages that share the alphabet of one whose letters are known.
LIKE = {("hr", "Latn"): "sr", ("bs", "Latn"): "sr", ("ms", "Latn"): "id"}
#: Letters may diverge from the language's own by so much each (nats), and in few by more.
#: Against a language without a known alphabet that says no more than `NOTHING`.
DIVERGENCE, OF_FEW, NOTHING = 0.4, 1.5, 3.5
_TOP = 10


class ModelMissing(TamgaError):
    """The language model is not there, or is not one."""

    exit_code = BAD_USAGE


@dataclass(frozen=True)
class Verdicts:
    """Of n samples: the place of the language in `Voters.languages`, -1 for none, and the score,
    0 to 1."""

    language: Array
    score: Array


class Voters:
    """Alphabets, CLD2 and the fastText model in `path`; the model is loaded when first asked.

    Args:
      mapping: labels of the model that `labels.normalise` would not understand -> codes.
    """

    def __init__(self, path: Path, mapping: Mapping[str, str] | None = None) -> None:
        self.path, self.mapping = path, dict(mapping or {})

    @cached_property
    def languages(self) -> list[str]:
        """All that may be found."""
        known = {*alphabets().names, *(name for name, _ in LIKE)}
        return sorted(known | set(_cld2_codes().values()) | {x for x in self._labels.values() if x})

    @cached_property
    def place(self) -> dict[str, int]:
        """Language -> its place in `languages`."""
        return {name: place for place, name in enumerate(self.languages)}

    def ask(self, samples: Sequence[str], letters: Letters) -> Verdicts:
        """Which language each sample is in; `letters` are those of all the text it stands for."""
        script = letters.script()
        sums, nothing = self._by_letters(letters, script)
        heard = self._known[script].copy()
        cld2 = self._by_cld2(samples, sums, heard)
        rows = np.arange(len(samples))
        best, lead = _lead(np.where(heard, sums, -np.inf))
        unsettled = (best != cld2) | (lead < SETTLED) | (nothing > 0)
        open_ = np.flatnonzero(unsettled & (script >= 0))
        if len(open_):
            sums[open_] += self._by_model([samples[int(i)] for i in open_], script[open_])
            best[open_], heard[open_] = sums[open_].argmax(axis=1), True
        top = sums[rows, best]
        known = self._known[script, best]
        nothing = np.where(known, np.minimum(nothing, top + 50), np.minimum(nothing, NOTHING))
        found = np.isfinite(top)
        top[~found] = 0
        rest = np.exp(sums - top[:, None]).sum(axis=1, where=heard) + np.exp(nothing - top)
        score = np.divide(1, rest, out=np.zeros(len(rest)), where=found)
        return Verdicts(np.where(found, best, -1), score)

    def columns(self, script: int) -> tuple[Array, Array]:
        """Of the languages with a known alphabet in a script: places here, columns there."""
        found = self._columns.get(script)
        return found if found is not None else (_NONE, _NONE)

    def _by_letters(self, letters: Letters, script: Array) -> tuple[Array, Array]:
        """(n, languages): 0 for the alphabet that fits best, -inf where the script is another's;
        and what a text that fits no alphabet has in these terms, -inf where none is known."""
        # most letters are of a script that is not told apart: not a Latin or Cyrillic text's
        strange = 2 * letters.scripts[:, -1] >= letters.scripts.sum(axis=1)
        row = np.where(strange & (script >= 0), len(SCRIPTS), script)
        sums, nothing = self._possible[row].copy(), np.full(len(script), -np.inf)
        for code in np.unique(script[script >= 0]):
            here, there = self.columns(int(code))
            rows = np.flatnonzero(script == code)
            if not len(here) or not len(rows):
                continue
            log_p, n = letters.log_p[np.ix_(rows, there)], letters.scripts[rows, code]
            diverges = (-log_p / n[:, None] - alphabets().entropy[there]).min(axis=1)
            fits = LETTERS * n * (OWN - diverges)
            sums[rows] -= (NO_ALPHABET + np.clip(fits, -NO_ALPHABET, FITTING - NO_ALPHABET))[
                :, None
            ]
            odds = LETTERS * (log_p - log_p.max(axis=1, keepdims=True))
            sums[np.ix_(rows, here)] = np.maximum(odds, -MOST)
            nothing[rows] = LETTERS * n * (diverges - DIVERGENCE - OF_FEW / np.sqrt(n))
        return sums, nothing

    def _by_cld2(self, samples: Sequence[str], sums: Array, heard: Array) -> Array:
        """Add CLD2's votes to the sums and to who was heard of; returns the place of its first
        language, -1 for none."""
        import pycld2

        codes, first = self._cld2_places, np.full(len(samples), -1)
        for i, sample in enumerate(samples):
            try:
                details = pycld2.detect(sample, bestEffort=True)[2]
            except pycld2.error:  # characters that it does not take
                continue
            row = sums[i]
            for _, code, percent, _ in details:
                place, weight = codes.get(code, (-1, 0.0))
                if place >= 0 and percent and row[place] > -np.inf:
                    row[place] += weight * percent
                    heard[i, place] = True
                    if first[i] < 0:
                        first[i] = place
        return first

    def _by_model(self, samples: Sequence[str], script: Array) -> Array:
        """(n, languages): the model's log p; of languages that it lacks a constant, if only their
        alphabet speaks for them."""
        found = self._unnamed[script].copy()
        # the newline is fastText's end of sentence; without it predictions differ
        lines = [sample + "\n" for sample in samples]
        all_labels, all_p = self._model.f.multilinePredict(lines, _TOP, 0.0, "strict")
        for row, (named, p) in zip(found, zip(all_labels, all_p, strict=True), strict=True):
            votes: dict[int, float] = {}
            for label, one in zip(named, p, strict=True):
                place = self.place.get(self._labels.get(label) or "", -1)
                votes[place] = votes.get(place, 0.0) + float(one)
            for place, one in votes.items():
                if place >= 0:
                    row[place] = max(row[place], np.log(min(one, 1.0) + LEAST_P))
        return MODEL * found

    @cached_property
    def _model(self) -> _FastText:
        from fasttext.FastText import _FastText

        if wrong := model_file.problem(self.path):
            raise ModelMissing(f"{self.path} {wrong}")
        try:
            return _FastText(str(self.path))
        except (ValueError, RuntimeError, MemoryError) as error:
            raise ModelMissing(f"{self.path} is a broken fastText model") from error

    @cached_property
    def _labels(self) -> dict[str, str | None]:
        """The model's labels -> languages."""
        return {
            label: labels.normalise(label, self.mapping).language for label in self._model.labels
        }

    @cached_property
    def _cld2_places(self) -> dict[str, tuple[int, float]]:
        """CLD2's codes -> place, votes per percent."""
        return {
            code: (self.place[name], CLD2 / 100 * HASTY.get(name, 1.0))
            for code, name in _cld2_codes().items()
        }

    @cached_property
    def _columns(self) -> dict[int, tuple[Array, Array]]:
        known, found = alphabets(), {}
        at = {pair: j for j, pair in enumerate(zip(known.names, known.scripts, strict=True))}
        at |= {(name, script): at[like, script] for (name, script), like in LIKE.items()}
        for place, script in enumerate(SCRIPTS):
            pairs = [(self.place[n], j) for (n, s), j in at.items() if s == script]
            if pairs:
                here, there = np.array(pairs).T
                found[place] = here, there
        return found

    @cached_property
    def _unnamed(self) -> Array:
        """(scripts, languages): what the model says of a language that it does not name."""
        found = np.full((len(SCRIPTS), len(self.languages)), np.log(LEAST_P))
        named = {name for name in self._labels.values() if name}
        for place, script in enumerate(SCRIPTS):
            names = [self.languages[k] for k in self.columns(place)[0]]
            found[place, [self.place[name] for name in names if name not in named]] = NO_LABEL
            found[place, [self.place[name] for name in UNSEEN.get(script, ())]] = NOT_SEEN
        return found

    @cached_property
    def _known(self) -> Array:
        """(scripts + 1, languages): whether the alphabet is known."""
        found = np.zeros((len(SCRIPTS) + 1, len(self.languages)), bool)
        for place, (here, _) in self._columns.items():
            found[place, here] = True
        return found

    @cached_property
    def _possible(self) -> Array:
        """(scripts + 2, languages): 0 or -inf; the last rows are for texts in a script that is not
        told apart, and for those without a letter."""
        rows = [
            [0.0 if labels.is_possible(script, name) else -np.inf for name in self.languages]
            for script in SCRIPTS
        ]
        named = {labels.normalise(label, self.mapping) for label in self._labels}
        strange = {one.language for one in named if one.script and one.script not in SCRIPTS}
        strange |= {*labels.OTHERS.split()}
        others = [0.0 if name in strange else -np.inf for name in self.languages]
        return np.array([*rows, others, [-np.inf] * len(self.languages)])


@cache
def _cld2_codes() -> dict[str, str]:
    import pycld2

    codes = {code: labels.normalise(code).language for _, code in pycld2.LANGUAGES}
    return {code: name for code, name in codes.items() if name}


def _lead(sums: Array) -> tuple[Array, Array]:
    """The best column of each row, and how far the next one is behind."""
    rows, best = np.arange(len(sums)), sums.argmax(axis=1)
    top = sums[rows, best]
    rest = sums.copy()
    rest[rows, best] = -np.inf
    with np.errstate(invalid="ignore"):
        return best, top - rest.max(axis=1, initial=-np.inf)


_NONE = np.empty(0, np.intp)
