"""The three voters on a batch of samples, and how their votes add up.

The votes for a language are the sum of three terms:

* the log odds of the letters against the best alphabet of the script, times `LETTERS_WEIGHT`;
* CLD2's share of the sample, times `CLD2_WEIGHT`;
* the log p of a fastText model, if the first two leave the language open.

The score is the softmax of the sums.  One more entry of the softmax stands for text that fits no
language: gibberish, code, a language that no voter knows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.language import labels
from pipelines.language.alphabets import SCRIPTS, Letters, alphabets
from pipelines.text import fasttext_file
from schemas.errors import BAD_USAGE, TamgaError

if TYPE_CHECKING:
    from fasttext.FastText import _FastText

Array = np.ndarray[Any, Any]
# The numbers below are tuned on the first halves of the texts of `benchmarks/language.py`.
#: The weight of the letters' log odds (the letters of a word are not independent), and the most
#: that they count against a language.
LETTERS_WEIGHT, MAX_ODDS_AGAINST = 0.7, 12.0
#: The votes for a sample that CLD2 gives entirely to one language.
CLD2_WEIGHT = 5.0
#: The weight of the model's log p, and the smallest probability that it uses.
MODEL_WEIGHT, MIN_P = 1.0, 1e-3
#: A language without a known alphabet loses `NO_ALPHABET_COST` where the letters diverge from the
#: best alphabet by `OWN_DIVERGENCE` nats each.  It loses more, up to `MAX_ALPHABET_COST`, where they
#: fit better, and less, down to 0, where they fit worse.
NO_ALPHABET_COST, MAX_ALPHABET_COST, OWN_DIVERGENCE = 3.0, 8.0, 0.15
#: The log p of languages that the model does not know.
NO_LABEL_LOG_P = -3.5
#: The log p of languages that the model never saw in a script: its Uzbek, Azerbaijani and Turkmen
#: are Latin, its Ossetic uses the Latin letter æ, its Tuvan is Kyrgyz.
UNSEEN_LOG_P, UNSEEN = -1.5, {"Cyrl": ("az", "os", "sah", "tk", "tyv", "uz")}
#: CLD2 names these languages too easily: Serbian for Macedonian and Russian, English for names,
#: Malay for Indonesian.
CLD2_DISCOUNTS = {"sr": 0.4, "en": 0.7, "ms": 0.15}
#: The model is not asked if letters and CLD2 agree and lead the next language by this much.
CLEAR_LEAD = 4.0
#: Languages that share the alphabet of a language whose letters are known.
SHARED_ALPHABETS = {("hr", "Latn"): "sr", ("bs", "Latn"): "sr", ("ms", "Latn"): "id"}
#: Letters of a language may diverge by this many nats each from its alphabet, and by more if they
#: are few: `FEW_LETTERS` is divided by the square root of their number.
MAX_DIVERGENCE, FEW_LETTERS = 0.4, 1.5
#: The most votes for "no language" against a language without a known alphabet.
MAX_UNFIT = 3.5
_TOP_LABELS = 10


class ModelMissing(TamgaError):
    """The language model is missing, or its file is not a model."""

    exit_code = BAD_USAGE


@dataclass(frozen=True)
class Verdicts:
    """The result for n samples: the index of the language in `Voters.languages` (-1: none), and
    the score, 0 to 1."""

    language: Array
    score: Array


class Voters:
    """Alphabets, CLD2 and a fastText model.  Loads the model at its first use.

    Args:
      path: the fastText model.
      mapping: label of the model -> language code, for labels that `labels.normalise` does not
        understand.
    """

    def __init__(self, path: Path, mapping: Mapping[str, str] | None = None) -> None:
        self.path, self.mapping = path, dict(mapping or {})

    @cached_property
    def languages(self) -> list[str]:
        """All languages that can be identified, sorted."""
        known = {*alphabets().names, *(name for name, _ in SHARED_ALPHABETS)}
        return sorted(known | set(_cld2_codes().values()) | {x for x in self._labels.values() if x})

    @cached_property
    def place(self) -> dict[str, int]:
        """Language -> its index in `languages`."""
        return {name: place for place, name in enumerate(self.languages)}

    def vote(self, samples: Sequence[str], letters: Letters) -> Verdicts:
        """Identify the language of each of n samples.

        Args:
          samples: n samples, see `pipelines.text.views.for_language`.
          letters: the letters of the n whole texts that the samples come from.
        """
        script = letters.main_script()
        sums, unfit = self._letter_votes(letters, script)
        named = self._has_alphabet[script].copy()
        cld2 = self._add_cld2_votes(samples, sums, named)
        rows = np.arange(len(samples))
        best, lead = _best_and_lead(np.where(named, sums, -np.inf))
        unsure = (best != cld2) | (lead < CLEAR_LEAD) | (unfit > 0)
        asked = np.flatnonzero(unsure & (script >= 0))
        if len(asked):
            sums[asked] += self._model_votes([samples[int(i)] for i in asked], script[asked])
            best[asked], named[asked] = sums[asked].argmax(axis=1), True
        top = sums[rows, best]
        known = self._has_alphabet[script, best]
        unfit = np.where(known, np.minimum(unfit, top + 50), np.minimum(unfit, MAX_UNFIT))
        valid = np.isfinite(top)
        top[~valid] = 0
        total = np.exp(sums - top[:, None]).sum(axis=1, where=named) + np.exp(unfit - top)
        score = np.divide(1, total, out=np.zeros(len(total)), where=valid)
        return Verdicts(np.where(valid, best, -1), score)

    def columns(self, script: int) -> tuple[Array, Array]:
        """Return the languages with a known alphabet in a script.

        Returns:
          Their indexes in `languages`, and their columns in `Letters.log_p`.
        """
        return self._columns.get(script, (_NO_COLUMNS, _NO_COLUMNS))

    def _letter_votes(self, letters: Letters, script: Array) -> tuple[Array, Array]:
        """Return the votes of the letters of n texts.

        Returns:
          (n, languages): 0 for the alphabet that fits best, less for others, -inf for languages
          that are not written in the script.
          (n,): the votes for "no language", -inf where no alphabet of the script is known.
        """
        # Most letters are of a script without a name here, so the text is not Latin or Cyrillic.
        other_script = 2 * letters.scripts[:, -1] >= letters.scripts.sum(axis=1)
        row = np.where(other_script & (script >= 0), len(SCRIPTS), script)
        sums, unfit = self._possible[row].copy(), np.full(len(script), -np.inf)
        for code in np.unique(script[script >= 0]):
            here, there = self.columns(int(code))
            rows = np.flatnonzero(script == code)
            if not len(here) or not len(rows):
                continue
            log_p, n = letters.log_p[np.ix_(rows, there)], letters.scripts[rows, code]
            diverges = (-log_p / n[:, None] - alphabets().entropy[there]).min(axis=1)
            fit = LETTERS_WEIGHT * n * (OWN_DIVERGENCE - diverges)
            cost = (NO_ALPHABET_COST + fit).clip(0, MAX_ALPHABET_COST)
            sums[rows] -= cost[:, None]
            odds = LETTERS_WEIGHT * (log_p - log_p.max(axis=1, keepdims=True))
            sums[np.ix_(rows, here)] = np.maximum(odds, -MAX_ODDS_AGAINST)
            unfit[rows] = (
                LETTERS_WEIGHT * n * (diverges - MAX_DIVERGENCE - FEW_LETTERS / np.sqrt(n))
            )
        return sums, unfit

    def _add_cld2_votes(self, samples: Sequence[str], sums: Array, named: Array) -> Array:
        """Add CLD2's votes to `sums`, and mark its languages in `named`.

        Returns:
          (n,) the index of CLD2's first language, -1 for none.
        """
        import pycld2

        codes, first = self._cld2_places, np.full(len(samples), -1)
        for i, sample in enumerate(samples):
            try:
                details = pycld2.detect(sample, bestEffort=True)[2]
            except pycld2.error:  # characters that CLD2 refuses
                continue
            row = sums[i]
            for _, code, percent, _ in details:
                place, weight = codes.get(code, (-1, 0.0))
                if place >= 0 and percent and row[place] > -np.inf:
                    row[place] += weight * percent
                    named[i, place] = True
                    if first[i] < 0:
                        first[i] = place
        return first

    def _model_votes(self, samples: Sequence[str], script: Array) -> Array:
        """Return (n, languages) the model's log p; a constant for languages it does not know."""
        log_p = self._default_log_p[script].copy()
        # The newline is fastText's end of sentence; predictions differ without it.
        lines = [sample + "\n" for sample in samples]
        all_labels, all_p = self._model.f.multilinePredict(lines, _TOP_LABELS, 0.0, "strict")
        for row, top_labels, p in zip(log_p, all_labels, all_p, strict=True):
            votes: dict[int, float] = {}
            for label, probability in zip(top_labels, p, strict=True):
                place = self.place.get(self._labels.get(label) or "", -1)
                votes[place] = votes.get(place, 0.0) + float(probability)
            for place, probability in votes.items():
                if place >= 0:
                    row[place] = max(row[place], np.log(min(probability, 1.0) + MIN_P))
        return MODEL_WEIGHT * log_p

    @cached_property
    def _model(self) -> _FastText:
        from fasttext.FastText import _FastText

        if defect := fasttext_file.find_defect(self.path):
            raise ModelMissing(f"{self.path} {defect}")
        try:
            return _FastText(str(self.path))
        except (ValueError, RuntimeError, MemoryError) as error:
            raise ModelMissing(f"{self.path} is a broken fastText model") from error

    @cached_property
    def _labels(self) -> dict[str, str | None]:
        """Label of the model -> language."""
        return {
            label: labels.normalise(label, self.mapping).language for label in self._model.labels
        }

    @cached_property
    def _cld2_places(self) -> dict[str, tuple[int, float]]:
        """CLD2's code -> index in `languages`, votes per percent of the sample."""
        return {
            code: (self.place[name], CLD2_WEIGHT / 100 * CLD2_DISCOUNTS.get(name, 1.0))
            for code, name in _cld2_codes().items()
        }

    @cached_property
    def _columns(self) -> dict[int, tuple[Array, Array]]:
        """Index of a script -> what `columns` returns."""
        known, columns = alphabets(), {}
        column_of = {pair: j for j, pair in enumerate(zip(known.names, known.scripts, strict=True))}
        column_of |= {
            (name, script): column_of[other, script]
            for (name, script), other in SHARED_ALPHABETS.items()
        }
        for place, script in enumerate(SCRIPTS):
            pairs = [(self.place[name], j) for (name, s), j in column_of.items() if s == script]
            if pairs:
                here, there = np.array(pairs).T
                columns[place] = here, there
        return columns

    @cached_property
    def _default_log_p(self) -> Array:
        """(scripts, languages): the log p of a language that the model does not name in a text."""
        log_p = np.full((len(SCRIPTS), len(self.languages)), np.log(MIN_P))
        labelled = {name for name in self._labels.values() if name}
        for place, script in enumerate(SCRIPTS):
            names = [self.languages[k] for k in self.columns(place)[0]]
            unlabelled = [self.place[name] for name in names if name not in labelled]
            log_p[place, unlabelled] = NO_LABEL_LOG_P
            log_p[place, [self.place[name] for name in UNSEEN.get(script, ())]] = UNSEEN_LOG_P
        return log_p

    @cached_property
    def _has_alphabet(self) -> Array:
        """(scripts + 1, languages): whether the language's alphabet in the script is known."""
        known = np.zeros((len(SCRIPTS) + 1, len(self.languages)), bool)
        for place, (here, _) in self._columns.items():
            known[place, here] = True
        return known

    @cached_property
    def _possible(self) -> Array:
        """(scripts + 2, languages): 0 if the language is written in the script, else -inf.

        The last two rows are for texts in a script that is not in `SCRIPTS`, and for texts without
        a letter.
        """
        rows = [
            [0.0 if labels.is_possible(script, name) else -np.inf for name in self.languages]
            for script in SCRIPTS
        ]
        normalised = {labels.normalise(label, self.mapping) for label in self._labels}
        elsewhere = {
            label.language for label in normalised if label.script and label.script not in SCRIPTS
        }
        elsewhere |= {*labels.OTHERS.split()}
        others = [0.0 if name in elsewhere else -np.inf for name in self.languages]
        return np.array([*rows, others, [-np.inf] * len(self.languages)])


@cache
def _cld2_codes() -> dict[str, str]:
    """CLD2's code -> language."""
    import pycld2

    codes = {code: labels.normalise(code).language for _, code in pycld2.LANGUAGES}
    return {code: name for code, name in codes.items() if name}


def _best_and_lead(sums: Array) -> tuple[Array, Array]:
    """Return the best column of each row, and its lead over the next one."""
    rows, best = np.arange(len(sums)), sums.argmax(axis=1)
    top = sums[rows, best]
    rest = sums.copy()
    rest[rows, best] = -np.inf
    with np.errstate(invalid="ignore"):
        return best, top - rest.max(axis=1, initial=-np.inf)


_NO_COLUMNS = np.empty(0, np.intp)
