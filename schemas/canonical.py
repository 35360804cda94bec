"""JSON of which every equal value has the same bytes, for digests."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any


def canonical_json(value: Any) -> str:
    """JSON with sorted keys, no blanks and no escapes that are not needed; ValueError for a
    number that is not finite."""
    return json.dumps(
        value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False
    )


def sorted_unique(values: Iterable[Any]) -> list[Any]:
    """The values by their canonical JSON, each once."""
    return [json.loads(text) for text in sorted(set(map(canonical_json, values)))]
