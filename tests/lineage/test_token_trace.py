from __future__ import annotations

import json
import random
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest
from helpers import release_tables
from helpers.commands import tamga

from lineage import token_trace, trace, verify
from lineage.release_folder import ReleaseFolder
from lineage.signing import keys
from lineage.storage.release_tables import NoRelease
from lineage.token_trace import BadRange, NoTokens, Range
from schemas.tables import TOKENS

RANGES = 100


@pytest.fixture(scope="module")
def release(sample_run: Path) -> ReleaseFolder:
    return ReleaseFolder(sample_run / "release/sample", sample_run, sample_run / "work/keys")


@pytest.fixture(scope="module")
def tokens(release: ReleaseFolder) -> pl.DataFrame:
    return release_tables.read_table(release.folder, "tokens").sort("shard", "token_start")


def test_all_documents_are_tokenized(release: ReleaseFolder, tokens: pl.DataFrame) -> None:
    documents = release_tables.read_table(release.folder, "documents")
    assert sorted(tokens["doc_id"]) == sorted(documents["doc_id"])
    assert tokens["n_tokens"].sum() == documents["n_tokens"].sum()
    data = (
        release_tables.read_table(release.folder, "data")
        .select("doc_id", "n_tokens")
        .sort("doc_id")
    )
    assert data.equals(documents.select("doc_id", "n_tokens").sort("doc_id"))
    manifest = release.manifest()
    counts, about = manifest["counts"], manifest["tokenizer"]
    held = sum(len(token_trace.load_tokens(release, shard)) for shard in tokens["shard"].unique())
    assert counts["tokens"] == documents["n_tokens"].sum() == held - documents.height
    for kind, column in (("language", "lang"), ("source", "source_id")):
        sums = documents.group_by(column).agg(pl.col("n_tokens").sum())
        assert counts[f"tokens_by_{kind}"] == dict(sums.iter_rows())
    file = f"tokens/{about['name']}/tokenizer.json"
    assert manifest["files"][file]["sha256"] == about["sha256"]
    assert f"{counts['tokens']} token ids" in (release.folder / "README.md").read_text("utf-8")


def random_ranges(release: ReleaseFolder, tokens: pl.DataFrame, number: int) -> list[Range]:
    """Ranges at random places, of a token to three documents."""
    draw, sizes = random.Random(7), tokens["shard"].unique().sort()
    lengths = {shard: len(token_trace.load_tokens(release, shard)) for shard in sizes}
    found = []
    for shard in draw.choices(list(lengths), [*lengths.values()], k=number):
        start = draw.randrange(lengths[shard])
        stop = min(lengths[shard], start + draw.choice([1, 2, 3, 10, 100, 600]))
        found.append(Range(shard, start, stop))
    return found


def test_random_ranges_are_the_characters_of_their_documents(
    release: ReleaseFolder, tokens: pl.DataFrame
) -> None:
    encoder = token_trace.release_tokenizer(release)
    texts = dict(
        release_tables.read_table(release.folder, "data").select("doc_id", "text").iter_rows()
    )
    for place in random_ranges(release, tokens, RANGES):
        shard = token_trace.load_tokens(release, place.shard)
        at = place.start
        for row in token_trace.documents_in_range(release, place).iter_rows(named=True):
            assert row["start"] == at, place  # each token of the range has a document
            at = row["stop"]
            text, ids = texts[row["doc_id"]], shard[row["start"] : row["text_stop"]]
            same, start, end = encoder.span(text, row["first"], row["last"])
            assert np.array_equal(same, ids), place
            whole, cut = text[start:end], encoder.decode(ids)
            inner = cut.strip("\N{REPLACEMENT CHARACTER}")
            # only the first and the last character can be cut by the range
            assert inner in whole and len(whole) - len(inner) <= 2, place
            assert inner == cut == whole or len(inner) < len(whole), place
            ending = shard[row["text_stop"] : row["stop"]].tolist()
            assert ending in ([], [encoder.separator]), place
        assert at == place.stop


def test_the_chain_of_a_range(release: ReleaseFolder, tokens: pl.DataFrame) -> None:
    first, second = tokens.filter(pl.col("shard").str.contains("/kk/")).rows(named=True)[:2]
    shard, end = first["shard"], first["n_tokens"]
    one, two = token_trace.trace_range(release, Range(shard, end - 2, end + 4), 20)
    assert (one["doc_id"], two["doc_id"]) == (first["doc_id"], second["doc_id"])
    assert one["tokens"] == [end - 2, end + 1] and one["document_tokens"] == [end - 2, end]
    assert two["tokens"] == [end + 1, end + 4] and two["document_tokens"] == [0, 3]
    assert one["separator"] and not two["separator"]
    length = one["chain"]["document"]["n_chars"]
    assert one["chars"][1] == length and two["chars"][0] == 0
    assert one["tokens_match"] and one["chain"]["bytes"]["payload_matches"]
    (alone,) = token_trace.trace_range(release, Range(shard, end, end + 1), 20)
    assert alone["doc_id"] == first["doc_id"] and alone["separator"]
    assert alone["chars"] == [length, length] and alone["tokens_match"]


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ("", BadRange), ("kk", BadRange), ("kk/part-00000-00000:", BadRange),
        ("kk/part-00000-00000:5-5", BadRange), ("kk/part-00000-00000:5-2", BadRange),
        ("kk/part-00000-00000:-1-2", BadRange), ("part-00000-00000:1", BadRange),
        ("' OR 1=1 --:1", NoTokens), ("../kk/part-00000-00000:1", NoTokens),
        ("tokens/tokenizer/tokenizer.json:1", NoTokens), ("data/kk/part-00000.parquet:1", NoTokens),
        ("kk/part-00000-00000:1-99999999", NoTokens),
        ("kk/part-00000-00000:1-" + "9" * 30, BadRange),
    ],
)  # fmt: skip
def test_bad_ranges(release: ReleaseFolder, query: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        token_trace.find_range(release, query)


def test_the_command(sample_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    query, where = "kk/part-00000-00000:100-700", ("--params", str(sample_run / "params.yaml"))
    done = tamga("trace", "--tokens", query, *where)
    assert done.returncode == 0, done.stderr
    assert "licence" in done.stdout and "characters" in done.stdout
    assert trace.main(["--tokens", query, *where, "--json", "--most", "1"]) == 0
    value: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert value["shard"].startswith("tokens/") and value["tokens"] == [100, 700]
    assert value["documents"] > len(value["found"]) == 1
    assert trace.main(["--tokens", query[:-3], *where]) == 2
    assert trace.main(["--tokens", f"{query}000", *where]) == 1
    for wrong in (["x", "--tokens", query], []):
        with pytest.raises(SystemExit, match="2"):
            trace.main([*wrong, *where])


@pytest.fixture
def copy(sample_run: Path, tmp_path: Path) -> Path:
    shutil.copytree(sample_run / "release/sample", tmp_path / "sample")
    return tmp_path / "sample"


def test_a_changed_shard_and_another_tokenizer(
    sample_run: Path, copy: Path, tokens: pl.DataFrame
) -> None:
    release, shard = ReleaseFolder(copy, sample_run), tokens["shard"][0]
    content = bytearray((copy / shard).read_bytes())
    content[128] ^= 1  # the first token
    (copy / shard).write_bytes(content)
    (one,) = token_trace.trace_range(release, Range(shard, 0, 1), 1)
    assert not one["tokens_match"]
    key = keys.public_key(sample_run / "work/keys/signing.pub")
    assert [d.file for d in verify.defects(copy, key, None)] == [shard]
    file = copy / "tokens/tokenizer/tokenizer.json"
    file.write_text(file.read_text("utf-8").replace('"dropout":null', '"dropout":0.0'), "utf-8")
    with pytest.raises(NoRelease, match="not the tokenizer"):
        token_trace.release_tokenizer(release)
    (copy / shard).write_bytes(b"")
    with pytest.raises(NoRelease, match="not a token shard"):
        token_trace.load_tokens(release, shard)


def shift(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.with_columns(token_start=pl.col("token_start") + 1)


def swap(rows: pl.DataFrame) -> pl.DataFrame:
    """Swap the ids of the first two documents."""
    ids = rows["doc_id"].to_list()
    return rows.with_columns(doc_id=pl.Series([ids[1], ids[0], *ids[2:]]))


def elsewhere(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.with_columns(shard=pl.lit("tokens/tokenizer/kk/part-00009-00000.npy"))


@pytest.mark.parametrize(
    ("change", "message"),
    [(shift, "does not hold the ranges"), (swap, "counts other tokens"),
     (elsewhere, "names other token shards"), (lambda rows: rows[1:], "counts other tokens")],
    ids=["shifted", "swapped", "elsewhere", "lost"],
)  # fmt: skip
def test_a_signed_table_that_does_not_fit(
    sample_run: Path, copy: Path, change: Any, message: str
) -> None:
    path = next((copy / "lineage/tokens").glob("*kk*"))
    rows = change(pl.read_parquet(path)).to_arrow().cast(TOKENS)
    pq.write_table(rows, path, store_schema=False)
    key = keys.signing_key(None, sample_run / "work/keys")
    release_tables.sign_again(copy, path, rows.num_rows, key)
    assert message in str(next(verify.defects(copy, key.public_key(), None)))
