"""Carry out a withdrawal, step by step.  Each step can be repeated, so a repeated command finishes
an interrupted one.

    1. Build the redacted releases in the journal.  A failure here changes nothing.
    2. Record the withdrawal in the register.  From here on no run releases the text again.
    3. Enter each redacted release into the log, and swap it with the old release.
    4. With `erase`: delete work files, salts, DVC's objects and entries of the dedup index.
    5. Write exclusions, tombstones and, last, the receipt.  Delete the journal.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import polars as pl
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from lineage import receipts, register_files, withdrawal_scope
from lineage.signing import dsse, keys, release_log
from lineage.signing.timestamps import NoTimestamp
from lineage.storage import disk, locks, release_files
from lineage.storage.release_files import STATEMENT
from lineage.store import erasure as forgetting
from lineage.withdrawal_scope import Scope
from pipelines.release import time_authority
from pipelines.search import index
from pipelines.withdrawal import journal, purge, release_rewrite
from pipelines.withdrawal.impact import AffectedRelease, Impact, scope_digest
from pipelines.withdrawal.journal import Journal
from schemas import withdrawals
from schemas.canonical import canonical_json
from schemas.code_version import code_version
from schemas.errors import NO, TamgaError
from schemas.params import Params
from schemas.register import Register, Withdrawal
from schemas.withdrawal_index import withdrawal_evidence

#: The keys of an order that go into the register's entry, in the entry's order.
ENTRY = (
    "recorded_on",
    "ground",
    "reason",
    "recorded_by",
    "received_on",
    "due_on",
    "case",
    "documents",
    "parts",
)


class Busy(TamgaError):
    """Another process is working on the same releases."""

    exit_code = NO


@dataclass(frozen=True)
class Execution:
    """The execution of one withdrawal.

    Attributes:
      impact: the scope, and the releases that it affects.
      journal: where the withdrawal keeps its state.
      order: what the journal holds: ENTRY, scope, value, hmac, ids, erase, started.
    """

    impact: Impact
    journal: Journal
    order: Mapping[str, Any]

    @property
    def params(self) -> Params:
        """The parameters of the run."""
        return self.impact.params

    @property
    def folder(self) -> Path:
        """The folder of releases."""
        return self.impact.folder

    @property
    def entry(self) -> dict[str, Any]:
        """The entry for the register."""
        scope = {"scope": self.order["scope"], "value": self.order["value"]}
        return scope | {k: self.order[k] for k in ENTRY if self.order.get(k)}

    def carry_out(self) -> dict[str, Any]:
        """Run all steps; return the receipt's predicate."""
        try:
            self.build()
        except (release_rewrite.CannotRedact, keys.BadKey):
            if self.impact.active_entry is None:  # nothing has changed yet
                self.journal.end()
            raise
        self.record()
        for built in self.journal.built():
            self.journal.swap(built, self.folder / release_files.LOG)
            self.journal.delete_old(built)
        purged, elsewhere = self.erase() if self.order["erase"] else ({}, [])
        if self.order["erase"]:  # the store of lineage must not keep what was erased
            index.forget_records(self.folder, self.impact.ids, self.journal.folder / "store")
        else:
            index.enter_all(self.folder)
        predicate = self.finish(purged, elsewhere)
        self.journal.end()
        return predicate

    def releases_to_redact(self) -> list[AffectedRelease]:
        """Return the affected releases to rewrite: for an erasure all of them, otherwise only the
        release that the parameters name."""
        affected, name = self.impact.affected, self.params.release.name
        return [a for a in affected if self.order["erase"] or a.release.folder.name == name]

    def build(self) -> None:
        """Build the redacted releases that are not complete yet."""
        logged = {e["statement_sha256"] for e in release_log.read(self.folder / release_files.LOG)}
        for built in self.journal.built():
            if not self.journal.release_in_place(built) and built["new"] not in logged:
                self.journal.discard(built)  # a run has published another release since
        ready = [built["old"] for built in self.journal.built()]
        for affected in self.releases_to_redact():
            folder = affected.release.folder
            if sha256((folder / STATEMENT).read_bytes()).hexdigest() not in ready:
                self._build(affected, self.journal.empty_folder(folder.name))

    def _build(self, affected: AffectedRelease, place: Path) -> None:
        """Build the redacted form of one release in `place`."""
        folder, removed = affected.release.folder, affected.documents
        withdrawal = self._withdrawal()
        order = release_rewrite.Order(
            self.journal.id,
            "withdrawal",
            withdrawal.reason,
            withdrawal_evidence(withdrawal) | {"withdrawal": self.journal.id},
            self.order["started"],
        )
        exclusions = purge.to_jsonl(
            removed.select("doc_id", "text_sha256", "shard", "row")
            .with_columns(release=pl.lit(folder.name))
            .iter_rows(named=True)
        )
        head = release_log.tree_head(release_log.read(self.folder / release_files.LOG))
        redaction = release_rewrite.Redaction(folder, place, removed, order)
        built = redaction.build(self._key, head, self.params.seal.timestamp == "required")
        try:  # a withdrawal does not wait for the authority: `timestamp.stamp_missing` asks again
            time_authority.stamp_release(self.params, place)
        except NoTimestamp as error:
            print(f"warning: {folder.name} has no time stamp: {error}", file=sys.stderr)
        built |= {"tokens": withdrawal_scope.token_count(removed)}
        self.journal.mark_built(built, exclusions)

    def record(self) -> None:
        """Record the withdrawal in the register, unless an entry already bars the scope."""
        if self.impact.active_entry is None:
            register_files.add_withdrawal(self.params.register, self.entry)

    def erase(self) -> tuple[dict[str, int], list[str]]:
        """Purge what holds the text outside releases.  Tombstones are written before the deletion.

        Returns:
          The number of purged objects by kind; the names of the DVC remotes out of reach.
        """
        from pipelines.dedup import release_index  # slow: it imports Beam

        ids = self.impact.ids
        stores, elsewhere = purge.find_stores(self.folder)
        replaced = {f["md5"] for built in self.journal.built() for f in built["replaced"]}
        kept: set[str] = set()
        for release in withdrawal_scope.release_folders(self.folder, self.params.root):
            kept |= purge.companion_digests(release.folder)
        objects = {
            s: purge.objects_to_purge(s, self.impact.scope, ids, replaced, kept) for s in stores
        }
        work = purge.work_files(self.params.work)
        entries = release_index.entries_with(self.params, self.impact.scope, ids)
        named = [(forgetting.KIND, id) for id in ids]
        named += [("dedup index", entry.name) for entry in entries]
        named += [("work", path.relative_to(self.params.work).as_posix()) for path in work]
        named += [(f"dvc {s.name}", md5) for s, paths in objects.items() for md5 in paths]
        known = sorted(replaced.union(*objects.values()))  # a remote may hold what any store holds
        named += [(f"to purge: dvc remote {r}", md5) for r in elsewhere for md5 in known]
        kinds = self._write_tombstones(named)
        purge.remove_paths(work)
        for paths in objects.values():
            purge.remove_paths(paths.values())
        for entry in entries:
            release_index.forget_documents(entry, self.impact.scope, ids)
        purge.forget_salts(self.params.work / "keys", ids)
        return kinds, elsewhere

    def _write_tombstones(self, named: Iterable[tuple[str, str]]) -> dict[str, int]:
        """Add tombstones for (kind, object) pairs; return the number of all tombstones by kind."""
        at = datetime.now(UTC).isoformat(timespec="seconds")
        stones = {(s["kind"], s["object"]): s for s in self._tombstones()}
        for kind, name in named:
            stone = {"kind": kind, "object": name, "at": at, "receipt": self.journal.id}
            stones.setdefault((kind, name), stone)
        disk.write_bytes(
            self.journal.folder / "tombstones.jsonl",
            purge.to_jsonl(stones[place] for place in sorted(stones)),
        )
        return dict(Counter(kind for kind, _ in stones))

    def _tombstones(self) -> list[dict[str, Any]]:
        """Return the tombstones that the journal holds."""
        path = self.journal.folder / "tombstones.jsonl"
        lines = path.read_text("utf-8").splitlines() if path.is_file() else []
        return [json.loads(line) for line in lines]

    def finish(self, purged: Mapping[str, int], elsewhere: list[str]) -> dict[str, Any]:
        """Write exclusions, tombstones and the receipt over them; return the receipt's predicate."""
        id, built, digests = self.journal.id, self.journal.built(), {}
        lines = [self.journal.exclusions_path(b["name"]).read_bytes() for b in built]
        contents = {receipts.exclusions_path(id): b"".join(lines)}
        if self.order["erase"]:
            contents[receipts.tombstones_path(id)] = purge.to_jsonl(self._tombstones())
        for name, content in contents.items():
            disk.write_bytes(self.folder / name, content)
            digests[name] = sha256(content).hexdigest()
        predicate = self._predicate(built, purged, elsewhere)
        envelope = dsse.sign(receipts.statement(digests, predicate), self._key)
        disk.write_bytes(self.folder / receipts.receipt_path(id), envelope)
        return predicate

    def _predicate(
        self, built: list[dict[str, Any]], purged: Mapping[str, int], elsewhere: list[str]
    ) -> dict[str, Any]:
        """Return the receipt's predicate.

        Numbers are text, because some readers of in-toto turn numbers into floats.  A URL and the
        ground may hold personal data: the predicate has only their digests.
        """
        scope, withdrawal = self.impact.scope, self._withdrawal()
        value = {} if scope.kind == "url" else {"value": scope.key}
        keys_of_release = ("name", "old", "new", "shards")
        return value | {
            "id": self.journal.id,
            "scope": scope.kind,
            "scope_sha256": scope_digest(scope),
            "withdrawal_sha256": withdrawal_evidence(withdrawal)["withdrawal_sha256"],
            "case": withdrawal.case,
            "by": self.order["recorded_by"],
            "received_on": self.order.get("received_on"),
            "recorded_on": self.order["recorded_on"],
            "due_on": self.order.get("due_on"),
            "executed_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "erased": self.order["erase"],
            "counts": {
                k: str(sum(a[k] or 0 for a in built)) for k in ("documents", "chars", "tokens")
            },
            "releases": [
                {k: a[k] for k in keys_of_release}
                | {k: str(a[k]) for k in ("documents", "untouched")}
                for a in built
            ],
            "purged": {k: str(n) for k, n in sorted(purged.items())},
            "out_of_reach": elsewhere,
            "code_version": code_version(),
        }

    def _withdrawal(self) -> Withdrawal:
        """Return the withdrawal as the register has it; an earlier active entry takes precedence."""
        entry = self.impact.active_entry or self.entry
        register = self.impact.register
        known = {(w.scope, w.value): w for w in register.withdrawals}
        day = datetime.fromisoformat(entry["recorded_on"]).date()
        return known.get((entry["scope"], entry["value"])) or Withdrawal(
            entry["scope"],
            entry["value"],
            day,
            entry["ground"],
            entry.get("reason", "withdrawn"),
            entry.get("case"),
            tuple(entry.get("documents", ())),
            tuple(entry.get("parts", ())),
        )

    @property
    def _key(self) -> Ed25519PrivateKey:
        return keys.signing_key(self.params.seal.signing_key, self.params.work / "keys")


@contextmanager
def exclusive_access(params: Params) -> Iterator[None]:
    """Hold the locks that withdrawals and publishing runs take.

    Raises:
      Busy: if another process holds one of them.
    """
    home = params.releases / journal.HOME
    with (
        locks.exclusive_lock(home / "lock") as first,
        locks.exclusive_lock(params.work / ".state/release.lock") as second,
        locks.exclusive_lock(home.with_name(f".{params.release.name}.lock")) as third,
    ):
        if not (first and second and third):
            raise Busy(f"{home.parent}: another process is working on it; wait until it ends")
        journal.remove_leftovers(home.parent)
        yield


def resume_unfinished(params: Params, register: Register) -> list[dict[str, Any]]:
    """Finish interrupted withdrawals; return the predicates of their receipts."""
    done = []
    for unfinished in journal.unfinished(params.releases):
        order = unfinished.order
        scope = Scope(order["scope"], order["value"], order["hmac"], tuple(order["ids"]))
        done.append(Execution(Impact(params, register, scope), unfinished, order).carry_out())
        register = register_files.load_register(params.register)
    return done


def start(impact: Impact, order: Mapping[str, Any]) -> Execution:
    """Write a new withdrawal's journal to disk.

    Args:
      impact: the scope, and the releases that it affects.
      order: erase (bool), and those keys of ENTRY that the command line gives.

    Raises:
      Invalid: if the register cannot hold such an entry.
    """
    scope = impact.scope
    given = {k: v for k, v in order.items() if v is not None} | impact.barred_ids
    complete = given | {
        "scope": scope.kind,
        "value": scope.value,
        "hmac": scope.hmac,
        "ids": list(scope.ids),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    seq = len(release_log.read(impact.folder / release_files.LOG)) + len(impact.receipts)
    content = canonical_json([scope_digest(scope), dict(order)])
    id = f"w{seq:04d}-{sha256(content.encode()).hexdigest()[:12]}"
    execution = Execution(impact, Journal(impact.folder, id), complete)
    withdrawals.check_entry(execution.entry)
    execution.journal.begin(dict(complete))
    return execution
