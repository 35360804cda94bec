"""What every stage is: inputs by digest, a Beam job over shards, a published folder.

A subclass names what it depends on and wires its job; running it once more with the same
inputs, parameters and code does nothing, an interrupted run goes on with the shards that
are left, and the counts of what went in and came out must agree before anything is published.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import apache_beam as beam
import polars as pl
import pyarrow as pa

from lineage.openlineage.transports import Emitter, configured
from pipelines import batches, emission, inventory, ledger, runners, shards
from pipelines.digests import Digests
from pipelines.inventory import Container
from schemas.code_version import code_version
from schemas.params import Params
from schemas.register import Register
from schemas.tables import SCHEMA_VERSION


class StageError(Exception):
    """A stage that must not go on; the message says what is wrong and what helps."""


@dataclass(frozen=True)
class Context:
    """What a run hands to its stages."""

    params: Params
    register: Register
    workers: int = 1
    beam_args: tuple[str, ...] = ()
    watch: Callable[[str, Callable[[], int], int | None], Any] | None = None
    dry_run: bool = False

    @cached_property
    def containers(self) -> list[Container]:
        """The raw files, digested once."""
        return inventory.containers(self.params, remember=not self.dry_run)

    @cached_property
    def events(self) -> Emitter:
        """What tells others of the stages that run."""
        where = self.params.openlineage
        return configured(where.file, where.url)

    def folder(self, stage: str) -> Path:
        return self.params.work / stage


@dataclass(frozen=True)
class Published:
    """A stage's finished folder."""

    folder: Path
    summary: Mapping[str, Any]
    seconds: float = 0.0
    fresh: bool = False

    @property
    def run_id(self) -> str:
        return str(self.summary["run_id"])

    @property
    def shards(self) -> list[str]:
        return list(self.summary["shards"])

    @property
    def totals(self) -> Mapping[str, Any]:
        totals: Mapping[str, Any] = self.summary["totals"]
        return totals

    @property
    def digests(self) -> dict[str, str]:
        """Path -> SHA-256 of all files, those that cover the whole stage among them."""
        files = self.summary["files"] | self.summary["added"]
        return {name: about["sha256"] for name, about in files.items()}

    @property
    def digest(self) -> str:
        """Over the digests of all files: what the next stage has as its input."""
        return digest(self.summary["files"])

    def path(self, table: str, shard: str) -> Path:
        return self.folder / table / f"{shard}.parquet"


def load(folder: Path, stage: str) -> Published:
    """A published stage.

    Raises:
      StageError: where it has not run.
    """
    path = folder / "stage.json"
    if not path.is_file():
        raise StageError(f"{path} is not there: run `tamga {stage}` first, or `tamga run` for all")
    return Published(folder, json.loads(path.read_bytes()))


@dataclass
class Shard:
    """A shard in work: writes its tables, then marks itself as done with its figures."""

    name: str
    state: shards.State
    files: list[dict[str, Any]] = field(default_factory=list)

    def write(self, table: str, data: pa.Table, level: int = 1) -> None:
        self.files.append(self.state.write(table, self.name, data, level))

    def finish(self, figures: Mapping[str, Any], counts: Mapping[str, Any]) -> None:
        """`figures`: the aggregates that are validated; `counts`: nested counters to add up."""
        self.state.finish(self.name, self.files, aggregates=dict(figures), counts=dict(counts))


class Stage(ABC):
    """A step from files to files."""

    name: ClassVar[str]
    sections: ClassVar[tuple[str, ...]]
    models: Mapping[str, str] = {}

    @abstractmethod
    def inputs(self, context: Context) -> dict[str, str]:
        """Name -> digest of all that goes in."""

    @abstractmethod
    def build(
        self, pipeline: beam.Pipeline, context: Context, state: shards.State, run_id: str
    ) -> None:
        """Wire the job."""

    @abstractmethod
    def expected(self, context: Context) -> int:
        """How many documents or records go in, by the account of what came before."""

    def planned(self, context: Context) -> int | None:
        """How many shards there will be, for the progress display; None: not known yet."""
        return None

    def target(self, context: Context) -> Path:
        """Where the files go; `stage.json` and `run.json` stay in the stage's work folder."""
        return context.folder(self.name)

    def admit(self, context: Context) -> None:
        """Look at what is handed in before the job starts.

        Raises:
          StageError: where the run should not go on.
        """
        return

    def check(
        self, context: Context, state: shards.State, totals: Mapping[str, Mapping[str, int]]
    ) -> None:
        """Look at what came out, before it is validated; `totals`: nested counters.

        Raises:
          StageError: where that must not be published.
        """
        return

    def finish(
        self,
        context: Context,
        state: shards.State,
        markers: Sequence[Mapping[str, Any]],
        run: Mapping[str, Any],
    ) -> list[str]:
        """Add files that cover the whole stage to its state; returns their paths."""
        return []

    def published(self, context: Context) -> None:  # noqa: B027 most stages have nothing left
        """What is left to do once the output stands in its place; done again where the stage is
        taken up as it is, so it must not add up."""

    def run_id(self, context: Context, inputs: Mapping[str, str]) -> str:
        """Derived from code, canonical parameters and inputs: the same work has the same id."""
        parts = [
            self.name,
            code_version(),
            context.params.digest(*self.sections),
            json.dumps(inputs, sort_keys=True),
            json.dumps(dict(self.models), sort_keys=True),
        ]
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def execute(stage: Stage, context: Context) -> Published:
    """Run a stage, or take up what is there of it.

    Raises:
      StageError: where counts do not add up, or another process is at the same stage.
      pipelines.validation.ExpectationFailed: where the output is not what it must be.
    """
    inputs = stage.inputs(context)
    run_id = stage.run_id(context, inputs)
    # Outside the published folder: DVC wipes a stage's outputs before it runs it again.
    home = context.params.work / ".state" / stage.name
    with ExitStack() as locks:
        for lock, where, key in _locks(stage, context, home):
            if not locks.enter_context(shards.only_one(lock)):
                raise StageError(
                    f"{stage.name}: another process is at work in {where}; "
                    f"wait for it, or name another `{key}` in the parameters"
                )
        known = home.with_suffix(".digests.json")
        done = _published(context.folder(stage.name), stage.target(context), run_id, known)
        if done is None:
            _forget(home, run_id)
            run = _begun(stage, context, inputs, run_id)
            with emission.told(context, run) as tell:
                done = _run(stage, context, run, shards.State(str(home / run_id)))
                tell(done.summary)
            shutil.rmtree(home, ignore_errors=True)
            _remember(done, known)  # after it, because it changes files' ctime by their links
        stage.published(context)
        return done


def _locks(stage: Stage, context: Context, home: Path) -> list[tuple[Path, Path, str]]:
    """What is held while a stage runs (lock, folder, the parameter that names it): its work, and a
    folder elsewhere that it replaces, which parameters with another `work` may name too."""
    target = stage.target(context)
    locks = [(home.with_suffix(".lock"), context.params.work, "work")]
    if target != context.folder(stage.name):
        locks.append((target.with_name(f".{target.name}.lock"), target, stage.name))
    return locks


def _begun(
    stage: Stage, context: Context, inputs: Mapping[str, str], run_id: str
) -> dict[str, Any]:
    """What is known of a run when it begins."""
    return {
        "run_id": run_id,
        "stage": stage.name,
        "code_version": code_version(),
        "params_sha256": context.params.digest(*stage.sections),
        "models": dict(stage.models),
        "inputs": dict(inputs),
        "runner": runners.runner_name(context.beam_args, context.workers),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _run(stage: Stage, context: Context, run: Mapping[str, Any], state: shards.State) -> Published:
    """Run the job, hold its counts against what went in, validate, publish."""
    from pipelines import validation

    params, run_id, clock = context.params, run["run_id"], time.monotonic()
    stage.admit(context)
    with _progress(stage, context, state):
        runners.run(
            lambda p: stage.build(p, context, state, run_id), context.beam_args, context.workers
        )
    markers = state.all_finished()
    totals = add([m["figures"]["counts"] for m in markers])
    seen, expected = sum(totals.get("outcome", {}).values()), stage.expected(context)
    if seen != expected:
        raise StageError(
            f"{stage.name}: {expected} went in and {seen} are accounted for; nothing was "
            f"published. Remove {Path(state.root).parent} and run the stage again"
        )
    stage.check(context, state, totals)
    aggregates = [m["figures"]["aggregates"] for m in markers if m["figures"]["aggregates"]]
    allowed = params.guard.allows("stage", stage.name)
    try:
        validation.validate(
            stage.name,
            pl.DataFrame(aggregates, infer_schema_length=None),
            params.work / "validation" / stage.name,
            min_keep_share=0.0 if allowed else params.guard.min_keep_share,
        )
    except validation.ExpectationFailed as error:
        if error.too_little_kept:
            error.explained += _explained(state, [m["shard"] for m in markers])
        raise
    files = {
        f["file"]: {k: f[k] for k in ("rows", "bytes", "sha256")}
        for m in markers
        for f in m["files"]
    }
    added = stage.finish(context, state, markers, run)
    summary = {
        "schema_version": SCHEMA_VERSION,
        "stage": stage.name,
        "run_id": run_id,
        "shards": [m["shard"] for m in markers],
        "files": files,
        "added": {name: {"sha256": shards.sha256_file(Path(state.root) / name)} for name in added},
        "totals": totals,
    }
    seconds = time.monotonic() - clock
    record = {
        **run,
        "ended": datetime.now(UTC).isoformat(timespec="seconds"),
        "outputs": digest(files),
        "seconds": round(seconds, 3),
    }
    write_metrics(params.work, stage.name, totals, seconds)
    folder, target = context.folder(stage.name), stage.target(context)
    about = {"stage.json": summary, "run.json": record}
    if target != folder:  # what says that a stage is finished appears last
        shards.publish(state, [*files, *added], {}, target)
    shards.publish(state, [*files, *added] if target == folder else [], about, folder)
    return Published(target, summary, seconds, fresh=True)


def _explained(state: shards.State, names: Sequence[str]) -> list[str]:
    """Where the documents of an unfinished stage went, by its decisions where it makes any."""
    paths = [p for name in names if (p := state.path("decisions", name)).is_file()]
    if not paths:
        return []
    return ledger.told(pl.read_parquet(paths).filter(pl.col("outcome") != "keep"))


def digest(files: Mapping[str, Any]) -> str:
    """SHA-256 over the digests of all files of a stage."""
    return hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()


def run_record(context: Context, done: Published) -> dict[str, Any]:
    """When and how a published stage ran: its `run.json`."""
    record: dict[str, Any] = shards.read_json(context.folder(done.summary["stage"]) / "run.json")
    return record


def write_metrics(work: Path, stage: str, totals: Mapping[str, Any], seconds: float) -> None:
    """What `dvc metrics` and `dvc plots` show of a stage."""
    outcome = totals.get("outcome", {})
    metrics = {
        "outcome": outcome,
        "reason": totals.get("reason", {}),
        "lang": totals.get("lang", {}),
        "seconds": round(seconds, 2),
        "per_second": round(sum(outcome.values()) / seconds, 1) if seconds else None,
    }
    shards.write_json(work / "metrics" / f"{stage}.json", {k: v for k, v in metrics.items() if v})
    rows = [
        {"kind": kind, "name": name, "count": count}
        for kind in ("outcome", "reason", "lang", "source")
        for name, count in sorted(totals.get(kind, {}).items())
    ]
    shards.write_json(work / "plots" / f"{stage}.json", rows)


def _published(folder: Path, target: Path, run_id: str, known: Path) -> Published | None:
    """A stage that was published by the same run and is still whole: every file there with its
    digest, and none that is not its own.  Files that did not change since they were last looked
    at are not read: `known` keeps their digests."""
    path = folder / "stage.json"
    if not path.is_file():
        return None
    summary = json.loads(path.read_bytes())
    if summary.get("run_id") != run_id:
        return None
    published = Published(target, summary)
    here = {p.relative_to(target).as_posix() for p in target.rglob("*") if p.is_file()}
    if target == folder:
        here -= {"stage.json", "run.json"}
    if here != published.digests.keys():
        return None
    digests = Digests(known)
    whole = all(digests.of(target / n)[1] == sha256 for n, sha256 in published.digests.items())
    digests.save()
    return published if whole else None


def _remember(published: Published, known: Path) -> None:
    """Keep what is known of the files anyway, so that they need not be read for it."""
    digests = Digests(known)
    for name, sha256 in published.digests.items():
        digests.note(published.folder / name, sha256)
    digests.save()


def _forget(home: Path, run_id: str) -> None:
    """Unfinished work of other parameters, inputs or code is of no use."""
    for old in home.glob("*"):
        if old.name != run_id:
            shutil.rmtree(old, ignore_errors=True)


def add(counts: Sequence[Mapping[str, Mapping[str, int]]]) -> dict[str, dict[str, int]]:
    """Nested counters, added up."""
    totals: dict[str, Counter[str]] = {}
    for one in counts:
        for kind, values in one.items():
            totals.setdefault(kind, Counter()).update(values)
    return {kind: dict(sorted(values.items())) for kind, values in sorted(totals.items())}


class _progress:
    """Show how many shards are done while the job runs: counted on disk, whatever the runner."""

    def __init__(self, stage: Stage, context: Context, state: shards.State) -> None:
        self._watch = context.watch
        self._args = (stage.name, state.count, stage.planned(context))

    def __enter__(self) -> None:
        self._display = self._watch(*self._args) if self._watch else None
        if self._display:
            self._display.__enter__()

    def __exit__(self, *error: Any) -> None:
        if self._display:
            self._display.__exit__(*error)


class ShardDoFn(beam.DoFn):
    """Calls `work(shard)` for each shard of a plan that is not done yet.

    The plan's batches have a column `shard`; what comes out names the shards that are done.
    """

    def __init__(self, state: shards.State) -> None:
        self.state = state

    # Beam takes annotations for type hints, and misreads `*sides`
    def process(self, element, *sides):  # type: ignore[no-untyped-def]
        for row in element.to_pylist():
            if self.state.finished(row["shard"]) is None:
                self.work(Shard(row["shard"], self.state), row, *sides)
            yield batches.plan(shard=[row["shard"]])

    def work(self, shard: Shard, row: Mapping[str, Any], *sides: Any) -> None:
        raise NotImplementedError
