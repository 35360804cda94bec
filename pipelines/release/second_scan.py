"""The second scan: search a sample of an unpublished release for personal data again."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path

import polars as pl

from lineage.storage import release_files
from pipelines.engine.context import Context
from pipelines.engine.published import StageError
from pipelines.engine.shards import State
from pipelines.personal_data.residual_patterns import find_missed, sample_documents
from schemas.privacy import PrivacyParams

#: How many files of a release are opened at most.
_MAX_FILES = 48
#: How many findings the message lists.
_LISTED = 5


def choose_files(files: Iterable[str]) -> list[str]:
    """Choose up to `_MAX_FILES` files of a release: one of each language in turn.

    Args:
      files: `data/<lang>/<name>`, in any order.
    """

    def digest(file: str) -> bytes:
        return hashlib.sha256(file.encode()).digest()

    seen: dict[str, int] = {}
    ranked = []
    for file in sorted(files, key=digest):
        language = file.rpartition("/")[0]
        seen[language] = seen.get(language, -1) + 1
        ranked.append((seen[language], digest(file), file))
    return [file for _, _, file in sorted(ranked)[:_MAX_FILES]]


def missed_findings(
    documents: pl.DataFrame,
    redactions: pl.DataFrame,
    policy: PrivacyParams,
    jurisdictions: Callable[[str], str | None],
) -> list[tuple[str, str, int, int]]:
    """Find personal data that should have been replaced and was not.

    Args:
      documents: doc_id, text, source_id, as they would be released.
      redactions: doc_id, start, end.
      policy: classes that it does not look for or keeps are not reported.
      jurisdictions: maps a source's id to its country.

    Returns:
      (doc_id, class, start, end) of each finding.
    """
    spans = redactions.group_by("doc_id", maintain_order=True).agg("start", "end")
    rows = documents.join(spans, on="doc_id", how="left", maintain_order="left")
    missed = []
    for doc_id, text, source, start, end in rows.select(
        "doc_id", "text", "source_id", "start", "end"
    ).iter_rows():
        for hit in find_missed(text, zip(start or (), end or (), strict=True)):
            wanted = policy.entities is None or hit.entity in policy.entities
            kept = policy.operator_for(hit.entity, source, jurisdictions(source)) == "keep"
            if wanted and not kept:
                missed.append((doc_id, *hit))
    return missed


def stop_if_missed(context: Context, state: State) -> None:
    """Scan a sample of an unpublished release.

    Raises:
      StageError: if personal data is missed. The message names document, class and position, never
        the value.
    """
    policy, root = context.params.privacy, Path(state.root)
    if not policy.second_scan:
        return
    sources = context.register.sources
    released = pl.concat(
        [
            pl.read_parquet(p, columns=["doc_id", "shard"])
            for p in sorted((root / "lineage/documents").glob("*.parquet"))
        ]
        or [pl.DataFrame(schema={"doc_id": pl.String, "shard": pl.String})]
    )
    files = choose_files(released["shard"].unique())
    in_files = released.filter(pl.col("shard").is_in(files))
    sample = sample_documents(in_files["doc_id"], policy.second_scan)
    missed: list[tuple[str, str, int, int]] = []
    for shard in files:
        ids = pl.col("doc_id").is_in(sample)
        documents = (
            pl.scan_parquet(root / shard)
            .filter(ids)
            .select("doc_id", "text", "source_id")
            .collect()
        )
        table = root / f"lineage/redactions/{release_files.lineage_part(shard)}.parquet"
        redactions = pl.read_parquet(table).filter(ids)
        missed += missed_findings(documents, redactions, policy, lambda s: sources[s].jurisdiction)
    if missed:
        listed = "; ".join(f"document {d}: {e} at {a}-{b}" for d, e, a, b in missed[:_LISTED])
        more = f"; and {len(missed) - _LISTED} more" if len(missed) > _LISTED else ""
        raise StageError(
            f"release: the second scan of {len(sample)} documents found personal data that was not "
            f"replaced: {listed}{more}. Nothing was published. Positions count characters of the "
            "text to be released. If the data may be released, keep its class by a rule in "
            "`privacy.rules`. If not, drop the source's documents (`personal_data: "
            "drop-document`) and report what was missed"
        )
