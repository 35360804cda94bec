"""Rewrite a release without some of its documents.  Only files that change are written again.

The redacted release replaces the old one.  Its Merkle tree keeps the leaves and the root.  The salts
of the removed documents become zero, so that nothing links a leaf to a removed document.  The
redacted release gets a new statement, which is signed over the current head of the log.  Its manifest
names the parent's statement.  Files that do not change are hard links to the old ones, or copies.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import md5, sha256
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from lineage import manifest
from lineage.reports.facts import Facts
from lineage.reports.files import contents
from lineage.signing import dsse, seal
from lineage.storage import disk, release_files
from lineage.storage.release_files import MANIFEST, SALTS, STATEMENT
from pipelines.engine import decisions, shards
from pipelines.release import token_shards
from schemas.code_version import code_version
from schemas.errors import NO, TamgaError
from schemas.stages import RELEASE, STAGES
from schemas.tables import DECISIONS, LINEAGE, RUNS, TOKENS

RULE_VERSION = "1"
LEVEL = 3


class CannotRedact(TamgaError):
    """A release that cannot be redacted.  The message names the file and what is wrong with it."""

    exit_code = NO


@dataclass(frozen=True)
class Order:
    """Why documents are removed.

    Attributes:
      id: the withdrawal's id.
      rule: the rule that the new decisions name.
      reason: the reason that the new decisions name.
      evidence: the evidence of the new decisions.
      started: when the withdrawal started (ISO 8601).
    """

    id: str
    rule: str
    reason: str
    evidence: Mapping[str, Any]
    started: str

    @property
    def run_id(self) -> str:
        """The `run_id` of the new decisions and of the new row in `runs`."""
        return sha256(f"withdraw\0{code_version()}\0{self.id}".encode()).hexdigest()[:32]


@dataclass
class Redaction:
    """The redaction of one release.

    Attributes:
      folder: the old release.
      fresh: an empty folder for the new release.
      gone: the documents to remove, as rows of the table `documents`.
      order: why they are removed.
      files: the new manifest's entries, by path; filled by `build`.
      replaced: the old files that changed (file, md5, sha256); filled by `build`.
    """

    folder: Path
    fresh: Path
    gone: pl.DataFrame
    order: Order
    files: dict[str, Any] = field(default_factory=dict)
    replaced: list[dict[str, str]] = field(default_factory=list)

    def build(
        self, key: Ed25519PrivateKey, head: tuple[int, str], stamped: bool = False
    ) -> dict[str, Any]:
        """Write the new release.

        Args:
          key: signs the new release; it must have signed the old one.
          head: size and root of the log before the new release's entry.
          stamped: whether the release must have a time stamp (`lineage.signing.seal.statement`).

        Returns:
          name; old and new (SHA-256 of the statements); documents and chars that are removed;
          shards that changed; untouched (number of unchanged shards); replaced.

        Raises:
          CannotRedact: if a file of the release is not what was signed, or cannot be read.
        """
        signed = self._signed(key)
        self.files = dict(self.manifest["files"])
        digests = {one["name"]: one["digest"]["sha256"] for one in signed["subject"]}
        touched = self.gone["shard"].unique().sort().to_list()
        for name in touched:
            self._shard(name)
            self._token_shards(name)
        self._documents(touched)
        self._remove_rows("redactions")
        self._decisions()
        for name in [n for n in digests if n.startswith("lineage/runs/")]:
            digests[name] = self._write(name, self._runs(name))
        digests[SALTS] = self._write(SALTS, self._salts())
        counts = self._counts()
        parent = sha256(self._read(STATEMENT)).hexdigest()
        described = self.manifest | {"counts": counts}
        readme = manifest.readme(described, self._entries())
        self.files["README.md"] = self._write_entry("README.md", readme.encode(), None)
        self._link({name for name in self.files if name.endswith(".parquet")})
        described |= {"files": self.files}
        for name, content in contents(Facts(self.fresh, described)).items():
            self.files[name] = self._write_entry(name, content, None)
        described |= {
            "files": dict(sorted(self.files.items())),
            "redacted": {"parent": parent, "withdrawal": self.order.id},
        }
        digests[MANIFEST] = self._write(MANIFEST, disk.json_bytes(described))
        tree = signed["predicate"]["merkle"]
        size_and_root = int(tree["size"]), tree["root"]
        statement = seal.statement(digests, described, size_and_root, head, stamped)
        envelope = dsse.sign(statement, key)
        self._write(STATEMENT, envelope)
        self._link({*self.files, *digests})
        data = {name for name in self.files if name.startswith("data/")}
        return {
            "name": self.folder.name,
            "old": parent,
            "new": sha256(envelope).hexdigest(),
            "documents": self.gone.height,
            "chars": int(self.gone["n_chars"].sum()),
            "shards": touched,
            "untouched": len(data - set(touched)),
            "replaced": self.replaced,
        }

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """The old release's manifest."""
        content: dict[str, Any] = json.loads(self._read(MANIFEST))
        return content

    def _signed(self, key: Ed25519PrivateKey) -> Any:
        """Return the old release's statement, after its signature and the manifest are checked."""
        try:
            signed = dsse.open_envelope(self._read(STATEMENT), key.public_key())
        except dsse.BadEnvelope as error:
            raise CannotRedact(f"{self.folder / STATEMENT} {error}") from None
        digests = {one["name"]: one["digest"]["sha256"] for one in signed["subject"]}
        if digests.get(MANIFEST) != sha256(self._read(MANIFEST)).hexdigest():
            raise CannotRedact(f"{self.folder / MANIFEST} is not the manifest that was signed")
        return signed

    def _read(self, name: str) -> bytes:
        """Return a file's bytes, after they are compared with the manifest's digest."""
        try:
            content = (self.folder / name).read_bytes()
        except OSError as error:
            raise CannotRedact(f"{self.folder / name}: {error.strerror}") from None
        entry = self.files.get(name)
        if entry and sha256(content).hexdigest() != entry["sha256"]:
            raise CannotRedact(f"{self.folder / name} does not have the bytes that were signed")
        return content

    def _table(self, name: str) -> pa.Table:
        try:
            return pq.read_table(pa.BufferReader(self._read(name)))
        except (pa.ArrowException, OSError):
            raise CannotRedact(f"{self.folder / name} cannot be read as Parquet") from None

    def _write(self, name: str, content: bytes) -> str:
        """Write a file of the new release; return its SHA-256."""
        old, digest = self.folder / name, sha256(content).hexdigest()
        if old.is_file():
            before = old.read_bytes()
            if before != content:
                self._add_replaced(name, before)
        disk.write_bytes(self.fresh / name, content)
        return digest

    def _add_replaced(self, name: str, before: bytes) -> None:
        """Add an old file to `replaced`, by its digests."""
        hashes = {"md5": md5(before, usedforsecurity=False), "sha256": sha256(before)}
        self.replaced.append({"file": name} | {k: v.hexdigest() for k, v in hashes.items()})

    def _write_entry(self, name: str, content: bytes, rows: int | None) -> dict[str, Any]:
        """Write a file; return its entry for the manifest."""
        return {"rows": rows, "bytes": len(content), "sha256": self._write(name, content)}

    def _rewrite(self, name: str, table: pa.Table) -> None:
        """Write a table of the new release."""
        content = shards.parquet_bytes(table, LEVEL)
        self.files[name] = self._write_entry(name, content, table.num_rows)

    def _without_removed(self, table: pa.Table) -> pa.Table:
        """Return the rows of the documents that stay."""
        gone = pa.array(self.gone["doc_id"].to_list(), pa.string())
        return table.filter(pc.invert(pc.is_in(table["doc_id"], value_set=gone)))

    def _shard(self, name: str) -> None:
        """Rewrite a shard of texts."""
        kept = self._without_removed(self._table(name))
        if kept.num_rows:
            self._rewrite(name, kept)
        else:  # a shard without documents has no file
            self._add_replaced(name, self._read(name))
            del self.files[name]

    def _token_shards(self, name: str) -> None:
        """Rewrite the token shards of a shard of texts: the remaining token ids close the gaps."""
        tokenizer = self.manifest.get("tokenizer")
        if not tokenizer:
            return
        place = name.removeprefix("data/").removesuffix(".parquet")
        table = f"lineage/tokens/{release_files.lineage_part(name)}.parquet"
        rows = pl.DataFrame(self._without_removed(self._table(table)))
        old = sorted(n for n in self.files if n.startswith(f"tokens/{tokenizer['name']}/{place}-"))
        ids = {n: np.load(io.BytesIO(self._read(n)), allow_pickle=False) for n in old}
        full = max(1, len(ids[old[0]]))  # if there are several shards, the first one is full
        for file in old:
            self._add_replaced(file, self._read(file))
            del self.files[file]
        if rows.is_empty():
            self._add_replaced(table, self._read(table))
            del self.files[table]
            return
        doc_ids, encoded = [], []
        for (doc_id,), its in rows.group_by("doc_id", maintain_order=True):
            spans = its.select("shard", "token_start", "n_tokens").iter_rows()
            doc_ids.append(doc_id)
            encoded.append(np.concatenate([ids[file][at : at + n] for file, at, n in spans]))
        plan = token_shards.TokenPlan(Path(), tokenizer, full)
        state = shards.State(str(self.fresh))
        files, ranges = token_shards.write_shards(state, plan, place, pl.Series(doc_ids), encoded)
        self.files |= {file["file"]: file for file in files}
        self._rewrite(table, ranges.select(TOKENS.names).to_arrow().cast(TOKENS))

    def _lineage(self, table: str) -> Iterator[tuple[str, pa.Table]]:
        """Yield the path and content of each file of a lineage table."""
        for name in [n for n in self.files if n.startswith(f"lineage/{table}/")]:
            yield name, self._table(name)

    def _remove_rows(self, table: str) -> None:
        """Rewrite a lineage table without the removed documents."""
        for name, rows in self._lineage(table):
            kept = self._without_removed(rows)
            if kept.num_rows != rows.num_rows:
                self._rewrite(name, kept)

    def _documents(self, touched: list[str]) -> None:
        """Rewrite the table `documents`: the remaining documents get new row numbers."""
        for name, rows in self._lineage("documents"):
            if not pc.any(
                pc.is_in(rows["shard"], value_set=pa.array(touched, pa.string()))
            ).as_py():
                continue
            remaining = pl.DataFrame(self._without_removed(rows)).with_columns(
                row=(pl.col("row").rank("ordinal").over("shard") - 1).cast(pl.Int64)
            )
            self._rewrite(name, remaining.to_arrow().cast(rows.schema))

    def _decisions(self) -> None:
        """Add the order's decision about each removed document, in the file of its other decisions."""
        order = pl.col("stage").replace_strict({s: i for i, s in enumerate(STAGES)}, default=-1)
        ids = self.gone.select("doc_id")
        for name, rows in self._lineage("decisions"):
            before = pl.DataFrame(rows)
            removed = before.join(ids, on="doc_id", how="semi").unique(
                "doc_id", maintain_order=True
            )
            if removed.is_empty():
                continue
            ends = decisions.decisions(
                removed.select(
                    "doc_id",
                    "uri",
                    outcome=pl.lit("refuse"),
                    reason=pl.lit(self.order.reason),
                    rule=pl.lit(self.order.rule),
                    rule_version=pl.lit(RULE_VERSION),
                    evidence=pl.lit(decisions.evidence(self.order.evidence)),
                ),
                RELEASE,
                self.order.run_id,
            )
            both = pl.concat([before, ends]).sort(pl.col("doc_id"), order, maintain_order=True)
            self._rewrite(name, both.to_arrow().cast(DECISIONS))

    def _runs(self, name: str) -> bytes:
        """Return the table `runs` with a row for the withdrawal, as Parquet."""
        row = {
            "run_id": self.order.run_id,
            "stage": "withdraw",
            "code_version": code_version(),
            "params_sha256": self.manifest["params_sha256"],
            "started": self.order.started,
            "ended": self.order.started,
            "inputs": json.dumps([["release", sha256(self._read(STATEMENT)).hexdigest()]]),
        }
        added = pa.Table.from_pylist([{n: row.get(n) for n in RUNS.names}], RUNS)
        return shards.parquet_bytes(pa.concat_tables([self._table(name).cast(RUNS), added]), LEVEL)

    def _salts(self) -> bytes:
        """Return the salts, with those of removed documents set to zero."""
        salts = bytearray(self._read(SALTS))
        for index in self.gone["leaf_index"]:
            salts[index * seal.SALT_BYTES : (index + 1) * seal.SALT_BYTES] = seal.ERASED
        return bytes(salts)

    def _counts(self) -> dict[str, Any]:
        """Return the new manifest's counts.  A language or source without documents is left out."""
        before = self.manifest["counts"]
        texts = self._new_table("documents").select("lang", "source_id", "n_chars", "n_tokens")
        classes = decisions.redaction_counts(self._new_table("redactions")["entity_type"])
        return before | {
            "documents": texts.height,
            "chars": int(texts["n_chars"].sum()),
            "by_language": dict(sorted(decisions.value_counts(texts["lang"]).items())),
            "by_source": dict(sorted(decisions.value_counts(texts["source_id"]).items())),
            "redactions": dict(sorted(classes["entity"].items())),
            **({"repeated": classes.get("repeated", {})} if "repeated" in before else {}),
            **(_tokens(texts) if "tokens" in before else {}),
        }

    def _new_table(self, table: str) -> pl.DataFrame:
        """Return a lineage table of the new release."""
        start = f"lineage/{table}/"
        places = [
            self.fresh / n if (self.fresh / n).exists() else self.folder / n
            for n in self.files
            if n.startswith(start)
        ]
        empty = pl.DataFrame(LINEAGE[table].empty_table())
        return pl.read_parquet(places, hive_partitioning=False) if places else empty

    def _entries(self) -> dict[str, Any]:
        """Return the register's entries of the release, by the source's id."""
        entries: dict[str, Any] = {}
        for _, rows in self._lineage("sources"):
            pairs = zip(rows["source_id"].to_pylist(), rows["entry"].to_pylist(), strict=True)
            entries |= {id: json.loads(entry) for id, entry in pairs}
        return entries

    def _link(self, names: set[str]) -> None:
        """Link the old files that did not change into the new release."""
        for name in names:
            target = self.fresh / name
            if not target.exists():
                disk.hard_link_or_copy(self.folder / name, target)
        for folder in {(self.fresh / name).parent for name in names} | {self.fresh}:
            disk.fsync_folder(folder)


def _tokens(texts: pl.DataFrame) -> dict[str, Any]:
    """Return the manifest's counts of tokens, from lang, source_id, n_tokens of all documents."""
    by = {
        key: dict(texts.group_by(key).agg(pl.col("n_tokens").sum()).sort(key).iter_rows())
        for key in ("lang", "source_id")
    }
    return {
        "tokens": int(texts["n_tokens"].sum()),
        "tokens_by_language": by["lang"],
        "tokens_by_source": by["source_id"],
    }
