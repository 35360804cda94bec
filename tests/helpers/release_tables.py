"""Tables, outcomes and digests of a release on disk."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import polars as pl
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from lineage.signing import dsse


def read_table(release: Path, name: str) -> pl.DataFrame:
    """A lineage table, or `data`, whole."""
    folder = release / "data" if name == "data" else release / "lineage" / name
    return pl.read_parquet(f"{folder}/**/*.parquet", hive_partitioning=False)


def outcomes_by_document(release: Path) -> dict[str, tuple[str, str | None]]:
    """doc_id -> the outcome and reason in which it ended."""
    ended = read_table(release, "decisions").filter(pl.col("outcome") != "keep")
    ends = {row["doc_id"]: (row["outcome"], row["reason"]) for row in ended.iter_rows(named=True)}
    return {i: ends.get(i, ("keep", None)) for i in read_table(release, "records")["doc_id"]}


#: When stages ran, random salts, and what is signed over them.
OWN = ("lineage/runs/", "seal/", "manifest.dsse.json")


def file_digests(release: Path) -> dict[str, str]:
    """Path -> SHA-256 of all that two runs must have in common."""
    return {
        name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(release.rglob("*"))
        if path.is_file() and not (name := path.relative_to(release).as_posix()).startswith(OWN)
    }


def read_jsonl(path: Path) -> list[dict[str, Any]]:
    """The rows of a JSON-lines file."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def sign_again(release: Path, changed: Path, rows: int, key: Ed25519PrivateKey) -> None:
    """Sign a release in which a table was changed, so that all digests fit."""
    content, manifest = changed.read_bytes(), json.loads((release / "manifest.json").read_bytes())
    manifest["files"][changed.relative_to(release).as_posix()] = {
        "bytes": len(content),
        "rows": rows,
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    content = json.dumps(manifest).encode()
    (release / "manifest.json").write_bytes(content)
    envelope = release / "manifest.dsse.json"
    signed = dsse.open_envelope(envelope.read_bytes(), key.public_key())
    for subject in signed["subject"]:
        if subject["name"] == "manifest.json":
            subject["digest"]["sha256"] = hashlib.sha256(content).hexdigest()
    envelope.write_bytes(dsse.sign(signed, key))
