"""Find records in a release by a document, a URL, or a shard and row; build their whole chain."""

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
#: The columns of a run in a chain.
_RUN_COLUMNS = ("run_id", "stage", "code_version", "params_sha256", "models", "started")
_ROW = re.compile(r"(?P<shard>.+?):(?P<row>\d+)")


@dataclass(frozen=True)
class ReleaseFolder(ReleaseTables):
    """A release on disk, with the chain of each record.

    If the release is in the store beside it, the store names the part of a lineage table that has a
    record, and only this part is read.

    Args:
      folder: `<path>/<name>`, with `data/`, `lineage/` and `manifest.json`.
      root: the folder that containers are relative to: that of the params file.
      keys: the folder of the look-up key, for URIs that are stored redacted; None: there is none.
    """

    root: Path
    keys: Path | None = None

    @cached_property
    def entered(self) -> tuple[Store, Header] | None:
        """The store, and the header of this release there; None if it was not entered in this
        form."""
        try:
            opened = store.open(self.folder.absolute().parent)
            digest = sha256((self.folder / release_files.STATEMENT).read_bytes()).hexdigest()
        except (OSError, BadStore):
            return None
        own = [header for header in opened.releases if header.statement_sha256 == digest]
        return (opened, own[-1]) if own else None

    def find_all(self, queries: Sequence[str]) -> list[str]:
        """Find the ids of all records that the queries name, without repetition."""
        return list(dict.fromkeys(i for query in queries for i in self.find(query)))

    def find(self, query: str) -> list[str]:
        """Find the ids of the records that a query names.

        Args:
          query: an id, a URI, a raw file (its path, or only its name), or `SHARD:ROW`.  A shard is
            `data/kk/part-00000.parquet`; its beginning and its ending may be left out.
        """
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
            ids = (
                self.table("documents")
                .filter(inside & (pl.col("row") == int(place["row"])))
                .collect()["doc_id"]
                .to_list()
            )
            if ids:
                return ids
        return self._by_uri(query) or self._by_name("container", self._file_names(query))

    def _by_uri(self, uri: str) -> list[str]:
        if self.entered:
            intervals = self.entered[0].by_url(uri, self.keys).sort("captured_at", "doc_id")
            seen = (pl.col("first_seq") <= (seq := self.entered[1].seq)) & (
                pl.col("last_seq").is_null() | (pl.col("last_seq") >= seq)
            )
            return intervals.filter(seen)["doc_id"].to_list()
        return self._by_name("uri", [uri])

    @cached_property
    def _secret(self) -> bytes | None:
        """The look-up key of redacted names; None if it is not available."""
        if self.keys is None or not (self.keys / "lookup.key").is_file():
            return None
        return redacted_names.lookup_key(self.keys)

    def _by_name(self, column: str, names: Sequence[str]) -> list[str]:
        """The ids of records that have one of the names in a column, in clear or as a digest."""
        named = pl.col(column).is_in(names)
        if self._secret is not None:
            digests = [redacted_names.keyed_digest(self._secret, name) for name in names]
            named |= pl.col(f"{column}_hmac").is_in(digests)
        rows = self.table("records").filter(named).sort("captured_at", "doc_id")
        return rows.collect()["doc_id"].to_list()

    def _file_names(self, query: str) -> list[str]:
        """The containers that a query may name: the path itself, or that name in any folder."""
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
        """Build the chain of a record: all facts from the released text back to its bytes and right.

        Returns:
          doc_id, originals (the records that a revisit repeats), outcome, reason, document (None:
          not released), part (None: not a part of a split record; otherwise part_of, ranges in
          characters of the record's text, and others: the ids of the other parts), record, bytes,
          source, decisions in the order of stages, duplicates, redactions, runs.
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
            "source": self._source(record["source_id"]),
            "decisions": decisions,
            "duplicates": self._cluster(doc_id, part),
            "redactions": self.rows("redactions", doc_id, released),
            "runs": self._runs([decision["run_id"] for decision in decisions]),
        }

    def _source(self, source_id: str | None) -> dict[str, Any] | None:
        """The row of a source, with its entry of the register; None: the record is ungoverned."""
        sources = self.table("sources").filter(pl.col("source_id") == (source_id or ""))
        rows = sources.collect().to_dicts()
        return rows[0] | {"entry": json.loads(rows[0]["entry"])} if rows else None

    def _runs(self, run_ids: list[str]) -> list[dict[str, Any]]:
        """The runs with these ids, in _RUN_COLUMNS."""
        runs = self.table("runs").filter(pl.col("run_id").is_in(run_ids))
        return runs.select(_RUN_COLUMNS).collect().to_dicts()

    def _part(self, doc_id: str) -> dict[str, Any] | None:
        """The record that a document was cut from, and its ranges; None: it is not a part."""
        record = self.record_of(doc_id)
        if record is None:
            return None
        cut = self.parts().filter(pl.col("part_of") == record).sort("start").collect()
        own = cut.filter(pl.col("doc_id") == doc_id)
        others = cut["doc_id"].unique().sort().to_list()
        return {
            "part_of": record,
            "ranges": [list(span) for span in own.select("start", "end").iter_rows()],
            "others": [other for other in others if other != doc_id],
        }

    def _originals(self, record: dict[str, Any], evidence: dict[str, Any]) -> list[str]:
        """The records that a revisit repeats: those of the URI and date that it refers to.

        Without such a URI its own counts; without a date any date counts.
        """
        named = pl.col("uri") == evidence.get("refers_to_uri", record["uri"])
        if "refers_to_date" in evidence:
            named &= pl.col("captured_at") == evidence["refers_to_date"]
        rows = self.table("records").filter(named & (pl.col("doc_id") != record["doc_id"]))
        return rows.sort("captured_at", "doc_id").collect()["doc_id"].to_list()

    def _place(self, doc_id: str) -> tuple[str | None, str | None]:
        """The parts of the lineage tables that have a record.

        Returns:
          The part of the tables of records (one for each shard of ingest), and the part of the
          tables of documents (one for each shard of texts).  None: any; empty: no part.
        """
        if not self.entered:
            return None, None
        part, shard, _ = self.entered[0].place_of(doc_id, self.entered[1])
        return part, release_files.lineage_part(shard) if shard else ""

    def rows(self, table: str, doc_id: str, part: str | None = None) -> list[dict[str, Any]]:
        """Read a record's rows of a lineage table.

        Args:
          part: the part that has them; None: any; empty: no part, so there are no rows.
        """
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
            parts = {self._place(member["doc_id"])[0] for member in members}
        return (
            self.table("duplicates", parts)
            .filter(pl.col("cluster_id") == mine[0]["cluster_id"])
            .sort("doc_id")
            .collect()
            .to_dicts()
        )

    def row(self, place: dict[str, Any]) -> dict[str, Any] | None:
        """Read a released document's row of `data`.

        Args:
          place: its row of `documents`.

        Returns:
          The row; None if the shard cannot be read, or has another document there.
        """
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
        """A released document's row of `documents`, and whether its text has the recorded digest."""
        there = self.row(row) or {"text": None, "script": None, "licence": None}
        text = there["text"]
        digest = None if text is None else sha256(text.encode()).hexdigest()
        return row | {
            "text_matches": digest == row["text_sha256"],
            "script": there["script"],
            "licence": there["licence"],
        }
