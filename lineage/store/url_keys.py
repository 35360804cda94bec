"""Addresses in the store: reversed hosts, which sort by domain, and hashed keys of URLs."""

from __future__ import annotations

from hashlib import sha256

import polars as pl

from schemas.urls import authority_host, hosts, normal_url

#: Addresses in normal form already; one expression recognises most of them.
_SIMPLE = r"^(?:https?:)(//[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9-]+)+/(?:[A-Za-z0-9_~-][A-Za-z0-9._~/-]*)?)$"
_DOTS = r"/\.{1,2}(?:/|$)"


def reversed_hosts(uris: pl.Series) -> pl.Series:
    """The host of each address with reversed labels (`kz.example.law`); empty if it has none.

    Reversed hosts sort subdomains directly after their domain.
    """
    frame = hosts(uris).to_frame("host").with_columns(pl.col("host").fill_null(""))
    return frame.select(pl.col("host").str.split(".").list.reverse().list.join(".")).to_series()


def url_keys(uris: pl.Series, hmacs: pl.Series | None = None) -> pl.Series:
    """Hash each address to a key of 64 bits.

    The key is from the SHA-256 of the address in normal form, or of the unchanged text if it is not
    a URL.  If there is an HMAC, the key is its first 64 bits, for the address is stored redacted.

    Args:
      uris: the addresses.
      hmacs: their keyed digests in hex, null for most; None: there are none.
    """
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
    keyed = [None if digest is None else int(digest[:16], 16) for digest in hmacs]
    return pl.select(
        pl.coalesce(pl.Series("keyed", keyed, dtype=pl.UInt64), keys).alias("key")
    ).to_series()


def _key(value: bytes) -> int:
    return int.from_bytes(sha256(value).digest()[:8])


def is_under(domain: str) -> pl.Expr:
    """Whether the column `host` is a domain or one of its subdomains.

    With reversed labels this is a range, which a sorted file answers quickly.
    """
    host = authority_host(domain.strip().rstrip("/").rpartition("//")[2])
    if host is None:
        return pl.lit(False)
    key = ".".join(reversed(host.split(".")))
    below = (pl.col("host") >= f"{key}.") & (pl.col("host") < f"{key}/")
    return (pl.col("host") == key) | below


def forward_hosts(hosts: pl.Series) -> pl.Series:
    """Turn reversed hosts into hosts in their usual order."""
    return hosts.str.split(".").list.reverse().list.join(".")
