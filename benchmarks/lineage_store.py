"""Time look-ups in the store of lineage, over synthetic documents in ten releases.

    python benchmarks/lineage_store.py [--documents 200000,2000000] [--folder store] [--json]

Each release adds a tenth of the documents and refuses one in a hundred of those before; one record
in ten never becomes a document.  The code that writes segments of real releases writes these.
Fingerprints are random, 20 a document, up to `--prints` documents (they take more than half of the
store).  The tables of tokens are those of a release of all documents, with up to 100,000 documents a
part.  Token shards are sparse files: only their header is written.  Times are warm, in process, in
milliseconds: the median and the 95th percentile of `--queries` look-ups.  If duckdb can be imported,
the bare key look-up is timed there too.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np
import polars as pl

import lineage
from lineage import token_trace
from lineage.release_folder import ReleaseFolder
from lineage.storage import disk, release_files
from lineage.store import segments
from lineage.store.segments import Header
from lineage.store.store import Store
from lineage.store.writer import interval_tables
from pipelines.engine import shards
from pipelines.release import token_shards
from schemas.tables import TOKENS

RELEASES, SOURCES, PRINTS = 10, 400, 20
LAST = f"v{RELEASES - 1}"
MOST_OF_PART, SHARD_TOKENS = 100_000, 1 << 26
LICENCES = ["CC0-1.0", "CC-BY-4.0", "CC-BY-SA-4.0", "LicenseRef-agreement", "LicenseRef-official"]
LANGUAGES = ["kk", "ru", "uk", "uz", "az", "ky", "tg", "ka", "hy", "ro", "be", "et", "lv", "lt"]


def column(values: list[str], codes: np.ndarray) -> pl.Series:
    return pl.Series(values, dtype=pl.String).gather(codes % len(values))


def digests(draw: np.random.Generator, rows: int, width: int) -> pl.Series:
    """Random bytes, `width` for each row."""
    import pyarrow as pa

    data = pa.py_buffer(draw.bytes(rows * width))
    fixed = pa.FixedSizeBinaryArray.from_buffers(pa.binary(width), rows, [None, data])
    return pl.Series(fixed.cast(pa.binary()))


def documents(draw: np.random.Generator, rows: int, first: int) -> pl.DataFrame:
    """Intervals as `lineage.store.writer.interval_tables` takes them."""
    source = draw.zipf(1.4, rows) % SOURCES
    host = source * 1000 + draw.zipf(1.5, rows) % 1000
    refused = draw.random(rows) < 0.1
    of_part = min(rows, MOST_OF_PART)
    part = (pl.int_range(first, first + rows) // of_part).cast(pl.String).str.zfill(5)
    shard = pl.format("data/kk/part-{}.parquet", part)
    digest = digests(draw, rows, 32)
    return pl.DataFrame(
        {
            "doc_id": digests(draw, rows, 16),
            "payload": digests(draw, rows, 32),
            "digest": pl.select(pl.when(~pl.Series(refused)).then(digest)).to_series(),
            "host_": host,
            "source": source,
            "n": np.arange(first, first + rows),
            "refused": refused,
            "lang": column(LANGUAGES, draw.zipf(1.5, rows)),
            "licence": column(LICENCES, source),
            "jurisdiction": column(["KZ", "RU", "UA", "UZ"], source),
            "n_chars": draw.integers(200, 20_000, rows),
        }
    ).with_columns(
        uri=pl.format("https://h{}.example.kz/news/{}.html", "host_", "n"),
        uri_hmac=pl.lit(None, pl.String),
        captured_at=pl.format("2026-0{}-11T10:00:00Z", pl.col("n") % 9 + 1),
        source_id=pl.format("source-{}", "source"),
        collection=pl.lit("web"),
        stage=pl.when("refused").then(pl.lit("ingest")).otherwise(pl.lit("privacy")),
        outcome=pl.when("refused").then(pl.lit("refuse")).otherwise(pl.lit("keep")),
        reason=pl.when("refused").then(pl.lit("opted-out:robots")),
        rule=pl.lit("gate"),
        rule_version=pl.lit("1"),
        basis=pl.lit("licence"),
        reference=pl.format("Agreement {}", "source"),
        n_tokens=pl.lit(None, pl.Int64),
        part=pl.format("{}-00000", pl.col("n") // 50_000),
        shard=pl.when(~pl.col("refused")).then(shard),
        row=pl.when(~pl.col("refused")).then(pl.col("n") % of_part).cast(pl.UInt32),
    ).drop("host_", "source", "n", "refused")  # fmt: skip


def build(folder: Path, total: int, with_prints: bool) -> float:
    """Write ten segments; returns the seconds that `interval_tables` and `segments.write_segment` took."""
    draw, seconds = np.random.default_rng(1), 0.0
    each = total // RELEASES
    pool: list[pl.DataFrame] = []
    for seq in range(RELEASES):
        fresh = documents(draw, each, seq * each)
        ended = pl.DataFrame(schema={"first_seq": pl.Int32, "pos": pl.UInt32})
        if seq:  # of the release before, one in a hundred is refused from now on
            gone = pool[-1].sample(each // 100, seed=seq)
            ended = gone.select("pos", first_seq=pl.lit(seq - 1, pl.Int32))
            again = gone.select(fresh.columns).with_columns(
                outcome=pl.lit("refuse"), reason=pl.lit("consent-withdrawn"),
                digest=pl.lit(None, pl.Binary), shard=pl.lit(None, pl.String),
                row=pl.lit(None, pl.UInt32),
            )  # fmt: skip
            fresh = pl.concat([fresh, again])
        tokenized(folder / LAST, fresh.filter(~pl.col("shard").is_null()), draw)
        started = time.perf_counter()
        moved = fresh.head(0).select("doc_id", "part", "shard", "row")
        new = interval_tables(fresh, moved, ended)
        pool = [new["docs"].filter(pl.col("outcome") == "keep").sample(each // 5, seed=seq)]
        if with_prints:
            rows = np.repeat(np.arange(len(fresh), dtype=np.uint32), PRINTS)
            keys = draw.integers(0, 1 << 63, len(rows), dtype=np.uint64)
            new["prints"] = pl.DataFrame({"key": keys, "pos": rows}).sort("key")
        name = f"v{seq}"
        header = Header(
            seq, name, f"{seq:064x}", f"2026-{seq + 1:02}-01", "pretraining", seq - 1, len(fresh),
            fresh["digest"].count(), 0, "random",
        )  # fmt: skip
        segments.write_segment(folder / segments.FOLDER, header, new)
        seconds += time.perf_counter() - started
    return seconds


def tokenized(release: Path, kept: pl.DataFrame, draw: np.random.Generator) -> None:
    """Write the tables of tokens of documents as `release` does, and sparse token shards."""
    for (shard,), rows in kept.group_by("shard", maintain_order=True):
        name = Path(str(shard)).stem
        lengths = draw.zipf(1.6, len(rows)).clip(1, 3_000) * 40 + draw.integers(0, 40, len(rows))
        placed = token_shards.token_ranges(lengths, 1, SHARD_TOKENS)
        number = placed["number"].cast(pl.String).str.zfill(5)
        table = placed.with_columns(
            tokenizer=pl.lit("bench"),
            shard=pl.format("tokens/bench/kk/{}-{}.npy", pl.lit(name), number),
            doc_id=rows["doc_id"].bin.encode("hex").gather(placed["document"]),
        )
        content = shards.parquet_bytes(table.select(TOKENS.names).to_arrow().cast(TOKENS), 3)
        path = release / f"lineage/tokens/{release_files.lineage_part(str(shard))}.parquet"
        disk.write_bytes(path, content)
        ends = pl.col("token_start") + pl.col("n_tokens") + 1
        for file, held in table.group_by("shard").agg(ends.max()).rows():
            holes(release / file, min(held, SHARD_TOKENS))


def holes(path: Path, held: int) -> None:
    """Write a sparse token shard of `held` tokens of 16 bits: only its header."""
    path.parent.mkdir(parents=True, exist_ok=True)
    about = {"descr": "<u2", "fortran_order": False, "shape": (held,)}
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, about)
        file.truncate(file.tell() + 2 * held)


def finished(folder: Path) -> ReleaseFolder:
    """The release of all documents, with the files that `tamga trace --tokens` reads."""
    names = sorted(p.relative_to(folder).as_posix() for p in folder.glob("tokens/*/*/*.npy"))
    about = {"tokenizer": {"name": "bench"}, "files": {name: {} for name in names}}
    (folder / "manifest.json").write_text(json.dumps(about))
    return ReleaseFolder(folder, folder)


def timed(ask: Callable[[Any], Any], values: list[Any]) -> dict[str, float]:
    for value in values[:3]:
        ask(value)
    taken = []
    for value in values:
        started = time.perf_counter()
        ask(value)
        taken.append((time.perf_counter() - started) * 1000)
    return {"median": float(np.median(taken)), "p95": float(np.percentile(taken, 95))}


def of_tokens(store: Store, release: ReleaseFolder, queries: int) -> dict[str, float]:
    """Time the way from a token of any shard to its document, source and right."""
    draw = np.random.default_rng(7)
    held = {
        name: len(token_trace.load_tokens(release, name)) for name in release.manifest()["files"]
    }
    at = draw.integers(0, sum(held.values()), queries)
    starts = np.cumsum([0, *held.values()])
    shard = np.searchsorted(starts, at, "right") - 1
    asked = [f"{list(held)[s]}:{i - starts[s]}" for s, i in zip(shard, at, strict=True)]

    def ask(token: str) -> None:
        found = token_trace.documents_in_range(release, token_trace.find_range(release, token))
        if store.by_id(found["doc_id"])["licence"].null_count() or found.is_empty():
            raise SystemExit(f"{token} has no document with a right")

    return timed(ask, asked)


def lookups(
    store: Store, release: ReleaseFolder, queries: int
) -> Iterator[tuple[str, dict[str, float]]]:
    some = pl.concat(
        [store._scan("docs", one).slice(i * 977, queries).collect() for i, one in enumerate(store.releases)]
    ).sample(queries, seed=3)  # fmt: skip
    ids = some["doc_id"].bin.encode("hex").to_list()
    yield "document", timed(lambda i: store.by_id([i]), ids)
    yield "url", timed(store.by_url, some["uri"].to_list())
    hosts = [".".join(reversed(h.split("."))) for h in some["host"]]
    yield "domain, first 40", timed(lambda h: store.documents(domain=h, limit=40), hosts)
    at = store.releases[-1]
    yield (
        "domain, counted",
        timed(lambda h: store.roll_up(["outcome"], domain=h, at=at), hosts),
    )
    texts = pl.concat(
        [store._scan("texts", one).slice(i * 977, queries).collect() for i, one in enumerate(store.releases)]
    ).sample(queries, seed=3)["digest"]  # fmt: skip
    yield "text, exact", timed(lambda d: store.by_key("texts", [d]), texts.to_list())
    yield "token", of_tokens(store, release, queries)
    absent = np.random.default_rng(5)
    yield "text, absence", timed(store.neighbours, [absent.bytes(32) for _ in range(queries)])
    prints = store._scan("prints", store.releases[0]).head(PRINTS * queries).collect()["key"]
    if len(prints):
        sets = [prints.sample(PRINTS, seed=i).to_list() for i in range(min(queries, 20))]
        yield "20 fingerprints", timed(lambda k: store.candidates(k, 20), sets)


def roll_ups(store: Store) -> Iterator[tuple[str, dict[str, float]]]:
    for by in (["licence", "source_id"], ["domain"], ["lang"]):
        yield " × ".join(by), timed(lambda b: store.roll_up(b, limit=50), [by] * 3)
    old, new = store.releases[-2], store.releases[-1]
    yield "diff of two releases", timed(lambda _: store.diff(old, new), [0] * 3)


def engines(store: Store, queries: int) -> Iterator[tuple[str, dict[str, float]]]:
    """The bare look-up of a key in one segment, by Polars and by DuckDB."""
    path = Path(store.place) / store.releases[0].folder / "ids.parquet"
    ids = pl.read_parquet(path, columns=["doc_id"])["doc_id"].sample(queries, seed=1).to_list()
    scan = pl.scan_parquet(path)
    yield "polars", timed(lambda i: scan.filter(pl.col("doc_id") == i).collect(), ids)
    try:
        import duckdb
    except ImportError:
        return
    con = duckdb.connect()
    con.execute("set threads=2; set parquet_metadata_cache=true")
    asked = f"select * from read_parquet('{path}') where doc_id = ?"
    yield "duckdb", timed(lambda i: con.execute(asked, [i]).fetchall(), ids)


def measure(folder: Path, total: int, options: argparse.Namespace) -> dict[str, Any]:
    with_prints = total <= options.prints
    seconds = build(folder, total, with_prints)
    built = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    place = folder / segments.FOLDER
    sizes = {
        name: sum(p.stat().st_size for p in place.glob(f"*/{name}.parquet")) / total
        for name in segments.TABLES
    }
    release = finished(folder / LAST)
    parts = (folder / LAST / "lineage/tokens").iterdir()
    sizes["tokens table"] = sum(p.stat().st_size for p in parts) / total
    store = lineage.open(folder)
    return {
        "documents": total,
        "build_seconds": seconds,
        "build_peak_mib": built,
        "bytes_per_document": sum(sizes.values()),  # the table of tokens is the release's own
        "bytes": sizes,
        "look_ups": dict(lookups(store, release, options.queries)),
        "roll_ups": dict(roll_ups(store)),
        "engines": dict(engines(store, options.queries)),
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--documents", default="200000", help="sizes, comma between")
    parser.add_argument("--prints", type=int, default=2_000_000, help="no fingerprints above this")
    parser.add_argument("--queries", type=int, default=100)
    parser.add_argument("--folder", type=Path, help="where to work (default: a new one)")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    results = []
    for total in map(int, options.documents.split(",")):
        folder = Path(options.folder or mkdtemp(prefix="lineage-"))
        try:
            results.append(measure(folder, total, options))
        finally:
            for name in (segments.FOLDER, LAST):
                shutil.rmtree(folder / name, ignore_errors=True)
            if not options.folder:
                folder.rmdir()
        if not options.json:
            show(results[-1])
    if options.json:
        json.dump(results, sys.stdout, indent=1)


def show(one: dict[str, Any]) -> None:
    print(f"\n{one['documents']:,} documents in {RELEASES} releases")
    print(f"written in {one['build_seconds']:.1f} s, peak {one['build_peak_mib']:,.0f} MiB")
    parts = ", ".join(f"{n} {b:.1f}" for n, b in one["bytes"].items() if b >= 0.05)
    print(f"{one['bytes_per_document']:.0f} bytes a document: {parts}")
    for kind in ("look_ups", "roll_ups", "engines"):
        for name, t in one[kind].items():
            print(f"  {kind:9} {name:24} {t['median']:9.1f} {t['p95']:9.1f} ms")
    print(f"peak {one['peak_mib']:,.0f} MiB")


if __name__ == "__main__":
    main()
