"""Find the records of a release that would flip under another policy pack.

Only the lineage tables are read.  Packs are compared as if they refused (`policy: {enforce:
refuse}`).  There are two rulings per source and circumstances, and they are joined with the
decisions.  Only records that passed the gate, or that a pack refused, can flip: the gate's other
refusals do not depend on packs.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from typing import Any

import polars as pl

from lineage.release_folder import ReleaseFolder
from lineage.storage.release_tables import DamagedRelease
from schemas.policy import Packs
from schemas.ruling import Circumstances, Ruling, Subject, apply_pack
from schemas.schema_check import parse_date

#: The facts that a ruling depends on, beside the pack.
FACTS = ("source_id", "as_of", "purpose", "storage_country")
FLIPS = pl.Schema(
    {
        "doc_id": pl.String, "uri": pl.String, "source_id": pl.String, "flip": pl.String,
        "drives": pl.String, "rule": pl.String, "reason": pl.String, "released": pl.Boolean,
    }
)  # fmt: skip


@dataclass(frozen=True)
class Side:
    """One side of the comparison: packs, and the day of their rules (None: the day of the run)."""

    packs: Packs
    day: date | None = None


def flips(
    release: ReleaseFolder, before: Side, after: Side, country: str | None = None
) -> pl.DataFrame:
    """Find the records whose ruling differs between two sides.

    Args:
      release: the release.
      before, after: the sides.
      country: where the text is stored, for decisions that do not name it.

    Returns:
      FLIPS, a row per record that flips, sorted by source and id.  `flip` is `keep to refuse` or
      `refuse to keep`; `drives`, `rule` and `reason` are of the side that refuses.

    Raises:
      NoRelease: if there is no release.
      DamagedRelease: if its decisions lack a day or a purpose.
    """
    judged = _judged(release, country)
    facts = judged.select(FACTS).unique().collect()
    if facts.select("as_of", "purpose").null_count().sum_horizontal().item():
        raise DamagedRelease(
            f"{release.folder}: decisions of ingest do not name the day for which they judged"
        )
    subjects = _subjects(release)
    rows = []
    for row in facts.iter_rows(named=True):
        subject = subjects.get(row["source_id"])
        if subject is None or not _is_covered(subject, before, after):
            continue
        old, new = (_ruling(side, subject, row) for side in (before, after))
        if (old.bar is None) != (new.bar is None):
            flip = "keep to refuse" if old.bar is None else "refuse to keep"
            bar = new.bar or old.bar
            assert bar is not None
            rows.append(
                row | {"flip": flip, "drives": bar.drives, "rule": bar.rule, "reason": bar.message}
            )
    names = (*FACTS, "flip", "drives", "rule", "reason")
    verdicts = pl.LazyFrame(rows, schema=dict.fromkeys(names, pl.String))
    released = release.table("documents").select("doc_id", released=pl.lit(True))
    return (
        judged.join(verdicts, on=FACTS, nulls_equal=True)
        .join(released, on="doc_id", how="left")
        .with_columns(pl.col("released").fill_null(False))
        .select(FLIPS.names())
        .sort("source_id", "doc_id")
        .collect()
    )


def _judged(release: ReleaseFolder, country: str | None) -> pl.LazyFrame:
    """The records that packs decide, with the facts of their run."""
    decided = release.table("decisions").filter(
        (pl.col("stage") == "ingest")
        & (
            (pl.col("outcome") == "keep")
            | ((pl.col("outcome") == "refuse") & pl.col("reason").str.starts_with("policy:"))
        )
    )
    evidence = pl.col("evidence").str.json_path_match
    return decided.join(release.table("records").select("doc_id", "source_id"), on="doc_id").select(
        "doc_id",
        "uri",
        "source_id",
        as_of=evidence("$.as_of"),
        purpose=evidence("$.purpose"),
        storage_country=evidence("$.policy.storage_country").fill_null(pl.lit(country, pl.String)),
    )


def _subjects(release: ReleaseFolder) -> dict[str, Subject]:
    rows = release.table("sources").select("source_id", "entry").collect()
    return {id: _subject(json.loads(entry)) for id, entry in rows.iter_rows()}


def _subject(entry: dict[str, Any]) -> Subject:
    """Build what `Subject.of` builds, from the register's entry at the time of the run."""
    basis = entry["basis"]
    verified = parse_date(basis.get("verified_on", "")) if basis.get("verified_by") else None
    return Subject(
        entry["jurisdiction"],
        basis["kind"],
        date.fromisoformat(basis["granted_on"]),
        entry["licence"]["spdx"],
        entry.get("opt_out", "honour"),
        entry.get("personal_data", "scrub"),
        verified,
    )


def _is_covered(subject: Subject, before: Side, after: Side) -> bool:
    """Whether either side has a pack for the jurisdiction; otherwise nothing can flip."""
    return any(side.packs.for_jurisdiction(subject.jurisdiction) for side in (before, after))


def _ruling(side: Side, subject: Subject, row: dict[str, Any]) -> Ruling:
    day = side.day or date.fromisoformat(row["as_of"])
    about = Circumstances(day, row["purpose"], row["storage_country"])
    return apply_pack(side.packs.for_jurisdiction(subject.jurisdiction), subject, about)
