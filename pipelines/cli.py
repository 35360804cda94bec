"""`tamga`: one command for the stages and for the queries of their results."""

from __future__ import annotations

import gc
import sys
from collections.abc import Sequence
from importlib import import_module

from pipelines.engine.docs_process import PROCESS
from pipelines.engine.quiet import quiet
from schemas.command_entry import with_exit_code
from schemas.errors import Usage
from schemas.stages import STAGES, TABLE

#: Command -> (module with `main(argv) -> exit code`, help text).
COMMANDS = {
    "run": ("pipelines.run", "run all stages, from raw records to a release"),
    **{one.name: (f"pipelines.{one.name}.stage", one.summary) for one in TABLE},
    "sources": ("pipelines.governance.sources", "check, list or show the register of sources"),
    "policy": (
        "pipelines.governance.policies",
        "policy packs: list, show, compare two versions",
    ),
    "trace": ("lineage.trace", "the chain from a document, URL, shard row or token to its source"),
    "withdraw": (
        "pipelines.withdrawal.command",
        "preview a withdrawal; with --confirm, carry it out",
    ),
    "case": ("pipelines.withdrawal.cases", "objections to records: open, add, decide, list"),
    "query": ("lineage.query", "select and count documents of all releases; --as-of"),
    "diff": ("lineage.diff", "what changed between two releases, and why"),
    "explain": ("lineage.explain", "why a record got its outcome, and what would change it"),
    "find": ("pipelines.search.find", "search a text, URL or domain in all releases"),
    "index": ("pipelines.search.index", "add releases to the store that queries read"),
    "verify": ("lineage.verify_command", "check that a release is, byte for byte, what was signed"),
    "prove": ("lineage.prove_command", "prove that a document is in a release, by its signed root"),
    "report": ("lineage.reports.command", "licences, attribution, EU summary, Croissant, SPDX, …"),
    "profile": ("pipelines.profile.command", "describe a release as one HTML page"),
    "identify": (
        "pipelines.language.identify_command",
        "language and script of each line of a text",
    ),
    "clean": ("pipelines.clean", "remove the files between stages, texts with personal data first"),
    "scrub": ("pipelines.privacy.scrub_command", "replace personal data in a text by placeholders"),
}

#: New containers before the garbage collector looks for cycles.  With Python's default (700) it
#: spends much of a command's start on objects of libraries, which stay.
COLLECTED_AFTER = 20_000

USAGE = """usage: tamga COMMAND [options]

{commands}

  tamga run --params params.yaml        run all stages
  tamga sources check                   check the register
  tamga trace DOC_ID                    from a document to its bytes and its lawful basis
  tamga COMMAND --help                  options and examples of a command

exit codes: 0 yes, 1 no or falls short, 2 bad usage or parameters, 3 try again (a worker, disk or
store failed), 130 interrupted"""


@with_exit_code
def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; return its exit code."""
    args = list(sys.argv[1:] if argv is None else argv)
    if not args or args[0] in ("-h", "--help", "help"):
        print(_usage())
        return 0 if args else 2
    if args[0] in ("-V", "--version", "version"):
        from schemas.code_version import code_version

        print(f"tamga {code_version()}")
        return 0
    if args[0] not in COMMANDS:
        raise Usage(f"no command {args[0]!r}\n\n{_usage()}")
    quiet()
    gc.set_threshold(COLLECTED_AFTER)
    if args[0] in ("run", *STAGES) and not {"-h", "--help", "--dry-run"} & {*args}:
        PROCESS.start()  # it imports Great Expectations while this process imports Beam
    return int(import_module(COMMANDS[args[0]][0]).main(args[1:]))


def _usage() -> str:
    return USAGE.format(
        commands="\n".join(f"  {name:9} {about}" for name, (_, about) in COMMANDS.items())
    )


if __name__ == "__main__":
    sys.exit(main())
