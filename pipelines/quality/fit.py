"""Fit a fastText model, in a process of its own: `python -m pipelines.quality.fit JSON`.

With one thread fastText sets only the first tenth of its input matrix (`DenseMatrix::uniform` hands
a tenth to each thread) and leaves the rest as the memory was: the same documents give other models,
or none ("Encountered NaN").  `ENVIRONMENT` has glibc hand out memory of zeros, so that they give
the same; words whose vectors begin at zero learn from those that do not.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from schemas.errors import BAD_USAGE, TamgaError

#: malloc fills new memory with the complement of this byte (mallopt(3), M_PERTURB).
ENVIRONMENT: Final = {"MALLOC_PERTURB_": "255", "GLIBC_TUNABLES": "glibc.malloc.perturb=255"}


class FitError(TamgaError):
    """fastText could not fit the model; the message is its own."""

    exit_code = BAD_USAGE


def fit(arguments: Mapping[str, Any], out: str) -> None:
    """Train by fastText's arguments and save the model at `out`.

    Raises:
      FitError: with fastText's words.
    """
    path = [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH")]
    done = subprocess.run(
        [sys.executable, "-m", __name__, json.dumps({"out": out, **arguments})],
        env=os.environ | ENVIRONMENT | {"PYTHONPATH": os.pathsep.join(filter(None, path))},
        stdout=subprocess.PIPE,
        text=True,
    )
    if done.returncode:
        raise FitError(done.stdout.strip() or f"the process ended with {done.returncode}")


def main() -> int:
    """In the process of its own."""
    arguments = json.loads(sys.argv[1])
    out = arguments.pop("out")
    from fasttext.FastText import train_supervised

    try:
        train_supervised(thread=1, **arguments).save_model(out)
    except (RuntimeError, ValueError, MemoryError) as error:
        print(error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
