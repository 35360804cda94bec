"""Cases: objections to records, kept with the register and never rewritten.

`register/cases/<case>.jsonl` has a line per event: opened, evidence, decided.  Each line holds the
SHA-256 of the line before it, so no line can be changed or left out unnoticed.  The name of the
person who objected is not in it: a separate file, which can be erased, holds its keyed digest.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from lineage.storage import disk, locks, redacted_names
from schemas.canonical import canonical_json
from schemas.errors import NO, TamgaError

FOLDER: Final = "cases"
REQUESTERS: Final = "requesters.jsonl"
#: Kind of objection -> the reason of later refusals if it is upheld.  None: a withdrawal is lifted.
KINDS: Final[Mapping[str, str | None]] = {
    "removal": "withdrawn",
    "not-the-rightholder": "withdrawn",
    "wrong-licence": "licence-conflict",
    "wrong-removal": None,
}
OUTCOMES: Final = ("upheld", "rejected")


class BadCase(TamgaError):
    """A case is missing, damaged, changed or already decided; the message says which."""

    exit_code = NO


@dataclass(frozen=True)
class Case:
    """A case: its events in order."""

    id: str
    events: tuple[Mapping[str, Any], ...]

    @property
    def opened(self) -> Mapping[str, Any]:
        return self.events[0]

    @property
    def decision(self) -> Mapping[str, Any] | None:
        """The event with the decision; None: the case is open."""
        return next((e for e in self.events if e["event"] == "decided"), None)

    def overdue(self, today: date) -> bool:
        """Whether the case is still open after its due date."""
        due = self.opened.get("due_on")
        return self.decision is None and due is not None and date.fromisoformat(due) < today

    def to_json(self, today: date) -> dict[str, Any]:
        """The case as a JSON value."""
        decision = self.decision
        return {
            "case": self.id,
            **{k: self.opened.get(k) for k in ("kind", "scope", "value", "at", "by", "due_on")},
            "state": decision["outcome"] if decision else "open",
            "overdue": self.overdue(today),
            "evidence": [e for e in self.events if e["event"] == "evidence"],
            "decision": decision,
        }


def all_cases(register: Path) -> Iterator[Case]:
    """Read all cases of a register, by id.

    Raises:
      BadCase: if a case is damaged or was changed.
    """
    for path in sorted((register / FOLDER).glob("c-*.jsonl")):
        yield read_case(register, path.stem)


def read_case(register: Path, id: str) -> Case:
    """Read a case.

    Raises:
      BadCase: if it is missing, is damaged or was changed.
    """
    path = _path(register, id)
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError:
        raise BadCase(f"there is no case {id} in {path.parent}") from None
    if lines.pop():
        raise BadCase(f"{path}:{len(lines) + 1}: the line is cut off: it has no newline")
    events: list[dict[str, Any]] = []
    before = ""
    for number, line in enumerate(lines, 1):
        try:
            event = json.loads(line)
            sound = event["previous"] == before and canonical_json(event).encode() == line
        except (ValueError, LookupError, TypeError, RecursionError):
            sound = False
        if not sound or (event["event"] == "opened") != (number == 1):
            raise BadCase(f"{path}:{number}: the line was changed; restore the file")
        events.append(event)
        before = sha256(line).hexdigest()
    if not events:
        raise BadCase(f"{path} is empty; restore the file")
    return Case(id, tuple(events))


def open_case(register: Path, event: Mapping[str, Any]) -> str:
    """Open a case; return its id, the next number."""
    folder = register / FOLDER
    content = _line({"event": "opened", "previous": "", **event})
    known = [int(p.stem[2:]) for p in folder.glob("c-*.jsonl") if p.stem[2:].isdigit()]
    number = max(known, default=0) + 1
    while not disk.create_file(_path(register, f"c-{number:04d}"), content):
        number += 1  # another process opened a case at the same time
    return f"c-{number:04d}"


def add_events(register: Path, id: str, events: Sequence[Mapping[str, Any]]) -> None:
    """Add events to an open case, all at once.

    Raises:
      BadCase: if there is no such case, or it was decided.
    """
    path = _path(register, id)
    read_case(register, id)  # a missing case makes no folder
    with locks.folder_lock(path.parent):
        case = read_case(register, id)
        if case.decision:
            raise BadCase(f"{id} was decided on {case.decision['at']}; open another case")
        content = path.read_bytes()
        for event in events:
            before = sha256(content.splitlines()[-1]).hexdigest()
            content += _line({"previous": before, **event})
        disk.write_bytes(path, content)


def _line(event: Mapping[str, Any]) -> bytes:
    return canonical_json({"schema_version": 1, **event}).encode() + b"\n"


def _path(register: Path, id: str) -> Path:
    return register / FOLDER / f"{id}.jsonl"


def remember_requester(keys: Path, case: str, identity: str) -> None:
    """Store a keyed digest of the person who objected; the file can be removed at any time."""
    line = canonical_json({"case": case, "requester_hmac": _hmac(keys, identity)}).encode()
    path = keys / REQUESTERS
    with locks.folder_lock(keys):
        before = path.read_bytes() if path.is_file() else b""
        disk.write_bytes(path, before + line + b"\n", mode=0o600)


def cases_of_requester(keys: Path, identity: str) -> set[str]:
    """The cases that a person opened, by the digests that are still in the file."""
    path = keys / REQUESTERS
    lines = path.read_text("utf-8").splitlines() if path.is_file() else []
    wanted = _hmac(keys, identity)
    entries = map(json.loads, lines)
    return {entry["case"] for entry in entries if entry["requester_hmac"] == wanted}


def _hmac(keys: Path, identity: str) -> str:
    return redacted_names.keyed_digest(
        redacted_names.lookup_key(keys), " ".join(identity.split()).casefold()
    )
