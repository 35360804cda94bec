"""A withdrawal in progress, on disk: what was ordered, and which releases are ready to be swapped.

It lies beside the releases, `.withdraw/<id>/`: `order.json`, and for each release `<name>/` with
the redacted release and `<name>.json`, which says that it is whole.  After the swap `<name>/` holds
the old release.  Whoever finds a journal goes on from it; each step may be done once more.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from lineage.signing import release_log
from lineage.storage import disk
from lineage.storage.release_files import STATEMENT

HOME = ".withdraw"


@dataclass(frozen=True)
class Journal:
    """`folder` of one withdrawal; `releases` is what it stands beside."""

    releases: Path
    id: str

    @property
    def folder(self) -> Path:
        return self.releases / HOME / self.id

    @property
    def order(self) -> dict[str, Any]:
        found: dict[str, Any] = disk.read_json(self.folder / "order.json")
        return found

    def begin(self, order: dict[str, Any]) -> None:
        """Put the order on disk: from here on it can be taken up again."""
        disk.write_json(self.folder / "order.json", order)

    def end(self) -> None:
        """Forget the withdrawal, and the old releases with it."""
        disk.remove_file(self.folder / "order.json")
        shutil.rmtree(self.folder)

    def built(self) -> list[dict[str, Any]]:
        """What is said of each release that is ready, or was swapped."""
        names = sorted(p for p in self.folder.glob("*.json") if p.name != "order.json")
        return [disk.read_json(path) for path in names]

    def place(self, name: str) -> Path:
        """An empty place for a redacted release."""
        path = self.folder / name
        shutil.rmtree(path, ignore_errors=True)
        disk.make_folder(path)
        return path

    def ready(self, about: dict[str, Any], lines: bytes) -> None:
        """A redacted release is whole; `lines` are its exclusions."""
        disk.write_bytes(self.lines(about["name"]), lines)
        disk.write_json(self.folder / f"{about['name']}.json", about)

    def drop(self, about: dict[str, Any]) -> None:
        """Remove the old release, once another stands in its place."""
        if (self.folder / about["name"]).exists() and self.stands(about) != "old":
            shutil.rmtree(self.folder / about["name"])

    def forget(self, about: dict[str, Any]) -> None:
        """Remove a redacted release that is of no use any more."""
        disk.remove_file(self.folder / f"{about['name']}.json")
        shutil.rmtree(self.folder / about["name"], ignore_errors=True)

    def lines(self, name: str) -> Path:
        return self.folder / f"{name}.exclusions.jsonl"

    def stands(self, about: dict[str, Any]) -> str | None:
        """Which release is in its place: `old`, `new`, or None: another than either."""
        try:
            found = sha256((self.releases / about["name"] / STATEMENT).read_bytes()).hexdigest()
        except OSError:
            return None
        return next((which for which in ("old", "new") if about[which] == found), None)

    def swap(self, about: dict[str, Any], log: Path) -> None:
        """Enter a release that is ready into the log, then put it in its place.  Whichever stands
        there in between, the log has its entry."""
        fresh, target = self.folder / about["name"], self.releases / about["name"]
        if target.exists() and self.stands(about) != "old":
            return
        envelope = (fresh / STATEMENT).read_bytes()
        release_log.enter(log, envelope, _payload(envelope))
        # the target is missing if a swap was killed on a file system that cannot exchange
        disk.swap_folder(fresh, target)


def unfinished(releases: Path) -> list[Journal]:
    """The withdrawals that were begun and not ended, by id."""
    orders = (releases / HOME).glob("*/order.json")
    return [Journal(releases, path.parent.name) for path in sorted(orders)]


def remove_leftovers(releases: Path) -> None:
    """Remove what is left of withdrawals that were ended."""
    home = releases / HOME
    for folder in home.iterdir() if home.is_dir() else ():
        if folder.is_dir() and not (folder / "order.json").is_file():
            shutil.rmtree(folder, ignore_errors=True)


def _payload(envelope: bytes) -> Any:
    import base64

    return json.loads(base64.b64decode(json.loads(envelope)["payload"]))
