"""Find the register entry that governs a record, by its URL or its collection."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import polars as pl

from schemas import urls


@dataclass
class MatchIndex:
    """Maps from normal hosts, normal URL prefixes and collections to a source_id."""

    domains: dict[str, str] = field(default_factory=dict)
    url_prefixes: dict[str, str] = field(default_factory=dict)
    collections: dict[str, str] = field(default_factory=dict)
    longest: int = 0  # characters of the longest URL prefix

    def add(
        self,
        source_id: str,
        domains: Iterable[str],
        url_prefixes: Iterable[str],
        collections: Iterable[str],
    ) -> list[tuple[str, int, str]]:
        """Add a source.  Return its ties: (kind, position in the given keys, source that has the key)."""
        prefixes = [urls.normal_url(prefix) for prefix in url_prefixes]
        self.longest = max(self.longest, *(len(p) for p in prefixes if p is not None), 0)
        ties = []
        for kind, table, keys in (
            ("domains", self.domains, map(urls.normal_host, domains)),
            ("url_prefixes", self.url_prefixes, iter(prefixes)),
            ("collections", self.collections, iter(collections)),
        ):
            for position, key in enumerate(keys):
                if key is not None and table.setdefault(key, source_id) != source_id:
                    ties.append((kind, position, table[key]))
        return ties

    def match(self, uris: pl.Series, collection: str) -> pl.Series:
        """Return the source_id of each URI, as `Register.match` does."""
        parts = urls.authorities(uris)
        unique = parts.drop_nulls().unique()
        hosts = [urls.authority_host(a) for a in unique]
        found = urls.map_values(parts, unique, map(self.by_host, hosts))
        if self.url_prefixes:
            holders = {_host_of(prefix) for prefix in self.url_prefixes}
            near = [a for a, host in zip(unique, hosts, strict=True) if host in holders]
            if near:
                candidates = uris.filter(parts.is_in(near)).unique()
                closer = urls.map_values(uris, candidates, map(self.by_prefix, candidates))
                found = closer.fill_null(found)
        rest = self.collections.get(collection)
        return (found if rest is None else found.fill_null(rest)).alias("source_id")

    def by_host(self, host: str | None) -> str | None:
        """Return the source of the longest domain that is the host or a parent of it.  A domain of
        one label (`kz`) does not cover subdomains: nobody can grant a top-level domain."""
        if host is None or host in self.domains:
            return self.domains.get(host or "")
        while (host := host.partition(".")[2]) and "." in host:
            if host in self.domains:
                return self.domains[host]
        return None

    def by_prefix(self, uri: str) -> str | None:
        """Return the source of the longest URL prefix of a URI."""
        normal = urls.normal_url(uri)
        if normal is None:
            return None
        for prefix in urls.prefixes(normal, self.longest):
            if prefix in self.url_prefixes:
                return self.url_prefixes[prefix]
        return None


def _host_of(normal: str) -> str | None:
    return urls.authority_host(normal.partition("//")[2].partition("/")[0])
