"""What happened to a corpus: written, queried, verified.

`lineage.open(path)` opens the lineage of all releases in a folder.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lineage.store.store import Store, open

__all__ = ["Store", "open"]


def __getattr__(name: str) -> Any:
    """The store's names, imported with its libraries only when they are asked for (PEP 562)."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from lineage.store import store

    return getattr(store, name)
