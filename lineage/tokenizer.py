"""A tokenizer from its file: the same text always gives the same tokens.

The library `tokenizers` reads the file (`tokenizer.json`).  All settings by which an encoding would
depend on more than the text are off: truncation, padding, and added special tokens.  A special
token that occurs in a text is encoded as an ordinary word.
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

#: A longer text is encoded in pieces, so that memory is bounded.  It is cut after a line, else after
#: a blank, else at this length.
PIECE_CHARS: Final = 1 << 20
#: The characters that are encoded in one call.
BATCH_CHARS: Final = 1 << 21
#: The largest known tokenizers have about 30 MB.
MAX_BYTES: Final = 1 << 29
_PROBE: Final = "Тамға — 12 tamga: 印 𐰀\n"


class BadTokenizer(TamgaError):
    """A file that is no tokenizer, or one that does not serve; the message says why."""

    exit_code = BAD_USAGE


@dataclass(frozen=True)
class Tokenizer:
    """A loaded tokenizer.

    Args:
      inner: the tokenizer object of the library.
      sha256: of the file, hex.
      dtype: of token ids: little-endian, 16 bits if all ids fit, else 32.
      size: the number of tokens in the vocabulary.
      separator: the id of the token that ends a document, or None.
    """

    inner: Any
    sha256: str
    dtype: np.dtype[Any]
    size: int
    separator: int | None

    def encode(self, texts: Iterable[str]) -> list[Ids]:
        """Encode each text to ids, without a separator.

        Raises:
          BadTokenizer: if a text cannot be encoded.
        """
        cut = [pieces(text) for text in texts]
        encoded = chain.from_iterable(map(self._batch, _batches(chain.from_iterable(cut))))
        return [np.concatenate([next(encoded) for _ in parts]) for parts in cut]

    def span(self, text: str, first: int, last: int) -> tuple[Ids, int, int]:
        """Find the characters of the tokens `first` to `last` (exclusive) of a text.

        Returns:
          The ids of the tokens, and the start and end of their characters.  A token with a part of
          a character counts for the whole character.  A text with fewer tokens gives fewer ids;
          without any token, start and end are the end of the text.
        """
        ids: list[Ids] = [np.array([], self.dtype)]
        starts, ends = [], []
        base = seen = 0
        for piece in pieces(text):
            (encoded,) = self._batch([piece])
            inside = slice(max(0, first - seen), max(0, last - seen))
            if len(encoded[inside]):
                ids.append(encoded[inside])
                spans = np.array(self.offsets(piece)[inside], np.int64) + base
                starts.append(int(spans[:, 0].min()))
                ends.append(int(spans[:, 1].max()))
            base, seen = base + len(piece), seen + len(encoded)
            if seen >= last:
                break
        joined = np.concatenate(ids)
        return (joined, min(starts), max(ends)) if starts else (joined, len(text), len(text))

    def decode(self, ids: Ids) -> str:
        """Decode ids to text, separators included; cut characters become U+FFFD."""
        return str(self.inner.decode(ids.tolist(), skip_special_tokens=False))

    def offsets(self, text: str) -> list[tuple[int, int]]:
        """The characters (start, end) of each token of a text of one piece."""
        encoding = _call_library(lambda: self.inner.encode(text, add_special_tokens=False))
        return list(encoding.offsets)

    def _batch(self, texts: list[str]) -> list[Ids]:
        encodings = _call_library(
            lambda: self.inner.encode_batch_fast(texts, add_special_tokens=False)
        )
        return [np.array(encoding.ids, self.dtype) for encoding in encodings]


def load(path: Path, separator: str | None) -> Tokenizer:
    """Load a tokenizer from a file.

    Args:
      path: a `tokenizer.json`.
      separator: the token that ends a document; None: there is no such token.

    Raises:
      BadTokenizer: if the file cannot be read or is not a tokenizer, if it encodes at random or
        drops letters, or if it has no such separator.
    """
    # Workers are processes: threads inside them would compete, and do not survive a fork.
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    import tokenizers

    content = _content(path)
    inner = _call_library(
        lambda: tokenizers.Tokenizer.from_buffer(content), "it is not a tokenizer.json: "
    )
    if getattr(inner.model, "dropout", None):
        raise BadTokenizer("its model has a `dropout`, so the same text would give other tokens")
    inner.no_truncation()
    inner.no_padding()
    inner.encode_special_tokens = True  # a separator in a text would end the document
    inner.post_processor = None  # it adds tokens, and trims blanks from offsets
    vocabulary = inner.get_vocab(with_added_tokens=True)
    if not vocabulary:
        raise BadTokenizer("its vocabulary is empty")
    ending = inner.token_to_id(separator) if separator is not None else None
    if separator is not None and ending is None:
        raise BadTokenizer(f"it has no token {separator!r} to end documents with{_specials(inner)}")
    dtype = np.dtype("<u2" if max(vocabulary.values()) < 1 << 16 else "<u4")
    loaded = Tokenizer(inner, hashlib.sha256(content).hexdigest(), dtype, len(vocabulary), ending)
    covered = {place for span in loaded.offsets(_PROBE) for place in range(*span)}
    lost = [c for place, c in enumerate(_PROBE) if not c.isspace() and place not in covered]
    if lost:
        raise BadTokenizer(
            f"it has no tokens for letters such as {''.join(lost[:4])}, and drops them"
        )
    return loaded


def pieces(text: str) -> list[str]:
    """Split a text into pieces of at most `PIECE_CHARS`; joined, they are the text."""
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
    """Group texts into lists of about `BATCH_CHARS`."""
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
            raise BadTokenizer(
                f"it is larger than {MAX_BYTES >> 20} MiB: it is not a tokenizer.json"
            )
        return path.read_bytes()
    except OSError as error:
        raise BadTokenizer(f"it cannot be read ({error.strerror})") from None


def _call_library(action: Callable[[], T], about: str = "it cannot encode a text: ") -> T:
    """Call the library.  It fails with a bare Exception, or with a panic, a BaseException."""
    try:
        return action()
    except (KeyboardInterrupt, SystemExit, MemoryError):
        raise
    except BaseException as error:
        raise BadTokenizer(about + str(error).partition("\n")[0][:200]) from None


def _specials(inner: Any) -> str:
    """A list of the special tokens, for a message about an unknown one."""
    added: Sequence[Any] = list(inner.get_added_tokens_decoder().values())
    names = [token.content for token in added if token.special][:8]
    return f"; its special tokens: {', '.join(names)}" if names else "; it has no special tokens"
