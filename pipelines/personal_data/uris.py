"""Redact uris and file names in which a recogniser finds something.

Numbers abound in paths, so only e-mail addresses, IBANs, numbers backed by a word
(`?inn=…`), telephone numbers with a plus sign, and identifiers whose check digits and form
stand alone are taken; a plain numeric id or a date is not.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

import polars as pl

if TYPE_CHECKING:
    from pipelines.personal_data.scrub import Scrubber

#: What a uri must hold to be looked at: an at sign, an escape of one, nine digits hardly apart.
_SHAPE: Final = (
    r"@|%40|%25|[0-9](?:(?:%[0-9A-Fa-f]{2}|[ .()_+-]){0,3}[0-9]){8}"
    r"|[A-Z]{2}[0-9]{2}[0-9A-Z]{8}|[0-9]{1,3}(?:\.[0-9]{1,3}){3}"
)
_ESCAPES: Final = re.compile(r"(?:%[0-9A-Fa-f]{2})+")
#: Delimiters become spaces of the same length, so that numbers and words end where they do.
_DELIMITERS: Final = str.maketrans("/?&=#;|!$'*", " " * 11)
_JOINS: Final = re.compile(r"_|(?<=[0-9])\+(?=[0-9(])|(?<=[^\W\d])-(?=[0-9])")
_LEAST_SCORE: Final = 0.6
#: Not personal in a uri: the address of a host, and shapes without a check.
_EXCLUDED: Final = ("IP_ADDRESS", "RU_PASSPORT", "AZ_FIN", "AM_PSN", "GE_PERSONAL_NUMBER")


@cache
def _scrubber() -> Scrubber:
    from pipelines.personal_data.rules import entities
    from pipelines.personal_data.scrub import Scrubber

    return Scrubber(tuple(e for e in entities() if e not in _EXCLUDED))


def _decode(uri: str) -> tuple[str, list[int], list[int]]:
    """`uri` percent-decoded, and for each of its characters the start and end in `uri`."""
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
    """`decoded` with what joins words and numbers in uris as spaces, at the same length."""
    words = decoded.translate(_DELIMITERS).split(" ")
    return " ".join(w if "@" in w else _JOINS.sub(" ", w) for w in words)


def redact_uri(uri: str) -> str:
    """`uri` with personal data replaced by `<ENTITY>`; a uri without any comes back as it is.

    Where the data is escaped twice (`%2540`), the result is the decoded uri.
    """
    from pipelines.personal_data.findings import resolve
    from pipelines.personal_data.scrub import redact

    scrubber = _scrubber()
    decoded, starts, ends = _decode(uri)
    read = _separate_words(decoded)
    spans = [
        s
        for s in resolve(scrubber.candidates(read), None, None)
        if s.score >= _LEAST_SCORE
        and (s.entity != "PHONE_NUMBER" or read[s.start] == "+" or s.score > 0.9)
    ]
    where: list[tuple[int, int, str]] = []
    for s in spans:  # two spans may share one run of escapes
        start = max(starts[s.start], where[-1][1] if where else 0)
        where.append((start, max(start, ends[s.end - 1]), f"<{s.entity}>"))
    if where:
        return redact(uri, where)[0]
    if "%" in decoded and decoded != uri:
        deeper = redact_uri(decoded)
        return uri if deeper == decoded else deeper
    return uri


def redact_uris(uris: pl.Series) -> pl.Series:
    """`redact_uri` of each; only those with the shape of an identifier are looked at."""
    doubtful = uris.str.contains(_SHAPE).fill_null(value=False)
    if not doubtful.any():
        return uris
    at = doubtful.arg_true()
    redacted = pl.Series([redact_uri(u) for u in uris.gather(at)], dtype=pl.String)
    return uris.clone().scatter(at, redacted)  # scatter writes in place
