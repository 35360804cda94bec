"""`tamga explain`: why a record ended as it did, and what would have to differ.

Every observation, rule, version and value that led to its outcome, in plain sentences."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from textwrap import shorten
from typing import Any, Final

from lineage import keep_texts, reason_texts, store_options
from lineage.release_folder import ReleaseFolder
from lineage.storage.release_tables import NoRelease
from lineage.store.store import Store
from schemas.command_entry import with_exit_code

EPILOG = """examples:
  tamga explain 0f3a5c0b9d1e42f7a6b8c9d0e1f2a3b4
  tamga explain https://law.example.kz/news/1.html
  tamga explain https://law.example.kz/news/1.html --release sample@0 --json

Exit codes: 0 explained, 1 no release has seen it, 2 wrong usage, or no release."""

#: How many characters of a decision's evidence are shown; more than other decisions have.
SHOWN: Final = 1500


def explanation(chain: dict[str, Any], gone: Mapping[str, str] | None = None) -> dict[str, Any]:
    """A record's chain (`lineage.release_folder.ReleaseFolder.chain`) as an explanation.

    Args:
      chain: the record's.
      gone: of the documents that were kept for it, those that are not in the release (by `ended`),
        and how they ended.

    Returns:
      doc_id, uri, outcome, reason; `steps`, a decision each with stage, outcome, reason, rule,
      rule_version, evidence and `why` in a sentence; `otherwise`: sentences on what would have to
      differ for the other outcome; `copies` of its text.
    """
    steps: list[dict[str, Any]] = []
    otherwise: list[str] = []
    for decision in chain["decisions"]:
        stage, reason = decision["stage"], decision["reason"]
        about = (decision["evidence"], decision["rule"], decision["rule_version"])
        if decision["outcome"] == "keep":
            why, condition = keep_texts.explain_keep(stage, *about)
        else:
            why, condition = reason_texts.explain_reason(stage, reason, *about)
            otherwise.clear()
            if how := (gone or {}).get(decision["evidence"].get("kept_doc_id")):
                why += f" But that document ended as {how}, and is not in the release."
                if how.startswith("refuse"):  # by a withdrawal: it was kept before
                    condition = "The next run judges this copy in its place."
        otherwise.append(condition)
        told = ("stage", "outcome", "reason", "rule", "rule_version", "evidence", "run_id")
        steps.append({name: decision[name] for name in told} | {"why": why})
    return {
        "doc_id": chain["doc_id"],
        "uri": chain["record"]["uri"],
        "outcome": chain["outcome"],
        "reason": chain["reason"],
        "document": chain["document"],
        "steps": steps,
        "otherwise": otherwise,
        "copies": [
            one | {"ended": (gone or {}).get(one["kept_doc_id"])}
            for one in chain["duplicates"]
            if one["doc_id"] != chain["doc_id"]
        ],
    }


def ended(release: ReleaseFolder, chain: dict[str, Any]) -> dict[str, str]:
    """How those of a record's copies that were kept ended, where they are not in the release."""
    kept = {one["kept_doc_id"] for one in chain["duplicates"]} - {chain["doc_id"]}
    return {
        doc_id: f"{one['outcome']}: {one['reason']}"
        for doc_id in sorted(kept)
        for one in release.rows("decisions", doc_id)
        if one["outcome"] != "keep"
    }


def releases_of(store: Store, query: str, keys: Path | None) -> list[tuple[str, int]]:
    """The records that an id or an address names, each with the number of the last release that
    saw it."""
    is_id = len(query) == 32 and set(query) <= set("0123456789abcdef")
    found = store.by_id([query]) if is_id else store.by_url(query, keys)
    latest = store.releases[-1].seq
    last = found["last_seq"].fill_null(latest)
    return sorted(dict(zip(found["doc_id"], last, strict=True)).items())


@with_exit_code
def main(argv: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = store_options.parser("explain", __doc__ or "", EPILOG)
    parser.add_argument("query", metavar="DOC_ID|URL", help="what to explain")
    parser.add_argument(
        "--release", metavar="NAME[@SEQ]", help="in this release (default: the last that saw it)"
    )
    options = parser.parse_args(argv)
    with store_options.readable():
        return _explain(options)


def _explain(options: argparse.Namespace) -> int:
    store, place = store_options.opened(options), store_options.places(options)
    wanted = store.release(options.release) if options.release else None
    told = []
    for doc_id, seq in releases_of(store, options.query, place.keys):
        header = wanted or store.release(str(seq))
        folder = Path(place.releases.removeprefix("file://")) / header.name
        release = ReleaseFolder(folder, place.root, place.keys)
        if release.entered is None or release.entered[1] != header:
            raise NoRelease(
                f"{folder} does not hold {header.name}@{header.seq} any more; what the store "
                f"knows of the record: tamga query --doc {doc_id}"
            )
        if release.find(doc_id):
            name = {"release": f"{header.name}@{header.seq}"}
            chain = release.chain(doc_id)
            told.append(name | explanation(chain, ended(release, chain)))
    if options.json:
        print(
            json.dumps({"query": options.query, "explanations": told}, ensure_ascii=False, indent=1)
        )
    else:
        print("\n\n".join("\n".join(_lines(one)) for one in told) or "no release has seen it")
    return 0 if told else 1


def _in_short(told: str) -> str:
    """Evidence as a person reads it; `--json` has all of it."""
    return shorten(told, SHOWN, placeholder=" … (the whole: --json)")


def _lines(one: dict[str, Any]) -> Iterator[str]:
    """An explanation in lines that a person reads."""
    outcome = f"{one['outcome']}: {one['reason']}" if one["reason"] else one["outcome"]
    yield f"{one['doc_id']}  {one['uri']}"
    yield f"In {one['release']} it ended as: {outcome}."
    if document := one["document"]:
        yield f"It is released in {document['shard']}, row {document['row']}."
    yield ""
    for number, step in enumerate(one["steps"], 1):
        yield f"{number}. {step['stage']}: {step['why']}"
        yield f"   Rule {step['rule']}, version {step['rule_version']}; run {step['run_id']}."
        yield f"   Observed: {_in_short(reason_texts.evidence_text(step['evidence']))}."
    for copy in one["copies"]:
        if copy["doc_id"] == copy["kept_doc_id"]:
            kept = (
                f"Was kept for it, and ended as {copy['ended']}" if copy["ended"] else "Kept for it"
            )
            yield f"{kept}: {copy['doc_id']} of {copy['source_id']} ({copy['licence']})."
            continue
        yield (
            f"A copy of it is {copy['doc_id']} of {copy['source_id']} ({copy['licence']}): "
            f"{copy['kind']}, similarity {copy['similarity']:.2f}; {copy['kept_doc_id']} "
            f"{'was' if copy['ended'] else 'is'} kept."
        )
    yield ""
    yield "For another outcome:"
    for condition in one["otherwise"]:
        yield f"* {condition}"


if __name__ == "__main__":
    sys.exit(main())
