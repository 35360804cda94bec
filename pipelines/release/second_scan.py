"""The second scan: a sample of what is about to be released, looked at again."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path

import polars as pl

from lineage.storage import release_files
from pipelines.engine.context import Context
from pipelines.engine.published import StageError
from pipelines.engine.shards import State
from pipelines.personal_data.second_look import find_missed, sample_documents
from schemas.privacy import PrivacyParams

#: At most so many files of a release are opened, of each language some.
_MAX_FILES = 48
_LISTED = 5


def choose_files(parts: Iterable[str]) -> list[str]:
    """Some of a release's files (`data/<lang>/<name>`): one of each language, then another."""

    def mark(part: str) -> bytes:
        return hashlib.sha256(part.encode()).digest()

    seen: dict[str, int] = {}
    ranked = []
    for part in sorted(parts, key=mark):
        language = part.rpartition("/")[0]
        seen[language] = seen.get(language, -1) + 1
        ranked.append((seen[language], mark(part), part))
    return [part for _, _, part in sorted(ranked)[:_MAX_FILES]]


def missed_findings(
    documents: pl.DataFrame,
    redactions: pl.DataFrame,
    policy: PrivacyParams,
    jurisdictions: Callable[[str], str | None],
) -> list[tuple[str, str, int, int]]:
    """(doc_id, class, start, end) of what should have been replaced and was not.

    Args:
      documents: doc_id, text, source_id, as they would be released.
      redactions: doc_id, start, end.
      policy: classes that it does not look for, or keeps, are no hits.
      jurisdictions: a source's id to its country.
    """
    spans = redactions.group_by("doc_id", maintain_order=True).agg("start", "end")
    rows = documents.join(spans, on="doc_id", how="left", maintain_order="left")
    found = []
    for doc_id, text, source, start, end in rows.select(
        "doc_id", "text", "source_id", "start", "end"
    ).iter_rows():
        for hit in find_missed(text, zip(start or (), end or (), strict=True)):
            asked = policy.entities is None or hit.entity in policy.entities
            kept = policy.operator_for(hit.entity, source, jurisdictions(source)) == "keep"
            if asked and not kept:
                found.append((doc_id, *hit))
    return found


def stop_if_missed(context: Context, state: State) -> None:
    """Look at a sample of an unpublished release.

    Raises:
      StageError: where something is found: document, class and position, never the value.
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
    parts = choose_files(released["shard"].unique())
    wanted = sample_documents(
        released.filter(pl.col("shard").is_in(parts))["doc_id"], policy.second_scan
    )
    found: list[tuple[str, str, int, int]] = []
    for part in parts:
        file = root / part
        ids = pl.col("doc_id").is_in(wanted)
        documents = (
            pl.scan_parquet(file).filter(ids).select("doc_id", "text", "source_id").collect()
        )
        table = root / f"lineage/redactions/{release_files.lineage_part(part)}.parquet"
        redactions = pl.read_parquet(table).filter(ids)
        found += missed_findings(documents, redactions, policy, lambda s: sources[s].jurisdiction)
    if found:
        told = "; ".join(f"document {d}: {e} at {a}-{b}" for d, e, a, b in found[:_LISTED])
        more = f"; and {len(found) - _LISTED} more" if len(found) > _LISTED else ""
        raise StageError(
            f"release: a second scan of {len(wanted)} documents found personal data that was not "
            f"replaced: {told}{more}. Nothing was published. Positions are those of the text to be "
            "released; keep the class by a rule in `privacy.rules` if it is meant, else drop the "
            "source's documents (`personal_data: drop-document`) and report what was missed"
        )
