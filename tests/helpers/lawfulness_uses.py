"""A register on disk, and the answers of all four places that ask whether its sources are lawful."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq
from helpers import report_release

from lineage import configuration
from lineage.register_files import load_policies
from lineage.release_folder import ReleaseFolder
from lineage.withdrawal_scope import Scope
from pipelines.dedup.release_index import ReleasedRights
from pipelines.governance import sources
from pipelines.ingest.gate import Gate
from pipelines.withdrawal.impact import Impact
from schemas import policy
from schemas.lawfulness import Use
from schemas.params import Params
from schemas.register import Register
from schemas.tables import DUPLICATES

#: Licences of a register's own: one grants pretraining, the other does not.
LICENCES = {
    id: {"title": id, "purposes": [purpose], "attribution": True, "share_alike": False}
    for id, purpose in (("LicenseRef-open", "pretraining"), ("LicenseRef-test", "evaluation"))
}
ALLOWED = ("CC0-1.0", "CC-BY-4.0", "LicenseRef-open", "LicenseRef-test")
REFUSED = "refused"


@dataclass(frozen=True)
class Entry:
    """What distinguishes a source from one that is granted: parts of its entry, whether its
    evidence is on file, and whether a withdrawal of it is recorded (under which reason)."""

    basis: Mapping[str, Any] = field(default_factory=dict)
    more: Mapping[str, Any] = field(default_factory=dict)
    evidence: bool = True
    withdrawn: str | None = None


def write(home: Path, entries: Mapping[str, Entry], **params: Any) -> Path:
    """Write a register and its parameters; returns the parameters' path.

    Args:
      home: the folder of the parameters.
      entries: by the source's id.
      params: what differs from a run on 2026-11-22 for pretraining, stored in KZ.
    """
    for name in ("sources", "evidence"):
        (home / "register" / name).mkdir(parents=True)
    recorded = []
    for id, entry in entries.items():
        basis = {
            "kind": "consent",
            "reference": "Letter 1",
            "evidence": f"{id}.txt",
            "purposes": ["pretraining"],
            "granted_on": "2025-02-01",
        }
        value = {
            "id": id,
            "title": "t",
            "publisher": "p",
            "contact": "c",
            "jurisdiction": "KZ",
            "kind": "web",
            "languages": ["kk"],
            "match": {"domains": [f"{id}.example.kz"]},
            "licence": {"spdx": "CC-BY-4.0"},
            **entry.more,
            "basis": {**basis, **entry.basis},
        }
        (home / f"register/sources/{id}.yaml").write_text(json.dumps(value))
        if entry.evidence:
            (home / f"register/evidence/{id}.txt").write_text("signed")
        if entry.withdrawn is not None:
            recorded.append(
                {"scope": "source", "value": id, "recorded_on": "2026-03-01", "ground": "letter 9"}
                | ({"reason": entry.withdrawn} if entry.withdrawn != "withdrawn" else {})
            )
    (home / "register/licences.yaml").write_text(json.dumps(LICENCES))
    if recorded:
        (home / "register/withdrawals.yaml").write_text(json.dumps(recorded))
    about = {
        "as_of": "2026-11-22",
        "purpose": "pretraining",
        "storage_country": "KZ",
        "register": "register",
        "inputs": [{"collection": "web", "format": "warc", "paths": ["*.warc.gz"]}],
        "licences": {"allow": list(ALLOWED)},
        "work": "work",
        "release": {"name": "r", "path": "release"},
    }
    path = home / "params.yaml"
    path.write_text(json.dumps(about | params))
    return path


def _loaded(path: Path) -> tuple[Params, Register, policy.Packs]:
    params, register = configuration.load_both(path)
    return params, register, load_policies(params.policy.path)


def _uri(id: str) -> str:
    return f"https://{id}.example.kz/page"


def of_gate(path: Path) -> dict[str, str | None]:
    """The reasons for which a record of each source is refused."""
    params, register, packs = _loaded(path)
    gate = Gate(params, register, packs)
    found = {id: gate.check_before_reading(id, _uri(id), "0" * 32) for id in register.sources}
    return {id: verdict.reason if verdict else None for id, verdict in found.items()}


def of_dedup(path: Path) -> dict[str, str | None]:
    """Whether a document of each source in the index counts; the index knows no reasons."""
    params, register, packs = _loaded(path)
    rights = ReleasedRights.of(register, Use.from_params(params, packs))
    rows = [(f"{n:032x}", id, _uri(id), b"\0" * 32) for n, id in enumerate(register.sources)]
    documents = pl.DataFrame(rows, ReleasedRights.COLUMNS, orient="row")
    counts = zip(register.sources, rights.allow(documents), strict=True)
    return {id: None if allowed else REFUSED for id, allowed in counts}


def of_impact(path: Path) -> dict[str, str | None]:
    """The reasons for which copies of each source would not take a withdrawn document's place."""
    params, register, _ = _loaded(path)
    folder = path.parent / "release/r"
    report_release.write_release(
        folder, [], [{"source_id": id, "uri": ""} for id in register.sources]
    )
    rows = [
        (doc, f"c{n}", f"kept{n}", "exact", 1.0, "CC-BY-4.0", source)
        for n, id in enumerate(register.sources)
        for doc, source in ((f"kept{n}", "gone"), (f"copy{n}", id))
    ]
    (folder / "lineage/duplicates").mkdir()
    columns = ("doc_id", "cluster_id", "kept_doc_id", "kind", "similarity", "licence", "source_id")
    table = pl.DataFrame(rows, columns, orient="row").select(DUPLICATES.names)
    pq.write_table(table.to_arrow().cast(DUPLICATES), folder / "lineage/duplicates/part-0.parquet")
    named = table.filter(pl.col("source_id") == "gone").select("doc_id")
    effect = Impact(params, register, Scope("source", "gone"))
    found = effect.copies(ReleaseFolder(folder, path.parent), named)
    lawful = dict.fromkeys((one["source_id"] for one in found["take_over"]), None)
    return lawful | {one["source_id"]: one["reason"] for one in found["barred"]}


def of_sources(path: Path) -> dict[str, str | None]:
    """The reasons that `tamga sources list --json` names."""
    return {row["id"]: row["refused_here"] for row in listed(path)}


def listed(path: Path) -> list[dict[str, Any]]:
    """The rows of `tamga sources list --json`."""
    rows: list[dict[str, Any]] = json.loads(run_sources("list", "--params", str(path), "--json"))[
        "sources"
    ]
    return rows


def run_sources(*arguments: str) -> str:
    """What `tamga sources` prints, which must succeed."""
    with contextlib.redirect_stdout(io.StringIO()) as out:
        assert sources.main(arguments) == 0
    return out.getvalue()


USES: Mapping[str, Callable[[Path], dict[str, str | None]]] = {
    "gate": of_gate,
    "dedup": of_dedup,
    "impact": of_impact,
    "sources": of_sources,
}
