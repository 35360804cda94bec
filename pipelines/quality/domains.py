"""Domains of documents: by their source, else by their URL, else by a classifier."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import polars as pl


def to_regex(pattern: str) -> str:
    """A URL pattern as a regular expression: `*` is anything, case and scheme do not count.

    The pattern is of the URL without its scheme and must fit all of it: `law.example.kz/*`,
    `*/health/*`.
    """
    parts = [re.escape(part).replace("/", r"\/") for part in pattern.split("*")]
    return r"(?is)^(?:[a-z][a-z0-9+.-]*://)?" + ".*".join(parts) + "$"


def tag(
    documents: pl.DataFrame,
    sources: Mapping[str, str],
    urls: Sequence[tuple[str, str]],
    labels: pl.Series | None = None,
) -> pl.DataFrame:
    """Tag documents.

    Args:
      documents: source_id, uri.
      sources: source id -> domain.
      urls: (pattern, domain); the first that fits counts.
      labels: a classifier's domain of each document, null where it is not sure.

    Returns:
      domain, domain_by (`source`, `url`, `classifier`), both null where nothing tells.
    """
    by_source = pl.col("source_id").replace_strict(
        dict(sources), default=None, return_dtype=pl.String
    )
    fits = [
        pl.when(pl.col("uri").str.contains(to_regex(pattern))).then(pl.lit(domain))
        for pattern, domain in urls
    ]
    by_url = pl.coalesce(*fits) if fits else pl.lit(None, pl.String)
    names = ("source", "url", "classifier")
    found = documents.with_columns(
        source=by_source if sources else pl.lit(None, pl.String),
        url=by_url,
        classifier=labels if labels is not None else pl.lit(None, pl.String),
    )
    return found.select(
        domain=pl.coalesce(names),
        domain_by=pl.coalesce(
            pl.when(pl.col(name).is_not_null()).then(pl.lit(name)) for name in names
        ),
    )
