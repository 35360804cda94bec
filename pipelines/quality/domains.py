"""Find the domain of documents by their source, else by their URL, else by a classifier."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import polars as pl


def to_regex(pattern: str) -> str:
    """Convert a URL pattern to a regular expression.

    The pattern covers the whole URL without its scheme: `law.example.kz/*`, `*/health/*`.  `*`
    matches any characters.  Upper and lower case are the same.
    """
    parts = [re.escape(part).replace("/", r"\/") for part in pattern.split("*")]
    return r"(?is)^(?:[a-z][a-z0-9+.-]*://)?" + ".*".join(parts) + "$"


def tag(
    documents: pl.DataFrame,
    sources: Mapping[str, str],
    urls: Sequence[tuple[str, str]],
    labels: pl.Series | None = None,
) -> pl.DataFrame:
    """Tag documents with their domains.

    Args:
      documents: source_id, uri.
      sources: source id -> domain.
      urls: (pattern, domain); the first pattern that matches decides.
      labels: a classifier's domain of each document, null where it is not sure.

    Returns:
      domain, domain_by (`source`, `url`, `classifier`); both are null where the domain is unknown.
    """
    by_source = pl.col("source_id").replace_strict(
        dict(sources), default=None, return_dtype=pl.String
    )
    matches = [
        pl.when(pl.col("uri").str.contains(to_regex(pattern))).then(pl.lit(domain))
        for pattern, domain in urls
    ]
    by_url = pl.coalesce(*matches) if matches else pl.lit(None, pl.String)
    names = ("source", "url", "classifier")
    domains = documents.with_columns(
        source=by_source if sources else pl.lit(None, pl.String),
        url=by_url,
        classifier=labels if labels is not None else pl.lit(None, pl.String),
    )
    return domains.select(
        domain=pl.coalesce(names),
        domain_by=pl.coalesce(
            pl.when(pl.col(name).is_not_null()).then(pl.lit(name)) for name in names
        ),
    )
