"""Measure the withdrawal of a source against the run that made the release; search what remains.

    python benchmarks/withdrawal.py [--docs 6000] [--json]
    python benchmarks/withdrawal.py --gauntlet DIR

The benchmark runs a gauntlet with a tokenizer, and tracks its release with DVC, with a remote that is
a folder.  It withdraws, with `--erase`, the source that is nearest to a tenth of the documents.  Then
it runs ingest again.  It searches fragments of the source's texts (60 characters that no other
document has) and of its tokens (32 consecutive ids) in the release, the work files, DVC's cache and
the remote.  It works in a copy: the given folder is not changed.
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
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"
FRAGMENT_CHARS, FRAGMENT_IDS = 60, 32


def tamga(home: Path, *args: str, expected: int = 0) -> tuple[str, dict[str, float]]:
    """Run a command in its own process; return its output, and its wall and processor seconds."""
    started = time.perf_counter()
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as errors:
        command = [sys.executable, "-m", "pipelines.cli", *args, "--params", "params.yaml"]
        place = os.environ | {"PYTHONPATH": str(ROOT)}
        process = subprocess.Popen(command, stdout=out, stderr=errors, cwd=home, env=place)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        taken = {"wall": time.perf_counter() - started, "cpu": used.ru_utime + used.ru_stime}
        out.seek(0)
        errors.seek(0)
        if process.returncode != expected:
            raise SystemExit(
                f"tamga {' '.join(args)}: {process.returncode}\n{errors.read()[-2000:]}"
            )
        return out.read(), taken


def make_gauntlet(folder: Path, named: Path | None, docs: int) -> Path:
    """Copy or make a gauntlet with a tokenizer; return its folder."""
    home = folder / "corpus"
    if named:
        shutil.copytree(named, home, ignore=shutil.ignore_patterns("work", "release", ".dvc"))
    else:
        sentences = str(SHARED / "data/sentences")
        make = [sys.executable, str(SHARED / "tools/gauntlet.py"), "--sentences", sentences]
        subprocess.run([*make, "--out", str(home), "--docs", str(docs)], check=True)
    shutil.copy(ROOT / "samples/tokenizer.json", home)
    with (home / "params.yaml").open("a", encoding="utf-8") as file:
        file.write("\ntokens: {tokenizer: tokenizer.json}\n")
    return home


def track_with_dvc(home: Path, release: Path) -> None:
    """Put the release into DVC's cache and into a remote beside the corpus."""
    from dvc.repo import Repo

    os.environ["DVC_NO_ANALYTICS"] = "1"
    with Repo.init(str(home), no_scm=True) as repo:
        with repo.config.edit() as config:
            config["remote"]["store"] = {"url": str(home.parent / "remote")}
            config["core"]["remote"] = "store"
        repo.add([str(release)])
        repo.push()


def fragments(release: Path, source: str) -> tuple[pl.Series, list[bytes]]:
    """Return fragments of a source's documents: texts that no other document has, and token ids that
    occur once in the token shards."""
    data = pl.read_parquet(release / "data/**/*.parquet", hive_partitioning=False)
    mine = data.filter(pl.col("source_id") == source)
    others = "\n".join(data.filter(pl.col("source_id") != source)["text"])
    pieces = [text[-FRAGMENT_CHARS:] for text in mine["text"]]
    texts = pl.Series([one for one in pieces if one.strip() and one not in others])
    placed = pl.read_parquet(release / "lineage/tokens/*.parquet")
    placed = placed.join(mine.select("doc_id"), on="doc_id", how="semi")
    held = {p: p.read_bytes() for p in sorted(release.glob("tokens/**/*.npy"))}
    ids = []
    for shard, start, n in placed.select("shard", "token_start", "n_tokens").iter_rows():
        if n >= FRAGMENT_IDS:
            at = start + (n - FRAGMENT_IDS) // 2
            found = np.load(release / shard, mmap_mode="r")[at : at + FRAGMENT_IDS].tobytes()
            if sum(content.count(found) for content in held.values()) == 1:
                ids.append(found)
    return texts, ids


def files_with_fragments(home: Path, texts: pl.Series, ids: list[bytes]) -> Iterator[str]:
    """Yield the files of the releases, the work folder, DVC's cache and the remote that hold one of
    the fragments."""
    places = [home / "release", home / "work", home / ".dvc", home.parent / "remote"]
    patterns = texts.implode()
    for path in sorted(p for place in places for p in place.rglob("*") if p.is_file()):
        shard = path.read_bytes() if path.suffix in ("", ".npy") else b""  # DVC's have no suffix
        in_text = pl.Series([*readable_texts(path)]).str.contains_any(patterns).any()
        if in_text or (shard[:6] == b"\x93NUMPY" and any(one in shard for one in ids)):
            yield path.relative_to(home.parent).as_posix()


def readable_texts(path: Path) -> Iterator[str]:
    """Yield the texts of a file: its bytes as UTF-8, and the texts of a Parquet file."""
    with path.open("rb") as file:
        content = file.read()
    yield content.decode("utf-8", "replace")
    if content.startswith(b"PAR1"):
        for column in pl.read_parquet(path, hive_partitioning=False).iter_columns():
            if column.dtype == pl.String:
                yield from column.drop_nulls()


def shards(release: Path) -> dict[str, str]:
    """Return the SHA-256 of each shard of texts and of tokens."""
    files = [*release.glob("data/**/*.parquet"), *release.glob("tokens/**/*.npy")]
    named = {p.relative_to(release).as_posix(): p for p in sorted(files)}
    return {name: sha256(path.read_bytes()).hexdigest() for name, path in named.items()}


def measure(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Run the benchmark in a folder; return its figures."""
    home = make_gauntlet(folder, options.gauntlet, options.docs)
    output, full = tamga(home, "run", "--workers", str(options.workers), "--json")
    release = Path(json.loads(output)["release"])
    documents = pl.read_parquet(release / "lineage/documents/*.parquet")
    sizes = documents["source_id"].value_counts(sort=True)
    off = (pl.col("count") - documents.height / 10).abs()
    source, size = sizes.sort(off, "source_id").row(0)
    track_with_dvc(home, release)
    texts, ids = fragments(release, source)
    before, held = shards(release), [*files_with_fragments(home, texts, ids)]
    show, dry = tamga(home, "withdraw", "source", source, "--json")
    by = ("--by", "counsel", "--ground", "benchmark")
    output, confirm = tamga(
        home, "withdraw", "source", source, "--confirm", "--erase", *by, "--json"
    )
    done, after = json.loads(output), shards(release)
    receipt = f"release/receipts/{done['id']}.dsse.json"
    receipts, _ = tamga(home, "verify", "--receipt", receipt)
    sound, _ = tamga(home, "verify", str(release))
    touched = {s for one in json.loads(show)["releases"] for s in one["shards"]}
    parts = {name.removeprefix("data/").removesuffix(".parquet") for name in touched}
    kept = {n: d for n, d in before.items() if not any(f"/{p}" in f"/{n}" for p in parts)}
    left = [*files_with_fragments(home, texts, ids)]
    tamga(home, "ingest")
    read = pl.read_parquet(home / "work/ingest/decisions/*.parquet")
    records = pl.read_parquet(home / "work/ingest/records/*.parquet").filter(source_id=source)
    again = read.join(records.select("doc_id"), on="doc_id", how="semi")
    return {
        "documents": documents.height,
        "withdrawn": size,
        "seconds": {"run": full, "dry run": dry, "withdraw": confirm},
        "ratio": {kind: confirm[kind] / full[kind] for kind in full},
        "fragments": {"texts": len(texts), "tokens": len(ids)},
        "files that held one": len(held),
        "files that hold one": left,
        "shards": {"all": len(before), "untouched": len(kept)},
        "untouched are the same bytes": kept.items() <= after.items(),
        "receipt": receipts.strip().rpartition(": ")[2],
        "release": sound.strip().rpartition(": ")[2],
        "read again": again.group_by("outcome", "reason").len().sort("len").to_dicts(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--docs", type=int, default=6000, help="documents of the gauntlet to make")
    parser.add_argument("--gauntlet", type=Path, metavar="DIR", help="use this gauntlet instead")
    parser.add_argument("--workers", type=int, default=1, help="workers of the full run")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="withdrawal-") as folder:
        figures = measure(Path(folder), options)
    if options.json:
        json.dump(figures, sys.stdout, indent=1)
        return
    for name, value in figures.items():
        print(f"{name}: {json.dumps(value)}")


if __name__ == "__main__":
    main()
