"""The display of a run: a bar per stage while it runs, tables at the end."""

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
    """Shows bars on a terminal, lines elsewhere.  Writes to standard error."""

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
        """Show a stage while it runs.

        Args:
          stage: its name.
          count: returns the number of finished shards.
          planned: the number of all shards; None if not known.
        """
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


def print_summary(summary: Mapping[str, Any]) -> None:
    """Print the tables at the end of a run, warnings, and the release's folder.

    Args:
      summary: as `pipelines.run.summary` returns it.
    """
    out = Console()
    for table in _tables(summary):
        out.print(table)
    release = f"{summary['documents']} documents released: {summary['release']}"
    for line in (*_notes(summary), *_warnings(summary), release):
        out.print(line, highlight=False, soft_wrap=True)


def _tables(summary: Mapping[str, Any]) -> Iterator[Table]:
    """The counts by outcome, source, language and stage."""
    yield _table(
        f"{summary['records']} records in",
        ("outcome", "reason", "records"),
        [(*_outcome_and_reason(name), n) for name, n in summary["outcomes"].items()],
    )
    yield _table(
        "by source",
        ("source", "records", "released", "tokens"),
        [
            ("(ungoverned)" if name == "-" else name, row["records"], row["released"], _tokens(row))
            for name, row in summary["sources"].items()
        ],
    )
    yield _table(
        "by language",
        ("language", "documents", "characters", "tokens"),
        [
            (name, row["documents"], row["chars"], _tokens(row))
            for name, row in summary["languages"].items()
        ],
    )
    yield _table(
        "by stage",
        ("stage", "documents", "seconds", "per second"),
        [
            (
                name if row["fresh"] else f"{name} (up to date)",
                row["documents"],
                f"{row['seconds']:.1f}",
                f"{row['per_second']:.0f}",
            )
            for name, row in summary["stages"].items()
        ],
    )


def _notes(summary: Mapping[str, Any]) -> Iterator[str]:
    """What the tables do not show."""
    yield _names_line(summary["names"])
    if mixed := summary["mixed"]:
        yield f"{mixed} documents of several languages were kept whole by the stage language"
    if folders := summary["personal_data_in"]:
        yield f"texts with personal data stay in {', '.join(folders)}; `tamga clean` removes them"


def _warnings(summary: Mapping[str, Any]) -> Iterator[str]:
    """What someone should check."""
    for name in summary["missing"]:
        yield f"warning: {name} is missing; the ledger lists it as unreadable"
    for withdrawal in summary["idle_withdrawals"]:
        yield (
            f"warning: the withdrawal of {withdrawal['scope']} {withdrawal['value']}, recorded on "
            f"{withdrawal['recorded_on']}, matches no record of this run; check its spelling"
        )
    if (key := summary["signed"]["key"]) != "configured":
        yield f"signed with a generated key; its public half: {key}"


def _names_line(covered: Mapping[str, str]) -> str:
    """How names of persons were found, by language, and the languages without a method."""
    ways: dict[str, list[str]] = {}
    for language, way in covered.items():
        ways.setdefault(way, []).append(language)
    listed = "; ".join(f"{', '.join(ways[way])}: {way}" for way in sorted(ways))
    return f"names of persons: {listed or 'no document'}"


def _outcome_and_reason(name: str) -> tuple[str, str]:
    """Split the name of a counter, as in `drop empty`."""
    outcome, _, reason = name.partition(" ")
    return outcome, reason or "released"


def _tokens(row: Mapping[str, Any]) -> str | int:
    return "-" if row["tokens"] is None else row["tokens"]


def _table(title: str, columns: tuple[str, ...], rows: list[tuple[Any, ...]]) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold")
    text_columns = (
        sum(isinstance(v, str) and not v.replace(".", "").isdigit() for v in rows[0]) if rows else 1
    )
    for i, column in enumerate(columns):
        table.add_column(column, justify="left" if i < text_columns else "right")
    for row in rows[:MOST_ROWS]:
        table.add_row(*map(str, row))
    if len(rows) > MOST_ROWS:
        table.add_row(f"… {len(rows) - MOST_ROWS} more", *[""] * (len(columns) - 1))
    return table
