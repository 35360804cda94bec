"""Redact URIs and file names that contain personal data.

Paths contain many numbers.  Therefore only these are replaced: e-mail addresses, IBANs, numbers
beside a word (`?inn=…`), telephone numbers with a plus sign, and identifiers that are certain by
check digits and form.  A plain numeric id or a date stays.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

import polars as pl

if TYPE_CHECKING:
    from pipelines.personal_data.scrub import Scrubber

#: A URI is searched only with a match of this: an at sign, plain or escaped; nine digits close
#: together; the beginning of an IBAN; or an IPv4 address.
_SHAPE: Final = (
    r"@|%40|%25|[0-9](?:(?:%[0-9A-Fa-f]{2}|[ .()_+-]){0,3}[0-9]){8}"
    r"|[A-Z]{2}[0-9]{2}[0-9A-Z]{8}|[0-9]{1,3}(?:\.[0-9]{1,3}){3}"
)
_ESCAPES: Final = re.compile(r"(?:%[0-9A-Fa-f]{2})+")
#: Delimiters become spaces, so that words and numbers end there; the length stays.
_DELIMITERS: Final = str.maketrans("/?&=#;|!$'*", " " * 11)
_JOINS: Final = re.compile(r"_|(?<=[0-9])\+(?=[0-9(])|(?<=[^\W\d])-(?=[0-9])")
_LEAST_SCORE: Final = 0.6
#: Not personal data in a URI: the address of a host, and shapes without a check.
_EXCLUDED: Final = ("IP_ADDRESS", "RU_PASSPORT", "AZ_FIN", "AM_PSN", "GE_PERSONAL_NUMBER")


@cache
def _scrubber() -> Scrubber:
    from pipelines.personal_data.rules import entities
    from pipelines.personal_data.scrub import Scrubber

    return Scrubber(tuple(e for e in entities() if e not in _EXCLUDED))


def _decode(uri: str) -> tuple[str, list[int], list[int]]:
    """Return `uri` percent-decoded, and the start and the end of each of its characters in `uri`."""
    pieces, starts, ends, at = [], [], [], 0
    for run in _ESCAPES.finditer(uri):
        decoded = unquote(run[0], errors="replace")
        pieces += [uri[at : run.start()], decoded]
        starts += [*range(at, run.start()), *[run.start()] * len(decoded)]
        ends += [*range(at + 1, run.start() + 1), *[run.end()] * len(decoded)]
        at = run.end()
    pieces.append(uri[at:])
    starts += range(at, len(uri))
    ends += range(at + 1, len(uri) + 1)
    return "".join(pieces), starts, ends


def _separate_words(decoded: str) -> str:
    """Replace the characters that join words and numbers in a URI by spaces; the length stays."""
    words = decoded.translate(_DELIMITERS).split(" ")
    return " ".join(w if "@" in w else _JOINS.sub(" ", w) for w in words)


def redact_uri(uri: str) -> str:
    """Replace personal data in `uri` by `<ENTITY>`; a URI without personal data is returned unchanged.

    If the data is escaped twice (`%2540`), the result is the decoded URI.
    """
    from pipelines.personal_data.findings import resolve
    from pipelines.personal_data.scrub import redact

    scrubber = _scrubber()
    decoded, starts, ends = _decode(uri)
    readable = _separate_words(decoded)
    spans = [
        s
        for s in resolve(scrubber.candidates(readable), None, None)
        if s.score >= _LEAST_SCORE
        and (s.entity != "PHONE_NUMBER" or readable[s.start] == "+" or s.score > 0.9)
    ]
    replacements: list[tuple[int, int, str]] = []
    for s in spans:  # two spans can share one run of escapes
        start = max(starts[s.start], replacements[-1][1] if replacements else 0)
        replacements.append((start, max(start, ends[s.end - 1]), f"<{s.entity}>"))
    if replacements:
        return redact(uri, replacements)[0]
    if "%" in decoded and decoded != uri:
        deeper = redact_uri(decoded)
        return uri if deeper == decoded else deeper
    return uri


def redact_uris(uris: pl.Series) -> pl.Series:
    """Apply `redact_uri` to each URI; only those that match `_SHAPE` are searched."""
    searched = uris.str.contains(_SHAPE).fill_null(value=False)
    if not searched.any():
        return uris
    at = searched.arg_true()
    redacted = pl.Series([redact_uri(uri) for uri in uris.gather(at)], dtype=pl.String)
    return uris.clone().scatter(at, redacted)  # scatter writes in place
