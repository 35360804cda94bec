"""Presidio recognisers for the region's personal data, usable with any `AnalyzerEngine`.

    engine = analyzer(languages=("ru", "kk"))
    engine.analyze("ЖСН 900101300017", language="kk")

The recognisers need no language model.  Each one reads the words around a candidate itself, in all
languages of the region.  Presidio chooses recognisers by language tag.  The tag `ANY` serves all
languages with one set of recognisers, which costs the least time.  `registry.yaml` lists the
recognisers for Presidio's registry provider; import this module before loading it.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from presidio_analyzer import (
    AnalyzerEngine,
    Pattern,
    PatternRecognizer,
    RecognizerRegistry,
    RecognizerResult,
)
from presidio_analyzer.context_aware_enhancers import ContextAwareEnhancer
from presidio_analyzer.nlp_engine import NoOpNlpEngine

from pipelines.personal_data.identifier_rule import Rule
from pipelines.personal_data.pattern_views import strip_invisible, view
from pipelines.personal_data.rules import THRESHOLD, VERSION, entities, load_rules

#: ISO 639-2 for "multiple languages".
ANY: Final = "mul"
LANGUAGES: Final = (
    "ru",
    "uk",
    "be",
    "kk",
    "ky",
    "uz",
    "tg",
    "tk",
    "az",
    "hy",
    "ka",
    "ro",
    "et",
    "lv",
    "lt",
    "tt",
    "ba",
    "en",
)
#: For Presidio's `RecognizerRegistryProvider(conf_file=REGISTRY)`.
REGISTRY: Final = Path(__file__).with_name("registry.yaml")


class RegionalRecognizer(PatternRecognizer):
    """Finds one class by all its rules: patterns, check digits and the words around a candidate.

    Raises:
      ValueError: no rule finds the class.
    """

    def __init__(
        self,
        supported_entity: str,
        supported_language: str = ANY,
        name: str | None = None,
        context: list[str] | None = None,
    ) -> None:
        self.rules = tuple(rule for rule in load_rules() if rule.entity == supported_entity)
        if not self.rules:
            raise ValueError(f"unknown class {supported_entity!r}; known: {', '.join(entities())}")
        words = dict.fromkeys(word for rule in self.rules for word in rule.stems)
        super().__init__(
            supported_entity=supported_entity,
            name=name or supported_entity.lower(),
            supported_language=supported_language,
            version=VERSION,
            global_regex_flags=0,
            patterns=[Pattern(r.name, r.regex, max(r.alone, 0.01)) for r in self.rules],
            context=[*(context or ()), *words],
            country_code=self.rules[0].country,
        )

    def analyze(
        self,
        text: str,
        entities: list[str],
        nlp_artifacts: Any = None,
        regex_flags: int | None = None,
    ) -> list[RecognizerResult]:
        """Return the findings: their score is at least 0.8 beside a word, else the rule's own score."""
        visible, where = strip_invisible(text)
        views = view(visible)
        results = []
        for rule in self.rules:
            for start, end, score in rule.find(views):
                if where is not None:
                    start, end = int(where[start]), int(where[end - 1]) + 1
                results.append(self._result(rule, start, end, score))
        return results

    def _result(self, rule: Rule, start: int, end: int, score: float) -> RecognizerResult:
        return RecognizerResult(
            rule.entity,
            start,
            end,
            score,
            recognition_metadata={
                RecognizerResult.RECOGNIZER_NAME_KEY: rule.name,
                RecognizerResult.RECOGNIZER_IDENTIFIER_KEY: self.id,
            },
        )


def recognizers(
    language: str = ANY, countries: Iterable[str] | None = None
) -> list[RegionalRecognizer]:
    """Return a recogniser for each class, under one language tag.

    Args:
      countries: the ISO 3166-1 codes whose identifiers are wanted (None: all); contacts are always
        included.
    """
    every = [RegionalRecognizer(entity, language) for entity in entities()]
    wanted = None if countries is None else {c.upper() for c in countries}
    return [r for r in every if wanted is None or (r.rules[0].country or "") in {"", *wanted}]


def registry(languages: Iterable[str] = LANGUAGES) -> RecognizerRegistry:
    """Return a registry of these recognisers only, each under each tag in `languages`."""
    tags = list(languages)
    return RecognizerRegistry(
        recognizers=[r for tag in tags for r in recognizers(tag)], supported_languages=tags
    )


class _NoEnhancer(ContextAwareEnhancer):
    """Returns results unchanged.  Presidio's default copies all results, but has no lemmas to compare."""

    def __init__(self) -> None:
        super().__init__(0.0, 0.0, 0, 0)

    def enhance_using_context(
        self,
        text: str,
        raw_results: list[RecognizerResult],
        nlp_artifacts: Any,
        recognizers: Any,
        context: list[str] | None = None,
    ) -> list[RecognizerResult]:
        return raw_results


def analyzer(languages: Iterable[str] = LANGUAGES, threshold: float = THRESHOLD) -> AnalyzerEngine:
    """Return a Presidio engine with these recognisers and without a language model.

    Results below `threshold` are dropped: they count only with the document's language or jurisdiction.
    """
    tags = list(languages)
    return AnalyzerEngine(
        registry=registry(tags),
        supported_languages=tags,
        default_score_threshold=threshold,
        nlp_engine=NoOpNlpEngine([{"lang_code": t, "model_name": "none"} for t in tags]),
        context_aware_enhancer=_NoEnhancer(),
    )
