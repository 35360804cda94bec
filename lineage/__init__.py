"""What happened to a corpus: written, queried, verified.

`lineage.open(path)` opens the lineage of all releases in a folder.
"""

from __future__ import annotations

from lineage.store.store import Store, open

__all__ = ["Store", "open"]
