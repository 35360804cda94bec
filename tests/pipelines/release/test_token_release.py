"""Releases with and without a tokenizer, from the command line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from helpers import release_tables
from helpers.commands import tamga

from lineage import verify
from lineage.release_folder import ReleaseFolder
from lineage.signing import keys
from lineage.storage.release_tables import NoRelease
from lineage.token_trace import find_range, trace_range

NAMED = "tokenizer: samples/tokenizer.json"


@pytest.fixture
def home(sample_run: Path, tmp_path: Path) -> Path:
    for name in ("register", "samples", "work"):
        shutil.copytree(sample_run / name, tmp_path / name)
    shutil.copy(sample_run / "params.yaml", tmp_path)
    return tmp_path


def change(home: Path, old: str, new: str) -> Path:
    path = home / "params.yaml"
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")
    return path


def public(home: Path) -> Ed25519PublicKey:
    return keys.public_key(home / "work/keys/signing.pub")


def test_documents_continue_in_the_next_shard(home: Path, sample_run: Path) -> None:
    params = change(home, "shard_tokens: 67108864", "shard_tokens: 1024")
    done = tamga("release", "--params", params, "--workers", "1")
    assert done.returncode == 0, done.stderr
    path, whole = home / "release/sample", sample_run / "release/sample"
    assert not list(verify.defects(path, public(home), None))
    for lang in ("kk", "ru", "tt"):
        parts = [np.load(p) for p in sorted((path / "tokens/tokenizer" / lang).iterdir())]
        assert all(len(part) == 1024 for part in parts[:-1])
        (one,) = (np.load(p) for p in (whole / "tokens/tokenizer" / lang).iterdir())
        assert np.array_equal(np.concatenate(parts), one)
    tokens = release_tables.read_table(path, "tokens")
    later = tokens.filter(pl.col("doc_token_start") > 0).sort("shard").row(0, named=True)
    release = ReleaseFolder(path, home, home / "work/keys")
    (found,) = trace_range(release, find_range(release, f"{later['shard']}:0-2"), 20)
    start = later["doc_token_start"]
    assert found["doc_id"] == later["doc_id"] and found["tokens_match"]
    assert found["document_tokens"] == [start, start + 2] and found["chars"][0] > 0


def test_without_a_tokenizer_there_are_no_tokens(home: Path) -> None:
    params = change(home, NAMED, "tokenizer: ")
    assert tamga("release", "--params", params).returncode == 0
    path = home / "release/sample"
    assert release_tables.read_table(path, "data")["n_tokens"].null_count() == 78
    manifest = json.loads((path / "manifest.json").read_bytes())
    assert manifest["tokenizer"] is None and "tokens" not in manifest["counts"]
    assert not (path / "tokens").exists() and not (path / "lineage/tokens").exists()
    assert not list(verify.defects(path, public(home), None))
    with pytest.raises(NoRelease, match=r"tokens\.tokenizer"):
        find_range(ReleaseFolder(path, home), "kk/part-00000-00000:1")


def test_a_bad_tokenizer_is_reported_before_the_run(home: Path) -> None:
    shutil.rmtree(home / "work")
    done = tamga("run", "--params", change(home, NAMED, "tokenizer: register"))
    assert done.returncode == 2 and "cannot be read" in done.stderr
    assert not (home / "work").exists()
