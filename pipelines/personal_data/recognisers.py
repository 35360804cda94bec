"""Presidio recognisers for the region's identifiers, usable with any `AnalyzerEngine`.

    engine = analyzer(languages=("ru", "kk"))
    engine.analyze("ЖСН 900101300017", language="kk")

They need no language model: each reads the words around a candidate itself, in all the
region's languages at once.  Presidio chooses recognisers by language tag; `ANY` is the single
tag for engines that serve every language, the cheapest way.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
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

from pipelines.personal_data import phones
from pipelines.personal_data.contexts import is_other, is_sum, nearness, stems
from pipelines.personal_data.rules import RULES, THRESHOLD, Rule

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
VERSION: Final = "1"


class _Recogniser(PatternRecognizer):
    name: str

    def _result(self, start: int, end: int, score: float) -> RecognizerResult:
        return RecognizerResult(
            self.supported_entities[0],
            start,
            end,
            score,
            recognition_metadata={
                RecognizerResult.RECOGNIZER_NAME_KEY: self.name,
                RecognizerResult.RECOGNIZER_IDENTIFIER_KEY: self.id,
            },
        )


class IdentifierRecogniser(_Recogniser):
    """Candidates by a rule's pattern, judged by its check digits and the words around them."""

    def __init__(self, rule: Rule, supported_language: str = ANY, number: int = 1) -> None:
        super().__init__(
            supported_entity=rule.entity,
            name=f"{rule.entity.lower()}-{number}/{VERSION}",
            supported_language=supported_language,
            version=VERSION,
            global_regex_flags=0,
            patterns=[Pattern(rule.entity.lower(), rule.regex, max(rule.alone, 0.01))],
            context=rule.stems.split("|"),
            country_code=rule.country,
        )
        self.rule = rule
        self._find = re.compile(rule.regex).finditer
        self._words = stems(rule.stems)

    def analyze(
        self,
        text: str,
        entities: list[str],
        nlp_artifacts: Any = None,
        regex_flags: int | None = None,
    ) -> list[RecognizerResult]:
        """Results with a score of 0.8 and more where a word backs them, else the rule's own."""
        return [
            self._result(m.start(), m.end(), score)
            for m in self._find(text)
            if (score := self._score(text, m.start(), m.end()))
        ]

    def _score(self, text: str, start: int, end: int) -> float:
        rule, value = self.rule, text[start:end]
        if not rule.check(value):
            return 0.0
        if rule.certain:
            return rule.alone
        if is_sum(text, start, end):
            return 0.0
        if near := nearness(text, start, end, self._words):
            return round(0.8 + 0.15 * near + (0.04 if rule.alone else 0.0), 3)
        if not rule.alone or is_other(text, start) or not rule.plain(value):
            return 0.0
        return rule.alone


class PhoneRecogniser(_Recogniser):
    """Telephone numbers of the 15 countries, and any written with a plus sign."""

    def __init__(self, supported_language: str = ANY) -> None:
        super().__init__(
            supported_entity="PHONE_NUMBER",
            name=f"phone_number-1/{VERSION}",
            supported_language=supported_language,
            version=VERSION,
            global_regex_flags=0,
            patterns=[Pattern("phone_number", phones.REGEX, 0.5)],
            context=phones.STEMS.split("|"),
        )

    def analyze(
        self,
        text: str,
        entities: list[str],
        nlp_artifacts: Any = None,
        regex_flags: int | None = None,
    ) -> list[RecognizerResult]:
        """Results of `phones.find`."""
        return [self._result(*found) for found in phones.find(text)]


def recognisers(language: str = ANY) -> list[PatternRecognizer]:
    """One instance of each recogniser, for one language tag."""
    seen: dict[str, int] = {}
    found: list[PatternRecognizer] = [PhoneRecogniser(language)]
    for rule in RULES:
        seen[rule.entity] = seen.get(rule.entity, 0) + 1
        found.append(IdentifierRecogniser(rule, language, seen[rule.entity]))
    return found


def registry(languages: Iterable[str] = LANGUAGES) -> RecognizerRegistry:
    """A registry of these recognisers only, each under every tag in `languages`."""
    tags = list(languages)
    return RecognizerRegistry(
        recognizers=[r for tag in tags for r in recognisers(tag)], supported_languages=tags
    )


class _NoEnhancer(ContextAwareEnhancer):
    """Leaves results alone: Presidio's default copies them all and finds no lemmas to compare."""

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
    """A Presidio engine with these recognisers, without a language model.

    Results below `threshold` need the document's language or jurisdiction and are dropped.
    """
    tags = list(languages)
    return AnalyzerEngine(
        registry=registry(tags),
        supported_languages=tags,
        default_score_threshold=threshold,
        nlp_engine=NoOpNlpEngine([{"lang_code": t, "model_name": "none"} for t in tags]),
        context_aware_enhancer=_NoEnhancer(),
    )
