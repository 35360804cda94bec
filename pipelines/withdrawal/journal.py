"""The journal of a withdrawal in progress: its order, and the releases that are ready to be swapped.

The journal is the folder `.withdraw/<id>/` beside the releases.  It holds `order.json`.  For each
release it holds the redacted release in `<name>/`, and `<name>.json` once that release is complete.
After the swap, `<name>/` holds the old release.  A later command continues from the journal: each
step can be repeated.
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
    """The journal of one withdrawal.

    Attributes:
      releases: the folder of releases.
      id: the withdrawal's id.
    """

    releases: Path
    id: str

    @property
    def folder(self) -> Path:
        return self.releases / HOME / self.id

    @property
    def order(self) -> dict[str, Any]:
        """The order, as `begin` wrote it."""
        order: dict[str, Any] = disk.read_json(self.folder / "order.json")
        return order

    def begin(self, order: dict[str, Any]) -> None:
        """Write the order to disk.  From here on the withdrawal can be resumed."""
        disk.write_json(self.folder / "order.json", order)

    def end(self) -> None:
        """Delete the journal, with the old releases in it."""
        disk.remove_file(self.folder / "order.json")
        shutil.rmtree(self.folder)

    def built(self) -> list[dict[str, Any]]:
        """Return the description of each redacted release that is complete or was swapped:
        `Redaction.build`'s result, with `tokens`."""
        names = sorted(p for p in self.folder.glob("*.json") if p.name != "order.json")
        return [disk.read_json(path) for path in names]

    def empty_folder(self, name: str) -> Path:
        """Create an empty folder for the redacted form of the release `name`."""
        path = self.folder / name
        shutil.rmtree(path, ignore_errors=True)
        disk.make_folder(path)
        return path

    def mark_built(self, built: dict[str, Any], exclusions: bytes) -> None:
        """Record that a redacted release is complete.

        Args:
          built: its description, as `built` returns it.
          exclusions: its removed documents, as lines of JSON.
        """
        disk.write_bytes(self.exclusions_path(built["name"]), exclusions)
        disk.write_json(self.folder / f"{built['name']}.json", built)

    def delete_old(self, built: dict[str, Any]) -> None:
        """Delete the old release after the swap."""
        if (self.folder / built["name"]).exists() and self.release_in_place(built) != "old":
            shutil.rmtree(self.folder / built["name"])

    def discard(self, built: dict[str, Any]) -> None:
        """Delete a redacted release whose original was replaced by another run."""
        disk.remove_file(self.folder / f"{built['name']}.json")
        shutil.rmtree(self.folder / built["name"], ignore_errors=True)

    def exclusions_path(self, name: str) -> Path:
        """Where the removed documents of a release are listed."""
        return self.folder / f"{name}.exclusions.jsonl"

    def release_in_place(self, built: dict[str, Any]) -> str | None:
        """Return which release is in the folder of releases: `old`, `new`, or None (another one)."""
        try:
            digest = sha256((self.releases / built["name"] / STATEMENT).read_bytes()).hexdigest()
        except OSError:
            return None
        return next((which for which in ("old", "new") if built[which] == digest), None)

    def swap(self, built: dict[str, Any], log: Path) -> None:
        """Enter a redacted release into the log, then swap it with the old release.  So the log has
        an entry for either release, whenever the command is stopped."""
        fresh, target = self.folder / built["name"], self.releases / built["name"]
        if target.exists() and self.release_in_place(built) != "old":
            return
        envelope = (fresh / STATEMENT).read_bytes()
        release_log.enter(log, envelope, _payload(envelope))
        # the target is missing if a swap was killed on a file system without an atomic exchange
        disk.swap_folder(fresh, target)


def unfinished(releases: Path) -> list[Journal]:
    """Return the journals of interrupted withdrawals, sorted by id."""
    orders = (releases / HOME).glob("*/order.json")
    return [Journal(releases, path.parent.name) for path in sorted(orders)]


def remove_leftovers(releases: Path) -> None:
    """Delete the journals' folders that finished withdrawals left behind."""
    home = releases / HOME
    for folder in home.iterdir() if home.is_dir() else ():
        if folder.is_dir() and not (folder / "order.json").is_file():
            shutil.rmtree(folder, ignore_errors=True)


def _payload(envelope: bytes) -> Any:
    import base64

    return json.loads(base64.b64decode(json.loads(envelope)["payload"]))
