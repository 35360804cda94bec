"""A withdrawal carried out, step by step; each may be done once more, so that a repeated command
ends what a killed one began.

    1. redacted releases are built aside        a failure here leaves everything as it was
    2. the register records the withdrawal      from here on no run takes it in again
    3. each release is entered into the log and changes places with its successor
    4. with `erase`: work files, salts, DVC's objects and what the dedup index has go
    5. exclusions, tombstones and, last, the receipt are written; the journal ends
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
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
from pipelines.release import timestamp
from pipelines.search import index
from pipelines.withdrawal import journal, purge, release_rewrite
from pipelines.withdrawal.impact import Found, Survey, scope_digest
from pipelines.withdrawal.journal import Journal
from schemas import withdrawals
from schemas.canonical import canonical_json
from schemas.code_version import code_version
from schemas.errors import NO, TamgaError
from schemas.params import Params
from schemas.register import Register, Withdrawal
from schemas.withdrawal_index import withdrawal_evidence

#: What an order says, in the order of an entry of the register.
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
    """Another process is at work on the same releases."""

    exit_code = NO


@dataclass(frozen=True)
class Withdrawing:
    """One withdrawal of one journal."""

    survey: Survey
    journal: Journal
    order: Mapping[str, Any]

    @property
    def params(self) -> Params:
        return self.survey.params

    @property
    def folder(self) -> Path:
        return self.survey.folder

    @property
    def entry(self) -> dict[str, Any]:
        """The register's entry."""
        scope = {"scope": self.order["scope"], "value": self.order["value"]}
        return scope | {k: self.order[k] for k in ENTRY if self.order.get(k)}

    def carry_out(self) -> dict[str, Any]:
        """All steps; what the receipt says."""
        try:
            self.build()
        except (release_rewrite.CannotRedact, keys.BadKey):
            if self.survey.standing is None:  # nothing was changed yet
                self.journal.end()
            raise
        self.record()
        for about in self.journal.built():
            self.journal.swap(about, self.folder / release_files.LOG)
            self.journal.drop(about)
        purged, elsewhere = self.erase() if self.order["erase"] else ({}, [])
        if self.order["erase"]:  # a store that knew what was erased must forget it
            index.forget_records(self.folder, self.survey.ids, self.journal.folder / "store")
        else:
            index.enter_all(self.folder)
        told = self.finish(purged, elsewhere)
        self.journal.end()
        return told

    def concerned(self) -> list[Found]:
        """Whose documents go: of the release of the parameters, or for an erasure of all."""
        name = self.params.release.name
        every = self.survey.concerned
        return [f for f in every if self.order["erase"] or f.release.folder.name == name]

    def build(self) -> None:
        """Redacted releases, where they are not ready."""
        logged = {e["statement_sha256"] for e in release_log.read(self.folder / release_files.LOG)}
        for about in self.journal.built():
            if not self.journal.stands(about) and about["new"] not in logged:
                self.journal.forget(about)  # a run has put another release in its place
        ready = [about["old"] for about in self.journal.built()]
        for one in self.concerned():
            folder = one.release.folder
            if sha256((folder / STATEMENT).read_bytes()).hexdigest() not in ready:
                self._build(one, self.journal.place(folder.name))

    def _build(self, one: Found, place: Path) -> None:
        found = self._withdrawal()
        order = release_rewrite.Order(
            self.journal.id,
            "withdrawal",
            found.reason,
            withdrawal_evidence(found) | {"withdrawal": self.journal.id},
            self.order["started"],
        )
        lines = purge.told(
            one.gone.select("doc_id", "text_sha256", "shard", "row")
            .with_columns(release=pl.lit(one.release.folder.name))
            .iter_rows(named=True)
        )
        head = release_log.tree_head(release_log.read(self.folder / release_files.LOG))
        made = release_rewrite.Redaction(one.release.folder, place, one.gone, order)
        about = made.build(self._key, head, self.params.seal.timestamp == "required")
        try:  # a withdrawal does not wait for others: `stamping.complete` asks again
            timestamp.stamp_release(self.params, place)
        except NoTimestamp as error:
            print(f"warning: {one.release.folder.name} has no time stamp: {error}", file=sys.stderr)
        about |= {"tokens": withdrawal_scope.token_count(one.gone)}
        self.journal.ready(about, lines)

    def record(self) -> None:
        """The register bars it, where it does not yet."""
        if self.survey.standing is None:
            register_files.add_withdrawal(self.params.register, self.entry)

    def erase(self) -> tuple[dict[str, int], list[str]]:
        """Purge what holds the text besides releases; tombstones are on disk before anything goes.

        Returns:
          How many objects went, by place; the DVC remotes that were out of reach.
        """
        from pipelines.dedup import release_index  # it brings Beam, which is slow to load

        ids = self.survey.ids
        stores, elsewhere = purge.stores(self.folder)
        replaced = {f["md5"] for about in self.journal.built() for f in about["replaced"]}
        kept: set[str] = set()
        for one in withdrawal_scope.release_folders(self.folder, self.params.root):
            kept |= purge.beside(one.folder)
        objects = {s: purge.holding(s, self.survey.scope, ids, replaced, kept) for s in stores}
        work = purge.work_files(self.params.work)
        at = datetime.now(UTC).isoformat(timespec="seconds")
        stones = {(s["kind"], s["object"]): s for s in self._stones()}
        named = [(forgetting.KIND, id) for id in ids]
        entries = release_index.entries_with(self.params, self.survey.scope, ids)
        named += [("dedup index", one.name) for one in entries]
        named += [("work", path.relative_to(self.params.work).as_posix()) for path in work]
        named += [(f"dvc {s.name}", md5) for s, found in objects.items() for md5 in found]
        known = sorted(replaced.union(*objects.values()))  # a remote may have what any store has
        named += [(f"to purge: dvc remote {r}", md5) for r in elsewhere for md5 in known]
        for kind, name in named:
            stone = {"kind": kind, "object": name, "at": at, "receipt": self.journal.id}
            stones.setdefault((kind, name), stone)
        disk.write_bytes(
            self.journal.folder / "tombstones.jsonl",
            purge.told(stones[place] for place in sorted(stones)),
        )
        purge.purge(work)
        for found in objects.values():
            purge.purge(found.values())
        for entry in entries:
            release_index.forget_documents(entry, self.survey.scope, ids)
        purge.forget_salts(self.params.work / "keys", ids)
        return dict(Counter(kind for kind, _ in stones)), elsewhere

    def _stones(self) -> list[dict[str, Any]]:
        path = self.journal.folder / "tombstones.jsonl"
        lines = path.read_text("utf-8").splitlines() if path.is_file() else []
        return [json.loads(line) for line in lines]

    def finish(self, purged: Mapping[str, int], elsewhere: list[str]) -> dict[str, Any]:
        """Exclusions, tombstones, and the receipt over them."""
        id, built, digests = self.journal.id, self.journal.built(), {}
        lines = [self.journal.lines(about["name"]).read_bytes() for about in built]
        contents = {receipts.exclusions_path(id): b"".join(lines)}
        if self.order["erase"]:
            contents[receipts.tombstones_path(id)] = purge.told(self._stones())
        for name, content in contents.items():
            disk.write_bytes(self.folder / name, content)
            digests[name] = sha256(content).hexdigest()
        told = self._told(built, purged, elsewhere)
        envelope = dsse.sign(receipts.statement(digests, told), self._key)
        disk.write_bytes(self.folder / receipts.receipt_path(id), envelope)
        return told

    def _told(
        self, built: list[dict[str, Any]], purged: Mapping[str, int], elsewhere: list[str]
    ) -> dict[str, Any]:
        """The receipt's predicate.  Numbers are text: some readers of in-toto make floats of them;
        a URL and the ground may hold personal data, and are told by their digests."""
        scope, found = self.survey.scope, self._withdrawal()
        value = {} if scope.kind == "url" else {"value": scope.key}
        of = ("name", "old", "new", "shards")
        return value | {
            "id": self.journal.id,
            "scope": scope.kind,
            "scope_sha256": scope_digest(scope),
            "withdrawal_sha256": withdrawal_evidence(found)["withdrawal_sha256"],
            "case": found.case,
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
                {k: a[k] for k in of} | {k: str(a[k]) for k in ("documents", "untouched")}
                for a in built
            ],
            "purged": {k: str(n) for k, n in sorted(purged.items())},
            "out_of_reach": elsewhere,
            "code_version": code_version(),
        }

    def _withdrawal(self) -> Withdrawal:
        """As the register has it: that of an earlier entry, where one stands."""
        entry = self.survey.standing or self.entry
        register = self.survey.register
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
def alone(params: Params) -> Iterator[None]:
    """Nobody else changes the releases meanwhile: no withdrawal, no run that publishes.

    Raises:
      Busy: where somebody does.
    """
    home = params.releases / journal.HOME
    with (
        locks.exclusive_lock(home / "lock") as first,
        locks.exclusive_lock(params.work / ".state/release.lock") as second,
        locks.exclusive_lock(home.with_name(f".{params.release.name}.lock")) as third,
    ):
        if not (first and second and third):
            raise Busy(f"another process is at work on {home.parent}; wait for it")
        journal.sweep(home.parent)
        yield


def resume(params: Params, register: Register) -> list[dict[str, Any]]:
    """Carry out what was begun and not ended; what their receipts say."""
    done = []
    for one in journal.unfinished(params.releases):
        order = one.order
        scope = Scope(order["scope"], order["value"], order["hmac"], tuple(order["ids"]))
        done.append(Withdrawing(Survey(params, register, scope), one, order).carry_out())
        register = register_files.load_register(params.register)
    return done


def begin(survey: Survey, order: Mapping[str, Any]) -> Withdrawing:
    """Put a withdrawal on disk.

    Args:
      survey: what is withdrawn.
      order: erase (bool), and of ENTRY what was said.

    Raises:
      Invalid: where no entry of the register can be made of it.
    """
    scope = survey.scope
    given = {k: v for k, v in order.items() if v is not None} | survey.barring
    whole = given | {
        "scope": scope.kind,
        "value": scope.value,
        "hmac": scope.hmac,
        "ids": list(scope.ids),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    seq = len(release_log.read(survey.folder / release_files.LOG)) + len(survey.receipts)
    said = canonical_json([scope_digest(scope), dict(order)])
    id = f"w{seq:04d}-{sha256(said.encode()).hexdigest()[:12]}"
    one = Withdrawing(survey, Journal(survey.folder, id), whole)
    withdrawals.checked(one.entry)
    one.journal.begin(dict(whole))
    return one
