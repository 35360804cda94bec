"""Addresses as the store keeps them: hosts that sort by domain, keys that sort by nothing."""

from __future__ import annotations

from hashlib import sha256

import polars as pl

from schemas.urls import authority_host, hosts, normal_url

#: What is in normal form already, so that most addresses are read by one expression.
_SIMPLE = r"^(?:https?:)(//[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9-]+)+/(?:[A-Za-z0-9_~-][A-Za-z0-9._~/-]*)?)$"
_DOTS = r"/\.{1,2}(?:/|$)"


def reversed_hosts(uris: pl.Series) -> pl.Series:
    """The host of each address with its labels reversed (`kz.example.law`), so that subdomains
    stand behind their domain; empty for what has none."""
    frame = hosts(uris).to_frame("host").with_columns(pl.col("host").fill_null(""))
    return frame.select(pl.col("host").str.split(".").list.reverse().list.join(".")).to_series()


def url_keys(uris: pl.Series, hmacs: pl.Series | None = None) -> pl.Series:
    """64 bits of SHA-256 of each address in normal form (what is no URL: as it stands); where
    there is an HMAC, the first 64 bits of that: the address itself is known to its owner alone."""
    simple = uris.str.extract(_SIMPLE, 1)
    simple = (
        simple.to_frame("u").select(pl.when(~pl.col("u").str.contains(_DOTS)).then("u")).to_series()
    )
    values = [
        None if uri is None else _key((normal or normal_url(uri) or uri).encode("utf-8", "replace"))
        for uri, normal in zip(uris, simple, strict=True)
    ]
    keys = pl.Series("key", values, dtype=pl.UInt64)
    if hmacs is None or hmacs.null_count() == len(hmacs):
        return keys
    keyed = [None if one is None else int(one[:16], 16) for one in hmacs]
    return pl.select(
        pl.coalesce(pl.Series("keyed", keyed, dtype=pl.UInt64), keys).alias("key")
    ).to_series()


def _key(value: bytes) -> int:
    return int.from_bytes(sha256(value).digest()[:8])


def is_under(domain: str) -> pl.Expr:
    """Whether `host` is a domain or stands below it: a range, as labels are reversed."""
    host = authority_host(domain.strip().rstrip("/").rpartition("//")[2])
    if host is None:
        return pl.lit(False)
    key = ".".join(reversed(host.split(".")))
    below = (pl.col("host") >= f"{key}.") & (pl.col("host") < f"{key}/")
    return (pl.col("host") == key) | below


def forward_hosts(hosts: pl.Series) -> pl.Series:
    """Hosts as they are written, from reversed ones."""
    return hosts.str.split(".").list.reverse().list.join(".")
