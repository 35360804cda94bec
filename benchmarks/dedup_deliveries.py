"""A corpus in two deliveries: its survivors beside those of one run, and the cost of the second.

    python benchmarks/dedup_deliveries.py 50000 [--shares 0.01 0.1]

The first delivery has the given number of synthetic documents of `dedup_scale.py` and enters an
index. Each share of this number is a second delivery, which is compared with the index. Each step
is a separate process. `seconds` is the processor time of the job, `index_seconds` that of writing
the index.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import polars as pl
from dedup_scale import corpus

from lineage.configuration import load_params
from pipelines.corpus.stage_tables import Corpus
from pipelines.dedup import release_index
from pipelines.dedup.plan import DedupPlan
from pipelines.dedup.stage import wire
from pipelines.engine import runners, shards
from schemas.params import Params
from schemas.sections import DedupParams

ROOT = Path(__file__).resolve().parents[1]


def parameters(folder: Path, release: str) -> Params:
    params = load_params(ROOT / "params.yaml")
    return replace(
        params,
        work=folder / "work",
        dedup=DedupParams(index=str(folder / "index")),
        release=replace(params.release, name=release),
    )


def step(folder: Path, name: str, first: int, number: int) -> dict[str, float]:
    """Compare one delivery with the index. The delivery `first` enters the index."""
    home, params = folder / name, parameters(folder, name)
    names = corpus(home, number, first)
    state = shards.State(str(home / "state"))
    start = time.process_time()
    plan = DedupPlan(
        state=state,
        corpus=Corpus(str(home)),
        shards=names,
        params=params.dedup,
        ranks={"a": 0},
        licences={},
        distinguishing=(),
        run_id="run",
        document_count=number,
        earlier=release_index.load_index(params) if name != "whole" else (),
        rights=release_index.ReleasedRights(frozenset("a")),
    )
    runners.run(lambda pipeline: wire(pipeline, plan), (), 1)
    seconds = time.process_time() - start
    decided = pl.read_parquet(home / "state/decisions/*.parquet")
    kept = decided.filter(pl.col("outcome") == "keep").select("doc_id")
    kept.write_parquet(folder / f"{name}.kept.parquet")
    start = time.process_time()
    if name == "first":
        signed = [state.path("signatures", n) for n in names]
        release_index.index_release(params, "run", kept["doc_id"], signed)
    return {
        "documents": number,
        "kept": kept.height,
        "seconds": round(seconds, 2),
        "index_seconds": round(time.process_time() - start, 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("documents", type=int)
    parser.add_argument("--shares", type=float, nargs="+", default=[0.01, 0.1])
    parser.add_argument("--step", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step:
        folder, name, first, number = options.step
        print(json.dumps(step(Path(folder), name, int(first), int(number))))
        return
    with tempfile.TemporaryDirectory() as folder:

        def run(name: str, first: int, number: int) -> float:
            command = [sys.executable, __file__, "0", "--step", folder, name, str(first)]
            done = subprocess.run([*command, str(number)], check=True, capture_output=True)
            print(f"{name:12}{done.stdout.decode().strip()}", flush=True)
            return float(json.loads(done.stdout)["seconds"])

        def kept(*names: str) -> set[str]:
            files = [Path(folder) / f"{name}.kept.parquet" for name in names]
            return {doc for file in files for doc in pl.read_parquet(file)["doc_id"]}

        number = options.documents
        first = run("first", 0, number)
        for share in options.shares:
            size = round(share * number)
            second = run(f"second-{share:g}", number, size)
            print(f"a second delivery of {share:.0%} costs {second / first:.3f} of the first")
        whole = run("whole", 0, number + size)
        same = kept("whole") == kept("first", f"second-{share:g}")
        print(f"in one run {whole:.1f} s; the same survivors: {same}")


if __name__ == "__main__":
    main()
