"""`tamga trace`: trace a text to the bytes that it came from, and to the right to use them.

Start from a document, a URL, a file, a shard and row, a range of tokens, or a passage."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from lineage.release_folder import ReleaseFolder
from lineage.released_passages import BadPassage, documents_with_passage
from lineage.storage.release_tables import NoRelease, readable
from schemas import command_line
from schemas.command_entry import with_exit_code

#: The number of ranges of a part that are shown; `--json` has all.
SPANS = 5
EPILOG = """examples:
  tamga trace 0f3a5c0b9d1e42f7a6b8c9d0e1f2a3b4
  tamga trace https://law.example.kz/news/1.html --json
  tamga trace letters/1998-03-12.txt
  tamga trace data/kk/part-00000.parquet:17
  tamga trace kk/part-00000:17 --release release/sample --root .
  tamga trace --tokens kk/part-00000-00000:100-180 --json
  echo "an answer of the model" | tamga trace --text -

Exit codes: 0 found, and its bytes and text are unchanged; 1 not found, or changed; 2 wrong usage,
or no release."""


@with_exit_code
def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    parser = _parser()
    options = parser.parse_args(argv)
    if options.most < 1:
        parser.error("--most takes a number from 1")
    if sum(map(bool, (options.query, options.tokens, options.text))) != 1:
        parser.error(
            "name a document, a URL, a file or SHARD:ROW; or a range by --tokens; or a passage by --text"
        )
    release = _release(options)
    with readable(NoRelease):  # without readable tables there is no release to ask
        return (
            _trace_tokens(release, options) if options.tokens else _trace_records(release, options)
        )


def _parser() -> argparse.ArgumentParser:
    parser = command_line.parser("trace", __doc__, EPILOG)
    parser.add_argument(
        "query", nargs="*", metavar="DOC_ID|URL|FILE|SHARD:ROW", help="the record to trace"
    )
    parser.add_argument(
        "--tokens",
        metavar="SHARD:FROM-TO",
        help="trace tokens of a token shard; TO is exclusive, as in Python",
    )
    parser.add_argument(
        "--text",
        metavar="FILE",
        help="trace the released documents that contain this passage, word for word; - for standard "
        "input. All shards are read; for many releases, use `tamga find`",
    )
    command_line.add_params(parser, "whose release")
    parser.add_argument(
        "--release", type=Path, help="a release's folder, instead of the one in params"
    )
    parser.add_argument(
        "--root",
        type=Path,
        help="the folder that containers are relative to (default: that of params)",
    )
    parser.add_argument(
        "--keys",
        type=Path,
        metavar="FOLDER",
        help="the folder of lookup.key, which finds names that are stored redacted (default: `keys` "
        "in the work folder of params; none with --release)",
    )
    parser.add_argument(
        "--most",
        type=int,
        default=20,
        metavar="N",
        help="the maximum number of records to show (default: %(default)s)",
    )
    parser.add_argument("--json", action="store_true", help="print the chains as JSON")
    return parser


def _trace_records(release: ReleaseFolder, options: argparse.Namespace) -> int:
    ids = (
        _records_with_passage(release, options.text)
        if options.text
        else release.find_all(options.query)
    )
    chains = [release.chain(doc_id) for doc_id in ids[: options.most]]
    if options.json:
        answer = {"query": options.query, "records": len(ids), "chains": chains}
        print(json.dumps(answer, ensure_ascii=False, indent=1))
    elif chains:
        print("\n\n".join("\n".join(_chain_lines(chain)) for chain in chains))
        if len(ids) > len(chains):
            print(f"\n{len(ids) - len(chains)} more records; see --most", file=sys.stderr)
    else:
        what = "this passage" if options.text else " ".join(options.query)
        print(f"no record of {what} in this release", file=sys.stderr)
    return 0 if chains and all(map(_is_unchanged, chains)) else 1


def _records_with_passage(release: ReleaseFolder, file: str) -> list[str]:
    content = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    try:
        return documents_with_passage(release, content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        name = "standard input" if file == "-" else file
        raise BadPassage(
            f"{name} is not UTF-8 at byte {error.start}: convert it first, or use "
            "`tamga find --text FILE`, which reads any charset"
        ) from None


def _trace_tokens(release: ReleaseFolder, options: argparse.Namespace) -> int:
    from lineage import token_trace  # imports NumPy

    place = token_trace.find_range(release, options.tokens)
    number = token_trace.documents_in_range(release, place).height
    documents = list(token_trace.trace_range(release, place, options.most))
    if options.json:
        answer = {
            "query": options.tokens,
            "shard": place.shard,
            "tokens": [place.start, place.stop],
            "tokenizer": release.manifest()["tokenizer"],
            "documents": number,
            "found": documents,
        }
        print(json.dumps(answer, ensure_ascii=False, indent=1))
    else:
        print(f"{place.shard}, tokens {place.start} to {place.stop}: documents: {number}")
        for document in documents:
            print("", *_token_span_lines(document), *_chain_lines(document["chain"]), sep="\n")
        if number > len(documents):
            print(f"\n{number - len(documents)} more documents; see --most", file=sys.stderr)
    unchanged = (entry["tokens_match"] and _is_unchanged(entry["chain"]) for entry in documents)
    return 0 if all(unchanged) else 1


def _token_span_lines(document: dict[str, Any]) -> Iterator[str]:
    (start, stop), (first, last) = document["tokens"], document["document_tokens"]
    ending = ", with its separator" if document["separator"] else ""
    yield f"tokens    {start} to {stop} of the shard{ending}; {first} to {last} of the document"
    if document["chars"] is None:
        yield "          the text CANNOT be read, so the characters are not known"
        return
    first_char, last_char = document["chars"]
    encodes = "encodes" if document["tokens_match"] else "DOES NOT encode"
    yield (
        f"          characters {first_char} to {last_char} of the text, which {encodes} to these "
        "tokens"
    )


def _release(options: argparse.Namespace) -> ReleaseFolder:
    from lineage.configuration import required_params  # heavy

    if options.release:
        root = options.root or options.params.parent
        return ReleaseFolder(options.release, root, options.keys)
    params = required_params(options.params, "a release by --release")
    return ReleaseFolder(
        params.release_folder,
        options.root or params.root,
        options.keys or params.work / "keys",
    )


def _is_unchanged(chain: dict[str, Any]) -> bool:
    """Whether the record's text and payload have their recorded digests."""
    document = chain["document"]
    if document and not document["text_matches"]:
        return False
    matches = chain["bytes"]["payload_matches"]
    return bool(matches) if chain["record"]["payload_sha256"] else matches is not False


def _chain_lines(chain: dict[str, Any]) -> Iterator[str]:
    """A chain as lines for the screen: a name, then its value."""
    yield f"document  {chain['doc_id']}"
    yield f"outcome   {_with_reason(chain)}"
    yield from _document_lines(chain["document"])
    yield from _part_lines(chain["part"])
    yield from _record_lines(chain["record"], chain["bytes"])
    yield from _right_lines(chain["source"])
    for step in chain["decisions"]:
        evidence = json.dumps(step["evidence"], ensure_ascii=False)
        rule = f"{step['rule']} (version {step['rule_version']})"
        yield f"{step['stage']:9} {_with_reason(step)}, by {rule}: {evidence}"
    for original in chain["originals"]:
        yield f"repeats   {original}, according to the crawler"
    for copy in chain["duplicates"]:
        if copy["doc_id"] != chain["doc_id"]:
            yield (
                f"copy      {copy['doc_id']} of {copy['source_id']} ({copy['licence']}), "
                f"{copy['kind']}, similarity {copy['similarity']:.3f}, kept {copy['kept_doc_id']}"
            )
    for span in chain["redactions"]:
        yield (
            f"redacted  {span['entity_type']} at {span['start']}–{span['end']}, "
            f"{span['original_length']} characters, score {span['score']:.2f}, "
            f"{span['recogniser']}"
        )


def _with_reason(step: dict[str, Any]) -> str:
    return f"{step['outcome']}: {step['reason']}" if step["reason"] else str(step["outcome"])


def _document_lines(document: dict[str, Any] | None) -> Iterator[str]:
    if document is None:
        yield "released  no"
        return
    yield (
        f"released  {document['shard']}, row {document['row']}: "
        f"{document['lang']}/{document['script']}, {document['n_chars']} characters"
    )
    same = "is the one recorded" if document["text_matches"] else "IS NOT the one recorded"
    yield f"          text {same} (SHA-256 {document['text_sha256']})"


def _part_lines(part: dict[str, Any] | None) -> Iterator[str]:
    if part is None:
        return
    spans = ", ".join(f"{start}–{end}" for start, end in part["ranges"][:SPANS])
    more = len(part["ranges"]) - SPANS
    yield (
        f"part of   {part['part_of']}, which was split by language: characters {spans}"
        f"{f' and {more} ranges more' if more > 0 else ''} of its text as ingest read it"
    )
    for other in part["others"]:
        yield f"          another part of it is {other}"


def _record_lines(record: dict[str, Any], found: dict[str, Any]) -> Iterator[str]:
    declared = record["charset_declared"] or "none"
    yield f"uri       {record['uri']}"
    yield (
        f"captured  {record['captured_at']}, {record['media_type']}, "
        f"charset {record['charset'] or '-'} (declared: {declared})"
    )
    yield (
        f"bytes     {record['container']} at {record['offset']}, {record['length']} long "
        f"({record['locator']}), collection {record['collection']}"
    )
    yield f"          {found['note'] or _digest_line(found)}"


def _right_lines(source: dict[str, Any] | None) -> Iterator[str]:
    if source is None:
        yield "source    none: no entry of the register governs this record"
        return
    entry = source["entry"]
    basis = entry["basis"]
    ends = [("expires_on", "expires"), ("withdrawn_on", "withdrawn")]
    dates = "".join(f", {word} {basis[key]}" for key, word in ends if basis.get(key))
    evidence = source["evidence_sha256"] or "none: the file is missing"
    yield (
        f"source    {source['source_id']}: {entry['title']}, {entry['publisher']} "
        f"({source['jurisdiction']}), contact {entry['contact']}"
    )
    yield f"licence   {source['licence']}"
    yield (
        f"right     {basis['kind']}: {basis['reference']}; purposes "
        f"{', '.join(basis['purposes'])}; granted {basis['granted_on']}{dates}"
    )
    yield f"evidence  {basis['evidence']}, SHA-256 {evidence}"


def _digest_line(found: dict[str, Any]) -> str:
    verdicts = {
        True: "the payload's digest matches",
        False: "the payload's digest DOES NOT match",
        None: "no digest was recorded",
    }
    return f"{found['length']} bytes read; {verdicts[found['payload_matches']]}"


if __name__ == "__main__":
    sys.exit(main())
