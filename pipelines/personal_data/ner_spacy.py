"""A Presidio recogniser that runs a spaCy pipeline.

A module of its own, because it imports Presidio at once; the parameters name it by its path.
"""

from __future__ import annotations

from typing import Any

from presidio_analyzer import EntityRecognizer, RecognizerResult


class SpacyModel(EntityRecognizer):
    """Finds the entities of a spaCy pipeline.

    Args:
      model: an installed package or a folder.
      labels: spaCy's label -> Presidio's class.
      score: the score of each finding, because spaCy gives none.
    """

    def __init__(
        self,
        model: str,
        labels: dict[str, str] | None = None,
        score: float = 0.7,
        supported_language: str = "mul",
    ) -> None:
        self._model, self._score = model, score
        self._labels = labels or {"PER": "PERSON", "PERSON": "PERSON"}
        super().__init__(sorted(set(self._labels.values())), supported_language=supported_language)

    def load(self) -> None:
        """Load the pipeline.  Raises OSError if spaCy does not find the model."""
        import spacy

        self._pipeline = spacy.load(self._model)

    def analyze(
        self, text: str, entities: list[str], nlp_artifacts: Any = None
    ) -> list[RecognizerResult]:
        """Return the pipeline's entities under Presidio's class names."""
        return [
            RecognizerResult(entity, span.start_char, span.end_char, self._score)
            for span in self._pipeline(text).ents
            if (entity := self._labels.get(span.label_, "")) in entities
        ]
