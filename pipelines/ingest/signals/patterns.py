"""Path patterns of robots.txt and tdmrep.json: `*` is any text, a final `$` the end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pipelines.ingest.signals.uris import normalise_encoding


def _escape_dollar(text: str) -> str:
    return text.replace("$", "%24")


def _encode_query(text: str) -> str:
    """`:` and `/` of the query percent-encoded, as in the table of RFC 9309 2.2.2."""
    path, mark, query = text.partition("?")
    return path + mark + query.replace(":", "%3A").replace("/", "%2F")


@dataclass(frozen=True)
class Form:
    """A pattern cut at its stars: found one after the other, which takes linear time."""

    segments: tuple[str, ...]
    ends: bool

    def matches(self, path: str) -> bool:
        first, *rest = self.segments
        if not path.startswith(first):
            return False
        if not rest:
            return not self.ends or path == first
        position = len(first)
        for segment in rest[:-1]:
            position = path.find(segment, position)
            if position < 0:
                return False
            position += len(segment)
        if self.ends:
            return path.endswith(rest[-1]) and len(path) - len(rest[-1]) >= position
        return path.find(rest[-1], position) >= 0


@dataclass(frozen=True)
class Pattern:
    """A compiled pattern; `length` counts the octets of its encoded text, `*` and `$` too."""

    text: str
    length: int
    plain: Form
    encoded: Form

    @property
    def literal(self) -> str | None:
        """The text that covered paths start with, where that is all there is to it."""
        alone = len(self.plain.segments) == 1 and not self.plain.ends
        same = self.encoded is self.plain and len(self.plain.segments[0]) == self.length
        return self.plain.segments[0] if alone and same else None

    def matches(self, path: tuple[str, str]) -> bool:
        """Whether it covers the path, given as `subject(path)`."""
        if self.plain.matches(path[0]):
            return True
        return (self.encoded is not self.plain or path[0] is not path[1]) and self.encoded.matches(
            path[1]
        )


def _compile_form(text: str, ends: bool, change: Callable[[str], str]) -> Form:
    return Form(tuple(change(_escape_dollar(text)).split("*")), ends)


def compile_pattern(text: str) -> Pattern:
    """The pattern of a rule's path; one that starts with neither `/` nor `*` gets a `/`."""
    written = normalise_encoding(text if text.startswith(("/", "*")) else "/" + text)
    ends = written.endswith("$")
    body = written[:-1] if ends else written
    plain = _compile_form(body, ends, str)
    encoded = _compile_form(body, ends, _encode_query)
    return Pattern(text, len(written), plain, plain if encoded == plain else encoded)


def path_forms(path: str) -> tuple[str, str]:
    """A path (and query) as patterns are held against it: as it stands, and its query encoded."""
    plain = _escape_dollar(normalise_encoding(path)).replace("*", "%2A")
    encoded = _encode_query(plain)
    return plain, plain if encoded == plain else encoded
