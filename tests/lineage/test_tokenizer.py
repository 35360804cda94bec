from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.commands import ROOT
from hypothesis import given
from hypothesis import strategies as st

from lineage import tokenizer
from lineage.tokenizer import BadTokenizer, Tokenizer, load, pieces

SAMPLE = ROOT / "samples/tokenizer.json"
SEPARATOR = "<|endoftext|>"
SPARSE = {"version": "1.0", "added_tokens": [], "model": {"type": "BPE", "vocab": {}, "merges": []}}
WORD = {"a": 0, "[UNK]": 1}


@pytest.fixture(scope="module")
def sample() -> Tokenizer:
    return load(SAMPLE, SEPARATOR)


@given(texts=st.lists(st.text(), max_size=5))
def test_a_text_comes_back(texts: list[str]) -> None:
    encoder = load(SAMPLE, None)
    encoded = encoder.encode(texts)
    assert [encoder.decode(ids) for ids in encoded] == texts
    for text, ids in zip(texts, encoded, strict=True):
        same, start, end = encoder.span(text, 0, len(ids))
        assert np.array_equal(same, ids)
        assert (start, end) == ((0, len(text)) if text else (0, 0))


def test_a_token_inside_a_character_counts_for_the_whole_character(sample: Tokenizer) -> None:
    text = "a𐰀b"
    (ids,) = sample.encode([text])
    assert len(ids) == 6  # four bytes that no merge joins
    assert [sample.span(text, i, i + 1)[1:] for i in range(6)] == [
        (0, 1), (1, 2), (1, 2), (1, 2), (1, 2), (2, 3),
    ]  # fmt: skip
    assert sample.span(text, 6, 6)[1:] == (3, 3)


def test_a_separator_in_a_text_ends_nothing(sample: Tokenizer) -> None:
    (ids,) = sample.encode([f"one{SEPARATOR}two"])
    assert sample.separator not in ids and sample.decode(ids) == f"one{SEPARATOR}two"


@pytest.mark.parametrize("mark", ["\n", " ", "ә"], ids=["lines", "blanks", "neither"])
def test_a_long_text_is_encoded_in_pieces(mark: str, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder, text = load(SAMPLE, None), f"сөз{mark}" * 1000
    monkeypatch.setattr(tokenizer, "PIECE_CHARS", 101)
    monkeypatch.setattr(tokenizer, "BATCH_CHARS", 250)
    cut = pieces(text)
    assert "".join(cut) == text and max(map(len, cut)) <= 101
    assert mark == "ә" or all(piece.endswith(mark) for piece in cut)
    long, short = encoder.encode([text, "short"])
    assert encoder.decode(long) == text and encoder.decode(short) == "short"
    for first, last in ((0, 3), (70, 130), (len(long) - 2, len(long))):
        ids, start, end = encoder.span(text, first, last)
        assert np.array_equal(ids, long[first:last]) and encoder.decode(ids) == text[start:end]


def test_truncation_padding_and_added_tokens_are_off(tmp_path: Path) -> None:
    about = json.loads(SAMPLE.read_text("utf-8"))
    padding = {"strategy": {"Fixed": 64}, "direction": "Right", "pad_to_multiple_of": None}
    about |= {
        "truncation": {"direction": "Right", "max_length": 2, "strategy": "LongestFirst", "stride": 0},
        "padding": padding | {"pad_id": 0, "pad_type_id": 0, "pad_token": SEPARATOR},
        "post_processor": {
            "type": "BertProcessing", "sep": [SEPARATOR, 0], "cls": [SEPARATOR, 0],
        },
    }  # fmt: skip
    plain, other = load(SAMPLE, SEPARATOR), load(written(tmp_path, about), SEPARATOR)
    text = " Қоңырау соғылды, балалар жиналды."
    assert np.array_equal(plain.encode([text])[0], other.encode([text])[0])
    assert other.span(text, 0, 1)[1] == 0  # blanks are a token's own


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "not a tokenizer.json"),
        ("[]", "not a tokenizer.json"),
        ({}, "not a tokenizer.json"),
        (SPARSE, "vocabulary is empty"),
        ({**SPARSE, "model": {**SPARSE["model"], "vocab": {"a": 2**32}}}, "expected u32"),
        ({**SPARSE, "model": {"type": "BPE", "vocab": {"a": 0}, "merges": [], "dropout": 0.1}},
         "dropout"),
        ({**SPARSE, "model": {"type": "WordLevel", "vocab": {"a": 0}, "unk_token": "[UNK]"}},
         "UNK"),
        ({**SPARSE, "model": {"type": "BPE", "vocab": {"a": 0}, "merges": []}}, "and drops them"),
    ],
    ids=["cut", "a-list", "empty", "no-vocabulary", "too-many", "dropout", "unknown", "no-bytes"],
)  # fmt: skip
def test_bad_tokenizers(tmp_path: Path, content: Any, message: str) -> None:
    with pytest.raises(BadTokenizer, match=message):
        load(written(tmp_path, content), None)


@pytest.mark.parametrize("name", ["nowhere.json", ""], ids=["nowhere", "a-folder"])
def test_unreadable_files(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadTokenizer, match="cannot be read"):
        load(tmp_path / name, None)


def test_an_unknown_separator() -> None:
    with pytest.raises(BadTokenizer, match=r"no token '</s>'.*<\|endoftext\|>"):
        load(SAMPLE, "</s>")


def test_ids_have_the_smallest_type_that_fits(tmp_path: Path) -> None:
    about = {**SPARSE, "model": {"type": "WordLevel", "vocab": WORD, "unk_token": "[UNK]"}}
    assert load(written(tmp_path, about), None).dtype == np.dtype("<u2")
    about["model"] = {**about["model"], "vocab": {**WORD, "b": 1 << 16}}
    assert load(written(tmp_path, about), None).dtype == np.dtype("<u4")


def written(folder: Path, content: Any) -> Path:
    path = folder / "tokenizer.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
    return path
