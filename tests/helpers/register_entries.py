"""Make the YAML of register entries."""

from __future__ import annotations


def make_entry(
    id: str = "all",
    *,
    match: str,
    language: str = "kk",
    licence: str = "CC0-1.0",
    basis: str = "licence",
    granted: str = "",
) -> str:
    """Return the YAML of a source of Kazakhstan whose evidence is `{id}.txt`.

    `match`: the content of its `match`.  `granted`: more keys of its basis, after a comma.
    """
    return f"""id: {id}
title: t
publisher: p
contact: c
jurisdiction: KZ
kind: web
languages: [{language}]
match: {{{match}}}
licence: {{spdx: {licence}}}
basis:
  {{kind: {basis}, reference: "1", evidence: {id}.txt, purposes: [pretraining], granted_on: 2025-01-01{granted}}}
"""
