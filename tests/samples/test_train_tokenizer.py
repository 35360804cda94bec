"""The sample's tokenizer is what its script makes of the sample's texts, and holds no identifier."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from helpers.commands import ROOT

SAMPLE = ROOT / "samples/tokenizer.json"


def test_training_gives_the_same_file(tmp_path: Path) -> None:
    script, out = ROOT / "samples/train_tokenizer.py", tmp_path / "tokenizer.json"
    subprocess.run([sys.executable, script, "--out", out], check=True, capture_output=True)
    assert out.read_bytes() == SAMPLE.read_bytes()


def test_no_token_is_a_long_number() -> None:
    vocabulary = json.loads(SAMPLE.read_bytes())["model"]["vocab"]
    assert len(vocabulary) == 4096
    assert max(sum(map(str.isdigit, token)) for token in vocabulary) <= 4
