"""A tokenizer by its file: the same text gives the same tokens, whoever asks and when.

Files are of the kind that the library `tokenizers` reads (`tokenizer.json`).  What would make an
encoding depend on more than the text is switched off: truncation, padding, special tokens that are
added or that stand in the text as words, which there are words like others.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np
import numpy.typing as npt

from schemas.errors import BAD_USAGE, TamgaError

#: Token ids: of the tokenizer's `dtype`, which is uint16 or uint32.
Ids = npt.NDArray[Any]
T = TypeVar("T")

#: A longer text is encoded piece by piece, so that memory is bounded; it is cut after a line, else
#: after a blank, else where it is.
PIECE_CHARS: Final = 1 << 20
#: How many characters are encoded in one call.
BATCH_CHARS: Final = 1 << 21
#: The largest tokenizers known are some 30 MB.
MAX_BYTES: Final = 1 << 29
_PROBE: Final = "Тамға — 12 tamga: 印 𐰀\n"


class BadTokenizer(TamgaError):
    """A file that is no tokenizer, or one that does not serve; the message says why."""

    exit_code = BAD_USAGE


@dataclass(frozen=True)
class Tokenizer:
    """A tokenizer at work.

    Args:
      inner: the library's.
      sha256: of the file, hex.
      dtype: of token ids: little-endian, 16 bits where all ids fit, else 32.
      size: how many tokens there are.
      separator: the id that ends a document, or None.
    """

    inner: Any
    sha256: str
    dtype: np.dtype[Any]
    size: int
    separator: int | None

    def encode(self, texts: Iterable[str]) -> list[Ids]:
        """The ids of each text, without a separator.

        Raises:
          BadTokenizer: where it has no tokens for a text.
        """
        cut = [pieces(text) for text in texts]
        encoded = chain.from_iterable(map(self._batch, _batches(chain.from_iterable(cut))))
        return [np.concatenate([next(encoded) for _ in parts]) for parts in cut]

    def span(self, text: str, first: int, last: int) -> tuple[Ids, int, int]:
        """What the tokens `first` to `last` (exclusive) of a text stand for: their ids, and the
        characters (start, end).  A token that holds a part of a character stands for the whole.
        Of a text that has fewer tokens there are fewer ids; of no token the place is the end."""
        ids: list[Ids] = [np.array([], self.dtype)]
        starts, ends = [], []
        base = seen = 0
        for piece in pieces(text):
            (found,) = self._batch([piece])
            inside = slice(max(0, first - seen), max(0, last - seen))
            if len(found[inside]):
                ids.append(found[inside])
                spans = np.array(self.offsets(piece)[inside], np.int64) + base
                starts.append(int(spans[:, 0].min()))
                ends.append(int(spans[:, 1].max()))
            base, seen = base + len(piece), seen + len(found)
            if seen >= last:
                break
        whole = np.concatenate(ids)
        return (whole, min(starts), max(ends)) if starts else (whole, len(text), len(text))

    def decode(self, ids: Ids) -> str:
        """The text of some ids, separators among it; U+FFFD for characters that are cut."""
        return str(self.inner.decode(ids.tolist(), skip_special_tokens=False))

    def offsets(self, text: str) -> list[tuple[int, int]]:
        """The characters (start, end) that each token of a text of one piece stands for."""
        found = _call_library(lambda: self.inner.encode(text, add_special_tokens=False))
        return list(found.offsets)

    def _batch(self, texts: list[str]) -> list[Ids]:
        found = _call_library(lambda: self.inner.encode_batch_fast(texts, add_special_tokens=False))
        return [np.array(one.ids, self.dtype) for one in found]


def load(path: Path, separator: str | None) -> Tokenizer:
    """The tokenizer in a file.

    Args:
      path: a `tokenizer.json`.
      separator: the token that ends a document; None: none does.

    Raises:
      BadTokenizer: where the file cannot be read, is none, draws lots, drops letters, or lacks
      the separator.
    """
    # Workers are processes: threads inside them would compete, and do not survive a fork.
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    import tokenizers

    content = _content(path)
    inner = _call_library(
        lambda: tokenizers.Tokenizer.from_buffer(content), "it is no tokenizer.json: "
    )
    if getattr(inner.model, "dropout", None):
        raise BadTokenizer("its model has a `dropout`: the same text would give other tokens")
    inner.no_truncation()
    inner.no_padding()
    inner.encode_special_tokens = True  # a separator in a text would end the document
    inner.post_processor = None  # adds tokens, and trims the blanks off their characters
    vocabulary = inner.get_vocab(with_added_tokens=True)
    if not vocabulary:
        raise BadTokenizer("its vocabulary is empty")
    ending = inner.token_to_id(separator) if separator is not None else None
    if separator is not None and ending is None:
        raise BadTokenizer(f"it has no token {separator!r} to end documents with{_specials(inner)}")
    dtype = np.dtype("<u2" if max(vocabulary.values()) < 1 << 16 else "<u4")
    found = Tokenizer(inner, hashlib.sha256(content).hexdigest(), dtype, len(vocabulary), ending)
    covered = {place for span in found.offsets(_PROBE) for place in range(*span)}
    lost = [c for place, c in enumerate(_PROBE) if not c.isspace() and place not in covered]
    if lost:
        raise BadTokenizer(
            f"it has no tokens for letters such as {''.join(lost[:4])}, and drops them"
        )
    return found


def pieces(text: str) -> list[str]:
    """A text in pieces of at most `PIECE_CHARS`; they add up to it."""
    if len(text) <= PIECE_CHARS:
        return [text]
    out, start = [], 0
    while start < len(text):
        stop = start + PIECE_CHARS
        if stop < len(text):
            line = text.rfind("\n", start, stop) + 1
            stop = line or text.rfind(" ", start, stop) + 1 or stop
        out.append(text[start:stop])
        start = stop
    return out


def _batches(texts: Iterable[str]) -> Iterator[list[str]]:
    """The texts in lists of about `BATCH_CHARS`."""
    batch: list[str] = []
    chars = 0
    for text in texts:
        batch.append(text)
        chars += len(text)
        if chars >= BATCH_CHARS:
            yield batch
            batch, chars = [], 0
    if batch:
        yield batch


def _content(path: Path) -> bytes:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise BadTokenizer(f"it is larger than {MAX_BYTES >> 20} MiB: it is no tokenizer.json")
        return path.read_bytes()
    except OSError as error:
        raise BadTokenizer(f"it cannot be read ({error.strerror})") from None


def _call_library(action: Callable[[], T], about: str = "it cannot encode a text: ") -> T:
    """What the library answers.  It fails with a bare Exception, or with a panic, which is none."""
    try:
        return action()
    except (KeyboardInterrupt, SystemExit, MemoryError):
        raise
    except BaseException as error:
        raise BadTokenizer(about + str(error).partition("\n")[0][:200]) from None


def _specials(inner: Any) -> str:
    """The tokens that could have been meant."""
    added: Sequence[Any] = list(inner.get_added_tokens_decoder().values())
    names = [one.content for one in added if one.special][:8]
    return f"; its special tokens: {', '.join(names)}" if names else "; it has no special tokens"
