"""Documents per second, whole and by stage, beside the bare kernels on the same documents.

    python benchmarks/whole.py [--docs 6000] [--workers 1,2] [--json]
    python benchmarks/whole.py --gauntlet DIR

All runs are of one thread per process.  `tamga run` starts as a process of its own each time, on
the gauntlet and on the small sample corpus; a stage's start-up (imports, models, Beam's pipeline,
Great Expectations) is where the line through the two meets no documents at all.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"
THREADS = (
    "POLARS_MAX_THREADS",
    "RAYON_NUM_THREADS",
    "OMP_NUM_THREADS",
    "OMP_THREAD_LIMIT",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
)
TITLES = (
    "workers",
    "stage",
    "documents",
    "seconds",
    "start-up",
    "docs/s",
    "without it",
    "kernel",
    "kernel docs/s",
    "ratio",
    "without start-up",
)


def call(module: list[str]) -> tuple[str, float, int]:
    """Run Python in a process of its own: its output, wall seconds, and the peak resident bytes
    of the largest process in it."""
    started = time.perf_counter()
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(
            [sys.executable, *module],
            stdout=out,
            stderr=errors,
            cwd=ROOT,
            env=os.environ | dict.fromkeys(THREADS, "1") | {"PYTHONHASHSEED": "0"},
        )
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.perf_counter() - started
        out.seek(0)
        errors.seek(0)
        if process.returncode:
            raise SystemExit(
                f"{' '.join(module)}: exit code {process.returncode}\n{errors.read()[-2000:]}"
            )
        return out.read(), seconds, used.ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def run(folder: Path, workers: int) -> dict[str, Any]:
    """One whole run from raw files, nothing taken up: the stages' documents and seconds."""
    for old in ("work", "release"):
        shutil.rmtree(folder / old, ignore_errors=True)
    out, seconds, peak = call(
        [
            "-m",
            "pipelines.cli",
            "run",
            "--params",
            str(folder / "params.yaml"),
            "--workers",
            str(workers),
            "--json",
        ]
    )
    summary = json.loads(out)
    stages = {
        name: {"documents": s["documents"], "seconds": s["seconds"]}
        for name, s in summary["stages"].items()
    }
    stages["whole"] = {"documents": summary["records"], "seconds": seconds}
    return {"stages": stages, "peak_bytes": peak}


def best(folder: Path, workers: int, rounds: int) -> dict[str, Any]:
    """Return the least seconds of each stage over several rounds."""
    runs = [run(folder, workers) for _ in range(rounds)]
    stages = {
        name: min((r["stages"][name] for r in runs), key=lambda s: float(s["seconds"]))
        for name in runs[0]["stages"]
    }
    return {"stages": stages, "peak_bytes": max(r["peak_bytes"] for r in runs)}


def start_up(large: Mapping[str, Any], small: Mapping[str, Any]) -> float | None:
    """Seconds of a stage at no documents, by the line through two sizes; None where the two are
    too near, or the times too noisy, to tell start-up from work."""
    more = large["documents"] - small["documents"]
    work = large["seconds"] - small["seconds"]
    if more <= small["documents"] or work < 0.1 * large["seconds"]:
        return None
    return float(max(0.0, small["seconds"] - work / more * small["documents"]))


def rows(
    measured: Mapping[str, Any], small: Mapping[str, Any], kernels: Mapping[str, Any], workers: int
) -> list[dict[str, Any]]:
    """The table: a row per stage and kernel; a ratio is the kernel's seconds over the stage's."""
    found = []
    for name, stage in measured["stages"].items():
        documents, seconds = stage["documents"], stage["seconds"]
        fixed = start_up(stage, small["stages"][name])
        about = {
            "workers": workers,
            "stage": name,
            "documents": documents,
            "seconds": round(seconds, 3),
            "start_up": None if fixed is None else round(fixed, 3),
            "per_second": round(documents / seconds, 1),
            "work_per_second": None
            if fixed is None
            else round(documents / max(seconds - fixed, 1e-3), 1),
        }
        for kernel, spent in _beside(name, kernels):
            found.append(
                about
                | {
                    "kernel": kernel,
                    "kernel_per_second": round(documents / spent, 1) if spent else None,
                    "ratio": round(spent / seconds, 3) if spent else None,
                    "work_ratio": round(spent / max(seconds - fixed, 1e-3), 3)
                    if spent and fixed is not None
                    else None,
                }
            )
    return found


def _beside(stage: str, kernels: Mapping[str, Any]) -> list[tuple[str, float]]:
    """Which kernels stand beside a stage, with their seconds for all of its documents."""
    own = {
        n: k["seconds"] for n, k in kernels.items() if k["own"] and stage in ("whole", k["stage"])
    }
    if stage == "whole":
        return [("all of the above", sum(own.values()))]
    others = {n: k["seconds"] for n, k in kernels.items() if not k["own"] and k["stage"] == stage}
    return [(" + ".join(own) or "-", sum(own.values())), *others.items()]


def gauntlet(options: argparse.Namespace, folder: Path) -> str:
    """Lay the raw files, register and parameters out in `folder`; says what they are."""
    if options.gauntlet:
        shutil.copytree(
            options.gauntlet, folder, ignore=shutil.ignore_patterns("work", "release", "truth")
        )
        return "the gauntlet given"
    tool = SHARED / "tools" / "gauntlet.py"
    if not tool.is_file():
        sample(folder)
        return "the sample corpus alone, since the gauntlet's tool is not there: mostly start-up"
    call(
        [
            str(tool),
            "--sentences",
            str(SHARED / "data" / "sentences"),
            "--out",
            str(folder),
            "--docs",
            str(options.docs),
        ]
    )
    return f"a gauntlet of {options.docs} documents"


def sample(folder: Path) -> None:
    """Lay the sample corpus out in `folder`."""
    folder.mkdir()
    shutil.copy(ROOT / "params.yaml", folder)
    shutil.copytree(ROOT / "register", folder / "register")
    (folder / "samples").mkdir()
    shutil.copy(ROOT / "samples" / "tokenizer.json", folder / "samples")
    call([str(ROOT / "samples" / "build.py"), "--out", str(folder / "samples" / "raw")])


def table(lines: list[dict[str, Any]]) -> str:
    """Rows as aligned text; a stage's own figures stand in its first line only."""
    cells, before = [list(TITLES)], None
    for row in lines:
        values = [
            "-" if v is None else f"{v:,.0f}" if isinstance(v, float) and v >= 100 else str(v)
            for v in row.values()
        ]
        same = before == (row["workers"], row["stage"])
        cells.append([""] * 7 + values[7:] if same else values)
        before = (row["workers"], row["stage"])
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    left = (1, 7)
    return "\n".join(
        "  ".join(
            c.ljust(w) if i in left else c.rjust(w)
            for i, (c, w) in enumerate(zip(line, widths, strict=True))
        )
        for line in cells
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=(__doc__ or "").partition("\n")[0], allow_abbrev=False
    )
    parser.add_argument(
        "--gauntlet", type=Path, metavar="DIR", help="a ready gauntlet (default: one is made)"
    )
    parser.add_argument(
        "--docs",
        type=int,
        default=6000,
        help="size of the gauntlet that is made (default: %(default)s)",
    )
    parser.add_argument(
        "--workers", default="1", help="local worker processes, with commas (default: %(default)s)"
    )
    parser.add_argument(
        "--rounds",
        type=int,
        default=3,
        help="runs of everything; the best counts (default: %(default)s)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tamga-bench-") as home:
        large, small = Path(home) / "gauntlet", Path(home) / "sample"
        described = gauntlet(options, large)
        sample(small)
        numbers = [int(n) for n in options.workers.split(",")]
        measured = {n: best(large, n, options.rounds) for n in numbers}
        start = {n: best(small, n, options.rounds) for n in numbers}
        out, _, peak = call(
            [
                str(ROOT / "benchmarks" / "kernels.py"),
                "--params",
                str(large / "params.yaml"),
                "--rounds",
                str(options.rounds),
            ]
        )
    kernels = json.loads(out)
    lines = [row for n in numbers for row in rows(measured[n], start[n], kernels, n)]
    peaks = {str(n): round(measured[n]["peak_bytes"] / 1e6) for n in numbers} | {
        "kernels": round(peak / 1e6)
    }
    if options.json:
        print(
            json.dumps(
                {
                    "corpus": described,
                    "cpus": os.cpu_count(),
                    "rows": lines,
                    "kernels": kernels,
                    "peak_megabytes": peaks,
                },
                indent=1,
            )
        )
        return
    print(
        f"On {described}; one thread per process, the best of {options.rounds} rounds, wall time.\n"
    )
    print(table(lines))
    print(
        "\nPeak resident memory of the largest process: "
        + ", ".join(
            f"{m} MB ({'kernels' if n == 'kernels' else f'workers {n}'})" for n, m in peaks.items()
        )
    )


if __name__ == "__main__":
    main()
