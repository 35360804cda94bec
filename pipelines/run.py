"""Run all stages, from raw records to a release.

An interrupted run goes on from the shards that are done.  A stage whose inputs, parameters and code
have not changed is reused.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from pipelines import clean
from pipelines.dedup.stage import Dedup
from pipelines.engine import progress, validation
from pipelines.engine.command_line import context, parser
from pipelines.engine.context import Context
from pipelines.engine.decisions import parts_added
from pipelines.engine.published import Published, StageError
from pipelines.engine.quiet import quiet
from pipelines.engine.stage import Stage, execute, run_record
from pipelines.ingest import inventory
from pipelines.ingest.stage import Ingest
from pipelines.language.stage import Language
from pipelines.personal_data import names
from pipelines.personal_data.uri_redaction import redact_uri
from pipelines.privacy.stage import Privacy
from pipelines.quality.stage import Quality
from pipelines.release import signing, token_shards
from pipelines.release.stage import ReleaseStage
from pipelines.withdrawal import unmatched
from schemas.command_entry import with_exit_code
from schemas.stages import STAGES

#: The classes of the stages; `schemas.stages.TABLE` holds their order.
CLASSES: Final[Mapping[str, type[Stage]]] = {
    kind.name: kind for kind in (Ingest, Language, Quality, Dedup, Privacy, ReleaseStage)
}

EXAMPLES = """examples:
  tamga run --params params.yaml
  tamga run --params params.yaml --workers 2 --json > summary.json
  tamga run --params params.yaml --dry-run
  tamga run --params params.yaml --runner FlinkRunner --flink_master localhost:8081

Other options are passed to Beam.  Exit codes: 0 done, 1 the output falls short, 2 wrong usage,
parameters or register, 3 a worker process died or the disk failed (start the command again: it goes
on), 130 interrupted."""


def missing(about: Context) -> list[str]:
    """Return the missing raw files, and the patterns without a match.

    Personal data in their names is redacted.
    """
    return [redact_uri(c.uri) for c in about.containers if c.sha256 is None]


def run(about: Context) -> list[Published]:
    """Run or reuse all stages.

    Raises:
      StageError: if the counts over all stages do not add up.
      pipelines.engine.validation.VerdictsDiffer, pipelines.engine.validation.NoDataDocs: if
        Great Expectations does not confirm the verdicts.
    """
    with validation.data_docs():
        done = [execute(CLASSES[name](about), about) for name in STAGES]
    records = sum(done[0].totals["outcome"].values())
    ended = sum(
        n for stage in done for outcome, n in stage.totals["outcome"].items() if outcome != "keep"
    )
    released = done[-1].totals["outcome"]["keep"]
    parts = sum(parts_added(stage.totals) for stage in done)
    if records + parts != ended + released:
        raise StageError(
            f"the counts do not add up: {records} records and {parts} parts of documents went in, "
            f"{ended} ended in a stage and {released} were released"
        )
    return done


def summary(about: Context, done: Sequence[Published]) -> dict[str, Any]:
    """Return what a run did, as a JSON value."""
    first, released = done[0], done[-1].totals
    kept = released["outcome"]["keep"]
    reasons: Counter[str] = Counter()
    for stage in done:
        reasons.update(stage.totals.get("reason", {}))
    return {
        "release": str(done[-1].folder),
        "records": sum(first.totals["outcome"].values()),
        "documents": kept,
        "outcomes": {"keep": kept, **reasons},
        "sources": _sources(first.totals["source"], released),
        "languages": _languages(released),
        "mixed": sum(n for stage in done for n in stage.totals.get("mixed", {}).values()),
        "redactions": released.get("entity", {}),
        "names": names.coverage(about.params.privacy, released["lang"]),
        "personal_data_in": [str(o.folder) for o in clean.leftovers(about.params) if o.personal],
        "signed": signing.describe_key(about),
        "missing": missing(about),
        "idle_withdrawals": _idle_withdrawals(about, first),
        "stages": {stage.summary["stage"]: _stage(about, stage) for stage in done},
        "workers": about.workers,
    }


def _sources(records: Mapping[str, int], released: Mapping[str, Any]) -> dict[str, Any]:
    """By source: records seen, documents and tokens released."""
    return {
        name: {
            "records": n,
            "released": released.get("source", {}).get(name, 0),
            "tokens": released.get("source_tokens", {}).get(name),
        }
        for name, n in records.items()
    }


def _languages(released: Mapping[str, Any]) -> dict[str, Any]:
    """By language: documents, characters and tokens released."""
    return {
        name: {
            "documents": n,
            "chars": released["chars"][name],
            "tokens": released.get("tokens", {}).get(name),
        }
        for name, n in released["lang"].items()
    }


def _idle_withdrawals(about: Context, ingested: Published) -> list[dict[str, str]]:
    """The withdrawals that no record matches; personal data in them redacted."""
    return [
        {
            "scope": withdrawal.scope,
            "value": redact_uri(withdrawal.value),
            "recorded_on": withdrawal.recorded_on.isoformat(),
        }
        for withdrawal in unmatched.unmatched_withdrawals(
            about.register.withdrawals, ingested.folder
        )
    ]


def _stage(about: Context, done: Published) -> dict[str, Any]:
    """A stage's number of input documents, its time, and whether it ran in this run."""
    documents = sum(done.totals["outcome"].values())
    seconds = run_record(about, done)["seconds"]
    return {
        "documents": documents,
        "seconds": seconds,
        "per_second": round(documents / max(seconds, 1e-3), 1),
        "fresh": done.fresh,
        "run_id": done.run_id,
    }


@with_exit_code
def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    quiet()
    options, beam_args = parser(
        "run", (__doc__ or "").partition("\n")[0], EXAMPLES
    ).parse_known_args(argv)
    return _run(options, beam_args)


def _run(options: Any, beam_args: Sequence[str]) -> int:
    about = context(options, beam_args, inventory.containers)
    if options.dry_run:
        return _dry_run(about)
    token_shards.plan_tokens(about.params)  # reports a bad tokenizer before the run, not at its end
    with progress.Display() as display:
        about = replace(about, watch=display.watch)
        done = run(about)
    result = summary(about, done)
    if options.json:
        print(json.dumps(result, ensure_ascii=False, indent=1))
    else:
        progress.print_summary(result)
    return 0


def _dry_run(about: Context) -> int:
    """Print the plan of a run."""
    ingest = Ingest(about)
    plan = {
        "containers": len(about.containers),
        "bytes": sum(c.size for c in about.containers),
        "missing": missing(about),
        "sources": len(about.register.sources),
        "workers": about.workers,
        "run_id": ingest.run_id(about, ingest.inputs(about)),
        "work": str(about.params.work),
        "release": str(ReleaseStage(about).target(about)),
    }
    print(json.dumps(plan, ensure_ascii=False, indent=1))
    return 0


if __name__ == "__main__":
    # workers look the stages up under the modules' own names
    from pipelines.run import main as imported_main

    sys.exit(imported_main())
