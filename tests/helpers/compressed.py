"""Compressed bytes that depend on their content alone."""

from __future__ import annotations

import gzip


def gzip_bytes(data: bytes) -> bytes:
    """One gzip member without a time.

    Two processes that collect tests must see the same parameters, and ids are derived from them.
    """
    return gzip.compress(data, mtime=0)
