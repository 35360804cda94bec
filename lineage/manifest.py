"""A release's manifest: each file with its digest, the counts, and what the release was made from.

The same inputs, parameters and code give the same manifest.  So it does not list `lineage/runs`,
which says when and where the stages ran, nor the leaves of the Merkle tree, whose salts are random.
The signed statement covers these files (`lineage.signing.seal`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lineage.storage import release_files
from schemas.code_version import code_version
from schemas.licences import normalise, references
from schemas.params import Params
from schemas.register import Register
from schemas.tables import SCHEMA_VERSION


def build_manifest(
    params: Params,
    register: Register,
    files: Mapping[str, Mapping[str, Any]],
    counts: Mapping[str, Any],
    protocols: Mapping[str, str] | None = None,
    tokenizer: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Build the manifest as a JSON value.

    Args:
      params, register: of the run.
      files: path in the release -> rows (null: not a table), bytes, sha256.
      counts: the counts of records, documents, characters and tokens.
      protocols: opt-out protocol -> the version that was applied.
      tokenizer: the tokenizer of the token shards; None: there are none.
    """
    return {
        "schema_version": SCHEMA_VERSION,
        "name": params.release.name,
        "as_of": params.as_of.isoformat(),
        "purpose": params.purpose,
        "code_version": code_version(),
        "params_sha256": params.digest(),
        "register_sha256": register.sha256,
        "storage_country": params.storage_country,
        "opt_outs": {
            "signals": params.signals,
            "protocols": dict(protocols or {}),
            "agents": list(params.robots_agents),
        },
        "licences": _own_licences(register, counts.get("by_source", ())),
        "counts": dict(counts),
        "tokenizer": dict(tokenizer) if tokenizer else None,
        "files": {
            path: {k: about.get(k) for k in ("rows", "bytes", "sha256")}
            for path, about in sorted(files.items())
        },
    }


def _own_licences(register: Register, sources: Iterable[str]) -> dict[str, Any]:
    """The terms of each `LicenseRef-…` of released sources, so that a release carries them."""
    used = {
        ref
        for id in sources
        if id in register.sources
        for ref in references(register.sources[id].licence.spdx)
    }
    return {ref: asdict(register.licences[ref]) for ref in sorted(used)}


def is_release(folder: Path) -> bool:
    """Whether a folder has the manifest of a release."""
    try:
        value = json.loads((folder / release_files.MANIFEST).read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(value, dict) and {"schema_version", "name", "files"} <= value.keys()


def readme(manifest: Mapping[str, Any], entries: Mapping[str, Mapping[str, Any]]) -> str:
    """Write the README of a release in Markdown.

    Args:
      manifest: the release's manifest.
      entries: source -> its entry in the register.
    """
    counts, tokenizer = manifest["counts"], manifest["tokenizer"]
    head, rule = (" tokens |", "---|") if tokenizer else ("", "")

    def tokens(kind: str, key: str) -> str:
        return f" {counts[f'tokens_by_{kind}'][key]} |" if tokenizer else ""

    languages = "".join(
        f"| {lang} | {n} |{tokens('language', lang)}\n"
        for lang, n in sorted(counts["by_language"].items())
    )
    sources = "".join(
        f"| {id} | {s['title']} | {normalise(s['licence']['spdx'])} "
        f"| {s['licence'].get('attribution') or s['publisher']} | {n} |{tokens('source', id)}\n"
        for id, n in sorted(counts["by_source"].items())
        for s in (entries[id],)
    )
    return f"""# {manifest["name"]}

{counts["documents"]} documents, {counts["chars"]} characters, from {counts["records"]} records,
for the purpose `{manifest["purpose"]}` as of {manifest["as_of"]}. Each document has its source,
its licence and its lineage. `tamga trace DOC_ID --release .` shows this chain.

| language | documents |{head}
|---|---|{rule}
{languages}
| source | title | licence | attribution | documents |{head}
|---|---|---|---|---|{rule}
{sources}
| file | what it holds |
|---|---|
| `data/<lang>/` | the documents, with `domain` and a `quality` score where these are known |
| `lineage/<table>/` | the lineage of each record: what happened to it, and why |
| `manifest.json` | the digest of each file, and the counts |
| `seal/` | the leaves of the Merkle tree over the documents |
| `manifest.dsse.json` | a signed statement about all of this |

`tamga verify . --key PUBLIC_KEY` checks the release.
{_token_shards(tokenizer, counts) if tokenizer else ""}"""


def _token_shards(tokenizer: Mapping[str, Any], counts: Mapping[str, Any]) -> str:
    ending = (
        f", each document ended by `{tokenizer['separator']}`" if tokenizer["separator"] else ""
    )
    return f"""
`tokens/{tokenizer["name"]}/` holds the same documents as {counts["tokens"]} token ids{ending}. The
`tokenizer.json` there made them. `tamga trace --tokens SHARD:FROM-TO --release .` shows the
documents of a range of tokens.
"""
