"""Match the path patterns of robots.txt and tdmrep.json: `*` is any text, a final `$` the end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pipelines.ingest.signals.uris import normalise_encoding


def _escape_dollar(text: str) -> str:
    return text.replace("$", "%24")


def _encode_query(text: str) -> str:
    """Percent-encode `:` and `/` of the query, as in the table of RFC 9309, 2.2.2."""
    path, mark, query = text.partition("?")
    return path + mark + query.replace(":", "%3A").replace("/", "%2F")


@dataclass(frozen=True)
class Form:
    """A pattern split at its stars. Segments are searched one by one, in linear time.

    Attributes:
      segments: the texts between stars.
      ends: whether the pattern must match to the end of the path.
    """

    segments: tuple[str, ...]
    ends: bool

    def matches(self, path: str) -> bool:
        """Whether the pattern covers a path."""
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
    """A compiled pattern.

    Attributes:
      text: the pattern as written.
      length: the octets of its encoded text, with `*` and `$`.
      plain: its form.
      encoded: its form with an encoded query.
    """

    text: str
    length: int
    plain: Form
    encoded: Form

    @property
    def literal(self) -> str | None:
        """The prefix of all covered paths, if the pattern is only a prefix; else None."""
        alone = len(self.plain.segments) == 1 and not self.plain.ends
        same = self.encoded is self.plain and len(self.plain.segments[0]) == self.length
        return self.plain.segments[0] if alone and same else None

    def matches(self, path: tuple[str, str]) -> bool:
        """Whether the pattern covers a path, given as `path_forms(path)`."""
        if self.plain.matches(path[0]):
            return True
        return (self.encoded is not self.plain or path[0] is not path[1]) and self.encoded.matches(
            path[1]
        )


def _compile_form(text: str, ends: bool, change: Callable[[str], str]) -> Form:
    return Form(tuple(change(_escape_dollar(text)).split("*")), ends)


def compile_pattern(text: str) -> Pattern:
    """Compile the path of a rule. A path that starts with neither `/` nor `*` gets a `/`."""
    written = normalise_encoding(text if text.startswith(("/", "*")) else "/" + text)
    ends = written.endswith("$")
    body = written[:-1] if ends else written
    plain = _compile_form(body, ends, str)
    encoded = _compile_form(body, ends, _encode_query)
    return Pattern(text, len(written), plain, plain if encoded == plain else encoded)


def path_forms(path: str) -> tuple[str, str]:
    """Return the forms of a path (and query) that patterns match: plain, and with encoded query."""
    plain = _escape_dollar(normalise_encoding(path)).replace("*", "%2A")
    encoded = _encode_query(plain)
    return plain, plain if encoded == plain else encoded
