"""Train the sample's tokenizer: byte-level BPE of 4,096 tokens, on the sample's own texts.

The same texts and the same version of `tokenizers` give the same file.  The training texts hold no
identifiers of persons.

    python samples/train_tokenizer.py [--out samples/tokenizer.json]
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import yaml
from build import HERE, PLACEHOLDER
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

TOKENS = 4096
SEPARATOR = "<|endoftext|>"


def texts() -> Iterator[str]:
    """Yield the sample's texts, without the placeholders of personal data."""
    for path in sorted((HERE / "texts").glob("*.yaml")):
        for document in yaml.safe_load(path.read_text("utf-8"))["documents"]:
            yield PLACEHOLDER.sub("", document["text"])


def train() -> str:
    """Train the tokenizer; return it as JSON."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=TOKENS,
        special_tokens=[SEPARATOR],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts(), trainer)
    return tokenizer.to_str()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--out", type=Path, default=HERE / "tokenizer.json")
    out = parser.parse_args().out
    out.write_text(train() + "\n", "utf-8")
    print(f"{out}: {out.stat().st_size} bytes")


if __name__ == "__main__":
    main()
