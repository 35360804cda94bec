"""Proofs are valid without the release, and only for what they prove."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from helpers.commands import tamga
from hypothesis import given
from hypothesis import strategies as st

from lineage import prove_command
from lineage.release_folder import ReleaseFolder
from lineage.signing import keys, release_log


@pytest.fixture(scope="module")
def proofs(sample_run: Path) -> list[dict[str, Any]]:
    release = ReleaseFolder(sample_run / "release/sample", sample_run)
    ids = release.table("documents").select("doc_id").collect()["doc_id"].to_list()
    found = [
        prove_command.inclusion_proof(release, doc_id) for doc_id in ids[:: max(1, len(ids) // 9)]
    ]
    return [one for one in found if one]


def test_a_released_document_is_proved(sample_run: Path, proofs: list[dict[str, Any]]) -> None:
    key = keys.public_key(sample_run / "work/keys/signing.pub")
    assert len(proofs) >= 9 and not any(prove_command.proof_error(one, key) for one in proofs)
    for name, value in (("salt", "00" * 16), ("index", 0), ("path", []), ("envelope", "{}")):
        assert prove_command.proof_error(proofs[1] | {name: value}, key)
    other = copy.deepcopy(proofs[1])
    other["document"]["text_sha256"] = "00" * 32
    assert (
        prove_command.proof_error(other, key) == "the document is not in the tree that was signed"
    )


@pytest.mark.parametrize("junk", [None, [], "x", {}, {"kind": "inclusion", "path": [1]}])
def test_values_that_are_not_proofs(junk: Any) -> None:
    assert prove_command.proof_error(junk) == "this is not a proof"


@given(st.integers(1, 12), st.data())
def test_a_log_grows_from_its_start(size: int, data: st.DataObject) -> None:
    entries = [{"seq": i, "name": f"v{i}"} for i in range(size)]
    old = data.draw(st.integers(1, size))
    proof = prove_command.consistency_proof(entries, old, size)
    assert prove_command.proof_error(proof) is None
    assert proof["new"]["root"] == release_log.tree_head(entries)[1]
    assert prove_command.proof_error(proof | {"old": {"size": str(old), "root": "00" * 32}})


def test_the_command(sample_run: Path, tmp_path: Path, proofs: list[dict[str, Any]]) -> None:
    release, public = sample_run / "release/sample", sample_run / "work/keys/signing.pub"
    doc_id = proofs[2]["document"]["doc_id"]
    done = tamga("prove", doc_id, "--release", release)
    assert done.returncode == 0 and json.loads(done.stdout) == proofs[2]
    (tmp_path / "proof.json").write_text(done.stdout)
    assert tamga("prove", "--check", tmp_path / "proof.json", "--key", public).stdout == "holds\n"
    keyless = tamga("prove", "--check", tmp_path / "proof.json")
    assert keyless.returncode == 2 and "--key" in keyless.stderr
    refused = pl.read_parquet(release / "lineage/decisions/*.parquet")
    gone = refused.filter(pl.col("outcome") == "refuse")["doc_id"][0]
    assert tamga("prove", gone, "--release", release).returncode == 1
    assert tamga("prove", gone, "--release", tmp_path).returncode == 2
    history = sample_run / "release/releases.jsonl"
    grown = tamga("prove", "--grown", "1", "1", "--log", history)
    assert grown.returncode == 0 and json.loads(grown.stdout)["path"] == []
    assert tamga("prove", "--grown", "1", "9", "--log", history).returncode == 2
