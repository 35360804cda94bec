"""What a withdrawal would change, looked up and not touched: the dry run."""

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
class Found:
    """A release that holds what is withdrawn: its records and documents in scope."""

    release: ReleaseFolder
    named: pl.DataFrame
    gone: pl.DataFrame


@dataclass(frozen=True)
class Survey:
    """What there is of a scope in the releases of these parameters."""

    params: Params
    register: Register
    scope: Scope

    @property
    def folder(self) -> Path:
        return self.params.releases

    @cached_property
    def found(self) -> list[Found]:
        """All releases, those without anything in scope too."""
        every = withdrawal_scope.release_folders(self.folder, self.params.root)
        named = [(one, withdrawal_scope.records_in_scope(one, self.scope)) for one in every]
        return [
            Found(one, rows, withdrawal_scope.documents_in_scope(one, rows)) for one, rows in named
        ]

    @property
    def concerned(self) -> list[Found]:
        """The releases from which documents would go."""
        return [one for one in self.found if one.gone.height]

    @property
    def ids(self) -> pl.Series:
        """doc_id of all records in scope, in whatever release, each once."""
        every = [one.named["doc_id"] for one in self.found]
        earlier = [r["id"] for r in self.receipts]
        lines = [self.folder / receipts.exclusions_path(id) for id in earlier]
        said = [pl.read_ndjson(p)["doc_id"] for p in lines if p.is_file() and p.stat().st_size]
        known = pl.Series("doc_id", self.scope.ids, dtype=pl.String)
        return pl.concat([known, *every, *said]).unique().sort()

    @cached_property
    def standing(self) -> dict[str, Any] | None:
        """The entry of the register that bars this already."""
        entries = register_files.recorded_withdrawals(self.params.register)
        return withdrawals.standing(entries, self.scope.kind, self.scope.value)

    @cached_property
    def receipts(self) -> list[dict[str, Any]]:
        """What the receipts of earlier withdrawals of the same say."""
        paths = sorted((self.folder / release_files.RECEIPTS).glob("*.dsse.json"))
        digest = scope_digest(self.scope)
        return [r for r in map(receipts.read_predicate, paths) if r.get("scope_sha256") == digest]

    @property
    def barring(self) -> dict[str, list[str]]:
        """What the register's entry names beside a text: from the records in scope it would be
        read again, be it cut or shortened otherwise than now."""
        if self.scope.kind != "text":
            return {}
        cut = [one.release.parts().select("doc_id", "part_of").collect() for one in self.found]
        named = [
            barring(one.named["doc_id"], rows) for one, rows in zip(self.found, cut, strict=True)
        ]
        every = zip(("documents", "parts"), zip(*named, strict=True), strict=False)
        return {kind: sorted(ids) for kind, some in every if (ids := set().union(*some))}

    @property
    def everything(self) -> bool:
        """Whether nothing would be left of a release."""
        return any(
            one.gone.height == one.release.manifest()["counts"]["documents"]
            for one in self.concerned
        )

    def told(self) -> dict[str, Any]:
        """The dry run as a JSON value."""
        about = [
            withdrawal_scope.impact(one.release, one.named, one.gone)
            | {"copies": self.copies(one.release, one.named)}
            for one in self.found
            if one.named.height
        ]
        current = self.params.release.name
        return {
            "scope": self.scope.kind,
            "value": self.scope.value,
            "documents": sum(one.gone.height for one in self.concerned),
            "current": current,
            "everything": self.everything,
            "releases": about,
            "recorded": self.standing,
            "receipts": [r["id"] for r in self.receipts],
            "out_of_reach": sorted({name for r in self.receipts for name in r["out_of_reach"]}),
            "unfinished": [j.id for j in journal.unfinished(self.folder)],
            "log": len(release_log.read(self.folder / release_files.LOG)),
        }

    def copies(
        self, release: ReleaseFolder, named: pl.DataFrame
    ) -> dict[str, list[dict[str, Any]]]:
        """Other copies of the same texts and passages, by source: `stay` in the release, `take_over`
        at the next run where a kept copy goes, `barred` for want of a right."""
        rows = pl.concat(
            [withdrawal_scope.copies(release, named), withdrawal_scope.passages(release, named)]
        )
        use = Use.of(self.params, register_files.load_policies(self.params.policy.path))
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
        at_hand = self._at_hand(next_in_line["doc_id"])
        return {
            "stay": list(self._by_source(stay)),
            "take_over": [
                one
                | {
                    "text_at_hand": int(
                        at_hand.is_in(next_in_line.filter(_of(one))["doc_id"].implode()).sum()
                    )
                }
                for one in self._by_source(next_in_line)
            ],
            "barred": [
                one | {"reason": refused.get(one["source_id"], "ungoverned")}
                for one in self._by_source(barred)
            ],
        }

    def _by_source(self, rows: pl.DataFrame) -> Iterator[dict[str, Any]]:
        passage = pl.col("kind") == "passage"
        for (id, _), some in rows.sort("source_id", passage, "doc_id").group_by(
            "source_id", passage, maintain_order=True
        ):
            source = self.register.sources.get(str(id))
            yield {
                "source_id": id,
                "documents": some["doc_id"].n_unique(),
                "licence": some["licence"][0],
                "basis": source.basis.kind if source else None,
                "reference": source.basis.reference if source else None,
                "kinds": sorted(some["kind"].unique().to_list()),
                "examples": some["doc_id"].unique(maintain_order=True).head(EXAMPLES).to_list(),
            }

    def _at_hand(self, ids: pl.Series) -> pl.Series:
        """Which documents have their text in the work folder."""
        files = text_scope.texts(self.params)
        if not files or ids.is_empty():
            return ids.clear()
        rows = pl.scan_parquet(files, hive_partitioning=False).select("doc_id")
        return rows.filter(pl.col("doc_id").is_in(ids.implode())).collect()["doc_id"]


def _of(one: dict[str, Any]) -> pl.Expr:
    source = pl.col("source_id").eq_missing(pl.lit(one["source_id"]))
    return source & pl.col("kind").is_in(one["kinds"])


def barring(named: Iterable[str], parts: pl.DataFrame) -> tuple[set[str], set[str]]:
    """Documents in scope as the register names them.

    Args:
      named: their ids.
      parts: doc_id, part_of of all parts of records that were split.

    Returns:
      The records that are in scope whole; and of the others, the parts in scope with the records
      that they were cut from.
    """
    ids = set(named)
    some, whole = set[str](), set[str]()
    for (record,), rows in parts.unique().group_by("part_of"):
        own = set(rows["doc_id"])
        if own <= ids:
            whole.add(str(record))
        elif own & ids:
            some |= own & ids | {str(record)}
        ids -= own
    return ids | whole, some


def scope_digest(scope: Scope) -> str:
    """By which withdrawals of the same are known in receipts: SHA-256 of scope and value."""
    return sha256(f"{scope.kind}\0{scope.key}".encode()).hexdigest()


def scope_of(params: Params, kind: str, value: str) -> Scope:
    """The scope that a command line names.

    Args:
      params: whose releases, and whose key for redacted URLs.
      kind: of `schemas.withdrawals.SCOPES`.
      value: of a text its SHA-256, or the path of a file that holds it; of a part of a record that
        was split its id, which stands for the record.

    Raises:
      Invalid, text_scope.OnlyLike: of a text, as `text_scope.scope_of`.
    """
    keys = params.work / "keys"
    if kind == "url" and (keys / "lookup.key").is_file():
        return Scope(
            kind, value, redacted_names.keyed_digest(redacted_names.lookup_key(keys), value)
        )
    if kind == "document":  # the next run may cut its record otherwise: all of it goes
        every = withdrawal_scope.release_folders(params.releases, params.root)
        return Scope(kind, next(filter(None, (one.record_of(value) for one in every)), value))
    if kind != "text":
        return Scope(kind, value)
    path = Path(value)
    if not path.is_file():
        return Scope(kind, value.strip().lower())
    return text_scope.scope_of(params, path)
