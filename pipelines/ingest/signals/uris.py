"""Normalise URIs and paths for comparison with rules (RFC 9309, 2.2.2)."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from schemas.urls import normal_url

_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_TO_ENCODE = re.compile(r"%([0-9A-Fa-f]{2})|[^A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]")


class Parts(NamedTuple):
    """The parts of a normalised URL.

    `port` is empty for the default port of the scheme. `path` includes the query.
    """

    scheme: str
    host: str
    port: str
    path: str


def _normalise_octets(match: re.Match[str]) -> str:
    if match[1] is None:
        return "".join(f"%{b:02X}" for b in match[0].encode("utf-8", "surrogateescape"))
    char = chr(int(match[1], 16))
    return char if char in _UNRESERVED else match[0].upper()


def normalise_encoding(text: str) -> str:
    """Percent-encode characters that a URI must not contain; decode those that need no encoding."""
    return _TO_ENCODE.sub(_normalise_octets, text)


@lru_cache(1024)
def split_uri(uri: str) -> Parts | None:
    """Return the parts of a URL in normal form; None if it is not an http, https or ftp URL."""
    normal = normal_url(uri)
    if normal is None:
        return None
    authority, slash, path = normal.partition("//")[2].partition("/")
    host, colon, port = authority.rpartition(":")
    if not colon or not port.isdigit():
        host, port = authority, ""
    scheme = uri.lstrip().partition(":")[0].lower()
    return Parts(scheme, host, port, slash + path)
