"""`tamga prove`: prove that a document is in a release, or that a log extends an earlier log.

A proof is a JSON file that anyone can check (RFC 6962, 2.1).  An inclusion proof has the release's
signed statement.  A consistency proof has two heads of the log, which signed statements name.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from lineage.release_folder import ReleaseFolder
from lineage.signing import dsse, merkle, release_log, seal
from lineage.signing.keys import BadKey, public_key
from lineage.storage import release_files
from lineage.storage.release_tables import NoRelease, readable
from schemas import command_line
from schemas.canonical import canonical_json
from schemas.command_entry import with_exit_code
from schemas.errors import Usage

EPILOG = """examples:
  tamga prove 0f3a5c0b9d1e42f7a6b8c9d0e1f2a3b4 --release release/sample > proof.json
  tamga prove --check proof.json --key tamga.pub
  tamga prove --grown 1 3 --log release/releases.jsonl > grown.json

Exit codes: 0 the proof is written, or valid; 1 there is no such document, or the proof is not
valid; 2 wrong usage, or no release or key."""


def inclusion_proof(release: ReleaseFolder, doc_id: str) -> dict[str, Any] | None:
    """Build the proof that a document is in a release; None: it is not in the release.

    Raises:
      NoRelease: if the folder holds no release, or no complete seal.
    """
    rows = release.table("documents").filter(pl.col("doc_id") == doc_id).collect().to_dicts()
    if not rows:
        return None
    index = rows[0]["leaf_index"]
    try:
        leaves = seal.unpack((release.folder / release_files.LEAVES).read_bytes(), seal.HASH_BYTES)
        salts = (release.folder / release_files.SALTS).read_bytes()
        envelope = (release.folder / release_files.STATEMENT).read_text("utf-8")
    except (OSError, ValueError) as error:
        raise NoRelease(f"{release.folder} has no complete seal: {error}") from None
    return {
        "kind": "inclusion",
        "document": {name: rows[0][name] for name in seal.COMMITTED},
        "salt": salts[index * seal.SALT_BYTES :][: seal.SALT_BYTES].hex(),
        "index": index,
        "path": [hash.hex() for hash in merkle.inclusion_proof(leaves, index)],
        "envelope": envelope,
    }


def consistency_proof(entries: Sequence[dict[str, Any]], old: int, new: int) -> dict[str, Any]:
    """Build the proof that the log's first `old` entries are the start of its first `new` entries.

    Raises:
      IndexError: if the log is shorter, or `old` is not between 1 and `new`.
    """
    if new > len(entries):
        raise IndexError(f"the log has {len(entries)} entries")
    path = merkle.consistency_proof(release_log.leaves(entries[:new]), old)
    (old_size, old_root), (new_size, new_root) = (
        release_log.tree_head(entries, size) for size in (old, new)
    )
    return {
        "kind": "consistency",
        "old": {"size": str(old_size), "root": old_root},
        "new": {"size": str(new_size), "root": new_root},
        "path": [hash.hex() for hash in path],
    }


def proof_error(proof: Any, key: Any = None) -> str | None:
    """Check a proof; return what is wrong with it, or None if it is valid.

    Args:
      proof: the JSON value of `inclusion_proof` or `consistency_proof`.
      key: the public key; only an inclusion proof needs it.
    """
    try:
        path = [bytes.fromhex(hash) for hash in proof["path"]]
        if proof["kind"] == "consistency":
            old, new = proof["old"], proof["new"]
            sizes, roots = (int(old["size"]), int(new["size"])), (old["root"], new["root"])
            old_root, new_root = map(bytes.fromhex, roots)
            sound = merkle.is_consistent(sizes[0], old_root, sizes[1], new_root, path)
            return None if sound else "the newer log does not start with the older one"
        signed = dsse.open_envelope(proof["envelope"].encode(), key)
        tree = signed["predicate"]["merkle"]
        committed = {name: proof["document"][name] for name in seal.COMMITTED}
        salt = bytes.fromhex(proof["salt"])
        index, size = proof["index"], int(tree["size"])
    except dsse.BadEnvelope as error:
        return f"its statement {error}"
    except (LookupError, TypeError, ValueError, AttributeError):
        return "this is not a proof"
    leaf = merkle.leaf_hash(salt + canonical_json(committed).encode())
    root = merkle.root_by_inclusion(leaf, index, size, path)
    same = root is not None and root.hex() == tree["root"] and len(salt) == seal.SALT_BYTES
    return None if same else "the document is not in the tree that was signed"


@with_exit_code
def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    parser = _parser()
    options = parser.parse_args(argv)
    if options.check:
        return _check(options)
    if options.grown:
        if not options.log:
            parser.error("--grown needs --log")
        proof: dict[str, Any] | None = _consistency_proof(options)
    elif options.doc_id and options.release:
        with readable(NoRelease):  # without readable tables there is no release to ask
            proof = inclusion_proof(ReleaseFolder(options.release, Path()), options.doc_id)
    else:
        parser.error("name a document and a --release, or --grown, or --check")
    if proof is None:
        print(f"{options.release} holds no document {options.doc_id}", file=sys.stderr)
        return 1
    print(json.dumps(proof, indent=1))
    return 0


def _consistency_proof(options: argparse.Namespace) -> dict[str, Any]:
    try:
        return consistency_proof(release_log.read(options.log), *options.grown)
    except IndexError as error:  # a tree has no such size: the two numbers are wrong
        raise Usage(f"--grown {' '.join(map(str, options.grown))}: {error}") from None


def _check(options: argparse.Namespace) -> int:
    try:
        proof = json.loads(options.check.read_bytes())
    except (ValueError, RecursionError) as error:
        raise Usage(f"{options.check}: this is not a proof ({type(error).__name__})") from None
    needs_key = not (isinstance(proof, dict) and proof.get("kind") == "consistency")
    if needs_key and not options.key:
        raise BadKey("name the public key by --key")
    wrong = proof_error(proof, public_key(options.key) if needs_key else None)
    print(wrong or "holds")
    return 1 if wrong else 0


def _parser() -> argparse.ArgumentParser:
    parser = command_line.parser("prove", __doc__, EPILOG)
    parser.add_argument("doc_id", nargs="?", metavar="DOC_ID", help="a released document")
    parser.add_argument("--release", type=Path, help="the release's folder")
    parser.add_argument(
        "--grown", nargs=2, type=int, metavar=("OLD", "NEW"), help="two sizes of the log"
    )
    parser.add_argument("--log", type=Path, help="the log of releases (releases.jsonl)")
    parser.add_argument("--check", type=Path, metavar="PROOF", help="check this proof")
    parser.add_argument("--key", type=Path, help="the public key (PEM) that --check needs")
    return parser


if __name__ == "__main__":
    sys.exit(main())
