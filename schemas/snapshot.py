"""The lineage table `sources`: the register's entries at a run."""

from __future__ import annotations

import pyarrow as pa

from schemas.register import Register
from schemas.tables import SOURCES


def sources_table(register: Register) -> pa.Table:
    """Return the table: a row for each source, sorted by id, with the digests of entry and evidence."""
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
