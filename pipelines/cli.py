"""`tamga`: one command for the stages and for what is asked of their results."""

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

#: Command -> (module with `main(argv) -> exit code`, what it does).
COMMANDS = {
    "run": ("pipelines.run", "all stages in one go, from raw records to a release"),
    **{one.name: (f"pipelines.{one.name}.stage", one.summary) for one in TABLE},
    "sources": ("pipelines.governance.sources", "check, list or show the register of sources"),
    "policy": (
        "pipelines.governance.policies",
        "policy packs: list, show, what another version would flip",
    ),
    "trace": ("lineage.trace", "a document, a URL, a shard and row, or tokens: the whole chain"),
    "withdraw": (
        "pipelines.withdrawal.command",
        "what a withdrawal would take out; with --confirm, do it",
    ),
    "case": ("pipelines.withdrawal.cases", "objections to records: open, add, decide, list"),
    "query": ("lineage.query", "documents of all releases by what they are; roll-ups; --as-of"),
    "diff": ("lineage.diff", "what entered between two releases, what left and why"),
    "explain": ("lineage.explain", "why a record ended as it did, and what would change it"),
    "find": ("pipelines.search.find", "is this text, URL or domain in any release?"),
    "index": ("pipelines.search.index", "enter releases into the store that queries read"),
    "verify": ("lineage.verify_command", "is a release, to the last byte, what was signed?"),
    "prove": ("lineage.prove_command", "that a document is in a release, by its signed root"),
    "report": ("lineage.reports.command", "licences, attribution, EU summary, Croissant, SPDX, …"),
    "profile": ("pipelines.profile.command", "a release to look at, as one HTML page"),
    "identify": (
        "pipelines.language.identify_command",
        "language and script of each line of a text",
    ),
    "clean": ("pipelines.clean", "what stages left between them: texts with personal data go"),
    "scrub": ("pipelines.privacy.scrub_command", "a text with placeholders for its personal data"),
}

#: New containers between two looks for cycles.  By Python's own figure (700) a good part of a
#: command's start goes into looking through what libraries have just made to stay.
COLLECTED_AFTER = 20_000

USAGE = """usage: tamga COMMAND [options]

{commands}

  tamga run --params params.yaml        the main job
  tamga sources check                   is the register sound?
  tamga trace DOC_ID                    from a document to its bytes and its right
  tamga COMMAND --help                  options and examples of a command

exit codes: 0 yes, 1 no or falls short, 2 bad usage or parameters, 3 try again (a worker, disk or
store failed), 130 interrupted"""


@with_exit_code
def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; returns its exit code."""
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
