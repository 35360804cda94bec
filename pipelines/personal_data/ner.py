"""Models that find names, as recognisers of Presidio.

Any `presidio_analyzer.EntityRecognizer` that needs no NLP engine will do: GLiNERRecognizer and
HuggingFaceNerRecognizer of Presidio are such, and
`ner_spacy.SpacyModel` here.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from pipelines.personal_data.findings import Span
from schemas.privacy import NerParams


class Recogniser:
    """A recogniser that the parameters name, made ready."""

    def __init__(self, told: NerParams) -> None:
        module, _, name = told.recogniser.rpartition(".")
        make = getattr(import_module(module), name)
        self._recogniser: Any = make(**told.options)  # EntityRecognizer: artifacts may be None
        self._entities = list(told.entities)
        self.recogniser = told.recogniser

    def find(self, text: str) -> Iterator[Span]:
        """What it finds of the classes asked for."""
        for found in self._recogniser.analyze(text, self._entities, None):
            if found.entity_type in self._entities:
                yield Span(
                    found.start, found.end, found.entity_type, float(found.score), self.recogniser
                )


def missing(told: NerParams) -> str | None:
    """What keeps a recogniser from being made; None: its module can be found."""
    module = told.recogniser.rpartition(".")[0]
    try:
        found = find_spec(module)
    except ModuleNotFoundError:
        found = None
    return None if found else f"no module {module}: install the package that holds it"
