"""A release without some of its documents: only the files concerned are written anew.

The redacted release takes the place of the one that it was made of.  Its tree keeps its leaves and
its root; the salts of the documents that went are zero, so that nothing links a leaf to them any
more.  Its statement is a new one, after a new head of the log; its manifest names the statement of
its parent.  Whatever is not concerned is the same file.
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
    """A release that must not be changed; the message says why, and what helps."""

    exit_code = NO


@dataclass(frozen=True)
class Order:
    """What is done, and on whose word: `evidence` is what the decisions say of it."""

    id: str
    rule: str
    reason: str
    evidence: Mapping[str, Any]
    started: str

    @property
    def run_id(self) -> str:
        return sha256(f"withdraw\0{code_version()}\0{self.id}".encode()).hexdigest()[:32]


@dataclass
class Redaction:
    """One release on its way to being another.

    Args:
      folder: the release as it stands.
      fresh: an empty folder for the new one.
      gone: rows of its table `documents` that go.
      order: on what order.
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
          key: signs it; it must have signed the old one.
          head: size and root of the log before its entry.
          stamped: whether a time stamp belongs to it, as in `lineage.signing.seal.statement`.

        Returns:
          name, old and new (SHA-256 of the statements), documents, chars, shards, untouched (how
          many shards stay), replaced (old files: file, md5, sha256).

        Raises:
          CannotRedact: where the release is not what was signed, or of a kind not known here.
        """
        signed = self._signed(key)
        self.files = dict(self.manifest["files"])
        digests = {one["name"]: one["digest"]["sha256"] for one in signed["subject"]}
        touched = self.gone["shard"].unique().sort().to_list()
        for name in touched:
            self._shard(name)
            self._token_shards(name)
        self._documents(touched)
        self._without("redactions")
        self._decisions()
        for name in [n for n in digests if n.startswith("lineage/runs/")]:
            digests[name] = self._write(name, self._runs(name))
        digests[SALTS] = self._write(SALTS, self._salts())
        counts = self._counts()
        parent = sha256(self._read(STATEMENT)).hexdigest()
        about = self.manifest | {"counts": counts}
        readme = manifest.readme(about, self._entries())
        self.files["README.md"] = self._described("README.md", readme.encode(), None)
        self._link({name for name in self.files if name.endswith(".parquet")})
        about |= {"files": self.files}
        for name, made in contents(Facts(self.fresh, about)).items():
            self.files[name] = self._described(name, made, None)
        about |= {
            "files": dict(sorted(self.files.items())),
            "redacted": {"parent": parent, "withdrawal": self.order.id},
        }
        digests[MANIFEST] = self._write(MANIFEST, disk.json_bytes(about))
        tree = signed["predicate"]["merkle"]
        whole = int(tree["size"]), tree["root"]
        envelope = dsse.sign(seal.statement(digests, about, whole, head, stamped), key)
        self._write(STATEMENT, envelope)
        self._link({*self.files, *digests})
        kept = {name for name in self.files if name.startswith("data/")}
        return {
            "name": self.folder.name,
            "old": parent,
            "new": sha256(envelope).hexdigest(),
            "documents": self.gone.height,
            "chars": int(self.gone["n_chars"].sum()),
            "shards": touched,
            "untouched": len(kept - set(touched)),
            "replaced": self.replaced,
        }

    @cached_property
    def manifest(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self._read(MANIFEST))
        return found

    def _signed(self, key: Ed25519PrivateKey) -> Any:
        try:
            signed = dsse.open_envelope(self._read(STATEMENT), key.public_key())
        except dsse.BadEnvelope as error:
            raise CannotRedact(f"{self.folder / STATEMENT} {error}") from None
        said = {one["name"]: one["digest"]["sha256"] for one in signed["subject"]}
        if said.get(MANIFEST) != sha256(self._read(MANIFEST)).hexdigest():
            raise CannotRedact(f"{self.folder / MANIFEST} is not the manifest that was signed")
        return signed

    def _read(self, name: str) -> bytes:
        """A file's bytes, which must be those in the manifest."""
        try:
            content = (self.folder / name).read_bytes()
        except OSError as error:
            raise CannotRedact(f"{self.folder / name}: {error.strerror}") from None
        said = self.files.get(name)
        if said and sha256(content).hexdigest() != said["sha256"]:
            raise CannotRedact(f"{self.folder / name} does not have the bytes that were signed")
        return content

    def _table(self, name: str) -> pa.Table:
        try:
            return pq.read_table(pa.BufferReader(self._read(name)))
        except (pa.ArrowException, OSError):
            raise CannotRedact(f"{self.folder / name} cannot be read as Parquet") from None

    def _write(self, name: str, content: bytes) -> str:
        """A new file in place of an old one; its SHA-256."""
        old, digest = self.folder / name, sha256(content).hexdigest()
        if old.is_file():
            before = old.read_bytes()
            if before != content:
                self._replaced(name, before)
        disk.write_bytes(self.fresh / name, content)
        return digest

    def _replaced(self, name: str, before: bytes) -> None:
        names = {"md5": md5(before, usedforsecurity=False), "sha256": sha256(before)}
        self.replaced.append({"file": name} | {k: v.hexdigest() for k, v in names.items()})

    def _described(self, name: str, content: bytes, rows: int | None) -> dict[str, Any]:
        return {"rows": rows, "bytes": len(content), "sha256": self._write(name, content)}

    def _rewrite(self, name: str, table: pa.Table) -> None:
        content = shards.parquet_bytes(table, LEVEL)
        self.files[name] = self._described(name, content, table.num_rows)

    def _kept(self, table: pa.Table) -> pa.Table:
        gone = pa.array(self.gone["doc_id"].to_list(), pa.string())
        return table.filter(pc.invert(pc.is_in(table["doc_id"], value_set=gone)))

    def _shard(self, name: str) -> None:
        kept = self._kept(self._table(name))
        if kept.num_rows:
            self._rewrite(name, kept)
        else:  # no file for no document
            self._replaced(name, self._read(name))
            del self.files[name]

    def _token_shards(self, name: str) -> None:
        """The token shards of a shard of texts: the ids of the documents left close up."""
        about = self.manifest.get("tokenizer")
        if not about:
            return
        place = name.removeprefix("data/").removesuffix(".parquet")
        table = f"lineage/tokens/{release_files.lineage_part(name)}.parquet"
        rows = pl.DataFrame(self._kept(self._table(table)))
        old = sorted(n for n in self.files if n.startswith(f"tokens/{about['name']}/{place}-"))
        ids = {n: np.load(io.BytesIO(self._read(n)), allow_pickle=False) for n in old}
        full = max(1, len(ids[old[0]]))  # the first shard of several is full
        for file in old:
            self._replaced(file, self._read(file))
            del self.files[file]
        if rows.is_empty():
            self._replaced(table, self._read(table))
            del self.files[table]
            return
        doc_ids, encoded = [], []
        for (doc_id,), its in rows.group_by("doc_id", maintain_order=True):
            spans = its.select("shard", "token_start", "n_tokens").iter_rows()
            doc_ids.append(doc_id)
            encoded.append(np.concatenate([ids[file][at : at + n] for file, at, n in spans]))
        plan = token_shards.TokenPlan(Path(), about, full)
        state = shards.State(str(self.fresh))
        files, made = token_shards.write_shards(state, plan, place, pl.Series(doc_ids), encoded)
        self.files |= {one["file"]: one for one in files}
        self._rewrite(table, made.select(TOKENS.names).to_arrow().cast(TOKENS))

    def _lineage(self, table: str) -> Iterator[tuple[str, pa.Table]]:
        for name in [n for n in self.files if n.startswith(f"lineage/{table}/")]:
            yield name, self._table(name)

    def _without(self, table: str) -> None:
        for name, rows in self._lineage(table):
            kept = self._kept(rows)
            if kept.num_rows != rows.num_rows:
                self._rewrite(name, kept)

    def _documents(self, touched: list[str]) -> None:
        """The documents left move up in their shards."""
        for name, rows in self._lineage("documents"):
            if not pc.any(
                pc.is_in(rows["shard"], value_set=pa.array(touched, pa.string()))
            ).as_py():
                continue
            left = pl.DataFrame(self._kept(rows)).with_columns(
                row=(pl.col("row").rank("ordinal").over("shard") - 1).cast(pl.Int64)
            )
            self._rewrite(name, left.to_arrow().cast(rows.schema))

    def _decisions(self) -> None:
        """Each document that went ends by the order, once more in the file of its record."""
        order = pl.col("stage").replace_strict({s: i for i, s in enumerate(STAGES)}, default=-1)
        ids = self.gone.select("doc_id")
        for name, rows in self._lineage("decisions"):
            before = pl.DataFrame(rows)
            mine = before.join(ids, on="doc_id", how="semi").unique("doc_id", maintain_order=True)
            if mine.is_empty():
                continue
            ends = decisions.decisions(
                mine.select(
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
        salts = bytearray(self._read(SALTS))
        for index in self.gone["leaf_index"]:
            salts[index * seal.SALT_BYTES : (index + 1) * seal.SALT_BYTES] = seal.ERASED
        return bytes(salts)

    def _counts(self) -> dict[str, Any]:
        """The manifest's counts, less what went; a language or source without documents goes."""
        before = self.manifest["counts"]
        texts = self._left("documents").select("lang", "source_id", "n_chars", "n_tokens")
        classes = decisions.replaced(self._left("redactions")["entity_type"])
        return before | {
            "documents": texts.height,
            "chars": int(texts["n_chars"].sum()),
            "by_language": dict(sorted(decisions.count(texts["lang"]).items())),
            "by_source": dict(sorted(decisions.count(texts["source_id"]).items())),
            "redactions": dict(sorted(classes["entity"].items())),
            **({"repeated": classes.get("repeated", {})} if "repeated" in before else {}),
            **(_tokens(texts) if "tokens" in before else {}),
        }

    def _left(self, table: str) -> pl.DataFrame:
        """A table as it will be."""
        start = f"lineage/{table}/"
        places = [
            self.fresh / n if (self.fresh / n).exists() else self.folder / n
            for n in self.files
            if n.startswith(start)
        ]
        empty = pl.DataFrame(LINEAGE[table].empty_table())
        return pl.read_parquet(places, hive_partitioning=False) if places else empty

    def _entries(self) -> dict[str, Any]:
        """The sources' entries as they stood at the release."""
        found: dict[str, Any] = {}
        for _, rows in self._lineage("sources"):
            named = zip(rows["source_id"].to_pylist(), rows["entry"].to_pylist(), strict=True)
            found |= {id: json.loads(entry) for id, entry in named}
        return found

    def _link(self, names: set[str]) -> None:
        """What is not new is the same file."""
        for name in names:
            target = self.fresh / name
            if not target.exists():
                disk.hard_link_or_copy(self.folder / name, target)
        for folder in {(self.fresh / name).parent for name in names} | {self.fresh}:
            disk.fsync_folder(folder)


def _tokens(texts: pl.DataFrame) -> dict[str, Any]:
    """The manifest's counts of tokens, from lang, source_id and n_tokens of the documents left."""
    by = {
        key: dict(texts.group_by(key).agg(pl.col("n_tokens").sum()).sort(key).iter_rows())
        for key in ("lang", "source_id")
    }
    return {
        "tokens": int(texts["n_tokens"].sum()),
        "tokens_by_language": by["lang"],
        "tokens_by_source": by["source_id"],
    }
