"""Find names of persons: natasha for Russian, patterns of full names for other languages, Presidio models.

A pattern finds the marks that its language has (`names.yaml`): a patronymic, initials, or a
surname's ending beside another capitalised word.  It does not find a single name, nor a surname
without such an ending.  In news these are most names.  `coverage` returns how each language is
covered.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from functools import cache
from importlib import import_module, metadata, resources
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final, Protocol

import yaml

from pipelines.personal_data.findings import Span
from pipelines.personal_data.nearby_words import compile_stems
from pipelines.personal_data.pattern_views import fold
from schemas.privacy import NerParams, PrivacyParams

if TYPE_CHECKING:
    from natasha import NewsNERTagger, Segmenter

PERSON: Final = "PERSON"
#: The only language with a model in the project's requirements.
RUSSIAN: Final = "ru"
_SCORE: Final = 0.7
#: The part of a text that a model reads at once: limits its memory.
_MODEL_PIECE: Final = re.compile(r"(?s).{1,5000}(?=\s|\Z)|.{5000}")
#: The longest line that can be a signature of an act or a byline.
_LONGEST_LINE: Final = 160
#: The longest word of `letters` with the blank after it.
_LONGEST_WORD: Final = 24
_INITIALS: Final = re.compile(r"(?<!\w)\w\.")
_SENTENCE_END: Final = re.compile(r"[.!?] +\w{2}")

_UPPER: Final = "".join(c for c in map(chr, range(0x41, 0x588)) if c.isupper() or c.istitle())
_APOSTROPHES: Final = "'’‘ʻʼ`´"


class NameFinder(Protocol):
    """Finds names in texts of one language."""

    def find(self, text: str) -> Iterator[Span]:
        """Yield the findings in a text."""
        ...


@cache
def _name_data() -> dict[str, Any]:
    file = resources.files(__package__) / "names.yaml"
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    data: dict[str, Any] = yaml.load(file.read_text("utf-8"), Loader=loader)
    return data


def supported_languages() -> tuple[str, ...]:
    """Return the languages that have a pattern of full names or natasha, sorted."""
    return tuple(sorted({RUSSIAN, *_name_data()["languages"]}))


def _any_of(endings: Collection[str]) -> str:
    """Return a pattern for any of the endings, in small or capital letters, with any apostrophe."""
    longest_first = sorted(set(endings), key=lambda ending: (-len(ending), ending))
    pattern = "|".join(map(re.escape, longest_first)).replace("'", f"[{_APOSTROPHES}]")
    return f"(?i:{pattern})" if pattern else "(?!)"


def _any_literal(kind: str) -> str:
    return "|".join(map(re.escape, _name_data()[kind]))


class FullNames:
    """Finds full names of one language by pattern.

    Raises:
      KeyError: the language has no pattern.
    """

    def __init__(self, language: str) -> None:
        rules = _name_data()["languages"][language]
        self.recogniser = f"full-names-{language}/3"
        self._marked, self._ended = _compile_patterns(rules, "ა-ჰ" if language == "ka" else _UPPER)
        self._letters = re.compile(rf"(?i:\b(?:{'|'.join(rules.get('letters', ['(?!)']))})) ?\Z")

    def find(self, text: str) -> Iterator[Span]:
        """Yield the names in a text, by start.

        Names with a patronymic or initials come first; names with a surname's ending are searched
        only between them.
        """
        at = 0
        for match in self._marked.finditer(text):
            if not self._letters.search(text, max(0, match.start() - _LONGEST_WORD), match.start()):
                yield from self._spans(self._ended.finditer(text, at, match.start()))
                yield from self._spans([match])
                at = match.end()
        yield from self._spans(self._ended.finditer(text, at))

    def _spans(self, matches: Iterable[re.Match[str]]) -> Iterator[Span]:
        for match in matches:
            yield Span(match.start(), match.end(), PERSON, _SCORE, self.recogniser)


def _compile_patterns(
    rules: dict[str, Any], capitals: str
) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Return the patterns of names with a patronymic or initials, and of those with a surname's ending.

    One initial is enough in a language that has `letters`.  All repeats are bounded, so that the time
    is linear in the text.

    Args:
      rules: the entry of a language in `names.yaml`.
      capitals: the capital letters, as the content of a character class.
    """
    capital = f"[{capitals}]"
    letter = rf"[^\W\d_{_APOSTROPHES}]"
    end = r"(?!\w)"
    case = f"(?:{_any_of(rules['endings'])})?{end}"
    given_name = (
        rf"(?!{_any_of(rules.get('before', ()))}{end}|\w{{1,24}}?{_any_of(rules.get('bound', ()))}{end})"
        rf"{capital}(?:{letter}|[{_APOSTROPHES}](?={letter})){{1,24}}(?:-{capital}{letter}{{1,24}})?"
    )
    not_excluded = rf"(?!\w{{0,24}}?{_any_of(rules.get('except', ()))}{case})"
    word_case = case if rules["endings"] else rf"\w{{0,3}}{end}"
    # an ending in `cases` is the case of a common noun, unless a case ending follows it
    not_noun_case = "".join(rf"(?<!(?i:{re.escape(own)}))" for own in rules.get("cases", ()))
    stem, surnames = rf"{capital}[\w{_APOSTROPHES}-]", rules["surnames"]
    # a short ending needs a stem of two letters: after one letter it is a common word
    short, long = ([e for e in surnames if (len(e) > 3) is more] for more in (False, True))
    surname = (
        rf"{not_excluded}(?!{_any_of(rules.get('words', ()))}{word_case})"
        rf"(?:{stem}{{1,24}}?{_any_of(short)}|{stem}{{0,24}}?{_any_of(long)})"
        rf"(?:{_any_of(rules['endings'])}|{not_noun_case}){end}"
    )
    patronymic_word = rf"{capital}\w{{1,24}}?{_any_of(rules['patronymics'])}{case}"
    patronymic = rf"(?:{patronymic_word}|{given_name}[ -]{_any_of(rules.get('apart', ()))}{case})"
    initial = rf"(?!{_any_literal('abbreviations')}){capital}{letter}?\.(?:-{capital}\.)?"
    # three initials or more without a blank are an abbreviation
    two_initials = rf"(?<!{capital}\.){initial} ?{initial}(?!{capital}\.)"
    sure_initials = rf"(?!{_any_literal('initialisms')}){two_initials}"
    with_mark = (
        rf"(?:{given_name} ){{1,2}}{patronymic}(?: {given_name})?",
        rf"(?:{sure_initials} ?{given_name}|{two_initials} ?{surname})",
        rf"(?:{given_name} {sure_initials}|{surname} {two_initials})(?! ?{capital}\w)",
        rf"{initial} ?{given_name if 'letters' in rules else surname}",
    )
    # the first word may be a title or the first word of a sentence
    with_ending = rf"{not_excluded}{given_name} {surname}(?: {surname})?"
    start = rf"(?<!\w)(?={capital})"
    return re.compile(rf"{start}(?:{'|'.join(with_mark)})"), re.compile(rf"{start}{with_ending}")


class Natasha:
    """Finds Russian names with natasha's model, which is part of its wheel."""

    def __init__(self) -> None:
        from natasha import NewsEmbedding, NewsNERTagger, Segmenter

        self._segmenter: Segmenter = Segmenter()
        self._tagger: NewsNERTagger = NewsNERTagger(NewsEmbedding())
        self.recogniser = f"natasha/{metadata.version('natasha')}"

    def find(self, text: str) -> Iterator[Span]:
        """Yield the names in a text, by start."""
        from natasha import Doc

        for piece in _MODEL_PIECE.finditer(text):
            document = Doc(piece[0])
            document.segment(self._segmenter)
            document.tag_ner(self._tagger)
            for span in document.spans:
                if span.type == "PER":
                    start = piece.start() + span.start
                    end = piece.start() + span.stop
                    yield Span(start, end, PERSON, _SCORE, self.recogniser)


class PresidioModel:
    """A Presidio recogniser that the parameters name by its class.

    The class is any `presidio_analyzer.EntityRecognizer` that needs no NLP engine: GLiNERRecognizer
    and HuggingFaceNerRecognizer of Presidio, or `ner_spacy.SpacyModel`.
    """

    def __init__(self, params: NerParams) -> None:
        module, _, name = params.recogniser.rpartition(".")
        recogniser_class = getattr(import_module(module), name)
        # an EntityRecognizer; typed as Any, because `analyze` gets no artifacts
        self._recogniser: Any = recogniser_class(**params.options)
        self._entities = list(params.entities)
        self.recogniser = params.recogniser

    def find(self, text: str) -> Iterator[Span]:
        """Yield the findings of the classes that the parameters name."""
        for result in self._recogniser.analyze(text, self._entities, None):
            if result.entity_type in self._entities:
                score = float(result.score)
                yield Span(result.start, result.end, result.entity_type, score, self.recogniser)


class Names:
    """Finds names and the classes of models, by the languages that the policy lists.

    Raises:
      ModuleNotFoundError: the policy lists Russian, but natasha is not installed.
    """

    def __init__(self, policy: PrivacyParams) -> None:
        self._finders: dict[str, list[NameFinder]] = {}
        for language in policy.names:
            by_name: NameFinder = Natasha() if language == RUSSIAN else FullNames(language)
            self._finders.setdefault(language, []).append(by_name)
        for params in policy.ner:
            model = PresidioModel(params)
            for language in params.languages:
                self._finders.setdefault(language, []).append(model)
        self._wanted = policy.entities
        self._keep_officials = policy.officials == "keep"

    def find(self, text: str, language: str | None) -> list[Span]:
        """Return the findings in a text of a language; they may overlap."""
        spans = [
            span
            for finder in self._finders.get(language or "", ())
            for span in finder.find(text)
            if self._wanted is None or span.entity in self._wanted
        ]
        if self._keep_officials:
            return [s for s in spans if s.entity != PERSON or not is_official(text, s)]
        return spans


@cache
def _stem_search(kind: str) -> re.Pattern[str]:
    return compile_stems(_name_data()[kind])


def is_official(text: str, span: Span) -> bool:
    """Whether a name is an official's in the signature of an act, or an author's in a byline.

    In a signature the name ends its line.  The office stands in the line above, if the name is alone
    in its line.  Otherwise the office stands before the name in a short line, with a wide gap between
    them, or the name has initials.  In a byline a colon stands between the byline's word and the name.
    """
    start, end = text.rfind("\n", 0, span.start) + 1, text.find("\n", span.end)
    before, after = text[start : span.start], text[span.end : end if end >= 0 else len(text)]
    if len(before) > _LONGEST_LINE:
        return False
    byline, colon, _ = fold(before).rpartition(":")
    if colon and not before[len(byline) + 1 :].strip() and _stem_search("bylines").search(byline):
        return True
    if after.strip():
        return False
    if not before.strip():
        above = (
            text[max(0, start - 1 - _LONGEST_LINE) : max(0, start - 1)].rpartition("\n")[2].rstrip()
        )
        return not above.endswith((".", "!", "?")) and _holds_office(above)
    apart = before[-2:].isspace() or before[-1] == "\t"
    signed = apart or bool(_INITIALS.search(text[span.start : span.end]))
    return signed and _holds_office(before) and not _SENTENCE_END.search(before)


def _holds_office(line: str) -> bool:
    return bool(_stem_search("officials").search(fold(line)))


def coverage(policy: PrivacyParams, languages: Collection[str]) -> dict[str, str]:
    """Return language -> how names of persons are found in it, for the summary of a run."""
    return {language: _coverage_of(policy, language) for language in sorted(languages)}


def _coverage_of(policy: PrivacyParams, language: str) -> str:
    methods = [
        model.recogniser
        for model in policy.ner
        if language in model.languages and PERSON in model.entities
    ]
    if language in policy.names:
        by_pattern = "full names by pattern; single names are not found"
        methods.insert(0, "natasha" if language == RUSSIAN else by_pattern)
    return ", ".join(methods) or "not looked for"


def names_problem(policy: PrivacyParams) -> str | None:
    """Return why the names that the policy lists cannot be found; None: they can."""
    unknown = sorted({*policy.names} - {*supported_languages()})
    if unknown:
        return (
            f"{', '.join(unknown)}: there is no pattern for names; known: "
            f"{', '.join(supported_languages())}; for others add a model to `privacy.ner`"
        )
    if RUSSIAN in policy.names and find_spec("natasha") is None:
        return (
            "natasha, which finds Russian names, is not installed; "
            "run `pip install --no-deps -r requirements-names.lock`"
        )
    return None


def model_problem(params: NerParams) -> str | None:
    """Return why a model cannot be loaded; None: its module can be found."""
    module = params.recogniser.rpartition(".")[0]
    try:
        spec = find_spec(module)
    except ModuleNotFoundError:
        spec = None
    return (
        None if spec else f"module {module} is not installed; install the package that contains it"
    )
