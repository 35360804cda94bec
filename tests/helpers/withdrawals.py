"""Run `tamga withdraw` with usual arguments; read all files of a folder."""

from __future__ import annotations

from pathlib import Path

from pipelines.withdrawal import command as withdraw

CONFIRMED = ("--confirm", "--by", "counsel", "--ground", "letter 12/7")


def run_withdraw(home: Path, *args: str) -> int:
    """Run `tamga withdraw` with the parameters in `home`; return the exit code."""
    return withdraw.main([*args, "--params", str(home / "params.yaml")])


def files_below(folder: Path) -> dict[str, bytes]:
    """Return the content of all files below a folder by relative path, without locks."""
    return {
        p.relative_to(folder).as_posix(): p.read_bytes()
        for p in sorted(folder.rglob("*"))
        if p.is_file() and not p.name.endswith("lock")
    }
