"""Canonical JSON for digests: equal values have equal bytes."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any


def canonical_json(value: Any) -> str:
    """Return a value as JSON with sorted keys, without blanks and without avoidable escapes.

    Raises:
      ValueError: for a number that is not finite.
    """
    return json.dumps(
        value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False
    )


def sorted_unique(values: Iterable[Any]) -> list[Any]:
    """Return the values sorted by their canonical JSON, each once."""
    return [json.loads(text) for text in sorted(set(map(canonical_json, values)))]
