"""Normalise URLs for matching, so that the spelling of a URL does not change which source governs it.

The normal form is `//host[:port]/path?query` for http and https, which count as the same scheme, and
`ftp://…` for ftp.  Host: lower case, IDNA 2008 with UTS 46 mapping (so the Unicode and the
`xn--` form are one), no trailing dot, no user information, no default port.  Path and query:
dot segments removed, escapes of unreserved characters undone, others in upper case (RFC 3986,
section 6.2.2), everything outside ASCII escaped as UTF-8; the fragment is dropped.  A
backslash is a slash, as in browsers.  If the two readings name different hosts
(`https://a.example\\@b.example/`), the URL has no host.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Final
from urllib.parse import quote, unquote

import idna
import polars as pl

_DEFAULT_PORTS: Final = {"http": "80", "https": "443", "ftp": "21"}
_BLANKS: Final = "".join(map(chr, range(33)))
_SPLIT: Final = re.compile(r"(https?|ftp)://([^/?#]*)([^#]*)", re.IGNORECASE | re.DOTALL)
_ASCII_HOST: Final = re.compile(r"[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*", re.ASCII)
_IP6_HOST: Final = re.compile(r"\[[0-9a-f:.]+\]", re.ASCII)
_SEPARATOR: Final = re.compile("[/?&=]")
_ESCAPE: Final = re.compile(r"%[0-9A-Fa-f]{2}")
_UNRESERVED: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_KEPT: Final = "%!$&'()*+,;=:@/?[]-._~"


@lru_cache(1 << 16)
def normal_host(host: str) -> str | None:
    """Return a host name (without port) in normal form, or None if it is invalid."""
    if "%" in host:
        host = unquote(host, errors="replace")
    host = host.lower()
    if not host.isascii():
        try:
            host = idna.encode(host.removesuffix("."), uts46=True).decode("ascii")
        except (idna.IDNAError, UnicodeError):
            return None
    host = host.removesuffix(".")
    valid = len(host) <= 253 and (_ASCII_HOST.fullmatch(host) or _IP6_HOST.fullmatch(host))
    return host if valid else None


@lru_cache(1 << 16)
def authority_host(authority: str) -> str | None:
    """Return the normal host of a URL's authority (the part between `//` and the path), or None."""
    head, backslash, tail = authority.partition("\\")
    if backslash and "@" in tail:
        return None
    host, _ = _host_port(head)
    return normal_host(host) if host else None


def _host_port(authority: str) -> tuple[str, str]:
    host = authority.rpartition("@")[2]
    name, colon, port = host.rpartition(":")
    if colon and not port.strip("0123456789"):
        return name, port.lstrip("0")
    return host, ""


@lru_cache(1 << 14)
def normal_url(url: str) -> str | None:
    """Return a URL in normal form; None: it is not an http, https or ftp URL with a host."""
    found = _SPLIT.match(_clean(url))
    if found is None:
        return None
    scheme, authority, rest = found[1].lower(), found[2], found[3]
    host = authority_host(authority)
    if host is None:
        return None
    head, backslash, tail = authority.partition("\\")
    port = _host_port(head)[1]
    netloc = host if port in ("", _DEFAULT_PORTS[scheme]) else f"{host}:{port}"
    path, mark, query = (backslash + tail + rest).partition("?")
    prefix = "ftp:" if scheme == "ftp" else ""
    return f"{prefix}//{netloc}{_normal_path(path)}{mark}{_escaped(query)}"


def _clean(url: str) -> str:
    return re.sub(r"[\t\r\n]", "", url.strip(_BLANKS))


def _escaped(text: str) -> str:
    undone = _ESCAPE.sub(_unescape, text)
    return quote(undone, safe=_KEPT, errors="replace")


def _unescape(found: re.Match[str]) -> str:
    character = chr(int(found[0][1:], 16))
    return character if character in _UNRESERVED else found[0].upper()


def _normal_path(path: str) -> str:
    segments: list[str] = []
    parts = _escaped(path.replace("\\", "/")).split("/")[1:] or [""]
    for segment in parts:
        if segment == "..":
            del segments[-1:]
        elif segment != ".":
            segments.append(segment)
    if parts[-1] in (".", ".."):
        segments.append("")
    return "/" + "/".join(segments)


def authorities(urls: pl.Series) -> pl.Series:
    """Return the authority of each URL (the part between `//` and the path); null: it is not a URL."""
    cleaned = urls.str.strip_chars(_BLANKS).str.replace_all(r"[\t\r\n]", "")
    return cleaned.str.extract(r"(?is)^(?:https?|ftp)://([^/?#]*)", 1)


def hosts(urls: pl.Series) -> pl.Series:
    """Return the normal host of each URL; null: it is not a URL.  Each authority is parsed once."""
    parts = authorities(urls)
    unique = parts.drop_nulls().unique()
    normal = [authority_host(a) for a in unique]
    return map_values(parts, unique, normal).alias("host")


def map_values(values: pl.Series, keys: pl.Series, results: Iterable[str | None]) -> pl.Series:
    """Return each value's result; null for values that are not among the (unique) keys."""
    new = pl.Series(list(results), dtype=pl.String)
    if not len(keys):
        return pl.Series([None] * len(values), dtype=pl.String)
    return values.replace_strict(keys, new, default=None, return_dtype=pl.String)


def prefixes(url: str, longest: int) -> Iterator[str]:
    """Yield the prefixes of a normal URL that end with a segment, longest first.

    A prefix has at most `longest` characters.  It ends before or after `/`, `?`, `&` or `=`, or with
    the URL.  So `//a.example/news` is a prefix of `//a.example/news/1`, but not of
    `//a.example/newsroom`.
    """
    ends = {len(url)}
    for found in _SEPARATOR.finditer(url, url.index("//") + 2):
        ends |= {found.start(), found.end()}
    for end in sorted(ends, reverse=True):
        if end <= longest:
            yield url[:end]


def covers(url: str, scope: Iterable[str]) -> bool:
    """Whether a URL begins with one of the URL prefixes, by the rule of `prefixes`.  False for a value
    that is not a URL, and for an empty scope."""
    normal = normal_url(url)
    if normal is None:
        return False
    wanted = {n for n in map(normal_url, scope) if n is not None}
    return any(p in wanted for p in prefixes(normal, max(map(len, wanted), default=0)))
