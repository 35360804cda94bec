"""From a document, a URL, or a shard and row to the whole chain behind it."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

import polars as pl

from lineage import evidence
from lineage.storage import redacted_names, release_files
from lineage.storage.release_tables import ReleaseTables
from lineage.store import store
from lineage.store.segments import BadStore, Header
from lineage.store.store import Store
from schemas.stages import STAGES

_ID = re.compile(r"[0-9a-f]{32}")
_ROW = re.compile(r"(?P<shard>.+?):(?P<row>\d+)")


@dataclass(frozen=True)
class ReleaseFolder(ReleaseTables):
    """A release on disk.  Where it is in the store beside it, that says in which part of a lineage
    table a record stands, so that only that part is read.

    Args:
      folder: `<path>/<name>`, with `data/`, `lineage/` and `manifest.json`.
      root: what containers are relative to: the folder of the params file.
      keys: where the look-up key lies, for URIs that are stored redacted; None: nowhere.
    """

    root: Path
    keys: Path | None = None

    @cached_property
    def entered(self) -> tuple[Store, Header] | None:
        """The store and this release's segment; None where it was not entered, or changed since."""
        try:
            found = store.open(self.folder.absolute().parent)
            digest = sha256((self.folder / release_files.STATEMENT).read_bytes()).hexdigest()
        except (OSError, BadStore):
            return None
        of = [one for one in found.releases if one.statement_sha256 == digest]
        return (found, of[-1]) if of else None

    def named(self, queries: Sequence[str]) -> list[str]:
        """The ids of all records that the queries name, each once."""
        return list(dict.fromkeys(i for query in queries for i in self.find(query)))

    def find(self, query: str) -> list[str]:
        """The ids of the records that a query names: an id, a URI, a raw file (by its path, or its
        name alone), or `SHARD:ROW`, where a shard is `data/kk/part-00000.parquet`, or shorter from
        the left or without the ending."""
        if _ID.fullmatch(query):
            if self.entered and self.entered[0].place_of(query, self.entered[1])[0]:
                return [query]
            return (
                self.table("records")
                .filter(pl.col("doc_id") == query)
                .select("doc_id")
                .unique()
                .collect()["doc_id"]
                .to_list()
            )
        place = _ROW.fullmatch(query)
        if place and "://" not in query:
            wanted = place["shard"].removesuffix(".parquet") + ".parquet"
            inside = (pl.lit("/") + pl.col("shard")).str.ends_with("/" + wanted.removeprefix("/"))
            found = (
                self.table("documents")
                .filter(inside & (pl.col("row") == int(place["row"])))
                .collect()["doc_id"]
                .to_list()
            )
            if found:
                return found
        return self._by_uri(query) or self._named("container", self._files(query))

    def _by_uri(self, uri: str) -> list[str]:
        if self.entered:
            found = self.entered[0].by_url(uri, self.keys).sort("captured_at", "doc_id")
            seen = (pl.col("first_seq") <= (seq := self.entered[1].seq)) & (
                pl.col("last_seq").is_null() | (pl.col("last_seq") >= seq)
            )
            return found.filter(seen)["doc_id"].to_list()
        return self._named("uri", [uri])

    @cached_property
    def _secret(self) -> bytes | None:
        """The key of what is stored redacted, where it is at hand."""
        if self.keys is None or not (self.keys / "lookup.key").is_file():
            return None
        return redacted_names.lookup_key(self.keys)

    def _named(self, column: str, names: Sequence[str]) -> list[str]:
        """The ids of records with one of the names in a column, as it stands or by its digest."""
        named = pl.col(column).is_in(names)
        if self._secret is not None:
            digests = [redacted_names.keyed_digest(self._secret, name) for name in names]
            named |= pl.col(f"{column}_hmac").is_in(digests)
        found = self.table("records").filter(named).sort("captured_at", "doc_id")
        return found.collect()["doc_id"].to_list()

    def _files(self, query: str) -> list[str]:
        """What a file's name may stand for: itself, or a file of that name in any folder."""
        path = query.removeprefix("./")
        if not path or "/" in path:
            return [path]
        folders = self.table("records").select(pl.col("container").str.extract(r"^(.*/)")).unique()
        return [path, *(f"{folder}{path}" for folder in folders.collect().to_series().drop_nulls())]

    def _bytes(self, record: dict[str, Any]) -> dict[str, Any]:
        name = None
        if record["container_hmac"] and self._secret is not None:
            keyed, redacted = record["container_hmac"], record["container"]
            name = redacted_names.find_file(self._secret, keyed, redacted, self.root)
        return evidence.check(record, self.root, name).as_json()

    def chain(self, doc_id: str) -> dict[str, Any]:
        """All that is known of a record, from the released text back to its bytes and its right.

        Returns:
          doc_id, originals (what a revisit repeats), outcome, reason, document (None: not released),
          part (None: it is no part of a record that was split; else part_of, ranges in characters
          of the record's text, and others: the ids of the other parts), record, bytes, source,
          decisions in the order of stages, duplicates, redactions, runs.
        """
        part, released = self._place(doc_id)
        record = self.rows("records", doc_id, part)[0]
        decisions = sorted(
            self.rows("decisions", doc_id, part), key=lambda d: STAGES.index(d["stage"])
        )
        for decision in decisions:
            decision["evidence"] = json.loads(decision["evidence"] or "{}")
        last = decisions[-1] if decisions else {"outcome": None, "reason": None}
        documents = self.rows("documents", doc_id, released)
        source = (
            self.table("sources")
            .filter(pl.col("source_id") == (record["source_id"] or ""))
            .collect()
            .to_dicts()
        )
        for one in source:
            one["entry"] = json.loads(one["entry"])
        runs = (
            self.table("runs")
            .filter(pl.col("run_id").is_in([d["run_id"] for d in decisions]))
            .collect()
            .to_dicts()
        )
        repeats = [d["evidence"] for d in decisions if d["rule"] == "revisit"]
        return {
            "doc_id": doc_id,
            "originals": self._originals(record, repeats[0]) if repeats else [],
            "outcome": last["outcome"],
            "reason": last["reason"],
            "document": self._document(documents[0]) if documents else None,
            "part": self._part(doc_id),
            "record": record,
            "bytes": self._bytes(record),
            "source": source[0] if source else None,
            "decisions": decisions,
            "duplicates": self._cluster(doc_id, part),
            "redactions": self.rows("redactions", doc_id, released),
            "runs": [
                {
                    k: r[k]
                    for k in (
                        "run_id",
                        "stage",
                        "code_version",
                        "params_sha256",
                        "models",
                        "started",
                    )
                }
                for r in runs
            ],
        }

    def _part(self, doc_id: str) -> dict[str, Any] | None:
        """What a document was cut from."""
        record = self.record_of(doc_id)
        if record is None:
            return None
        cut = self.parts().filter(pl.col("part_of") == record).sort("start").collect()
        own = cut.filter(pl.col("doc_id") == doc_id)
        others = cut["doc_id"].unique().sort().to_list()
        return {
            "part_of": record,
            "ranges": [list(one) for one in own.select("start", "end").iter_rows()],
            "others": [one for one in others if one != doc_id],
        }

    def _originals(self, record: dict[str, Any], said: dict[str, Any]) -> list[str]:
        """The records that a revisit repeats, by its own word: of that URI (else its own), and of
        that date, where it names one."""
        named = pl.col("uri") == said.get("refers_to_uri", record["uri"])
        if "refers_to_date" in said:
            named &= pl.col("captured_at") == said["refers_to_date"]
        found = self.table("records").filter(named & (pl.col("doc_id") != record["doc_id"]))
        return found.sort("captured_at", "doc_id").collect()["doc_id"].to_list()

    def _place(self, doc_id: str) -> tuple[str | None, str | None]:
        """The parts of tables that tell of a record: tables of records follow the parts of ingest,
        those of documents the shards of texts.  None: any; empty: none."""
        if not self.entered:
            return None, None
        part, shard, _ = self.entered[0].place_of(doc_id, self.entered[1])
        _, lang, name = (shard or "//").split("/")
        return part, name.removesuffix(".parquet").replace("part-", f"part-{lang}-", 1)

    def rows(self, table: str, doc_id: str, part: str | None = None) -> list[dict[str, Any]]:
        """A record's rows of a lineage table; `part`: the part that has them (None: any; empty:
        none)."""
        if part == "":
            return []
        return self.table(table, [part]).filter(pl.col("doc_id") == doc_id).collect().to_dicts()

    def _cluster(self, doc_id: str, part: str | None) -> list[dict[str, Any]]:
        mine = self.rows("duplicates", doc_id, part)
        if not mine:
            return []
        parts: set[str | None] = {None}
        if self.entered:
            members = self.entered[0].cluster(mine[0]["cluster_id"], self.entered[1])
            parts = {self._place(one["doc_id"])[0] for one in members}
        return (
            self.table("duplicates", parts)
            .filter(pl.col("cluster_id") == mine[0]["cluster_id"])
            .sort("doc_id")
            .collect()
            .to_dicts()
        )

    def row(self, place: dict[str, Any]) -> dict[str, Any] | None:
        """A released document's row of `data`, by its row of `documents`; None where the shard
        cannot be read, or holds another document there."""
        try:
            there = (
                pl.scan_parquet(self.folder / place["shard"], hive_partitioning=False)
                .slice(place["row"], 1)
                .collect()
                .to_dicts()
            )
        except (OSError, pl.exceptions.PolarsError):
            return None
        return there[0] if there and there[0]["doc_id"] == place["doc_id"] else None

    def _document(self, row: dict[str, Any]) -> dict[str, Any]:
        """A released document's place, and whether the text there is the one that was recorded."""
        there = self.row(row) or {"text": None, "script": None, "licence": None}
        text = there["text"]
        digest = None if text is None else sha256(text.encode()).hexdigest()
        return row | {
            "text_matches": digest == row["text_sha256"],
            "script": there["script"],
            "licence": there["licence"],
        }
