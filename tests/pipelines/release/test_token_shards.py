from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from helpers.commands import ROOT
from hypothesis import given
from hypothesis import strategies as st

from lineage.configuration import load_params
from pipelines.engine import shards
from pipelines.release import token_shards
from schemas import params
from schemas.errors import Invalid


@given(
    lengths=st.lists(st.integers(0, 40), max_size=12),
    separator=st.integers(0, 1),
    size=st.integers(1, 30),
)
def test_ranges_hold_each_token_once(lengths: list[int], separator: int, size: int) -> None:
    rows = token_shards.token_ranges(np.array(lengths, np.int64), separator, size)
    stream = [
        (i, token)  # the separator follows a document's last token
        for i, n in enumerate(lengths)
        for token in range(n + separator)
    ]
    found = {
        (row["number"] * size + row["token_start"] + k): (
            row["document"],
            row["doc_token_start"] + k,
        )
        for row in rows.iter_rows(named=True)
        for k in range(row["n_tokens"])
    }
    texts = {at: place for at, place in enumerate(stream) if place[1] < lengths[place[0]]}
    assert found == texts
    assert rows["document"].unique().sort().to_list() == list(range(len(lengths)))
    last = max(0, (len(stream) - 1) // size)
    assert all(row["number"] <= last for row in rows.iter_rows(named=True))
    if separator:  # each shard begins with a row, so each separator belongs to a document
        starts = rows.filter(pl.col("token_start") == 0)["number"].unique().sort().to_list()
        assert starts == (list(range(last + 1)) if lengths else [])


def plan(size: int, separator: int | None = 7, dtype: str = "uint16") -> token_shards.TokenPlan:
    about = {"name": "one", "dtype": dtype, "separator_id": separator}
    return token_shards.TokenPlan(Path("tokenizer.json"), about, size)


def test_shards_are_arrays_in_order(tmp_path: Path) -> None:
    state, ids = shards.State(str(tmp_path)), pl.Series(["a", "b", "c"])
    encoded = [np.array(n, "<u2") for n in ([1, 2, 3], [], [4, 5, 6])]
    files, rows = token_shards.write_shards(state, plan(4), "kk/part-00000", ids, encoded)
    names = [f"tokens/one/kk/part-00000-{i:05d}.npy" for i in range(3)]
    assert [one["file"] for one in files] == names
    arrays = [np.load(tmp_path / name, mmap_mode="r") for name in names]
    assert [a.tolist() for a in arrays] == [[1, 2, 3, 7], [7, 4, 5, 6], [7]]
    assert {a.dtype.str for a in arrays} == {"<u2"}
    written = rows.select("shard", "token_start", "n_tokens", "doc_id", "doc_token_start").rows()
    assert written == [
        (names[0], 0, 3, "a", 0),
        (names[1], 0, 0, "b", 0),
        (names[1], 1, 3, "c", 0),
        (names[2], 0, 0, "c", 3),
    ]


@pytest.mark.parametrize("texts", [[], [[]]], ids=["no-documents", "an-empty-one"])
def test_no_tokens_give_an_empty_shard(tmp_path: Path, texts: list[Any]) -> None:
    encoded = [np.array(t, "<u4") for t in texts]
    ids = pl.Series([str(i) for i in range(len(texts))], dtype=pl.String)
    files, rows = token_shards.write_shards(
        shards.State(str(tmp_path)), plan(4, None, "uint32"), "kk/part-00000", ids, encoded
    )
    assert rows.height == len(texts)
    assert np.load(tmp_path / files[0]["file"]).dtype.str == "<u4"


def parameters(folder: Path, tokens: str) -> params.Params:
    text = (ROOT / "params.yaml").read_text("utf-8")
    lines = [line for line in text.splitlines() if "tokenizer:" not in line]
    path = folder / "params.yaml"
    path.write_text("\n".join(lines).replace("tokens:   ", f"tokens: {tokens}  "), "utf-8")
    return load_params(path)


def test_there_is_no_plan_without_a_tokenizer(tmp_path: Path) -> None:
    assert token_shards.plan_tokens(parameters(tmp_path, "{}")) is None


def test_a_plan_names_the_tokenizer(tmp_path: Path) -> None:
    given_ = parameters(tmp_path, f"{{tokenizer: {ROOT}/samples/tokenizer.json, separator: }}")
    found = token_shards.plan_tokens(given_)
    assert found is not None and found.folder == "tokens/tokenizer"
    assert found.about["separator_id"] is None and found.about["dtype"] == "uint16"
    assert str(ROOT) not in given_.canonical("tokens").decode()


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        ("{tokenizer: nowhere.json}", "cannot be read"),
        ("{tokenizer: params.yaml}", "not a tokenizer.json"),
        ("{tokenizer: ., name: here}", "cannot be read"),
        (f"{{tokenizer: {ROOT}/samples/tokenizer.json, separator: </s>}}", "no token '</s>'"),
        ("{tokenizer: сөз.json}", "tokens.name"),
        ("{tokenizer: 'https://example.org/tokenizer.json'}", "tokens.tokenizer"),
        ("{name: ../up}", "tokens.name"),
        ("{shard_tokens: 0}", "1024"),
    ],
    ids=["nowhere", "no-json", "a-folder", "separator", "stem", "url", "name", "small"],
)
def test_a_tokenizer_that_cannot_be_used(tmp_path: Path, tokens: str, message: str) -> None:
    with pytest.raises(Invalid) as caught:
        token_shards.plan_tokens(parameters(tmp_path, tokens))
    assert message in str(caught.value)
