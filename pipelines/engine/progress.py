"""What a person sees of a run: a bar per stage while it goes, tables when it is done."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table

POLL_SECONDS = 0.3
MOST_ROWS = 40


class Display:
    """Bars on a terminal; a line per stage elsewhere.  Writes to standard error."""

    def __init__(self) -> None:
        self.console = Console(stderr=True)
        self._bars = Progress(
            SpinnerColumn(),
            TextColumn("{task.description:10}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("shards"),
            TimeElapsedColumn(),
            console=self.console,
            transient=False,
        )

    def __enter__(self) -> Display:
        if self.console.is_terminal:
            self._bars.start()
        return self

    def __exit__(self, *error: Any) -> None:
        if self.console.is_terminal:
            self._bars.stop()

    def watch(
        self, stage: str, count: Callable[[], int], planned: int | None
    ) -> AbstractContextManager[None]:
        """Show a stage while it works: `count` says how many of `planned` shards are done."""
        return (
            self._bar(stage, count, planned)
            if self.console.is_terminal
            else self._line(stage, count)
        )

    @contextmanager
    def _line(self, stage: str, count: Callable[[], int]) -> Iterator[None]:
        self.console.print(f"tamga: {stage} …", highlight=False)
        yield
        self.console.print(f"tamga: {stage}: {count()} shards", highlight=False)

    @contextmanager
    def _bar(self, stage: str, count: Callable[[], int], planned: int | None) -> Iterator[None]:
        bar, stop = self._bars.add_task(stage, total=planned), threading.Event()

        def poll() -> None:
            while not stop.wait(POLL_SECONDS):
                self._bars.update(bar, completed=count())

        thread = threading.Thread(target=poll, daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()
            self._bars.update(bar, completed=count(), total=count())


def print_summary(told: Mapping[str, Any]) -> None:
    """The tables at the end of a run, and where the release is."""
    out = Console()
    out.print(
        _table(
            f"{told['records']} records in",
            ("outcome", "reason", "records"),
            [(*_outcome_and_reason(name), n) for name, n in told["outcomes"].items()],
        )
    )
    out.print(
        _table(
            "by source",
            ("source", "records", "released", "tokens"),
            [
                (
                    "(ungoverned)" if name == "-" else name,
                    row["records"],
                    row["released"],
                    _tokens(row),
                )
                for name, row in told["sources"].items()
            ],
        )
    )
    out.print(
        _table(
            "by language",
            ("language", "documents", "characters", "tokens"),
            [
                (name, row["documents"], row["chars"], _tokens(row))
                for name, row in told["languages"].items()
            ],
        )
    )
    out.print(
        _table(
            "by stage",
            ("stage", "documents", "seconds", "per second"),
            [
                (
                    name if row["fresh"] else f"{name} (up to date)",
                    row["documents"],
                    f"{row['seconds']:.1f}",
                    f"{row['per_second']:.0f}",
                )
                for name, row in told["stages"].items()
            ],
        )
    )
    out.print(_names_line(told["names"]), highlight=False, soft_wrap=True)
    if mixed := told["mixed"]:
        out.print(
            f"{mixed} documents of several languages were kept whole by the stage language",
            highlight=False,
            soft_wrap=True,
        )
    if held := told["personal_data_in"]:
        out.print(
            f"texts with personal data stay in {', '.join(held)}; `tamga clean` removes them",
            highlight=False,
            soft_wrap=True,
        )
    for name in told["missing"]:
        out.print(
            f"warning: {name} is missing; it stands in the ledger as unreadable",
            highlight=False,
            soft_wrap=True,
        )
    for one in told["idle_withdrawals"]:
        out.print(
            f"warning: the withdrawal of {one['scope']} {one['value']}, recorded on "
            f"{one['recorded_on']}, barred no record of this run; check how it is spelt",
            highlight=False,
            soft_wrap=True,
        )
    if told["signed"]["key"] != "configured":
        out.print(
            f"signed with a key that was made here; its public half: {told['signed']['key']}",
            highlight=False,
            soft_wrap=True,
        )
    out.print(
        f"{told['documents']} documents released: {told['release']}",
        highlight=False,
        soft_wrap=True,
    )


def _names_line(covered: Mapping[str, str]) -> str:
    """How names of persons were found, and in which languages nobody looked for them."""
    ways: dict[str, list[str]] = {}
    for language, way in covered.items():
        ways.setdefault(way, []).append(language)
    told = "; ".join(f"{', '.join(ways[way])}: {way}" for way in sorted(ways))
    return f"names of persons: {told or 'no document'}"


def _outcome_and_reason(name: str) -> tuple[str, str]:
    outcome, _, reason = name.partition(" ")
    return outcome, reason or "released"


def _tokens(row: Mapping[str, Any]) -> str | int:
    return "-" if row["tokens"] is None else row["tokens"]


def _table(title: str, columns: tuple[str, ...], rows: list[tuple[Any, ...]]) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold")
    words = (
        sum(isinstance(v, str) and not v.replace(".", "").isdigit() for v in rows[0]) if rows else 1
    )
    for i, column in enumerate(columns):
        table.add_column(column, justify="left" if i < words else "right")
    for row in rows[:MOST_ROWS]:
        table.add_row(*map(str, row))
    if len(rows) > MOST_ROWS:
        table.add_row(f"… {len(rows) - MOST_ROWS} more", *[""] * (len(columns) - 1))
    return table
