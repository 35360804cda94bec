"""The register as it stood at a run: the lineage table `sources`."""

from __future__ import annotations

import pyarrow as pa

from schemas.register import Register
from schemas.tables import SOURCES


def sources_table(register: Register) -> pa.Table:
    """A row per source in the order of ids, with the digests of its entry and its evidence."""
    rows = [
        {
            "source_id": s.id,
            "entry": s.entry_json,
            "entry_sha256": s.entry_sha256,
            "evidence_sha256": s.evidence_sha256,
            "licence": s.licence.spdx,
            "jurisdiction": s.jurisdiction,
        }
        for _, s in sorted(register.sources.items())
    ]
    return pa.Table.from_pylist(rows, SOURCES)
