"""Measure `tamga run` on real crawls and documents of all kinds, and check that it accounts for all.

    python benchmarks/formats.py [--workers 1] [--json] [FOLDER …]

The folders (default: the crawls and documents beside the repository) are read with format `auto`,
under a register that grants everything. The output is the outcomes by reason, pages per second, the
peak of resident memory of all processes together, and the errors. An error is a file without a row
in the ledger, although FastWARC finds records in it; a record without a decision or with two; or a
WARC file with another number of records than FastWARC counts.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import psutil

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT.parent / "shared/data"
PARAMS = """as_of: "2026-11-22"
purpose: pretraining
storage_country: KZ
register: register
inputs: {inputs}
licences: {{allow: [CC0-1.0]}}
guard: {{min_keep_share: 0.0}}
work: work
release: {{name: formats, path: release}}
"""
ENTRY = """id: all
title: Everything, for a measurement
publisher: Many
contact: rights@example.org
jurisdiction: KZ
kind: institutional
languages: [en, ru]
match: {{collections: {collections}}}
licence: {{spdx: CC0-1.0}}
basis: {{kind: licence, reference: none, evidence: all.txt, purposes: [pretraining], granted_on: 2025-01-01}}
opt_out: overridden
"""


def lay_out(home: Path, folders: Sequence[Path]) -> None:
    """Write parameters and register into `home`; each folder is a collection."""
    names = [f"c{number}" for number in range(len(folders))]
    inputs = [
        {"collection": name, "format": "auto", "paths": [str(folder.resolve())]}
        for name, folder in zip(names, folders, strict=True)
    ]
    for path, text in (
        ("params.yaml", PARAMS.format(inputs=json.dumps(inputs, ensure_ascii=False))),
        ("register/sources/all.yaml", ENTRY.format(collections=json.dumps(names))),
        ("register/evidence/all.txt", "a measurement\n"),
    ):
        (home / path).parent.mkdir(parents=True, exist_ok=True)
        (home / path).write_text(text)


def run(home: Path, workers: int) -> tuple[dict[str, Any], float, float, int]:
    """Run all stages.

    Returns:
      The summary of the run, its seconds, its processor seconds (which do not depend on other
      load), and the peak resident bytes of all its processes.
    """
    command = ["run", "--params", str(home / "params.yaml"), "--workers", str(workers), "--json"]
    with open(home / "out", "w+") as out, open(home / "err", "w+") as errors:
        started = time.perf_counter()
        process = psutil.Popen(
            [sys.executable, "-m", "pipelines.cli", *command], cwd=ROOT, stdout=out, stderr=errors
        )
        peak = 0
        while process.poll() is None:
            peak = max(peak, _resident(process))
            time.sleep(0.1)
        seconds = time.perf_counter() - started
        if process.returncode:
            errors.seek(0)
            raise SystemExit(f"exit code {process.returncode}\n{errors.read()[-2000:]}")
        out.seek(0)
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return json.load(out), seconds, used.ru_utime + used.ru_stime, peak


def _resident(process: psutil.Process) -> int:
    total = 0
    try:
        for member in [process, *process.children(recursive=True)]:
            total += member.memory_info().rss
    except psutil.NoSuchProcess:
        pass
    return total


def account(home: Path, folders: Sequence[Path]) -> tuple[pl.DataFrame, list[str]]:
    """Return the outcomes by format and reason, and the errors in words."""
    records, decided = (
        pl.read_parquet(home / "work/ingest" / name / "*.parquet")
        for name in ("records", "decisions")
    )
    errors = []
    if records["doc_id"].n_unique() != records.height:
        errors.append("two rows of records have the same doc_id")
    if records.select(
        pl.struct("container", "locator", "offset", "length", "doc_id").is_duplicated().any()
    ).item():
        errors.append("a record has two rows")
    if sorted(records["doc_id"]) != sorted(decided["doc_id"]):
        errors.append("a record has no decision, or two")
    rows = records.join(decided, on="doc_id", how="left")
    # Containers are relative to the parameters. Names with personal data are redacted.
    row_counts = dict(records.group_by("container").len().iter_rows())
    redacted = records.filter(pl.col("container_hmac").is_not_null())["container"].n_unique()
    files = {_relative(path, home): path for folder in folders for path in _files(folder)}
    absent = [name for name in files if name not in row_counts]
    silent = [name for name in absent if _warc_records(files[name]) is None]
    if len(silent) > redacted:
        errors.append(
            f"{len(silent)} files without a row, {redacted} names redacted: {sorted(silent)}"
        )
    damaged = {c for c, o in rows.select("container", "outcome").iter_rows() if o == "damaged"}
    for name, path in files.items():
        count = _warc_records(path) if name not in damaged and ".warc" in path.name else None
        if count is not None and count != row_counts.get(name, 0):
            errors.append(f"{name}: {row_counts.get(name, 0)} records, FastWARC counts {count}")
    kind = pl.col("container").str.extract(r"\.([a-z]{2,5})(?:\.(?:gz|zst|lz4))?$").fill_null("-")
    outcomes = rows.group_by(kind.alias("format"), "outcome", "reason").len("records")
    return outcomes.sort("format", "outcome", "reason"), errors


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.resolve().rglob("*") if path.is_file())


def _relative(path: Path, home: Path) -> str:
    return Path(os.path.relpath(path, home)).as_posix()


def _warc_records(path: Path) -> int | None:
    """Return how many records FastWARC counts; None if it cannot read the file as WARC."""
    from fastwarc.warc import ArchiveIterator, WarcRecordType

    kinds = (
        WarcRecordType.response
        | WarcRecordType.resource
        | WarcRecordType.conversion
        | WarcRecordType.revisit
    )
    if ".warc" not in path.name:
        return None
    try:
        with open(path, "rb") as file:
            return sum(1 for _ in ArchiveIterator(file, record_types=kinds, parse_http=False))
    except Exception:
        return None


def main() -> int:
    """Run the command line; return 1 if there are errors."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", nargs="*", type=Path, metavar="FOLDER")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    folders = options.folders or [DATA / "crawl", DATA / "documents"]
    if missing := [str(f) for f in folders if not f.is_dir()]:
        parser.error(f"folder {', '.join(missing)}: not found")
    with tempfile.TemporaryDirectory() as place:
        home = Path(place).resolve()
        lay_out(home, folders)
        summary, seconds, cpu, peak = run(home, options.workers)
        by_format, errors = account(home, folders)
    ingest = summary["stages"]["ingest"]
    figures = {
        "files": sum(1 for folder in folders for _ in _files(folder)),
        "records": summary["records"],
        "released": summary["documents"],
        "outcomes": summary["outcomes"],
        "seconds": round(seconds, 1),
        "cpu_seconds": round(cpu, 1),
        "ingest_seconds": ingest["seconds"],
        "pages_per_second_ingest": round(summary["records"] / ingest["seconds"], 1),
        "pages_per_second_whole": round(summary["records"] / seconds, 1),
        "pages_per_cpu_second_whole": round(summary["records"] / cpu, 1),
        "peak_megabytes": round(peak / 1e6),
        "wrong": errors,
    }
    if options.json:
        print(json.dumps(figures | {"by_format": by_format.to_dicts()}, indent=1))
        return bool(errors)
    with pl.Config(tbl_rows=-1, tbl_hide_dataframe_shape=True, tbl_hide_column_data_types=True):
        print(by_format)
    for name, value in figures.items():
        print(f"{name:24} {json.dumps(value, ensure_ascii=False)}")
    return bool(errors)


if __name__ == "__main__":
    sys.exit(main())
