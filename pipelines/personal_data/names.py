"""Names of persons: natasha for Russian, full names by pattern in the other languages.

A pattern finds what its language marks: a patronymic, initials, a surname's ending beside another
capitalised word (`names.yaml`).  A name alone, and a surname without such an ending, it does not
find: in news that is the most of them.  `coverage` says so of each language.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from functools import cache
from importlib import metadata, resources
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final, Protocol

import yaml

from pipelines.personal_data.contexts import compile_stems
from pipelines.personal_data.findings import Span
from pipelines.personal_data.ner import Recogniser
from pipelines.personal_data.pattern_views import fold
from schemas.privacy import PrivacyParams

if TYPE_CHECKING:
    from natasha import NewsNERTagger, Segmenter

PERSON: Final = "PERSON"
#: The one language with a model of its own.
RUSSIAN: Final = "ru"
_SCORE: Final = 0.7
#: A model sees this much of a text at once: bounds its memory.
_MODEL_PIECE: Final = re.compile(r"(?s).{1,5000}(?=\s|\Z)|.{5000}")
#: Lines of acts' signatures and bylines are short.
_LONGEST_LINE: Final = 160
#: No word before a letter that is no initial is longer.
_LONGEST_WORD: Final = 24
_INITIALS: Final = re.compile(r"(?<!\w)\w\.")
_SENTENCE_END: Final = re.compile(r"[.!?] +\w{2}")

_UPPER: Final = "".join(c for c in map(chr, range(0x41, 0x588)) if c.isupper() or c.istitle())
_APOSTROPHES: Final = "'’‘ʻʼ`´"


class NameFinder(Protocol):
    """Finds names in a text."""

    def find(self, text: str) -> Iterator[Span]: ...


@cache
def _name_data() -> dict[str, Any]:
    file = resources.files(__package__) / "names.yaml"
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    told: dict[str, Any] = yaml.load(file.read_text("utf-8"), Loader=loader)
    return told


def supported_languages() -> tuple[str, ...]:
    """Those whose full names have a pattern, or that have a model, sorted."""
    return tuple(sorted({RUSSIAN, *_name_data()["languages"]}))


def _any_of(written: Collection[str]) -> str:
    """Any of the endings, in small or capital letters, with any apostrophe."""
    longest = sorted(set(written), key=lambda w: (-len(w), w))
    found = "|".join(map(re.escape, longest)).replace("'", f"[{_APOSTROPHES}]")
    return f"(?i:{found})" if found else "(?!)"


def _any_literal(kind: str) -> str:
    return "|".join(map(re.escape, _name_data()[kind]))


class FullNames:
    """Full names of one language by pattern.  Raises KeyError for a language without one."""

    def __init__(self, language: str) -> None:
        told = _name_data()["languages"][language]
        self.recogniser = f"full-names-{language}/3"
        self._marked, self._ended = _compile_patterns(told, "ა-ჰ" if language == "ka" else _UPPER)
        self._letters = re.compile(rf"(?i:\b(?:{'|'.join(told.get('letters', ['(?!)']))})) ?\Z")

    def find(self, text: str) -> Iterator[Span]:
        """The names in a text, by start: what a patronymic or initials mark first, and between
        those what a surname's ending does."""
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
    told: dict[str, Any], capitals: str
) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Of names that a patronymic or initials mark (one initial is enough where `letters` is told),
    and of those that only a surname's ending does.

    Every repeat is bounded: time grows with the text's length and no faster.
    """
    capital = f"[{capitals}]"
    letter = rf"[^\W\d_{_APOSTROPHES}]"
    end = r"(?!\w)"
    case = f"(?:{_any_of(told['endings'])})?{end}"
    given = (
        rf"(?!{_any_of(told.get('before', ()))}{end}|\w{{1,24}}?{_any_of(told.get('bound', ()))}{end})"
        rf"{capital}(?:{letter}|[{_APOSTROPHES}](?={letter})){{1,24}}(?:-{capital}{letter}{{1,24}})?"
    )
    other = rf"(?!\w{{0,24}}?{_any_of(told.get('except', ()))}{case})"
    word_case = case if told["endings"] else rf"\w{{0,3}}{end}"
    # an ending of the surname is no case of a common noun
    bare = "".join(rf"(?<!(?i:{re.escape(own)}))" for own in told.get("cases", ()))
    stem, surnames = rf"{capital}[\w{_APOSTROPHES}-]", told["surnames"]
    # after a single letter a short ending is a word of its own
    short, long = ([e for e in surnames if (len(e) > 3) is more] for more in (False, True))
    surname = (
        rf"{other}(?!{_any_of(told.get('words', ()))}{word_case})"
        rf"(?:{stem}{{1,24}}?{_any_of(short)}|{stem}{{0,24}}?{_any_of(long)})"
        rf"(?:{_any_of(told['endings'])}|{bare}){end}"
    )
    joined = rf"{capital}\w{{1,24}}?{_any_of(told['patronymics'])}{case}"
    patronymic = rf"(?:{joined}|{given}[ -]{_any_of(told.get('apart', ()))}{case})"
    initial = rf"(?!{_any_literal('abbreviations')}){capital}{letter}?\.(?:-{capital}\.)?"
    # three and more without a blank are no initials
    two = rf"(?<!{capital}\.){initial} ?{initial}(?!{capital}\.)"
    sure = rf"(?!{_any_literal('initialisms')}){two}"
    marked = (
        rf"(?:{given} ){{1,2}}{patronymic}(?: {given})?",
        rf"(?:{sure} ?{given}|{two} ?{surname})",
        rf"(?:{given} {sure}|{surname} {two})(?! ?{capital}\w)",
        rf"{initial} ?{given if 'letters' in told else surname}",
    )
    # a title or the first word of a sentence may stand before the given name
    ended = rf"{other}{given} {surname}(?: {surname})?"
    start = rf"(?<!\w)(?={capital})"
    return re.compile(rf"{start}(?:{'|'.join(marked)})"), re.compile(rf"{start}{ended}")


class Natasha:
    """Russian names by natasha's model, which its wheel brings along."""

    def __init__(self) -> None:
        from natasha import NewsEmbedding, NewsNERTagger, Segmenter

        self._segmenter: Segmenter = Segmenter()
        self._tagger: NewsNERTagger = NewsNERTagger(NewsEmbedding())
        self.recogniser = f"natasha/{metadata.version('natasha')}"

    def find(self, text: str) -> Iterator[Span]:
        """The names in a text, by start."""
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


class Names:
    """What the policy asks for beyond the rules, by language.

    Raises:
      ModuleNotFoundError: where Russian is asked for and natasha is not installed.
    """

    def __init__(self, policy: PrivacyParams) -> None:
        self._namers: dict[str, list[NameFinder]] = {}
        for language in policy.names:
            one: NameFinder = Natasha() if language == RUSSIAN else FullNames(language)
            self._namers.setdefault(language, []).append(one)
        for told in policy.ner:
            model = Recogniser(told)
            for language in told.languages:
                self._namers.setdefault(language, []).append(model)
        self._wanted = policy.entities
        self._keep_officials = policy.officials == "keep"

    def find(self, text: str, language: str | None) -> list[Span]:
        """What is found in a text of a language, overlapping too."""
        found = [
            span
            for namer in self._namers.get(language or "", ())
            for span in namer.find(text)
            if self._wanted is None or span.entity in self._wanted
        ]
        if self._keep_officials:
            return [s for s in found if s.entity != PERSON or not is_official(text, s)]
        return found


@cache
def _stem_search(kind: str) -> re.Pattern[str]:
    return compile_stems(_name_data()[kind])


def is_official(text: str, span: Span) -> bool:
    """Whether a name signs an act, or is an author's in a byline.

    A signature ends its line.  The office stands in the line before, where the name is alone in
    its own, or before it in a short line: far apart, or the name has initials.  A byline has a
    colon between its word and the name.
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


def coverage(policy: PrivacyParams, spoken: Collection[str]) -> dict[str, str]:
    """Language to how names of persons are found in it, for what a run tells of itself."""
    return {language: _coverage_of(policy, language) for language in sorted(spoken)}


def _coverage_of(policy: PrivacyParams, language: str) -> str:
    ways = [n.recogniser for n in policy.ner if language in n.languages and PERSON in n.entities]
    if language in policy.names:
        by_model = language == RUSSIAN
        ways.insert(
            0, "natasha" if by_model else "full names by pattern; single names are not found"
        )
    return ", ".join(ways) or "not looked for"


def names_problem(policy: PrivacyParams) -> str | None:
    """What stands in the way of the names asked for; None: nothing."""
    unknown = sorted({*policy.names} - {*supported_languages()})
    if unknown:
        return (
            f"there is no pattern for names in {', '.join(unknown)}; known: "
            f"{', '.join(supported_languages())}; `privacy.ner` takes a model for others"
        )
    if RUSSIAN in policy.names and find_spec("natasha") is None:
        return (
            "natasha is not installed, which finds Russian names: "
            "pip install --no-deps -r requirements-names.lock"
        )
    return None
