"""`tamga explain`: why a record ended as it did, and what would change the outcome.

Plain sentences name each observation, rule, version and value that led to the outcome."""

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

Exit codes: 0 explained, 1 no release has the record, 2 wrong usage, or no release."""

#: The number of characters of a decision's evidence that are shown; most decisions have fewer.
SHOWN: Final = 1500


def explanation(
    chain: dict[str, Any], unreleased: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Explain a record by its chain (`lineage.release_folder.ReleaseFolder.chain`).

    Args:
      chain: the chain of the record.
      unreleased: the outcomes of documents that were kept in its place and are not in the release
        (by `outcomes_of_kept`).

    Returns:
      doc_id, uri, outcome, reason; `steps`: the decisions, each with stage, outcome, reason, rule,
      rule_version, evidence, and a sentence `why`; `otherwise`: sentences on what would change the
      outcome; `copies` of its text.
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
            if outcome := (unreleased or {}).get(decision["evidence"].get("kept_doc_id")):
                why += f" But that document ended as {outcome}, and is not in the release."
                if outcome.startswith("refuse"):  # by a withdrawal: it was kept before
                    condition = "The next run judges this copy in its place."
        otherwise.append(condition)
        names = ("stage", "outcome", "reason", "rule", "rule_version", "evidence", "run_id")
        steps.append({name: decision[name] for name in names} | {"why": why})
    return {
        "doc_id": chain["doc_id"],
        "uri": chain["record"]["uri"],
        "outcome": chain["outcome"],
        "reason": chain["reason"],
        "document": chain["document"],
        "steps": steps,
        "otherwise": otherwise,
        "copies": [
            copy | {"ended": (unreleased or {}).get(copy["kept_doc_id"])}
            for copy in chain["duplicates"]
            if copy["doc_id"] != chain["doc_id"]
        ],
    }


def outcomes_of_kept(release: ReleaseFolder, chain: dict[str, Any]) -> dict[str, str]:
    """The outcomes of the copies that were kept in a record's place and are not in the release."""
    kept = {copy["kept_doc_id"] for copy in chain["duplicates"]} - {chain["doc_id"]}
    return {
        doc_id: f"{decision['outcome']}: {decision['reason']}"
        for doc_id in sorted(kept)
        for decision in release.rows("decisions", doc_id)
        if decision["outcome"] != "keep"
    }


def releases_of(store: Store, query: str, keys: Path | None) -> list[tuple[str, int]]:
    """Find the records that an id or an address names, and the last release that has each.

    Returns:
      Pairs of doc_id and the number of the release.
    """
    is_id = len(query) == 32 and set(query) <= set("0123456789abcdef")
    intervals = store.by_id([query]) if is_id else store.by_url(query, keys)
    latest = store.releases[-1].seq
    last = intervals["last_seq"].fill_null(latest)
    return sorted(dict(zip(intervals["doc_id"], last, strict=True)).items())


@with_exit_code
def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    parser = store_options.store_parser("explain", __doc__ or "", EPILOG)
    parser.add_argument("query", metavar="DOC_ID|URL", help="the record to explain")
    parser.add_argument(
        "--release",
        metavar="NAME[@SEQ]",
        help="explain it in this release (default: the last with it)",
    )
    options = parser.parse_args(argv)
    with store_options.readable():
        return _explain(options)


def _explain(options: argparse.Namespace) -> int:
    store, place = store_options.open_store(options), store_options.find_places(options)
    wanted = store.release(options.release) if options.release else None
    explanations = []
    for doc_id, seq in releases_of(store, options.query, place.keys):
        header = wanted or store.release(str(seq))
        folder = Path(place.releases.removeprefix("file://")) / header.name
        release = ReleaseFolder(folder, place.root, place.keys)
        if release.entered is None or release.entered[1] != header:
            raise NoRelease(
                f"{folder} no longer holds {header.name}@{header.seq}; the store still has the "
                f"record: tamga query --doc {doc_id}"
            )
        if release.find(doc_id):
            name = {"release": f"{header.name}@{header.seq}"}
            chain = release.chain(doc_id)
            explanations.append(name | explanation(chain, outcomes_of_kept(release, chain)))
    if options.json:
        answer = {"query": options.query, "explanations": explanations}
        print(json.dumps(answer, ensure_ascii=False, indent=1))
    else:
        texts = ("\n".join(_explanation_lines(entry)) for entry in explanations)
        print("\n\n".join(texts) or "no release has this record")
    return 0 if explanations else 1


def _shortened(text: str) -> str:
    """Evidence shortened for the screen; `--json` has all of it."""
    return shorten(text, SHOWN, placeholder=" … (all of it: --json)")


def _explanation_lines(entry: dict[str, Any]) -> Iterator[str]:
    """An explanation as lines for the screen."""
    outcome = f"{entry['outcome']}: {entry['reason']}" if entry["reason"] else entry["outcome"]
    yield f"{entry['doc_id']}  {entry['uri']}"
    yield f"In {entry['release']} it ended as: {outcome}."
    if document := entry["document"]:
        yield f"It is released in {document['shard']}, row {document['row']}."
    yield ""
    for number, step in enumerate(entry["steps"], 1):
        yield f"{number}. {step['stage']}: {step['why']}"
        yield f"   Rule {step['rule']}, version {step['rule_version']}; run {step['run_id']}."
        yield f"   Observed: {_shortened(reason_texts.evidence_text(step['evidence']))}."
    for copy in entry["copies"]:
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
    for condition in entry["otherwise"]:
        yield f"* {condition}"


if __name__ == "__main__":
    sys.exit(main())
