"""The dry run of a withdrawal: find what it would change, and change nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

import polars as pl

from lineage import receipts, register_files, withdrawal_scope
from lineage.release_folder import ReleaseFolder
from lineage.signing import release_log
from lineage.storage import redacted_names, release_files
from lineage.withdrawal_scope import Scope
from pipelines.dedup import source_ranking
from pipelines.withdrawal import journal, text_scope
from schemas import lawfulness, withdrawals
from schemas.lawfulness import Use
from schemas.params import Params
from schemas.register import Register

EXAMPLES = 5


@dataclass(frozen=True)
class AffectedRelease:
    """A release with its records and documents in scope.

    Attributes:
      release: the release.
      records: its records in scope (`withdrawal_scope.records`).
      documents: its released documents in scope, as rows of its table `documents`.
    """

    release: ReleaseFolder
    records: pl.DataFrame
    documents: pl.DataFrame


@dataclass(frozen=True)
class Impact:
    """The effect of withdrawing a scope from the releases that the parameters name."""

    params: Params
    register: Register
    scope: Scope

    @property
    def folder(self) -> Path:
        """The folder of releases."""
        return self.params.releases

    @cached_property
    def releases(self) -> list[AffectedRelease]:
        """All releases, including those with nothing in scope."""
        out = []
        for release in withdrawal_scope.release_folders(self.folder, self.params.root):
            records = withdrawal_scope.records_in_scope(release, self.scope)
            documents = withdrawal_scope.documents_in_scope(release, records)
            out.append(AffectedRelease(release, records, documents))
        return out

    @property
    def affected(self) -> list[AffectedRelease]:
        """The releases that would lose documents."""
        return [release for release in self.releases if release.documents.height]

    @property
    def ids(self) -> pl.Series:
        """doc_id of all records in scope, sorted, each once: those of the releases, and those that
        earlier withdrawals of the same scope removed."""
        present = [release.records["doc_id"] for release in self.releases]
        paths = [self.folder / receipts.exclusions_path(r["id"]) for r in self.receipts]
        removed = [pl.read_ndjson(p)["doc_id"] for p in paths if p.is_file() and p.stat().st_size]
        known = pl.Series("doc_id", self.scope.ids, dtype=pl.String)
        return pl.concat([known, *present, *removed]).unique().sort()

    @cached_property
    def active_entry(self) -> dict[str, Any] | None:
        """The register's entry that already bars the scope, or None."""
        entries = register_files.recorded_withdrawals(self.params.register)
        return withdrawals.active_entry(entries, self.scope.kind, self.scope.value)

    @cached_property
    def receipts(self) -> list[dict[str, Any]]:
        """The predicates of the receipts of earlier withdrawals of the same scope."""
        paths = sorted((self.folder / release_files.RECEIPTS).glob("*.dsse.json"))
        digest = scope_digest(self.scope)
        return [r for r in map(receipts.read_predicate, paths) if r.get("scope_sha256") == digest]

    @property
    def barred_ids(self) -> dict[str, list[str]]:
        """The lists `documents` and `parts` of a text's entry in the register.  Without them, a run
        that cuts or shortens these records differently would release the text again."""
        if self.scope.kind != "text":
            return {}
        listed: dict[str, set[str]] = {"documents": set(), "parts": set()}
        for release in self.releases:
            parts = release.release.parts().select("doc_id", "part_of").collect()
            documents, split = split_by_coverage(release.records["doc_id"], parts)
            listed["documents"] |= documents
            listed["parts"] |= split
        return {kind: sorted(ids) for kind, ids in listed.items() if ids}

    @property
    def empties_release(self) -> bool:
        """Whether at least one release would have no document left."""
        return any(
            release.documents.height == release.release.manifest()["counts"]["documents"]
            for release in self.affected
        )

    def to_json(self) -> dict[str, Any]:
        """Return the dry run as a JSON value."""
        changes = [
            withdrawal_scope.impact(one.release, one.records, one.documents)
            | {"copies": self.copies(one.release, one.records)}
            for one in self.releases
            if one.records.height
        ]
        current = self.params.release.name
        return {
            "scope": self.scope.kind,
            "value": self.scope.value,
            "documents": sum(release.documents.height for release in self.affected),
            "current": current,
            "everything": self.empties_release,
            "releases": changes,
            "recorded": self.active_entry,
            "receipts": [r["id"] for r in self.receipts],
            "out_of_reach": sorted({name for r in self.receipts for name in r["out_of_reach"]}),
            "unfinished": [j.id for j in journal.unfinished(self.folder)],
            "log": len(release_log.read(self.folder / release_files.LOG)),
        }

    def copies(
        self, release: ReleaseFolder, records: pl.DataFrame
    ) -> dict[str, list[dict[str, Any]]]:
        """Return the other copies of the same texts and passages, grouped by source.

        Args:
          release: the release.
          records: its records in scope.

        Returns:
          `stay`: copies that remain in the release.  `take_over`: copies that the next run keeps
          instead of a withdrawn one.  `barred`: copies that the next run must not use.
        """
        rows = pl.concat(
            [withdrawal_scope.copies(release, records), withdrawal_scope.passages(release, records)]
        )
        use = Use.from_params(self.params, register_files.load_policies(self.params.policy.path))
        ranks = source_ranking.rank_sources(self.register)
        verdicts = lawfulness.verdicts(self.register, use)
        refused = {id: refusal.reason for id, refusal in verdicts.items() if refusal}
        lawful = pl.col("source_id").is_in([i for i in ranks if i not in refused])
        ranked = rows.with_columns(
            rank=pl.col("source_id").replace_strict(ranks, default=None, return_dtype=pl.Int64)
        ).sort("rank", "doc_id")
        stay = ranked.filter(pl.col("doc_id") == pl.col("kept_doc_id"))
        next_in_line = ranked.filter(pl.col("loses") & lawful).unique(
            "cluster_id", keep="first", maintain_order=True
        )
        barred = ranked.filter(pl.col("loses") & ~lawful.fill_null(False))
        in_work = self._ids_in_work(next_in_line["doc_id"])
        return {
            "stay": list(self._by_source(stay)),
            "take_over": [
                group
                | {
                    "text_at_hand": int(
                        in_work.is_in(
                            next_in_line.filter(_in_group(group))["doc_id"].implode()
                        ).sum()
                    )
                }
                for group in self._by_source(next_in_line)
            ],
            "barred": [
                group | {"reason": refused.get(group["source_id"], "ungoverned")}
                for group in self._by_source(barred)
            ],
        }

    def _by_source(self, rows: pl.DataFrame) -> Iterator[dict[str, Any]]:
        """Yield a summary for each source; copies of texts and of passages are separate."""
        passage = pl.col("kind") == "passage"
        for (id, _), group in rows.sort("source_id", passage, "doc_id").group_by(
            "source_id", passage, maintain_order=True
        ):
            source = self.register.sources.get(str(id))
            yield {
                "source_id": id,
                "documents": group["doc_id"].n_unique(),
                "licence": group["licence"][0],
                "basis": source.basis.kind if source else None,
                "reference": source.basis.reference if source else None,
                "kinds": sorted(group["kind"].unique().to_list()),
                "examples": group["doc_id"].unique(maintain_order=True).head(EXAMPLES).to_list(),
            }

    def _ids_in_work(self, ids: pl.Series) -> pl.Series:
        """Return the doc_id of those documents whose text is in the work folder."""
        files = text_scope.text_files(self.params)
        if not files or ids.is_empty():
            return ids.clear()
        rows = pl.scan_parquet(files, hive_partitioning=False).select("doc_id")
        return rows.filter(pl.col("doc_id").is_in(ids.implode())).collect()["doc_id"]


def _in_group(group: dict[str, Any]) -> pl.Expr:
    """Whether a row belongs to a group of `_by_source`."""
    source = pl.col("source_id").eq_missing(pl.lit(group["source_id"]))
    return source & pl.col("kind").is_in(group["kinds"])


def split_by_coverage(named: Iterable[str], parts: pl.DataFrame) -> tuple[set[str], set[str]]:
    """Split the ids in scope into the register's lists `documents` and `parts`.

    Args:
      named: doc_id of the documents in scope.
      parts: doc_id, part_of of all parts of records that were split by language.

    Returns:
      The records that are in scope with all their parts; and, of other records, the parts in scope
      together with the ids of these records.
    """
    ids = set(named)
    partial, complete = set[str](), set[str]()
    for (record,), rows in parts.unique().group_by("part_of"):
        own = set(rows["doc_id"])
        if own <= ids:
            complete.add(str(record))
        elif own & ids:
            partial |= own & ids | {str(record)}
        ids -= own
    return ids | complete, partial


def scope_digest(scope: Scope) -> str:
    """Return the SHA-256 of kind and value, by which receipts identify withdrawals of one scope."""
    return sha256(f"{scope.kind}\0{scope.key}".encode()).hexdigest()


def scope_of(params: Params, kind: str, value: str) -> Scope:
    """Return the scope that a command line names.

    Args:
      params: name the releases and the key that finds redacted URLs.
      kind: one of `schemas.withdrawals.SCOPES`.
      value: the value of that kind.  For a text: its SHA-256, or the path of a file that holds it.
        For a document: its id; the id of a part stands for the whole record.

    Raises:
      Invalid, text_scope.OnlySimilar: for a text, as in `text_scope.scope_of`.
    """
    keys = params.work / "keys"
    if kind == "url" and (keys / "lookup.key").is_file():
        return Scope(
            kind, value, redacted_names.keyed_digest(redacted_names.lookup_key(keys), value)
        )
    if kind == "document":  # the next run may cut the record differently: withdraw all of it
        releases = withdrawal_scope.release_folders(params.releases, params.root)
        records = (release.record_of(value) for release in releases)
        return Scope(kind, next(filter(None, records), value))
    if kind != "text":
        return Scope(kind, value)
    path = Path(value)
    if not path.is_file():
        return Scope(kind, value.strip().lower())
    return text_scope.scope_of(params, path)
