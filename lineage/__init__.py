"""Lineage: what happened to a corpus, written, queried and verified.

`lineage.open(path)` opens the store of all releases in a folder.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lineage.store.store import Store, open

__all__ = ["Store", "open"]


def __getattr__(name: str) -> Any:
    """Import the names of the store lazily, for its libraries are slow to load (PEP 562)."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from lineage.store import store

    return getattr(store, name)
