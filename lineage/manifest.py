"""A release's manifest: every file with its digest, the counts, what it was made from.

`lineage/runs` says when and on what machine stages ran, and the leaves of the Merkle tree are
salted at random: they are not in the manifest, so that the same inputs, parameters and code give
the same one.  The signed statement covers them beside it (`lineage.signing.seal`).
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
    """The manifest as a JSON value.

    Args:
      params, register: of the run.
      files: path in the release -> rows (null: no table), bytes, sha256.
      counts: what was counted.
      protocols: opt-out protocol -> the version that was applied.
      tokenizer: what made the token shards; None: there are none.
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
    """The terms of each `LicenseRef-…` of released sources: a release says them itself."""
    named = {
        ref
        for id in sources
        if id in register.sources
        for ref in references(register.sources[id].licence.spdx)
    }
    return {ref: asdict(register.licences[ref]) for ref in sorted(named)}


def is_release(folder: Path) -> bool:
    """Whether a folder holds a release: whether it has a manifest of this kind."""
    try:
        found = json.loads((folder / release_files.MANIFEST).read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(found, dict) and {"schema_version", "name", "files"} <= found.keys()


def readme(manifest: Mapping[str, Any], entries: Mapping[str, Mapping[str, Any]]) -> str:
    """The release's page for whoever opens the folder; `entries` are the register's by source."""
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
for the purpose `{manifest["purpose"]}` as of {manifest["as_of"]}. Every document has its source,
its licence and its lineage: `tamga trace DOC_ID --release .` shows the chain.

| language | documents |{head}
|---|---|{rule}
{languages}
| source | title | licence | attribution | documents |{head}
|---|---|---|---|---|{rule}
{sources}
`data/<lang>/` holds the documents, each with its `domain` and a score of `quality` where these are
known, `lineage/<table>/` what happened to them, `manifest.json` the digests of files and the
counts, `seal/` the leaves of the Merkle tree over the documents, `manifest.dsse.json` a signed
statement on all of it: `tamga verify . --key PUBLIC_KEY` checks it.
{_token_shards(tokenizer, counts) if tokenizer else ""}"""


def _token_shards(tokenizer: Mapping[str, Any], counts: Mapping[str, Any]) -> str:
    ending = f", each ended by `{tokenizer['separator']}`" if tokenizer["separator"] else ""
    return f"""
`tokens/{tokenizer["name"]}/` holds the same documents as {counts["tokens"]} token ids{ending}, made by the
`tokenizer.json` there; `tamga trace --tokens SHARD:FROM-TO --release .` tells whose they are.
"""
